"""What stands in one column as a whole: plates (sealed), readings and devices, as JSON."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from chassis.transaction import Tx
from law.plates import letters_and_digits

from violations.model import Box, Device, Plate, Readings
from violations.storage.tables import KEY_CLASS


def plate_index(tx: Tx, plate: Plate) -> bytes:
    return tx.keys.blind_index(KEY_CLASS, "plate", letters_and_digits(plate.text))


def plate_text(plate: Plate) -> str:
    return json.dumps(asdict(plate))


def plate_from(sealed: str) -> Plate:
    told = json.loads(sealed)
    told["box"] = Box(**told["box"])
    told["character_confidences"] = tuple(told["character_confidences"])
    return Plate(**told)


def readings_json(readings: Readings) -> dict[str, Any]:
    return asdict(readings) | {"device_time": readings.device_time.isoformat()}


def readings_from(told: dict[str, Any]) -> Readings:
    return Readings(**told | {"device_time": datetime.fromisoformat(told["device_time"])})


def device_json(device: Device) -> dict[str, Any]:
    told = asdict(device)
    for name in ("verification_from", "verification_until"):
        told[name] = told[name].isoformat() if told[name] else None
    return told


def device_from(told: dict[str, Any]) -> Device:
    moments = {
        name: datetime.fromisoformat(told[name]) if told[name] else None
        for name in ("verification_from", "verification_until")
    }
    return Device(**told | moments)
