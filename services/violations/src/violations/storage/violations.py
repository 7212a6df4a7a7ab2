"""Storage of violations and decisions.

A violation's plate and address, and the texts of its decisions, are encrypted with one data key for
each violation. A blind index allows a search for the plate. Plate (before encryption), readings and
device are serialised as JSON, each in its own column.
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from audit_log import decisions as audited
from audit_log.decisions import audit_decision
from chassis.refusals import IdReused
from chassis.transaction import Tx
from law.plates import letters_and_digits
from sqlalchemy import Select, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from vault.keyring import DataKey

from violations.decided import DECISIONS, VIOLATION
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
from violations.storage.tables import KEY_CLASS, conflicts, decisions, violations


@dataclass(frozen=True)
class Filters:
    state: State | None = None
    region: str = ""
    offence_code: str = ""


async def add(
    tx: Tx,
    violation: Violation,
    *,
    rule: str,
    now: datetime,
    read_id: UUID | None = None,
    dedupe_seconds: int = 0,
) -> None:
    """Store a new violation of the rule `rule`.

    `read_id` and `dedupe_seconds` are given only if a device measured the violation. `read_id` is
    the plate read; two reads of a camera within `dedupe_seconds` count as the same passage.
    """
    values = await _sealed(tx, violation) | {
        "rule": rule,
        "read_id": read_id,
        "dedupe_seconds": dedupe_seconds,
        "detected_at": now,
    }
    await tx.execute(insert(violations).values(**values))


async def is_of_report(tx: Tx, report_id: UUID) -> bool:
    """Whether a violation was created from this report."""
    query = select(violations.c.violation_id).where(violations.c.report_id == report_id)
    return await tx.scalar(query) is not None


async def get(tx: Tx, violation_id: UUID) -> Violation:
    """Return the violation with its latest decision. Raises ViolationNotFound, also if row-level
    security hides the violation."""
    return await _found(tx, _with_id(violation_id))


async def get_for_update(tx: Tx, violation_id: UUID) -> Violation:
    """Return the violation as `get` does, and lock its row. Raises ViolationNotFound."""
    return await _found(tx, _with_id(violation_id).with_for_update())


def _with_id(violation_id: UUID) -> Select[Any]:
    return select(violations).where(violations.c.violation_id == violation_id)


async def _found(tx: Tx, query: Select[Any]) -> Violation:
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise ViolationNotFound
    key = await tx.keys.get(KEY_CLASS, row.key_id)
    found = _violation(row, _open_plate(key, row), _open_address(key, row))
    conflicting = await _conflicting(tx, [found.violation_id])
    return replace(
        found,
        decision=await _last_decision(tx, found.violation_id, key),
        conflicting=conflicting.get(found.violation_id, ()),
    )


async def region_of(tx: Tx, violation_id: UUID) -> str | None:
    query = select(violations.c.region).where(violations.c.violation_id == violation_id)
    found: str | None = await tx.scalar(query)
    return found


async def note_shown(tx: Tx, violation: Violation) -> None:
    """Store the violation's version, and the hashes of the frames' copies that officers are shown.
    If the violation is not in review, nothing is stored. This transaction must have locked the
    violation's row."""
    await tx.execute(
        update(violations)
        .where(
            violations.c.violation_id == violation.violation_id,
            violations.c.state == State.REVIEW.value,
        )
        .values(shown_sha256=list(violation.shown_sha256), version=violation.version)
    )


async def save_decision(tx: Tx, decided: Violation, verdict: Verdict) -> None:
    """Store the new state, version and decision of a decided violation, and write an audit entry
    with the hashes of the violation and the decision. Raises IdReused if the decision's id is
    already used."""
    decision = decided.decision
    assert decision is not None
    own = violations.c.violation_id == decided.violation_id
    before = (await tx.execute(select(violations).where(own))).one()
    new = {"state": decided.state.value, "version": decided.version}
    row = _decision_row(await tx.keys.get(KEY_CLASS, before.key_id), decided, decision, verdict)
    entry = audit_decision(
        tx,
        f"violation:{decided.violation_id}",
        audited.Decision(
            verdict.value.lower(),
            {"decision": str(decision.decision_id), "version": str(decided.version)},
            {DECISIONS[verdict]: row},
        ),
        {VIOLATION: {**before._mapping, **new}},
        region=decided.place.region,
    )
    await tx.execute(
        update(violations)
        .where(own, violations.c.version == decided.version - 1)
        .values(**new, **entry.columns)
    )
    added = await tx.execute(
        insert(decisions)
        .values(**row, **entry.columns)
        .on_conflict_do_nothing(index_elements=["decision_id"])
    )
    if not added.rowcount:
        raise IdReused


def _decision_row(
    key: DataKey, decided: Violation, decision: Decision, verdict: Verdict
) -> dict[str, Any]:
    """The row of a decision, with its texts encrypted under the violation's key."""
    place = f"{decision.decision_id}"
    return {
        "decision_id": decision.decision_id,
        "violation_id": decided.violation_id,
        "region": decided.place.region,
        "verdict": verdict.value,
        "officer": decision.officer,
        "decided_at": decision.decided_at,
        "reason_sealed": key.seal(decision.reason, f"decisions.reason:{place}"),
        "canonical_sealed": key.seal(decision.canonical, f"decisions.canonical:{place}"),
        "signature": decision.signature,
        "certificate": decision.certificate,
    }


async def page(
    tx: Tx, filters: Filters, *, after: tuple[datetime, UUID] | None, size: int
) -> list[Violation]:
    """Return at most `size` violations that match `filters` in the regions of the transaction's
    scope, oldest first. Their plates, addresses and decisions are not loaded. `after` is
    (occurred_at, violation_id) of the previous page's last violation."""
    order = tuple_(violations.c.occurred_at, violations.c.violation_id)
    query = (
        select(violations).order_by(violations.c.occurred_at, violations.c.violation_id).limit(size)
    )
    # A violation that contradicts one of the caller's regions may be read, but is not listed.
    if not tx.scope.sees_all_regions:
        query = query.where(violations.c.region.in_(tx.scope.regions))
    if filters.state is not None:
        query = query.where(violations.c.state == filters.state.value)
    if filters.region:
        query = query.where(violations.c.region == filters.region)
    if filters.offence_code:
        query = query.where(violations.c.offence_code == filters.offence_code)
    if after is not None:
        query = query.where(order > tuple_(*after))
    found = [_violation(row, Plate(""), "") for row in await tx.execute(query)]
    conflicting = await _conflicting(tx, [violation.violation_id for violation in found])
    return [
        replace(violation, conflicting=conflicting.get(violation.violation_id, ()))
        for violation in found
    ]


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


async def _conflicting(tx: Tx, ids: list[UUID]) -> dict[UUID, tuple[UUID, ...]]:
    query = (
        select(conflicts.c.violation_id, conflicts.c.conflicting_id)
        .where(conflicts.c.violation_id.in_(ids))
        .order_by(conflicts.c.conflicting_id)
    )
    found: dict[UUID, tuple[UUID, ...]] = {}
    for row in await tx.execute(query):
        found[row.violation_id] = (*found.get(row.violation_id, ()), row.conflicting_id)
    return found


async def _sealed(tx: Tx, violation: Violation) -> dict[str, Any]:
    """Return the columns of a new violation, with plate and address encrypted under a new key."""
    key = await tx.keys.new(KEY_CLASS)
    violation_id = violation.violation_id
    return {
        "violation_id": violation_id,
        "state": violation.state.value,
        "source": violation.source.value,
        "region": violation.place.region,
        "camera_id": violation.camera_id,
        "report_id": violation.report_id,
        "latitude": violation.place.latitude,
        "longitude": violation.place.longitude,
        "occurred_at": violation.occurred_at,
        "key_id": key.key_id,
        "address_sealed": key.seal(violation.place.address, f"violations.address:{violation_id}"),
        "plate_sealed": key.seal(plate_text(violation.plate), f"violations.plate:{violation_id}"),
        "plate_index": plate_index(tx, violation.plate),
        "offence_code": violation.offence.code,
        "article": violation.offence.article,
        "rules_version": violation.offence.rules_version,
        "rules_sha256": violation.offence.rules_sha256,
        "readings": readings_json(violation.readings) if violation.readings else None,
        "over_kmh": violation.over_kmh,
        "device": device_json(violation.device) if violation.device else None,
        "evidence_sha256": list(violation.evidence_sha256),
        "models_fingerprint": violation.models_fingerprint,
        "hold": violation.hold.value,
        "version": violation.version,
        "story": violation.story,
        "caution": violation.caution.value,
        "shown_sha256": list(violation.shown_sha256),
    }


async def _last_decision(tx: Tx, violation_id: UUID, key: DataKey) -> Decision | None:
    query = (
        select(decisions)
        .where(decisions.c.violation_id == violation_id)
        .order_by(decisions.c.decided_at.desc())
        .limit(1)
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    place = f"{row.decision_id}"
    return Decision(
        row.decision_id,
        row.officer,
        row.decided_at,
        key.open_text(bytes(row.reason_sealed), f"decisions.reason:{place}"),
        key.open(bytes(row.canonical_sealed), f"decisions.canonical:{place}"),
        bytes(row.signature),
        bytes(row.certificate),
    )


def _open_plate(key: DataKey, row: Any) -> Plate:
    return plate_from(
        key.open_text(bytes(row.plate_sealed), f"violations.plate:{row.violation_id}")
    )


def _open_address(key: DataKey, row: Any) -> str:
    return key.open_text(bytes(row.address_sealed), f"violations.address:{row.violation_id}")


def _violation(row: Any, plate: Plate, address: str) -> Violation:
    return Violation(
        violation_id=row.violation_id,
        source=Source(row.source),
        camera_id=row.camera_id,
        place=Place(row.latitude, row.longitude, row.region, address),
        occurred_at=row.occurred_at,
        plate=plate,
        offence=Offence(row.offence_code, row.article, row.rules_version, row.rules_sha256),
        readings=readings_from(row.readings) if row.readings else None,
        over_kmh=row.over_kmh,
        device=device_from(row.device) if row.device else None,
        evidence_sha256=tuple(row.evidence_sha256),
        models_fingerprint=row.models_fingerprint,
        hold=Hold(row.hold),
        report_id=row.report_id,
        story=row.story,
        state=State(row.state),
        version=row.version,
        caution=Caution(row.caution),
        shown_sha256=tuple(row.shown_sha256),
    )
