"""Erases the parts of ended reports automatically, each once its retention term has passed.

Which parts are due follows only from the present reports, their holds and the table of terms. So a
run after a restore, or with a new version of the table, erases all parts that are due by then.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database, storage_is_away
from chassis.identity import Caller
from chassis.refusals import IdReused, Refusal, checks
from chassis.transaction import SYSTEM, Tx
from host.leases import hold as hold_lease
from law.report_retention import ReportRetention

from citizen_reports import metrics
from citizen_reports.model.refusals import HoldNotFound
from citizen_reports.model.report import Report
from citizen_reports.model.retention import Hold, Part, PlannedErasure, Rule, rules_of
from citizen_reports.storage import reports, retention
from citizen_reports.usecases.cameras import schedule_release
from citizen_reports.usecases.recording import audit, bind_trace

LOOK_SECONDS = 600.0
BATCH = 100
log = logging.getLogger(__name__)


class EvidenceEraser(Protocol):
    async def erase(self, sha256: str, *, confidential: bool) -> None:
        """Erase the file with the hash `sha256` (hex), and its key, from the evidence store. Does
        nothing if there is no such file. `confidential` hides the store's audit entry from
        auditors. Raises a Refusal if the store is unavailable or still needs the file."""
        ...


class Retention:
    """Erases the parts of reports that are due. `db` must use the log-in for background work, since
    no other log-in can destroy keys."""

    def __init__(
        self, db: Database, clock: Clock, table: ReportRetention, evidence: EvidenceEraser
    ) -> None:
        self._db = db
        self._clock = clock
        self._rules = rules_of(table)
        self._version = table.version
        self._evidence = evidence

    async def run(self) -> None:
        """Erase due parts until cancelled, while this process holds the lease. Raises LeaseLost."""
        async with hold_lease(self._db, "retention"):
            while True:
                await self._erase_patiently()
                await asyncio.sleep(LOOK_SECONDS)

    async def erase_due(self) -> int:
        """Erase all parts that are due and not held; return how many parts were erased.

        Parts that cannot be erased yet, as while the evidence store is unavailable, stay due. The
        metric `retention_overdue` counts them.
        """
        erased = 0
        for rule in self._rules:
            erased += await self._erase_by(rule)
            async with self._db.begin(SYSTEM) as tx:
                left = await retention.count_due(tx, rule, self._clock())
            labels = {"class": rule.report_class, "part": rule.part.value}
            metrics.retention_overdue.set(left, labels)
        return erased

    async def _erase_patiently(self) -> None:
        try:
            await self.erase_due()
        except Exception as error:
            if not storage_is_away(error):
                raise
            log.warning("erasures wait for the database: %s", type(error).__name__)

    async def _erase_by(self, rule: Rule) -> int:
        erased, after = 0, None
        while True:
            async with self._db.begin(SYSTEM) as tx:
                page = await retention.due_reports(tx, rule, self._clock(), after=after, size=BATCH)
            for one in page:
                erased += await self._erase(rule, one.report)
            if len(page) < BATCH:
                return erased
            after = page[-1].report.report_id

    async def _erase(self, rule: Rule, report: Report) -> bool:
        """Erase the part that `rule` names; return False if it must wait or is not due now."""
        bind_trace(report)
        files = list[str]()
        if rule.part is not Part.REPORTER:
            # A file on its way to the evidence store is encrypted with the key of the text. If the
            # key or the pieces were erased, the file could be neither stored nor erased there.
            async with self._db.begin(SYSTEM) as tx:
                if await retention.has_unstored(tx, report.report_id):
                    return False
        if rule.part in (Part.ORIGINAL, Part.CLEAN):
            async with self._db.begin(SYSTEM) as tx:
                # Evidence cannot come back: a hold that was placed meanwhile counts.
                if await retention.lock_due(tx, rule, self._clock(), report.report_id) is None:
                    return False
                files = await retention.evidence_of_report_alone(tx, report.report_id, rule.part)
            try:
                for sha256 in files:
                    await self._evidence.erase(sha256, confidential=report.is_confidential)
            except Refusal as refusal:
                log.warning("evidence of an ended report is erased later: %s", refusal.reason)
                return False
        now = self._clock()
        async with self._db.begin(SYSTEM) as tx:
            due = await retention.lock_due(tx, rule, now, report.report_id)
            if due is None:
                return False
            await self._erase_rows(tx, rule.part, report.report_id)
            entry = tx.audit(
                "erase_part",
                report.object_ref,
                region=report.region,
                facts={
                    "part": rule.part.value,
                    "table": self._version,
                    "ended": due.ended_at.isoformat(),
                    "files": str(len(files)),
                },
                confidential=report.is_confidential,
            )
            retention.note_erased(tx, report.report_id, rule.part, now, entry.entry_id)
        metrics.retention_erased.add(1, {"class": rule.report_class, "part": rule.part.value})
        return True

    async def _erase_rows(self, tx: Tx, part: Part, report_id: UUID) -> None:
        if part is Part.TEXT:
            await retention.erase_text(tx, report_id)
            await schedule_release(tx, report_id, self._clock())
        elif part is Part.REPORTER:
            await retention.erase_reporter(tx, report_id)
        elif part is Part.COPIES:
            await retention.erase_copies(tx, report_id)


class RetentionDesk:
    """The use cases of the command line: list planned erasures, place and lift legal holds."""

    def __init__(self, db: Database, clock: Clock, table: ReportRetention) -> None:
        self._db = db
        self._clock = clock
        self._rules = rules_of(table)

    async def planned(self, until: datetime) -> Sequence[PlannedErasure]:
        """Return the numbers of erasures due by the moment `until`, by class, part and day. No
        report is named, since its class would reveal its category."""
        now, found = self._clock(), list[PlannedErasure]()
        async with self._db.begin(SYSTEM) as tx:
            for rule in self._rules:
                found += await retention.planned(tx, rule, now, until)
        return found

    async def place_hold(self, wanted: Hold, number: str, caller: Caller) -> Hold:
        """Place a hold on the report with this number, and return the hold. `wanted.report_id` is
        not used. A repeated call with the same hold id changes nothing.

        Raises BadRequest if the end has passed, ReportNotFound, or IdReused if a hold with this id
        differs in report, reason or end.
        """
        now = self._clock()
        with checks() as check:
            check.that(wanted.ends_at > now, "ends_at", "in the future", code="HOLD_END_WRONG")
        async with self._db.begin(SYSTEM) as tx:
            report = await reports.get_by_number(tx, number)
            bind_trace(report)
            hold = Hold(wanted.hold_id, report.report_id, wanted.reason, wanted.ends_at)
            known = await retention.find_hold(tx, hold.hold_id)
            if known is not None:
                if (known.report_id, known.reason, known.ends_at) != (
                    hold.report_id,
                    hold.reason,
                    hold.ends_at,
                ):
                    raise IdReused
                return known
            await retention.add_hold(tx, hold, now)
            facts = {"reason": hold.reason.value, "until": hold.ends_at.isoformat()}
            audit(tx, "hold", report, hold=str(hold.hold_id), by=caller.scope.actor, **facts)
        return hold

    async def lift_hold(self, hold_id: UUID, caller: Caller) -> Hold:
        """End a hold now, and return it. A repeated call changes nothing. Raises HoldNotFound."""
        now = self._clock()
        async with self._db.begin(SYSTEM) as tx:
            found = await retention.find_hold(tx, hold_id)
            if found is None:
                raise HoldNotFound
            if found.lifted_at is not None:
                return found
            report = await reports.get(tx, found.report_id)
            await retention.lift_hold(tx, hold_id, now)
            audit(tx, "lift_hold", report, hold=str(hold_id), by=caller.scope.actor)
        return Hold(found.hold_id, found.report_id, found.reason, found.ends_at, now)
