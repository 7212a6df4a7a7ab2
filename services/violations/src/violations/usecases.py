"""What is decided about violations: the assessment of reads, and the officers' desk."""

import json
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from chassis import telemetry
from chassis.clock import Clock, made_at, new_id
from chassis.db import SYSTEM, Database, Tx
from chassis.identity import Caller

from violations import storage
from violations.events import violation_decided, violation_detected
from violations.model import (
    Caution,
    Decision,
    DecisionNotPrepared,
    Hold,
    Offence,
    Place,
    Plate,
    Source,
    Verdict,
    Violation,
    canonical_decision,
    required_reason,
)
from violations.openings import Openings
from violations.rules import Camera, Finding, RuleBook, RulesMissing, findings, hold_of
from violations.signatures import OfficerAuthority
from violations.storage import Filters, Read

CANONICAL_BYTES_MAX = 64 * 1024
reads_total = telemetry.meter.create_counter("tartip.violations.reads")


@dataclass(frozen=True)
class Report:
    """A citizen's report whose evidence the desk accepted."""

    report_id: UUID
    place: Place
    occurred_at: datetime
    plate: str
    offence_code: str
    evidence_sha256: tuple[str, ...]
    story: str
    # Of the forms that officers are shown, in the same order; "" where it is not known.
    shown_sha256: tuple[str, ...] = ()


class Cameras(Protocol):
    def camera(self, camera_id: UUID) -> Awaitable[Camera | None]:
        """None where the register knows no such camera."""
        ...


class Reports(Protocol):
    def report(self, report_id: UUID) -> Awaitable[Report | None]:
        """None where no evidence of such a report was accepted."""
        ...


class Assessment:
    """From a plate read or a citizen's evidence to a violation in review, or to none."""

    def __init__(
        self, db: Database, clock: Clock, *, rules: RuleBook, cameras: Cameras, reports: Reports
    ) -> None:
        self._db = db
        self._clock = clock
        self._rules = rules
        self._cameras = cameras
        self._reports = reports

    async def take_read(self, tx: Tx, read: Read) -> None:
        """In the consumer's transaction: kept, and assessed soon."""
        now = self._clock()
        if await storage.add_read(tx, read, now):
            await tx.schedule("assess", str(read.read_id), due_at=now)

    async def assess(self, key: str) -> None:
        """Work `assess`: asks the register, then decides in one transaction."""
        read_id = UUID(key)
        async with self._db.begin(SYSTEM) as tx:
            read = await storage.pending_read(tx, read_id)
        if read is None:
            return
        telemetry.annotate(camera=str(read.camera_id))
        camera = await self._cameras.camera(read.camera_id)
        async with self._db.begin(SYSTEM) as tx:
            await storage.beside_pauses(tx)
            read = await storage.pending_read(tx, read_id, for_update=True)
            if read is None:
                return
            outcome = await self._hold_or_conclude(tx, read, camera)
        reads_total.add(1, {"outcome": outcome})

    async def assess_held(self, key: str) -> None:
        """Work `assess_held`: a read that waited out a degradation; the key ends with its id."""
        await self.assess(key.rpartition(":")[2])

    async def take_evidence(self, tx: Tx, report_id: UUID) -> None:
        await tx.schedule("ask_report", str(report_id), due_at=self._clock())

    async def ask_report(self, key: str) -> None:
        """Work `ask_report`: a citizen's evidence becomes a candidate, held for an officer."""
        report = await self._reports.report(UUID(key))
        if report is None:
            reads_total.add(1, {"outcome": "report_without_evidence"})
            return
        try:
            offence = self._rules.at(report.occurred_at).offence(report.offence_code)
        except RulesMissing:  # an officer decides it anyway, and sees that no table applies
            offence = Offence(report.offence_code, "", "", "")
        violation = Violation(
            violation_id=new_id(), source=Source.CITIZEN, camera_id=None, place=report.place,
            occurred_at=report.occurred_at, plate=Plate(report.plate), offence=offence,
            readings=None, over_kmh=None, device=None, evidence_sha256=report.evidence_sha256,
            models_fingerprint="", hold=Hold.CITIZEN_EVIDENCE, report_id=report.report_id,
            story=report.story or telemetry.current_story(), shown_sha256=report.shown_sha256,
        )  # fmt: skip
        telemetry.annotate(report=str(report.report_id))
        async with self._db.begin(SYSTEM) as tx:
            if await storage.add_from_citizen(tx, violation, self._clock()):
                _detected(tx, violation)

    async def _hold_or_conclude(self, tx: Tx, read: Read, camera: Camera | None) -> str:
        degradation = await storage.open_degradation(tx)
        if degradation is not None:
            await storage.hold_read(tx, read.read_id, degradation)
            return "held"
        outcome = await self._conclude(tx, read, camera)
        await storage.close_read(tx, read.read_id, outcome, self._clock())
        return outcome

    async def _conclude(self, tx: Tx, read: Read, camera: Camera | None) -> str:
        """What came of a read, in a word."""
        if camera is None:
            return "camera_unknown"
        try:
            rules = self._rules.at(read.readings.device_time)
        except RulesMissing:
            return "rules_missing"
        found = findings(read.readings, camera, rules)
        if not found:
            return "no_offence"
        hold = hold_of(read.plate, read.readings, camera, rules)
        added = [await self._detect(tx, read, camera, finding, hold) for finding in found]
        return "violation" if any(added) else "duplicate"

    async def _detect(self, tx: Tx, read: Read, camera: Camera, finding: Finding,
                      hold: Hold) -> bool:  # fmt: skip
        # The models looked when the read got its id: the frame may have been under way for hours.
        doubtful = (
            read.was_held
            or await storage.was_degraded(tx, read.captured_at)
            or await storage.was_degraded(tx, made_at(read.read_id))
        )
        violation = Violation(
            violation_id=new_id(), source=Source.DEVICE, camera_id=camera.camera_id,
            place=camera.place, occurred_at=read.readings.device_time, plate=read.plate,
            offence=finding.offence, readings=read.readings, over_kmh=finding.over_kmh,
            device=camera.device_at(read.readings.device_time),
            evidence_sha256=(read.evidence_sha256,), models_fingerprint=read.models_fingerprint,
            hold=hold, report_id=None, story=read.story,
            caution=Caution.READ_WHILE_DEGRADED if doubtful else Caution.NONE,
            shown_sha256=(read.shown_sha256,) if read.shown_sha256 else (),
        )  # fmt: skip
        added = await storage.add_from_device(
            tx, violation, rule=finding.rule, read_id=read.read_id,
            dedupe_seconds=camera.dedupe_seconds, now=self._clock(),
        )  # fmt: skip
        if added:
            _detected(tx, violation)
        return added


class Desk:
    """Officers read, confirm and reject; a supervisor annuls."""

    def __init__(
        self, db: Database, clock: Clock, authority: OfficerAuthority, openings: Openings
    ) -> None:
        self._db = db
        self._clock = clock
        self._authority = authority
        self._openings = openings

    async def get(self, violation_id: UUID, caller: Caller) -> Violation:
        """Audited with the purpose."""
        async with self._openings.begin(violation_id, caller) as tx:
            violation = await storage.get(tx, violation_id)
            tx.audit("read", f"violation:{violation_id}", region=violation.place.region)
        return violation

    async def page(self, filters: Filters, *, after: tuple[datetime, UUID] | None, size: int,
                   caller: Caller) -> list[Violation]:  # fmt: skip
        async with self._db.begin(caller.scope) as tx:
            return await storage.page(tx, filters, after=after, size=size)

    async def prepare(self, violation_id: UUID, verdict: Verdict, *, reason: str,
                      caller: Caller) -> bytes:  # fmt: skip
        """The bytes to sign; nothing is kept, for they follow from the violation as it is."""
        told = required_reason(verdict, reason)
        async with self._openings.begin(violation_id, caller) as tx:
            violation = await storage.get(tx, violation_id)
            violation.next_state(verdict)
            tx.audit("prepare", f"violation:{violation_id}", region=violation.place.region,
                     facts={"verdict": verdict.value})  # fmt: skip
        return canonical_decision(violation, verdict, officer=officer_of(caller), reason=told)

    async def decide(self, verdict: Verdict, violation_id: UUID, decision_id: UUID, *,
                     canonical: bytes, signature: bytes, certificate: bytes,
                     caller: Caller) -> Violation:  # fmt: skip
        """Confirms or rejects what was prepared and signed."""
        officer, now = officer_of(caller), self._clock()
        content = b"\n".join((verdict.value.encode(), violation_id.bytes, canonical))
        async with self._openings.begin(violation_id, caller) as tx:
            if not await tx.once(caller.key, decision_id, content):
                return await storage.get(tx, violation_id)
            current = await storage.get(tx, violation_id, for_update=True)
            current.next_state(verdict)
            reason = required_reason(verdict, _reason_in(canonical))
            if canonical != canonical_decision(current, verdict, officer=officer, reason=reason):
                raise DecisionNotPrepared
            self._authority.verify(
                officer=officer, canonical=canonical, signature=signature, pem=certificate, now=now
            )
            decision = Decision(
                decision_id, officer, now, reason, canonical, signature, certificate
            )
            return await self._save(tx, current.decide(verdict, decision), verdict, now)

    async def annul(self, violation_id: UUID, decision_id: UUID, *, reason: str,
                    caller: Caller) -> Violation:  # fmt: skip
        told, now = required_reason(Verdict.ANNUL, reason), self._clock()
        content = b"\n".join((b"ANNUL", violation_id.bytes, told.encode()))
        async with self._openings.begin(violation_id, caller) as tx:
            if not await tx.once(caller.key, decision_id, content):
                return await storage.get(tx, violation_id)
            current = await storage.get(tx, violation_id, for_update=True)
            decision = Decision(decision_id, officer_of(caller), now, told)
            annulled = current.decide(Verdict.ANNUL, decision)
            return await self._save(tx, annulled, Verdict.ANNUL, now)

    async def _save(self, tx: Tx, decided: Violation, verdict: Verdict,
                    now: datetime) -> Violation:  # fmt: skip
        assert decided.decision is not None
        await storage.save_decision(tx, decided, verdict)
        tx.emit(violation_decided(decided, verdict, now))
        tx.audit(
            verdict.value.lower(), f"violation:{decided.violation_id}",
            region=decided.place.region,
            facts={"decision": str(decided.decision.decision_id),
                   "version": str(decided.version)},
        )  # fmt: skip
        return decided


def officer_of(caller: Caller) -> str:
    assert caller.operator is not None, "the policy admits operators alone"
    return caller.operator.operator_id


def _detected(tx: Tx, violation: Violation) -> None:
    telemetry.annotate(violation=str(violation.violation_id))
    tx.emit(violation_detected(violation))
    tx.audit("detect", f"violation:{violation.violation_id}", region=violation.place.region,
             facts={"offence": violation.offence.code, "hold": violation.hold.value,
                    "rules_sha256": violation.offence.rules_sha256})  # fmt: skip


def _reason_in(canonical: bytes) -> str:
    """The reason that was signed. Raises DecisionNotPrepared where there is none to read."""
    if len(canonical) > CANONICAL_BYTES_MAX:
        raise DecisionNotPrepared
    try:
        told = json.loads(canonical)
        reason = str(told["reason"])
        reason.encode()  # half a surrogate pair is no text
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DecisionNotPrepared from error
    return reason
