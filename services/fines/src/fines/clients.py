"""What lies outside: the violations service, the vehicle register, the post, the seal.

The embedded register is a file, the embedded post a folder; both stand behind the same Protocols as
the state's own will.
"""

import asyncio
import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from chassis.channels import peers_refusals
from chassis.clock import from_timestamp
from chassis.purpose import purpose_metadata
from chassis.sealing import public_bytes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.timestamp_pb2 import Timestamp
from tartip.inference.v1 import inference_pb2
from tartip.violations.v1 import violations_pb2, violations_pb2_grpc

from fines.letters import SIGNATURE_PLACE
from fines.model.identifiers import normalised_plate
from fines.model.prescription import ConfirmedViolation, Device, Owner, Registration
from fines.model.refusals import RegisterAway

PURPOSE = purpose_metadata("issue-fine")
TIMEOUT_SECONDS = 5.0
PHASES = {
    inference_pb2.SIGNAL_PHASE_RED: "RED",
    inference_pb2.SIGNAL_PHASE_YELLOW: "YELLOW",
    inference_pb2.SIGNAL_PHASE_GREEN: "GREEN",
}


class ViolationsClient:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = violations_pb2_grpc.ViolationsStub(channel)

    async def violation(self, violation_id: str) -> ConfirmedViolation:
        request = violations_pb2.GetViolationRequest(violation_id=violation_id)
        with peers_refusals():
            answer = await self._stub.GetViolation(
                request, timeout=TIMEOUT_SECONDS, metadata=PURPOSE
            )
        return to_violation(answer.violation)


def to_violation(told: violations_pb2.Violation) -> ConfirmedViolation:
    readings = told.readings
    return ConfirmedViolation(
        violation_id=told.violation_id,
        is_confirmed=told.state == violations_pb2.VIOLATION_STATE_CONFIRMED,
        from_device=told.source == violations_pb2.VIOLATION_SOURCE_DEVICE,
        hold_reason=told.hold_reason,
        offence_code=told.offence.code,
        article=told.offence.article,
        rules_version=f"{told.offence.rules_version}@sha256:{told.offence.rules_sha256}",
        occurred_at=from_timestamp(told.occurred_at),
        plate=told.plate.text,
        address=told.place.address,
        latitude=told.place.latitude,
        longitude=told.place.longitude,
        device=_device(told.device),
        speed_kmh=readings.speed_kmh if readings.HasField("speed_kmh") else None,
        speed_limit_kmh=readings.speed_limit_kmh if readings.HasField("speed_limit_kmh") else None,
        over_kmh=told.over_kmh if told.HasField("over_kmh") else None,
        signal_phase=_phase(readings.signal_phase),
        signal_age_seconds=(
            readings.signal_age_seconds if readings.HasField("signal_age_seconds") else None
        ),
        past_stop_line=readings.past_stop_line if readings.HasField("past_stop_line") else None,
        evidence_sha256=tuple(told.evidence_sha256),
        officer=told.decision.officer,
        decided_at=_moment(told.decision.HasField("decided_at"), told.decision.decided_at),
    )


def _device(told: violations_pb2.Device) -> Device:
    return Device(
        name=told.name,
        serial=told.serial,
        certificate_number=told.certificate_number,
        verification_number=told.verification_number,
        verification_from=_moment(told.HasField("verification_from"), told.verification_from),
        verification_until=_moment(told.HasField("verification_until"), told.verification_until),
    )


def _phase(told: inference_pb2.SignalPhase.ValueType) -> str:
    """What a newer peer might tell and we cannot name is left unsaid."""
    return PHASES.get(told, "")


def _moment(present: bool, stamp: Timestamp) -> datetime | None:
    return from_timestamp(stamp) if present else None


class VehicleFile:
    """A JSON object: plate → {"make", "model", "owner": {"iin" or "bin", "name", "address",
    "phone"}}, or a list of such where a plate stands twice. Read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._vehicles: dict[str, tuple[Registration, ...]] = {}

    async def registrations(self, plate: str) -> tuple[Registration, ...]:
        try:
            return (await asyncio.to_thread(self._current)).get(plate, ())
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RegisterAway from error

    def _current(self) -> dict[str, tuple[Registration, ...]]:
        found = self._path.stat()
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        if stamp != self._stamp:
            self._vehicles = _read_vehicles(json.loads(self._path.read_text(encoding="utf-8")))
            self._stamp = stamp
        return self._vehicles


def _read_vehicles(told: dict[str, Any]) -> dict[str, tuple[Registration, ...]]:
    vehicles: dict[str, tuple[Registration, ...]] = {}
    for text, value in told.items():
        plate = normalised_plate(text) or text
        records = value if isinstance(value, list) else [value]
        # Two spellings of one plate are two owners, and with that nobody's.
        vehicles[plate] = (*vehicles.get(plate, ()), *map(_registration, records))
    return vehicles


def _registration(record: dict[str, Any]) -> Registration:
    owner = record["owner"]
    return Registration(
        make=str(record.get("make", "")),
        model=str(record.get("model", "")),
        owner=Owner(
            number=str(owner.get("iin") or owner.get("bin") or ""),
            name=str(owner.get("name", "")),
            address=str(owner.get("address", "")),
            phone=str(owner.get("phone", "")),
        ),
    )


class LetterFolder:
    """The embedded post: a letter is delivered when its file lies whole in the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def deliver(self, name: str, letter: str) -> datetime:
        return await asyncio.to_thread(self._put, f"{name}.html", letter.encode())

    def _put(self, name: str, letter: bytes) -> datetime:
        path = self._folder / name
        if not path.exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(path, letter)
        # The first time it lay there is the moment, however often we are asked.
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def _write(self, path: Path, letter: bytes) -> None:
        draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(letter)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class ElectronicSeal:
    """The authority's signature (Ed25519) over the SHA-256 of the letter without it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, content: str) -> str:
        digest = hashlib.sha256(content.encode()).hexdigest()
        signature = self._key.sign(f"tartip-letter-v1\n{digest}".encode()).hex()
        shown = (
            f"<p>ЭЦҚ / ЭЦП (Ed25519): {signature}<br>SHA-256: {digest}<br>"
            f"{public_bytes(self._key).hex()}</p>"
        )
        return content.replace(SIGNATURE_PLACE, shown)
