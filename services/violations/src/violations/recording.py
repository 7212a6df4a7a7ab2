"""Records new violations, in the state of review.

A device's violations are recorded once for each rule and passage (one drive past one place);
evidence that belongs to another violation is not used again. Conflicts with other violations of the
vehicle are stored as well. The functions run in the caller's transaction and lock the vehicle's
plate.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from chassis import telemetry
from chassis.transaction import Tx
from law.guards import Guards, Rule

from violations.conflicts import beside, relate
from violations.events import violation_detected
from violations.model import Hold, Outcome, Violation
from violations.neighbours import Neighbour, contradicting, is_same_passage
from violations.storage import evidence, neighbours, violations


async def record_measured(
    tx: Tx,
    violation: Violation,
    *,
    rule: Rule,
    read_id: UUID,
    dedupe_seconds: int,
    guards: Guards,
    now: datetime,
) -> Outcome:
    """Record a violation that a device measured, and return VIOLATION.

    If some of the evidence belongs to another violation, writes only audit entries and returns
    EVIDENCE_REUSED. If a violation of the same rule is already recorded for this passage, writes
    nothing and returns DUPLICATE. Reads of the same camera within `dedupe_seconds` count as one
    passage.
    """
    await neighbours.lock_vehicle(tx, violation.plate)
    used = await evidence.uses_of(tx, violation.evidence_hashes)
    if used:
        _refuse_evidence(tx, violation, used, read_id)
        return Outcome.EVIDENCE_REUSED
    window = guards.passage.window_of_camera(dedupe_seconds)
    others = await _near(tx, violation, guards, at_least=window)
    if any(
        is_same_passage(violation, rule, other, guards=guards, camera_window=window)
        for other in others
    ):
        return Outcome.DUPLICATE
    against = await _locked(tx, contradicting(violation, others, guards.journey))
    violation = beside(violation, against)
    await violations.add(
        tx, violation, rule=rule, read_id=read_id, dedupe_seconds=dedupe_seconds, now=now
    )
    await _put_down(tx, violation, against, guards, now)
    return Outcome.VIOLATION


async def record_reported(
    tx: Tx, violation: Violation, *, guards: Guards, now: datetime
) -> Outcome:
    """Record a violation that a citizen reported, and return VIOLATION. Returns DUPLICATE, and
    records nothing, if a violation is already recorded for the report.

    If some of the evidence belongs to another violation, returns EVIDENCE_REUSED: the violation is
    recorded without this evidence, with a conflict and a hold.
    """
    assert violation.report_id is not None
    await neighbours.lock_vehicle(tx, violation.plate)
    if await violations.is_of_report(tx, violation.report_id):
        return Outcome.DUPLICATE
    used = await evidence.uses_of(tx, violation.evidence_hashes)
    others = contradicting(violation, await _near(tx, violation, guards), guards.journey)
    against = await _locked(tx, others, *used.values())
    violation = beside(_without(violation, used), against)
    await violations.add(tx, violation, rule=violation.offence.code, now=now)
    await _put_down(tx, violation, against, guards, now)
    return Outcome.EVIDENCE_REUSED if used else Outcome.VIOLATION


async def _near(
    tx: Tx, violation: Violation, guards: Guards, *, at_least: timedelta = timedelta()
) -> list[Neighbour]:
    within = max(guards.journey.horizon, at_least)
    return await neighbours.near(tx, violation.plate, violation.occurred_at, within=within)


async def _locked(tx: Tx, others: list[Neighbour], *more: UUID) -> list[Neighbour]:
    ids = {other.violation_id for other in others} | set(more)
    return await neighbours.get_for_update(tx, ids) if ids else []


def _without(violation: Violation, used: dict[str, UUID]) -> Violation:
    if not used:
        return violation
    left = [
        frame
        for frame in violation.frames
        if not {frame.original_sha256, frame.shown_sha256} & used.keys()
    ]
    return replace(violation.with_frames(left), hold=Hold.EVIDENCE_REUSED)


async def _put_down(
    tx: Tx, violation: Violation, against: list[Neighbour], guards: Guards, now: datetime
) -> None:
    """Store the evidence, conflicts, event and audit entry of a new violation."""
    await evidence.use(tx, violation.violation_id, violation.evidence_hashes)
    if violation.has_unknown_forms:
        await tx.schedule("learn_forms", str(violation.violation_id), due_at=now)
    await relate(tx, violation, against, now)
    telemetry.annotate(violation=str(violation.violation_id))
    tx.emit(violation_detected(violation))
    tx.audit(
        "detect",
        f"violation:{violation.violation_id}",
        region=violation.place.region,
        facts={
            "offence": violation.offence.code,
            "hold": violation.hold.value,
            "rules_sha256": violation.offence.rules_sha256,
            "guards_sha256": guards.sha256,
        },
    )


def _refuse_evidence(tx: Tx, violation: Violation, used: dict[str, UUID], read_id: UUID) -> None:
    """Record the refusal in the audit log of each violation to which the evidence is assigned."""
    for sha256, violation_id in used.items():
        tx.audit(
            "refuse_evidence",
            f"violation:{violation_id}",
            region=violation.place.region,
            facts={
                "reason": Outcome.EVIDENCE_REUSED.value,
                "evidence": sha256,
                "read": str(read_id),
                "camera": str(violation.camera_id or ""),
            },
        )
