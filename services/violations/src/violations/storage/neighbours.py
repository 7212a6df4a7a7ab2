"""Queries for other violations of the same vehicle, and storage of conflicts between violations."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from law.guards import Sighting
from sqlalchemy import Select, extract, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert

from violations.model import Hold, Plate, Source, State
from violations.neighbours import Neighbour
from violations.storage.tables import conflicts, violations
from violations.storage.violations import plate_index

# Of one vehicle, within the horizon of a journey. A plate that is recorded more often was copied
# many times, which the nearest records show as well as all would.
NEIGHBOURS_MAX = 200


async def lock_vehicle(tx: Tx, plate: Plate) -> None:
    """Lock a plate until the transaction ends, so that no other transaction records violations of
    the same vehicle meanwhile."""
    index = plate_index(tx, plate).hex()
    await tx.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:plate, 1))"), {"plate": index}
    )


async def near(tx: Tx, plate: Plate, at: datetime, *, within: timedelta) -> list[Neighbour]:
    """Return at most NEIGHBOURS_MAX violations with this plate that occurred at most `within`
    before or after `at`, nearest in time first."""
    query = (
        _neighbours()
        .where(
            violations.c.plate_index == plate_index(tx, plate),
            violations.c.occurred_at.between(at - within, at + within),
        )
        .order_by(func.abs(extract("epoch", violations.c.occurred_at - at)))
        .limit(NEIGHBOURS_MAX)
    )
    return [_neighbour(row) for row in await tx.execute(query)]


async def get_for_update(tx: Tx, ids: Collection[UUID]) -> list[Neighbour]:
    """Return the violations with these ids, in order of id, and lock their rows."""
    query = _neighbours().where(violations.c.violation_id.in_(ids))
    # All transactions lock in one order, so that there are no deadlocks.
    query = query.order_by(violations.c.violation_id).with_for_update()
    return [_neighbour(row) for row in await tx.execute(query)]


async def conflicting_with(tx: Tx, violation_id: UUID) -> list[UUID]:
    query = select(conflicts.c.conflicting_id).where(conflicts.c.violation_id == violation_id)
    return list((await tx.execute(query)).scalars())


async def add_conflict(
    tx: Tx, violation_id: UUID, region: str, other: Neighbour, *, holds: bool, now: datetime
) -> None:
    """Store a conflict between two violations, in both directions. If `holds`, each of the two must
    stay held while the other one is in review or confirmed."""
    both = (
        (violation_id, other.violation_id, region),
        (other.violation_id, violation_id, other.region),
    )
    rows = [
        {
            "violation_id": its_id,
            "conflicting_id": another,
            "region": its_region,
            "holds": holds,
            "found_at": now,
        }
        for its_id, another, its_region in both
    ]
    await tx.execute(insert(conflicts).values(rows).on_conflict_do_nothing())


async def is_contradicted(tx: Tx, violation_id: UUID) -> bool:
    """Whether a conflict requires that this violation stays held. That is so while the other
    violation of the conflict is in review or confirmed."""
    other = violations.alias()
    query = (
        select(literal(True))
        .select_from(conflicts.join(other, other.c.violation_id == conflicts.c.conflicting_id))
        .where(
            conflicts.c.violation_id == violation_id,
            conflicts.c.holds,
            other.c.state.in_((State.REVIEW.value, State.CONFIRMED.value)),
        )
        .limit(1)
    )
    return await tx.scalar(query) is not None


async def set_hold(tx: Tx, other: Neighbour, hold: Hold) -> None:
    """Set the hold of the violation `other` and raise its version. Decisions prepared for the
    earlier version are then refused."""
    await tx.execute(
        update(violations)
        .where(violations.c.violation_id == other.violation_id)
        .values(hold=hold.value, version=violations.c.version + 1)
    )


def _neighbours() -> Select[Any]:
    return select(
        violations.c.violation_id,
        violations.c.source,
        violations.c.state,
        violations.c.hold,
        violations.c.version,
        violations.c.region,
        violations.c.camera_id,
        violations.c.rule,
        violations.c.latitude,
        violations.c.longitude,
        violations.c.occurred_at,
    )


def _neighbour(row: Any) -> Neighbour:
    return Neighbour(
        row.violation_id,
        Source(row.source),
        State(row.state),
        Hold(row.hold),
        row.version,
        row.region,
        row.camera_id,
        row.rule,
        Sighting(row.latitude, row.longitude, row.occurred_at),
    )
