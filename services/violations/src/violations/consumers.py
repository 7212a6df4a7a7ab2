"""Handlers of consumed events: plate reads, start and end of periods in which plate reading is
unreliable (degradations), and acceptance of citizens' evidence."""

import math
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from chassis.clock import made_at
from chassis.fields import check_text, read_id, read_moment
from chassis.refusals import Checks
from chassis.transaction import Tx
from google.protobuf.timestamp_pb2 import Timestamp
from host.consumer import Meta, Poison
from tartip.inference.v1 import events_pb2 as inference_events
from tartip.inference.v1 import inference_pb2
from tartip.reports.v1 import events_pb2 as report_events

from violations.assessment import Assessment, reads_total
from violations.degradation import Degradation, Degradations
from violations.model import Box, Outcome, Plate, Readings
from violations.storage.reads import Read

SHA256_HEX = re.compile(r"[0-9a-f]{64}")
TEXT_MAX = 200
OnRead = Callable[[Tx, inference_events.PlateRead, Meta], Awaitable[None]]
OnDegraded = Callable[[Tx, inference_events.FunctionDegraded, Meta], Awaitable[None]]
OnRecovered = Callable[[Tx, inference_events.FunctionRecovered, Meta], Awaitable[None]]
OnEvidence = Callable[[Tx, report_events.TrafficEvidenceAccepted, Meta], Awaitable[None]]


def on_plate_read(assessment: Assessment) -> OnRead:
    async def take(tx: Tx, event: inference_events.PlateRead, meta: Meta) -> None:
        if not event.HasField("readings"):
            # Nothing was measured: no violation can follow, and the plate is not stored.
            reads_total.add(1, {"outcome": Outcome.NO_READINGS.value})
            return
        await assessment.take_read(tx, read_from(event, meta.story))

    return take


def on_evidence_accepted(assessment: Assessment) -> OnEvidence:
    async def take(tx: Tx, event: report_events.TrafficEvidenceAccepted, meta: Meta) -> None:
        await assessment.take_evidence(tx, _id(event.report_id, "report_id"))

    return take


def on_function_degraded(degradations: Degradations) -> OnDegraded:
    async def take(tx: Tx, event: inference_events.FunctionDegraded, meta: Meta) -> None:
        if event.function == inference_events.PROBED_FUNCTION_PLATES:
            await degradations.begin(tx, degradation_from(event))

    return take


def on_function_recovered(degradations: Degradations) -> OnRecovered:
    async def take(tx: Tx, event: inference_events.FunctionRecovered, meta: Meta) -> None:
        if event.function == inference_events.PROBED_FUNCTION_PLATES:
            recovered_at = _moment(event.recovered_at, "recovered_at")
            await degradations.end(tx, degradation_from(event), recovered_at)

    return take


def degradation_from(
    event: inference_events.FunctionDegraded | inference_events.FunctionRecovered,
) -> Degradation:
    """Return the degradation in an event. Raises Poison, which makes the event a dead letter, if a
    field is wrong."""
    return Degradation(_id(event.degradation_id, "degradation_id"), _moment(event.since, "since"))


def read_from(event: inference_events.PlateRead, story: str) -> Read:
    """Return the plate read in an event. If a field is wrong, raises Poison, which makes the event
    a dead letter. Poison names the field, but does not contain the field's value."""
    given, read_id = event.readings, _id(event.read_id, "read_id")
    # An older gateway does not send received_at; it made the read's UUIDv7 during inference.
    arrived = event.HasField("received_at")
    return Read(
        read_id=read_id,
        camera_id=_id(event.camera_id, "camera_id"),
        captured_at=_moment(event.captured_at, "captured_at"),
        arrived_at=_moment(event.received_at, "received_at") if arrived else made_at(read_id),
        plate=_plate(event.plate),
        readings=Readings(
            device_serial=_text(given.device_serial, "device_serial"),
            device_time=_moment(given.device_time, "device_time"),
            counter=given.counter,
            frame_sha256=given.frame_sha256.hex(),
            speed_kmh=_optional(given, "speed_kmh"),
            speed_limit_kmh=_optional(given, "speed_limit_kmh"),
            signal_phase=_phase(given.signal_phase),
            signal_age_seconds=_optional(given, "signal_age_seconds"),
            past_stop_line=given.past_stop_line if given.HasField("past_stop_line") else None,
        ),
        evidence_sha256=_digest(event.evidence_sha256),
        models_fingerprint=_text(event.models_fingerprint, "models_fingerprint"),
        story=story,
        shown_sha256=_digest(event.shown_sha256) if event.shown_sha256 else "",
    )


def _plate(given: inference_pb2.Plate) -> Plate:
    if not given.text:
        raise Poison("plate.text")
    box = (given.box.x, given.box.y, given.box.width, given.box.height)
    numbers = (given.confidence, *box, *given.character_confidences)
    if not all(math.isfinite(number) for number in numbers):
        raise Poison("plate")
    return Plate(
        _text(given.text, "plate.text"),
        given.confidence,
        Box(*box),
        tuple(given.character_confidences),
        _text(given.country, "plate.country"),
        _text(given.plate_type, "plate.plate_type"),
    )


def _id(text: str, field: str) -> UUID:
    with _checks() as check:
        return read_id(check, field, text)


def _moment(stamp: Timestamp, field: str) -> datetime:
    with _checks() as check:
        return read_moment(check, field, stamp)


def _text(text: str, field: str) -> str:
    with _checks() as check:
        check_text(check, field, text, longest=TEXT_MAX)
    return text


@contextmanager
def _checks() -> Iterator[Checks]:
    """Collect field errors as the chassis does for requests. Raises Poison with the name of the
    first wrong field."""
    collected = Checks()
    yield collected
    if collected.errors:
        raise Poison(collected.errors[0].field)


def _digest(text: str) -> str:
    if not SHA256_HEX.fullmatch(text):
        raise Poison("evidence_sha256")
    return text


def _optional(given: inference_pb2.Readings, field: str) -> float | None:
    """Return a measured number, None where absent. Raises Poison for NaN and infinity."""
    if not given.HasField(field):  # type: ignore[arg-type]
        return None
    value = float(getattr(given, field))
    if not math.isfinite(value):
        raise Poison(f"readings.{field}")
    return value


def _phase(number: int) -> str:
    value = inference_pb2.SignalPhase.DESCRIPTOR.values_by_number.get(number)
    name = value.name.removeprefix("SIGNAL_PHASE_") if value else ""
    return "" if name == "UNSPECIFIED" else name
