"""Checks that a new fine neither repeats nor contradicts an issued fine, so that nobody is fined
twice for the same passing of a camera.

The violations service makes a similar check before an officer decides. This check compares plate,
place, time and frames, and does not rely on the ids of the violations service.
"""

from collections.abc import Callable
from dataclasses import dataclass

from chassis.transaction import Tx
from law.guards import Guards, Sighting

from fines.model.fine import Fine
from fines.model.holds import Hold
from fines.model.violation import ConfirmedViolation
from fines.storage import conflicts as stored
from fines.storage import fines


@dataclass(frozen=True)
class Record:
    """A violation and its fine, to be compared with other fines. The field `number` is the fine's
    number. `plate_index` is the blind index (keyed hash) of the plate. `guards` has the rules of
    the comparison."""

    number: str
    plate_index: bytes
    violation: ConfirmedViolation
    guards: Guards


@dataclass(frozen=True)
class Conflict:
    """The reason why a fine cannot be issued, and the issued fines that it conflicts with."""

    hold: Hold
    # Of the issued fines that it conflicts with.
    numbers: tuple[str, ...]


class ConflictFound(Exception):
    """Raised if a fine conflicts with other fines. The caller must roll back the issue of the fine
    and store the conflict as the reason why it is not issued."""

    def __init__(self, conflict: Conflict) -> None:
        super().__init__(conflict.hold.value)
        self.conflict = conflict


async def claim(tx: Tx, record: Record) -> None:
    """Record the violation's frames as evidence of its fine, and check the fine for conflicts.
    Locks the plate until the transaction ends, so that a concurrent call for the same plate waits.
    Raises ConflictFound with the most serious conflict."""
    await stored.lock_vehicle(tx, record.plate_index)
    await stored.claim_evidence(tx, record.number, record.violation.frames)
    found = await conflicts_of(tx, record, lambda other: True)
    if found:
        raise ConflictFound(found[0])


async def conflicts_of(tx: Tx, record: Record, counts: Callable[[Fine], bool]) -> list[Conflict]:
    """Return the conflicts of `record` with other fines, the most serious first.

    A fine always conflicts if one of its evidence frames is also a frame of `record`. Any other
    fine of the vehicle is compared only if `counts` returns True for it. It conflicts if it
    concerns the same passing of a camera, or if the vehicle could not have travelled between the
    two places in time.
    """
    repeated = await stored.fines_on_evidence(tx, record.number, record.violation.frames)
    passages, journeys = [], []
    for other in await _others(tx, record):
        if not counts(other):
            continue
        place = await _sighting_of(tx, other)
        if _is_same_passage(record, other, place):
            passages.append(other.number)
        elif place and not record.guards.journey.is_possible(record.violation.sighting, place):
            journeys.append(other.number)
    found = (
        Conflict(Hold.EVIDENCE_REUSED, repeated),
        Conflict(Hold.SAME_PASSAGE, tuple(passages)),
        Conflict(Hold.IMPOSSIBLE_JOURNEY, tuple(journeys)),
    )
    return [conflict for conflict in found if conflict.numbers]


async def _others(tx: Tx, record: Record) -> list[Fine]:
    guards = record.guards
    within = max(guards.journey.horizon, guards.passage.window) + guards.journey.clock_slack
    found = await stored.fines_of_vehicle(
        tx, record.plate_index, around=record.violation.occurred_at, within=within
    )
    return [other for other in found if other.number != record.number]


async def _sighting_of(tx: Tx, other: Fine) -> Sighting | None:
    """Return the place and time of a fine's offence, None where the owner's data, and with them
    the place, were erased."""
    particulars = await fines.open_particulars(tx, other)
    if particulars is None:
        return None
    return Sighting(particulars.latitude, particulars.longitude, other.occurred_at)


def _is_same_passage(record: Record, other: Fine, place: Sighting | None) -> bool:
    """Whether both fines concern the same passage and rule. If the other fine's place was
    erased, the places are assumed equal."""
    if not _is_same_rule(record.guards, record.violation.offence_code, other.offence_code):
        return False
    here = record.violation.sighting
    there = place or Sighting(here.latitude, here.longitude, other.occurred_at)
    return record.guards.passage.is_same(here, there)


def _is_same_rule(guards: Guards, code: str, other: str) -> bool:
    """Whether two offence codes are equal or belong to the same rule, such as two speed
    brackets."""
    rule = guards.rule_of(code)
    return code == other or (rule is not None and rule is guards.rule_of(other))
