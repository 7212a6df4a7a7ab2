"""Conflicts between violations that contradict each other, such as one vehicle in two places at
once. Such violations are held, so that they cannot be confirmed; officers decide which is wrong."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database
from chassis.transaction import SYSTEM, Tx

from violations.events import conflict_found
from violations.model import Hold, State, Violation
from violations.neighbours import Neighbour, holds_others
from violations.storage import neighbours


def beside(violation: Violation, others: Iterable[Neighbour]) -> Violation:
    """Return the new violation with the ids of `others` as its conflicts.

    If a conflict requires a hold, the violation gets IMPOSSIBLE_JOURNEY, unless it has a hold
    already. A conflict requires a hold if the other violation is in review or confirmed, and
    devices measured place and time of both violations, without doubt about either measurement.
    """
    others = list(others)
    held = any(_hold_each_other(violation, other) for other in others)
    return replace(
        violation,
        hold=violation.hold or (Hold.IMPOSSIBLE_JOURNEY if held else Hold.NONE),
        conflicting=tuple(sorted(other.violation_id for other in others)),
    )


async def relate(tx: Tx, violation: Violation, others: Iterable[Neighbour], now: datetime) -> None:
    """Store the conflicts of a new violation with `others`, whose rows this transaction has locked.

    A violation of `others` that is in review gets a new version. It also gets the hold
    IMPOSSIBLE_JOURNEY if the conflict requires a hold and none is set. If a violation of `others`
    is confirmed and the conflict requires a hold, the event `conflict_found` is published.
    """
    for other in others:
        holds = _hold_each_other(violation, other)
        await neighbours.add_conflict(
            tx, violation.violation_id, violation.place.region, other, holds=holds, now=now
        )
        if other.state is State.REVIEW:
            hold = other.hold or (Hold.IMPOSSIBLE_JOURNEY if holds else Hold.NONE)
            await _change(tx, other, hold, because_of=violation.violation_id)
        elif other.state is State.CONFIRMED and holds:
            tx.emit(conflict_found(other, violation))
            facts = {"conflicting": str(violation.violation_id)}
            tx.audit(
                "conflict", f"violation:{other.violation_id}", region=other.region, facts=facts
            )


async def hold_for_evidence(
    tx: Tx, violation_id: UUID, others: Collection[UUID], now: datetime
) -> None:
    """Hold a violation in review because some of its evidence is assigned to other violations.
    Store the conflicts with these `others`. Each of them that is in review gets a new version."""
    locked = await neighbours.get_for_update(tx, {violation_id, *others})
    found = {neighbour.violation_id: neighbour for neighbour in locked}
    own = found.pop(violation_id)
    for other in found.values():
        await neighbours.add_conflict(tx, violation_id, own.region, other, holds=False, now=now)
        if other.state is State.REVIEW:
            await _change(tx, other, other.hold, because_of=violation_id)
    await _change(tx, own, own.hold or Hold.EVIDENCE_REUSED, because_of=min(others))


class Conflicts:
    """Releases the holds of violations after the violation that contradicted them was rejected or
    annulled."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def note_withdrawn(self, tx: Tx, withdrawn: Violation) -> None:
        """Schedule `settle` for a violation that was rejected or annulled, if it has conflicts.

        The holds of the conflicting violations are not released here, because those violations may
        be in regions that this transaction must not see.
        """
        if withdrawn.conflicting:
            key = f"{withdrawn.violation_id}:{withdrawn.version}"
            await tx.schedule("settle_conflicts", key, due_at=self._clock())

    async def settle(self, key: str) -> None:
        """Scheduled work `settle_conflicts`: release the hold IMPOSSIBLE_JOURNEY of each violation
        that conflicted with a rejected or annulled one. The hold stays if another conflict requires
        it.

        `key` is "id:version" of the violation that was rejected or annulled.
        """
        withdrawn = UUID(key.partition(":")[0])
        async with self._db.begin(SYSTEM) as tx:
            ids = await neighbours.conflicting_with(tx, withdrawn)
            for other in await neighbours.get_for_update(tx, ids):
                held = other.state is State.REVIEW and other.hold is Hold.IMPOSSIBLE_JOURNEY
                if held and not await neighbours.is_contradicted(tx, other.violation_id):
                    await _change(tx, other, Hold.NONE, because_of=withdrawn)


def _hold_each_other(violation: Violation, other: Neighbour) -> bool:
    return holds_others(violation) and holds_others(other) and other.is_open_or_confirmed


async def _change(tx: Tx, other: Neighbour, hold: Hold, *, because_of: UUID) -> None:
    """Set the hold and record it in the audit log. The version rises even if the hold is
    unchanged."""
    await neighbours.set_hold(tx, other, hold)
    action = "conflict" if hold is other.hold else "hold" if hold else "release"
    tx.audit(
        action,
        f"violation:{other.violation_id}",
        region=other.region,
        facts={
            "hold": hold.value,
            "conflicting": str(because_of),
            "version": str(other.version + 1),
        },
    )
