"""The tables of reads, violations and decisions: the only SQL of this service.

A plate, an address and the text of a decision are sealed with one data key an object; the plate is
found again by its blind index. A read that shows no violation loses its key, and with it its plate.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.db import Tx
from chassis.refusals import IdReused
from chassis.sealing import DataKey
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    Uuid,
    func,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from violations.model import (
    Box,
    Caution,
    Decision,
    Device,
    Hold,
    Offence,
    Place,
    Plate,
    Readings,
    Source,
    State,
    Verdict,
    Violation,
    ViolationNotFound,
)
from violations.rules import normalised_plate

KEY_CLASS = "plate"
_moment = DateTime(timezone=True)
_metadata = MetaData()

reads = Table(
    "reads", _metadata,
    Column("read_id", Uuid, primary_key=True), Column("camera_id", Uuid),
    Column("captured_at", _moment), Column("key_id", Uuid), Column("plate_sealed", LargeBinary),
    Column("readings", JSONB), Column("evidence_sha256", Text),
    Column("models_fingerprint", Text), Column("story", Text), Column("received_at", _moment),
    Column("outcome", Text), Column("assessed_at", _moment), Column("held_by", Uuid),
    Column("shown_sha256", Text),
)  # fmt: skip

violations = Table(
    "violations", _metadata,
    Column("violation_id", Uuid, primary_key=True), Column("state", Text), Column("source", Text),
    Column("region", Text), Column("camera_id", Uuid), Column("read_id", Uuid),
    Column("report_id", Uuid), Column("latitude", Double), Column("longitude", Double),
    Column("occurred_at", _moment), Column("detected_at", _moment), Column("key_id", Uuid),
    Column("address_sealed", LargeBinary), Column("plate_sealed", LargeBinary),
    Column("plate_index", LargeBinary), Column("rule", Text), Column("offence_code", Text),
    Column("article", Text), Column("rules_version", Text), Column("rules_sha256", Text),
    Column("dedupe_seconds", Integer), Column("dedupe_window", BigInteger),
    Column("readings", JSONB(none_as_null=True)), Column("over_kmh", Numeric),
    Column("device", JSONB(none_as_null=True)), Column("evidence_sha256", ARRAY(Text)),
    Column("models_fingerprint", Text), Column("hold", Text), Column("version", BigInteger),
    Column("story", Text), Column("caution", Text), Column("shown_sha256", ARRAY(Text)),
)  # fmt: skip

degradations = Table(
    "degradations", _metadata,
    Column("degradation_id", Uuid, primary_key=True), Column("since", _moment),
    Column("told_at", _moment), Column("recovered_at", _moment),
)  # fmt: skip

decisions = Table(
    "decisions", _metadata,
    Column("decision_id", Uuid, primary_key=True), Column("violation_id", Uuid),
    Column("region", Text), Column("verdict", Text), Column("officer", Text),
    Column("decided_at", _moment), Column("reason_sealed", LargeBinary),
    Column("canonical_sealed", LargeBinary), Column("signature", LargeBinary),
    Column("certificate", LargeBinary),
)  # fmt: skip


@dataclass(frozen=True)
class Read:
    """A plate read with readings, not assessed yet."""

    read_id: UUID
    camera_id: UUID
    captured_at: datetime
    plate: Plate
    readings: Readings
    evidence_sha256: str
    models_fingerprint: str
    story: str
    # It waited while plates were not read for sure.
    was_held: bool = False
    # Of the form that officers are shown; "" where it is not known.
    shown_sha256: str = ""


@dataclass(frozen=True)
class Filters:
    state: State | None = None
    region: str = ""
    offence_code: str = ""


async def add_read(tx: Tx, read: Read, now: datetime) -> bool:
    """False when this read is known."""
    key = await tx.new_data_key(KEY_CLASS)
    sealed = key.seal(_plate_text(read.plate), f"reads.plate:{read.read_id}")
    added = await tx.execute(
        insert(reads)
        .values(
            read_id=read.read_id, camera_id=read.camera_id, captured_at=read.captured_at,
            key_id=key.key_id, plate_sealed=sealed, readings=_readings_json(read.readings),
            evidence_sha256=read.evidence_sha256, models_fingerprint=read.models_fingerprint,
            story=read.story, received_at=now, shown_sha256=read.shown_sha256,
        )
        .on_conflict_do_nothing()
    )  # fmt: skip
    return bool(added.rowcount)


async def pending_read(tx: Tx, read_id: UUID, *, for_update: bool = False) -> Read | None:
    """None once it was assessed."""
    query = select(reads).where(reads.c.read_id == read_id, reads.c.outcome.is_(None))
    row = (await tx.execute(query.with_for_update() if for_update else query)).one_or_none()
    if row is None:
        return None
    key = await tx.data_key(KEY_CLASS, row.key_id)
    plate = key.open_text(bytes(row.plate_sealed), f"reads.plate:{read_id}")
    return Read(
        read_id, row.camera_id, row.captured_at, _plate(plate), _readings(row.readings),
        row.evidence_sha256, row.models_fingerprint, row.story, row.held_by is not None,
        row.shown_sha256,
    )  # fmt: skip


async def close_read(tx: Tx, read_id: UUID, outcome: str, now: datetime) -> None:
    """What the read led to stays; its plate goes, for the violation has its own."""
    closed = await tx.execute(
        update(reads).where(reads.c.read_id == read_id)
        .values(outcome=outcome, assessed_at=now, plate_sealed=None).returning(reads.c.key_id)
    )  # fmt: skip
    await tx.destroy_data_key(closed.one().key_id)


async def beside_pauses(tx: Tx) -> None:
    """Until this transaction ends no pause begins or ends."""
    await tx.execute(text("SELECT pg_advisory_xact_lock_shared(hashtextextended('pauses', 2))"))


async def alone_with_pauses(tx: Tx) -> None:
    """Waits for all that decide by whether there is a pause."""
    await tx.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('pauses', 2))"))


async def add_degradation(tx: Tx, degradation_id: UUID, *, since: datetime, now: datetime) -> bool:
    """False when it is known."""
    new = insert(degradations).values(degradation_id=degradation_id, since=since, told_at=now)
    return bool((await tx.execute(new.on_conflict_do_nothing())).rowcount)


async def end_degradation(tx: Tx, degradation_id: UUID, recovered_at: datetime) -> None:
    await tx.execute(
        update(degradations)
        .where(degradations.c.degradation_id == degradation_id)
        .values(recovered_at=recovered_at)
    )


async def open_degradation(tx: Tx) -> UUID | None:
    query = select(degradations.c.degradation_id).where(degradations.c.recovered_at.is_(None))
    found: UUID | None = await tx.scalar(query.limit(1))
    return found


async def paused_since(tx: Tx) -> datetime | None:
    query = select(func.min(degradations.c.since)).where(degradations.c.recovered_at.is_(None))
    found: datetime | None = await tx.scalar(query)
    return found


async def was_degraded(tx: Tx, moment: datetime) -> bool:
    query = select(degradations.c.degradation_id).where(
        degradations.c.since <= moment, degradations.c.recovered_at > moment
    )
    return await tx.scalar(query.limit(1)) is not None


async def hold_read(tx: Tx, read_id: UUID, degradation_id: UUID) -> None:
    await tx.execute(update(reads).where(reads.c.read_id == read_id).values(held_by=degradation_id))


async def held_reads(tx: Tx, *, after: UUID | None, most: int) -> list[UUID]:
    query = select(reads.c.read_id).where(_HELD).order_by(reads.c.read_id).limit(most)
    if after is not None:
        query = query.where(reads.c.read_id > after)
    return list((await tx.execute(query)).scalars())


async def count_held(tx: Tx) -> int:
    return int(await tx.scalar(select(func.count()).select_from(reads).where(_HELD)))


_HELD = reads.c.held_by.is_not(None) & reads.c.outcome.is_(None)


async def caution_since(tx: Tx, since: datetime, caution: Caution) -> int:
    """Of what a device recorded and nobody has decided; a decision prepared before is void."""
    changed = await tx.execute(
        update(violations)
        .where(
            violations.c.state == State.REVIEW.value, violations.c.caution == "",
            violations.c.source == Source.DEVICE.value, violations.c.detected_at >= since,
        )
        .values(caution=caution.value, version=violations.c.version + 1)
    )  # fmt: skip
    return int(changed.rowcount)


async def add_from_device(tx: Tx, violation: Violation, *, rule: str, read_id: UUID,
                          dedupe_seconds: int, now: datetime) -> bool:  # fmt: skip
    """False when the same plate broke the same rule before this camera within the window."""
    index = _index(tx, violation.plate)
    place = f"{index.hex()}:{rule}:{violation.camera_id}"
    # Two reads of one passage may be assessed at once: one after the other, then.
    await tx.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:place, 1))"), {"place": place}
    )
    window = timedelta(seconds=dedupe_seconds)
    seen = await tx.scalar(
        select(violations.c.violation_id).where(
            violations.c.plate_index == index, violations.c.rule == rule,
            violations.c.camera_id == violation.camera_id,
            violations.c.occurred_at > violation.occurred_at - window,
            violations.c.occurred_at < violation.occurred_at + window,
        ).limit(1)
    )  # fmt: skip
    if seen is not None:
        return False
    values = await _sealed(tx, violation, index) | {
        "rule": rule, "read_id": read_id, "dedupe_seconds": dedupe_seconds, "detected_at": now,
        "dedupe_window": int(violation.occurred_at.timestamp()) // dedupe_seconds,
    }  # fmt: skip
    added = await tx.execute(
        insert(violations).values(**values).on_conflict_do_nothing(
            constraint="violations_seen_once"
        )
    )  # fmt: skip
    return bool(added.rowcount)


async def add_from_citizen(tx: Tx, violation: Violation, now: datetime) -> bool:
    """False when the report has become a violation before."""
    values = await _sealed(tx, violation, _index(tx, violation.plate)) | {
        "rule": violation.offence.code, "dedupe_seconds": 0, "dedupe_window": 0,
        "detected_at": now,
    }  # fmt: skip
    added = await tx.execute(
        insert(violations).values(**values).on_conflict_do_nothing(
            constraint="violations_report_key"
        )
    )  # fmt: skip
    return bool(added.rowcount)


async def get(tx: Tx, violation_id: UUID, *, for_update: bool = False) -> Violation:
    """Raises ViolationNotFound, also where the region is not the caller's."""
    query = select(violations).where(violations.c.violation_id == violation_id)
    row = (await tx.execute(query.with_for_update() if for_update else query)).one_or_none()
    if row is None:
        raise ViolationNotFound
    key = await tx.data_key(KEY_CLASS, row.key_id)
    return _violation(row, _open_plate(key, row), _open_address(key, row),
                      await _last_decision(tx, violation_id, key))  # fmt: skip


async def region_of(tx: Tx, violation_id: UUID) -> str | None:
    query = select(violations.c.region).where(violations.c.violation_id == violation_id)
    found: str | None = await tx.scalar(query)
    return found


async def note_shown(tx: Tx, violation: Violation, original_sha256: str, shown_sha256: str) -> None:
    """Of an undecided violation; a decision that was prepared before is void."""
    shown = [
        shown_sha256 if frame.original_sha256 == original_sha256 else frame.shown_sha256
        for frame in violation.frames
    ]
    await tx.execute(
        update(violations)
        .where(
            violations.c.violation_id == violation.violation_id,
            violations.c.version == violation.version,
            violations.c.state == State.REVIEW.value,
        )
        .values(shown_sha256=shown, version=violation.version + 1)
    )


async def save_decision(tx: Tx, decided: Violation, verdict: Verdict) -> None:
    """Raises IdReused where another officer's decision has this id."""
    decision = decided.decision
    assert decision is not None
    await tx.execute(
        update(violations)
        .where(violations.c.violation_id == decided.violation_id,
               violations.c.version == decided.version - 1)
        .values(state=decided.state.value, version=decided.version)
    )  # fmt: skip
    key = await _key_of(tx, decided.violation_id)
    place = f"{decision.decision_id}"
    added = await tx.execute(insert(decisions).values(
        decision_id=decision.decision_id, violation_id=decided.violation_id,
        region=decided.place.region, verdict=verdict.value, officer=decision.officer,
        decided_at=decision.decided_at,
        reason_sealed=key.seal(decision.reason, f"decisions.reason:{place}"),
        canonical_sealed=key.seal(decision.canonical, f"decisions.canonical:{place}"),
        signature=decision.signature, certificate=decision.certificate,
    ).on_conflict_do_nothing(index_elements=["decision_id"]))  # fmt: skip
    if not added.rowcount:
        raise IdReused


async def page(tx: Tx, filters: Filters, *, after: tuple[datetime, UUID] | None,
               size: int) -> list[Violation]:  # fmt: skip
    """Oldest first, without plates, addresses and decisions: who needs those reads one."""
    order = tuple_(violations.c.occurred_at, violations.c.violation_id)
    query = select(violations).order_by(
        violations.c.occurred_at, violations.c.violation_id
    ).limit(size)  # fmt: skip
    if filters.state is not None:
        query = query.where(violations.c.state == filters.state.value)
    if filters.region:
        query = query.where(violations.c.region == filters.region)
    if filters.offence_code:
        query = query.where(violations.c.offence_code == filters.offence_code)
    if after is not None:
        query = query.where(order > tuple_(*after))
    return [_violation(row, Plate(""), "", None) for row in await tx.execute(query)]


async def _sealed(tx: Tx, violation: Violation, index: bytes) -> dict[str, Any]:
    """The columns of a new violation."""
    key = await tx.new_data_key(KEY_CLASS)
    violation_id = violation.violation_id
    return {
        "violation_id": violation_id, "state": violation.state.value,
        "source": violation.source.value, "region": violation.place.region,
        "camera_id": violation.camera_id, "report_id": violation.report_id,
        "latitude": violation.place.latitude, "longitude": violation.place.longitude,
        "occurred_at": violation.occurred_at, "key_id": key.key_id,
        "address_sealed": key.seal(violation.place.address, f"violations.address:{violation_id}"),
        "plate_sealed": key.seal(_plate_text(violation.plate), f"violations.plate:{violation_id}"),
        "plate_index": index, "offence_code": violation.offence.code,
        "article": violation.offence.article, "rules_version": violation.offence.rules_version,
        "rules_sha256": violation.offence.rules_sha256,
        "readings": _readings_json(violation.readings) if violation.readings else None,
        "over_kmh": violation.over_kmh,
        "device": _device_json(violation.device) if violation.device else None,
        "evidence_sha256": list(violation.evidence_sha256),
        "models_fingerprint": violation.models_fingerprint, "hold": violation.hold.value,
        "version": violation.version, "story": violation.story,
        "caution": violation.caution.value, "shown_sha256": list(violation.shown_sha256),
    }  # fmt: skip


async def _key_of(tx: Tx, violation_id: UUID) -> DataKey:
    key_id = await tx.scalar(
        select(violations.c.key_id).where(violations.c.violation_id == violation_id)
    )
    return await tx.data_key(KEY_CLASS, key_id)


async def _last_decision(tx: Tx, violation_id: UUID, key: DataKey) -> Decision | None:
    query = (
        select(decisions).where(decisions.c.violation_id == violation_id)
        .order_by(decisions.c.decided_at.desc()).limit(1)
    )  # fmt: skip
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    place = f"{row.decision_id}"
    return Decision(
        row.decision_id, row.officer, row.decided_at,
        key.open_text(bytes(row.reason_sealed), f"decisions.reason:{place}"),
        key.open(bytes(row.canonical_sealed), f"decisions.canonical:{place}"),
        bytes(row.signature), bytes(row.certificate),
    )  # fmt: skip


def _index(tx: Tx, plate: Plate) -> bytes:
    return tx.blind_index(KEY_CLASS, "plate", normalised_plate(plate.text))


def _open_plate(key: DataKey, row: Any) -> Plate:
    return _plate(key.open_text(bytes(row.plate_sealed), f"violations.plate:{row.violation_id}"))


def _open_address(key: DataKey, row: Any) -> str:
    return key.open_text(bytes(row.address_sealed), f"violations.address:{row.violation_id}")


def _violation(row: Any, plate: Plate, address: str, decision: Decision | None) -> Violation:
    return Violation(
        violation_id=row.violation_id, source=Source(row.source), camera_id=row.camera_id,
        place=Place(row.latitude, row.longitude, row.region, address),
        occurred_at=row.occurred_at, plate=plate,
        offence=Offence(row.offence_code, row.article, row.rules_version, row.rules_sha256),
        readings=_readings(row.readings) if row.readings else None, over_kmh=row.over_kmh,
        device=_device(row.device) if row.device else None,
        evidence_sha256=tuple(row.evidence_sha256), models_fingerprint=row.models_fingerprint,
        hold=Hold(row.hold), report_id=row.report_id, story=row.story, state=State(row.state),
        version=row.version, decision=decision, caution=Caution(row.caution),
        shown_sha256=tuple(row.shown_sha256),
    )  # fmt: skip


def _plate_text(plate: Plate) -> str:
    return json.dumps(asdict(plate))


def _plate(sealed: str) -> Plate:
    told = json.loads(sealed)
    told["box"] = Box(**told["box"])
    told["character_confidences"] = tuple(told["character_confidences"])
    return Plate(**told)


def _readings_json(readings: Readings) -> dict[str, Any]:
    return asdict(readings) | {"device_time": readings.device_time.isoformat()}


def _readings(told: dict[str, Any]) -> Readings:
    return Readings(**told | {"device_time": datetime.fromisoformat(told["device_time"])})


def _device_json(device: Device) -> dict[str, Any]:
    told = asdict(device)
    for name in ("verification_from", "verification_until"):
        told[name] = told[name].isoformat() if told[name] else None
    return told


def _device(told: dict[str, Any]) -> Device:
    moments = {
        name: datetime.fromisoformat(told[name]) if told[name] else None
        for name in ("verification_from", "verification_until")
    }
    return Device(**told | moments)
