"""Assesses plate reads and the evidence in citizens' reports. The result may be a violation in
review, on which an officer decides."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from chassis import telemetry
from chassis.clock import Clock, made_at, new_id
from chassis.db import Database
from chassis.transaction import SYSTEM, Tx
from law.articles import Articles
from law.editions import EditionMissing, Editions
from law.guards import Guards

from violations.model import Hold, Offence, Outcome, Place, Plate, Source, Violation
from violations.recording import record_measured, record_reported
from violations.rules import Camera, Finding, caution_of, findings, hold_of, offence_of
from violations.storage import degradation, reads
from violations.storage.reads import Read

reads_total = telemetry.meter.create_counter("tartip.violations.reads", unit="{read}")


@dataclass(frozen=True)
class Report:
    """A citizen's report whose evidence an operator accepted as traffic evidence. `shown_sha256`
    has the hashes of the copies shown to officers, in the order of the originals
    (`evidence_sha256`). An unknown hash is "". `story` is a correlation id."""

    report_id: UUID
    place: Place
    occurred_at: datetime
    plate: str
    offence_code: str
    evidence_sha256: tuple[str, ...]
    story: str
    # SHA-256 of the forms shown to officers, in the same order; "" where it is not known.
    shown_sha256: tuple[str, ...] = ()


class Cameras(Protocol):
    def camera(self, camera_id: UUID, as_of: datetime) -> Awaitable[Camera | Outcome]:
        """Return the camera as it was registered at `as_of`. If it was not registered then, return
        the outcome with which the plate read is to be closed."""
        ...


class Reports(Protocol):
    def report(self, report_id: UUID) -> Awaitable[Report | None]:
        """Return the report, None if it does not exist or none of its evidence was accepted."""
        ...


class Assessment:
    """Assesses plate reads and citizens' evidence.

    A plate read is assessed by the articles of the law in force at the time of measurement. The
    limits of plausible measurements (guards) are those in force when the frame arrived.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        *,
        articles: Editions[Articles],
        guards: Editions[Guards],
        cameras: Cameras,
        reports: Reports,
    ) -> None:
        self._db = db
        self._clock = clock
        self._articles = articles
        self._guards = guards
        self._cameras = cameras
        self._reports = reports

    async def take_read(self, tx: Tx, read: Read) -> None:
        """Store a plate read and schedule its assessment. Does nothing if the read is already
        stored. `tx` is the transaction in which the event of the plate read is consumed."""
        now = self._clock()
        if await reads.add_read(tx, read, now):
            await tx.schedule("assess", str(read.read_id), due_at=now)

    async def assess(self, key: str) -> None:
        """Scheduled work `assess`: fetch the camera from the register and assess the plate read.
        While plate reading is unreliable, hold the read for later instead. `key` is the read id."""
        read_id = UUID(key)
        async with self._db.begin(SYSTEM) as tx:
            read = await reads.find_pending(tx, read_id)
        if read is None:
            return
        telemetry.annotate(camera=str(read.camera_id))
        camera = await self._cameras.camera(read.camera_id, self._measured_at(read))
        async with self._db.begin(SYSTEM) as tx:
            await degradation.lock_shared(tx)
            read = await reads.find_pending_for_update(tx, read_id)
            if read is None:
                return
            outcome = await self._hold_or_conclude(tx, read, camera)
        reads_total.add(1, {"outcome": outcome.value})

    async def assess_held(self, key: str) -> None:
        """Scheduled work `assess_held`: assess a plate read that was held while plate reading was
        unreliable. `key` is "degradation id:read id"."""
        await self.assess(key.rpartition(":")[2])

    async def take_evidence(self, tx: Tx, report_id: UUID) -> None:
        """Schedule `ask_report` for a report whose evidence was accepted. `tx` is the transaction
        in which the event of the acceptance is consumed."""
        await tx.schedule("ask_report", str(report_id), due_at=self._clock())

    async def ask_report(self, key: str) -> None:
        """Scheduled work `ask_report`: fetch a report and record a violation with the report's
        evidence. The violation gets a hold, so it cannot be confirmed. `key` is the report id."""
        report = await self._reports.report(UUID(key))
        if report is None:
            reads_total.add(1, {"outcome": Outcome.REPORT_WITHOUT_EVIDENCE.value})
            return
        telemetry.annotate(report=str(report.report_id))
        violation, now = self._reported(report), self._clock()
        async with self._db.begin(SYSTEM) as tx:
            outcome = await record_reported(tx, violation, guards=self._guards.at(now), now=now)
        if outcome is Outcome.EVIDENCE_REUSED:
            reads_total.add(1, {"outcome": outcome.value})

    def _reported(self, report: Report) -> Violation:
        try:
            offence = offence_of(report.offence_code, self._articles.at(report.occurred_at))
        except EditionMissing:  # an officer decides it, and sees that no edition applies
            offence = Offence(report.offence_code, "", "", "")
        return Violation(
            violation_id=new_id(),
            source=Source.CITIZEN,
            camera_id=None,
            place=report.place,
            occurred_at=report.occurred_at,
            plate=Plate(report.plate),
            offence=offence,
            readings=None,
            over_kmh=None,
            device=None,
            evidence_sha256=report.evidence_sha256,
            models_fingerprint="",
            hold=Hold.CITIZEN_EVIDENCE,
            report_id=report.report_id,
            story=report.story or telemetry.current_story(),
            shown_sha256=report.shown_sha256,
        )

    def _measured_at(self, read: Read) -> datetime:
        """The time for which the camera is looked up: the device's time or, where its clock is
        wrong, the time of arrival."""
        measured_at = read.readings.device_time
        try:
            clock = self._guards.at(read.arrived_at).device_clock
        except EditionMissing:  # the read ends as RULES_MISSING
            return measured_at
        return read.arrived_at if clock.why_held(measured_at, read.arrived_at) else measured_at

    async def _hold_or_conclude(self, tx: Tx, read: Read, camera: Camera | Outcome) -> Outcome:
        open_degradation_id = await degradation.open_degradation(tx)
        if open_degradation_id is not None:
            await degradation.hold_read(tx, read.read_id, open_degradation_id)
            return Outcome.HELD
        outcome = await self._conclude(tx, read, camera)
        await reads.close_read(tx, read.read_id, outcome, self._clock())
        return outcome

    async def _conclude(self, tx: Tx, read: Read, camera: Camera | Outcome) -> Outcome:
        if isinstance(camera, Outcome):
            return camera
        try:
            articles = self._articles.at(read.readings.device_time)
            guards = self._guards.at(read.arrived_at)
        except EditionMissing:
            return Outcome.RULES_MISSING
        found = findings(read.readings, camera, articles, guards)
        may_find = guards.camera_kinds.may_find
        fit = [finding for finding in found if may_find(camera.kind, finding.rule)]
        if not fit:
            return Outcome.KIND_UNFIT if found else Outcome.NO_OFFENCE
        outcomes = [
            await self._record(tx, read, camera, finding, articles, guards) for finding in fit
        ]
        return Outcome.VIOLATION if Outcome.VIOLATION in outcomes else outcomes[0]

    async def _record(
        self,
        tx: Tx,
        read: Read,
        camera: Camera,
        finding: Finding,
        articles: Articles,
        guards: Guards,
    ) -> Outcome:
        hold = hold_of(
            read.plate,
            read.readings,
            read.arrived_at,
            finding=finding,
            camera=camera,
            articles=articles,
            guards=guards,
        )
        caution = caution_of(read.plate, articles, doubtful=await self._is_doubtful(tx, read))
        violation = Violation(
            violation_id=new_id(),
            source=Source.DEVICE,
            camera_id=camera.camera_id,
            place=camera.place,
            occurred_at=read.readings.device_time,
            plate=read.plate,
            offence=finding.offence,
            readings=read.readings,
            over_kmh=finding.over_kmh,
            device=camera.device_at(read.readings.device_time, finding.tolerance_kmh),
            evidence_sha256=(read.evidence_sha256,),
            models_fingerprint=read.models_fingerprint,
            hold=hold,
            report_id=None,
            story=read.story,
            caution=caution,
            shown_sha256=(read.shown_sha256,) if read.shown_sha256 else (),
        )
        return await record_measured(
            tx,
            violation,
            rule=finding.rule,
            read_id=read.read_id,
            dedupe_seconds=camera.dedupe_seconds,
            guards=guards,
            now=self._clock(),
        )

    async def _is_doubtful(self, tx: Tx, read: Read) -> bool:
        # The read's UUIDv7 was made during inference, which may be hours after the capture.
        return (
            read.was_held
            or await degradation.was_degraded(tx, read.captured_at)
            or await degradation.was_degraded(tx, made_at(read.read_id))
        )
