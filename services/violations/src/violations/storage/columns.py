"""Objects stored in a single column, as JSON: plates (sealed), readings and devices."""

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
    value = json.loads(sealed)
    value["box"] = Box(**value["box"])
    value["character_confidences"] = tuple(value["character_confidences"])
    return Plate(**value)


def readings_json(readings: Readings) -> dict[str, Any]:
    return asdict(readings) | {"device_time": readings.device_time.isoformat()}


def readings_from(value: dict[str, Any]) -> Readings:
    return Readings(**value | {"device_time": datetime.fromisoformat(value["device_time"])})


def device_json(device: Device) -> dict[str, Any]:
    value = asdict(device)
    for name in ("verification_from", "verification_until"):
        value[name] = value[name].isoformat() if value[name] else None
    return value


def device_from(value: dict[str, Any]) -> Device:
    moments = {
        name: datetime.fromisoformat(value[name]) if value[name] else None
        for name in ("verification_from", "verification_until")
    }
    return Device(**value | moments)
