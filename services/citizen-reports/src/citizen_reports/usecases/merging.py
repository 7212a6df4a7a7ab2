"""The use cases that merge reports of the same incident under a parent, and the scheduled work by
which merged reports follow the parent.

Steps and audit entries of one report do not name the other, which may later be hidden from somebody
who sees them. The audit entry has the hash of the merged report's row, which names the parent.
"""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import checks
from chassis.transaction import SYSTEM, Tx

from citizen_reports.model.decided import ANSWER
from citizen_reports.model.law import Law
from citizen_reports.model.merging import (
    answer_to_follower,
    followed,
    may_follow,
    merged,
    on_its_own,
    unmerged,
)
from citizen_reports.model.refusals import MergeNotAllowed, ReportChangedMeanwhile, ReportNotFound
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import QUEUE, Status
from citizen_reports.storage import contents, merging, reports
from citizen_reports.usecases.desk import Desk, DeskView, Shown, require_reason
from citizen_reports.usecases.openings import Openings
from citizen_reports.usecases.recording import CLOSE, SYSTEM_ACTOR, ReportRecorder, bind_trace


class Merging:
    def __init__(
        self, desk: Desk, clock: Clock, recorder: ReportRecorder, openings: Openings
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._recorder = recorder
        self._openings = openings

    async def merge(self, shown: Shown, parent_id: UUID, caller: Caller) -> DeskView:
        """Merge the report named by `shown` under the report `parent_id`. From now on, it adopts
        its parent's status, unit, arrival and outcome. If it has this parent, nothing changes.

        Raises ReportNotFound, also for a parent that the caller may not see, MergeNotAllowed, or
        ReportChangedMeanwhile, also if the parent was hidden from the caller meanwhile.
        """
        async with self._openings.begin(parent_id, caller) as tx:
            await reports.get(tx, parent_id)
        async with self._openings.begin(shown.report_id, caller) as tx:
            locked = await merging.lock(tx, {shown.report_id, parent_id})
            report, parent = locked.get(shown.report_id), locked.get(parent_id)
            if report is None:
                raise ReportNotFound
            if parent is None:  # hidden from the caller since the first transaction
                raise ReportChangedMeanwhile
            bind_trace(report)
            if report.parent == parent_id:
                return await self._desk.view(tx, report, caller)
            shown.require_unchanged(report)
            child = merged(report, parent)
            if report.is_parent and await merging.children_of(tx, report.report_id):
                raise MergeNotAllowed(facts={"reason": "is_parent"})
            await _mark(tx, parent)
            await self._recorder.record(
                tx,
                report,
                child,
                Decision("merge"),
                at=self._clock(),
                actor=caller.scope.name,
                note="merged",
                tells_app=_told(child) != _told(report),
            )
            return await self._desk.view(tx, child, caller)

    async def unmerge(self, shown: Shown, reason: str, caller: Caller) -> DeskView:
        """Separate a merged report from its parent, so that operators handle the report again.
        Nothing changes if it has no parent. `reason` has 1 to REASON_MAX characters.

        Raises BadRequest, ReportNotFound, ReportChangedMeanwhile, or StatusNotAllowed if the report
        was answered with its parent.
        """
        with checks() as check:
            require_reason(check, reason, "why it is another incident")
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await reports.get_for_update(tx, shown.report_id)
            bind_trace(report)
            own = unmerged(report)
            if own is report:
                return await self._desk.view(tx, report, caller)
            shown.require_unchanged(report)
            await self._recorder.record(
                tx,
                report,
                own,
                Decision("unmerge"),
                at=self._clock(),
                actor=caller.scope.name,
                note=f"unmerged: {reason}",
                tells_app=_told(own) != _told(report),
            )
            return await self._desk.view(tx, own, caller)


class Followers:
    """The handler of the scheduled work FOLLOW_PARENT, which updates merged reports after a change
    of their parent."""

    def __init__(self, db: Database, clock: Clock, law: Law, recorder: ReportRecorder) -> None:
        self._db = db
        self._clock = clock
        self._law = law
        self._recorder = recorder

    async def follow(self, key: str) -> None:
        """Update all reports that are merged under a parent to its present state, each in its own
        transaction. Reports that may not follow any more are separated. `key` is the parent's
        "report id:version". A repeated call changes nothing."""
        parent_id = UUID(key.partition(":")[0])
        async with self._db.begin(SYSTEM) as tx:
            children = await merging.children_of(tx, parent_id)
        for child_id in children:
            await self._follow(child_id, parent_id)

    async def _follow(self, child_id: UUID, parent_id: UUID) -> None:
        async with self._db.begin(SYSTEM) as tx:
            locked = await merging.lock(tx, {child_id, parent_id})
            child, parent = locked[child_id], locked[parent_id]
            if child.parent != parent_id:
                return
            bind_trace(child)
            if may_follow(child, parent):
                await self._go_along(tx, child, followed(child, parent))
            elif child.status in QUEUE:
                await self._leave(tx, child)

    async def _go_along(self, tx: Tx, child: Report, after: Report) -> None:
        if after is child:
            return
        is_answered = after.status is Status.ANSWERED and child.status is not Status.ANSWERED
        sealed, note = None, ""
        if is_answered:
            note = self._answer(after)
            sealed = await contents.seal_answer(tx, child.report_id, note)
        entry = await self._recorder.record(
            tx,
            child,
            after,
            Decision("follow", beside={ANSWER: sealed} if sealed else {}),
            at=self._clock(),
            actor=SYSTEM_ACTOR,
            note=note,
            tells_app=_told(after) != _told(child),
        )
        if sealed is not None:
            await contents.save_answer(tx, sealed, entry)
            assert after.answered_at is not None
            days = timedelta(days=self._law.deadlines.table.dispute_days)
            await tx.schedule(CLOSE, f"{child.report_id}:{after.version}", after.answered_at + days)

    async def _leave(self, tx: Tx, child: Report) -> None:
        """Separate `child` from its parent, which it may not follow any more."""
        own = on_its_own(child)
        await self._recorder.record(
            tx,
            child,
            own,
            Decision("unmerge"),
            at=self._clock(),
            actor=SYSTEM_ACTOR,
            note="unmerged",
            tells_app=_told(own) != _told(child),
        )

    def _answer(self, report: Report) -> str:
        """The text of the answer to the merged report, in its reporter's language."""
        names = {one.id: one.names for one in self._law.outcomes.of(report.category)}
        return answer_to_follower(report.language, names[report.closing_outcome][report.language])


async def _mark(tx: Tx, parent: Report) -> None:
    """Mark `parent` as a report under which others are merged. Its version stays, and no event is
    published, since nothing changes for the parent's reporter."""
    if not parent.is_parent:
        await reports.save_report(tx, parent, replace(parent, is_parent=True), Decision("lead"))


def _told(report: Report) -> tuple[object, ...]:
    """The fields of a report, beside status and outcome, that are shown to its app."""
    return report.unit, report.due_at, report.extended_at, report.arrived_at
