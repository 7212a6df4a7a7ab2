"""The operators' use cases; row-level security restricts reports by region, role and category.

A `Shown` says which report an operator acts on, and which version of it the operator saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.pages import PageSpec
from chassis.refusals import checks
from chassis.transaction import Tx
from law.plates import plate_as_read
from law.regions import REGIONS

from citizen_reports import events
from citizen_reports.model.actions import Actor, DeskAction, Files, accept_evidence, allowed_actions
from citizen_reports.model.draft import TEXT_MAX, Reporter
from citizen_reports.model.law import Law
from citizen_reports.model.media import Media, MediaState, handed_in, visible
from citizen_reports.model.refusals import ReportChangedMeanwhile
from citizen_reports.model.report import ANSWER, Report, Status
from citizen_reports.storage import contents, media_files, reports
from citizen_reports.storage.contents import Contents, Step
from citizen_reports.storage.reports import QueueFilter
from citizen_reports.usecases.openings import Openings, bar_who_is_complained_about, is_about
from citizen_reports.usecases.recording import CLOSE, ReportRecorder, audit, bind_trace

REASON_MAX = 500


@dataclass(frozen=True)
class DeskView:
    """A report as shown to operators. In a list, contents, reporter, media and steps are empty."""

    report: Report
    overdue: bool
    # What the calling operator may do with it now.
    actions: tuple[DeskAction, ...] = ()
    contents: Contents = field(default_factory=Contents)
    reporter: Reporter = field(default_factory=Reporter)
    media: tuple[Media, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Shown:
    """The report that an operator acts on, and the version of the report that the operator saw.

    If the report has another version by now, the operator's action is refused. `version` 0 allows
    any version.
    """

    report_id: UUID
    version: int = 0

    def require_unchanged(self, report: Report) -> None:
        """Raise ReportChangedMeanwhile if `report` no longer has the version that was shown."""
        if self.version not in (0, report.version):
            raise ReportChangedMeanwhile(facts={"version": str(report.version)})


class Desk:
    def __init__(
        self, db: Database, clock: Clock, law: Law, recorder: ReportRecorder, openings: Openings
    ) -> None:
        self._db = db
        self._clock = clock
        self._law = law
        self._recorder = recorder
        self._openings = openings

    async def list_queue(
        self, wanted: QueueFilter, spec: PageSpec, caller: Caller, *, overdue_only: bool
    ) -> tuple[list[DeskView], list[tuple[str, ...]]]:
        """Return a page of the queue of reports, the earliest deadline first, and for each report
        its sort key for a page token.

        The reports come without contents, reporter, media and steps. Complaints that name the
        caller are not listed. Raises BadRequest for an unknown region.
        """
        now = self._clock()
        with checks() as check:
            known = not wanted.region or wanted.region in REGIONS
            check.that(known, "region", "an ISO code such as KZ-75", code="REGION_UNKNOWN")
        if overdue_only:
            wanted = replace(wanted, overdue_at=now)
        async with self._db.begin(caller.scope) as tx:
            listed = await _page_for(tx, wanted, spec, caller)
            stored = await contents.stored_counts(tx, [report.report_id for report in listed])
            _record_listing(tx, listed, wanted)
        views = []
        for report in listed:
            files = Files(stored.get(report.report_id, 0))
            actions = self._actions(report, files, caller)
            views.append(DeskView(report, report.is_overdue(now), actions))
        return views, [reports.place_in_queue(report) for report in listed]

    async def by_id(self, report_id: UUID, caller: Caller) -> DeskView:
        """Return the report and record the access in the audit log. A service that acts for no
        operator gets the report with only place, plate and media. Raises ReportNotFound."""
        async with self._openings.begin(report_id, caller) as tx:
            return await self._read(tx, await reports.get(tx, report_id), caller)

    async def by_number(self, number: str, caller: Caller) -> DeskView:
        """Return the report and record the access in the audit log. A service that acts for no
        operator gets the report with only place, plate and media. Raises ReportNotFound."""
        async with self._openings.begin(number, caller) as tx:
            return await self._read(tx, await reports.get_by_number(tx, number), caller)

    async def take(self, shown: Shown, caller: Caller) -> DeskView:
        """Assign the report named by `shown` to the calling operator. Nothing changes if this
        operator already works on it.

        Raises ReportNotFound, ReportChangedMeanwhile, StatusNotAllowed or CalendarYearMissing.
        """
        now, operator = self._clock(), caller.scope.name
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await self._lock(tx, shown.report_id, caller)
            if report.status is Status.IN_WORK and report.operator == operator:
                return await self._view(tx, report, caller)
            shown.require_unchanged(report)
            taken = report.take(operator, frozenset(caller.scope.roles), self._law.deadlines)
            await self._recorder.record(tx, report, taken, Decision("take"), at=now, actor=operator)
            return await self._view(tx, taken, caller)

    async def route(self, shown: Shown, unit: str, reason: str, caller: Caller) -> DeskView:
        """Send the report named by `shown` to `unit`, which then handles it. The reason must have 1
        to REASON_MAX characters.

        Raises BadRequest, also if the unit may not receive reports of this category and region.
        Raises ReportNotFound, ReportChangedMeanwhile or StatusNotAllowed.
        """
        now, operator = self._clock(), caller.scope.name
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await self._lock_unchanged(tx, shown, caller)
            with checks() as check:
                known = self._law.routing.units_for(report.category, report.region)
                check.that(
                    unit in known, "unit", "a unit of the report's region", code="UNIT_UNKNOWN"
                )
                check.that(
                    bool(reason.strip()), "reason", "why it goes there", code="REASON_REQUIRED"
                )
                check.that(
                    len(reason) <= REASON_MAX,
                    "reason",
                    f"at most {REASON_MAX} characters",
                    code="REASON_TOO_LONG",
                )
            routed = report.route(unit)
            await self._recorder.record(
                tx,
                report,
                routed,
                Decision("route", {"unit": unit}),
                at=now,
                actor=operator,
                note=f"{unit}: {reason}",
                fact=events.report_routed(routed, now),
            )
            return await self._view(tx, routed, caller)

    async def ask(self, shown: Shown, question: str, caller: Caller) -> DeskView:
        """Ask the reporter (the citizen who sent the report) a question about the report.

        `shown` names the report, and the version of it that the operator saw. `question` has 1 to
        TEXT_MAX characters. The deadline for answering the report stops until the reporter replies,
        and is then extended by the time waited.

        Raises BadRequest for a wrong question, ReportNotFound, ReportChangedMeanwhile if the report
        has another version now, or StatusNotAllowed if it is not in work.
        """
        _require(question, "question", code="QUESTION_REQUIRED")
        now, operator = self._clock(), caller.scope.name
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await self._lock_unchanged(tx, shown, caller)
            asked = report.ask(now)
            await contents.set_content(tx, shown.report_id, question=question)
            await self._recorder.record(
                tx, report, asked, Decision("ask"), at=now, actor=operator, note=question
            )
            return await self._view(tx, asked, caller)

    async def answer(self, shown: Shown, answer: str, caller: Caller) -> DeskView:
        """Answer the report named by `shown`. `answer` is the text for the reporter, with 1 to
        TEXT_MAX characters.

        The reporter may dispute the answer for `dispute_days`. At the end of these days, scheduled
        work closes the report if the answer was not disputed.

        Raises BadRequest for a wrong text, ReportNotFound, ReportChangedMeanwhile if the report has
        another version now, or StatusNotAllowed.
        """
        _require(answer, "answer", code="ANSWER_REQUIRED")
        now, operator = self._clock(), caller.scope.name
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await self._lock_unchanged(tx, shown, caller)
            answered = report.answer(operator, now)
            sealed = await contents.seal_answer(tx, shown.report_id, answer)
            decision = Decision("answer", beside={ANSWER: sealed})
            entry = await self._recorder.record(
                tx, report, answered, decision, at=now, actor=operator, note=answer
            )
            await contents.save_answer(tx, sealed, entry)
            close_at = now + timedelta(days=self._law.deadlines.table.dispute_days)
            await tx.schedule(CLOSE, f"{shown.report_id}:{answered.version}", close_at)
            return await self._view(tx, answered, caller)

    async def accept_traffic_evidence(
        self, shown: Shown, plate: str, offence_code: str, caller: Caller
    ) -> DeskView:
        """Accept the report's files as evidence of an offence, and publish an event from which the
        violations service may make a violation. A ROUTED report is first assigned to the caller.

        Raises BadRequest, ReportNotFound, ReportChangedMeanwhile, StatusNotAllowed, NotTraffic,
        NoEvidence or CalendarYearMissing.
        """
        now, operator = self._clock(), caller.scope.name
        normal = plate_as_read(plate)
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await self._lock_unchanged(tx, shown, caller)
            with checks() as check:
                check.that(
                    bool(normal), "plate", "as it stands on the vehicle", code="PLATE_INVALID"
                )
                check.that(
                    _is_code(offence_code),
                    "offence_code",
                    "such as RED_LIGHT",
                    code="OFFENCE_CODE_WRONG",
                )
            items = handed_in(await contents.media_of(tx, shown.report_id))
            taken, accepted = accept_evidence(
                report, offence_code, actor_of(caller), self._law.deadlines, _files(items)
            )
            if taken is not report:
                await self._recorder.record(
                    tx, report, taken, Decision("take"), at=now, actor=operator
                )
            await contents.set_content(tx, shown.report_id, plate=normal)
            await self._recorder.record(
                tx,
                taken,
                accepted,
                Decision("accept_traffic_evidence", {"offence_code": offence_code}),
                at=now,
                actor=operator,
                note=offence_code,
                fact=events.traffic_evidence_accepted(accepted, _stored(items)),
            )
            return await self._view(tx, accepted, caller)

    async def _lock_unchanged(self, tx: Tx, shown: Shown, caller: Caller) -> Report:
        report = await self._lock(tx, shown.report_id, caller)
        shown.require_unchanged(report)
        return report

    async def _lock(self, tx: Tx, report_id: UUID, caller: Caller) -> Report:
        report = await reports.get_for_update(tx, report_id)
        await bar_who_is_complained_about(tx, report, caller)
        bind_trace(report)
        return report

    async def _read(self, tx: Tx, report: Report, caller: Caller) -> DeskView:
        await bar_who_is_complained_about(tx, report, caller)
        bind_trace(report)
        audit(tx, "read", report)
        if caller.operator is None:
            return await self._view_for_service(tx, report)
        return await self._view(tx, report, caller)

    async def _view(self, tx: Tx, report: Report, caller: Caller) -> DeskView:
        items = handed_in(await contents.media_of(tx, report.report_id))
        written = await contents.written_of(tx, report.report_id)
        items = await media_files.with_taken(tx, items, written.key)
        return DeskView(
            report=report,
            overdue=report.is_overdue(self._clock()),
            actions=self._actions(report, _files(items), caller),
            contents=written.contents,
            reporter=written.reporter,
            media=tuple(items),
            steps=tuple(await contents.steps_of(tx, report.report_id, written.key)),
        )

    def _actions(self, report: Report, files: Files, caller: Caller) -> tuple[DeskAction, ...]:
        return allowed_actions(report, actor_of(caller), self._law.deadlines, files, self._clock())

    async def _view_for_service(self, tx: Tx, report: Report) -> DeskView:
        """Return only place, plate and media, from which a violation candidate is made."""
        written = await contents.contents_of(tx, report.report_id)
        items = handed_in(await contents.media_of(tx, report.report_id))
        visible = Contents(place=written.place, plate=written.plate)
        overdue = report.is_overdue(self._clock())
        return DeskView(report, overdue, contents=visible, media=tuple(items))


async def _page_for(tx: Tx, wanted: QueueFilter, spec: PageSpec, caller: Caller) -> list[Report]:
    """Return a page without complaints that name the caller, filled up so that its length does
    not reveal an omission."""
    page: list[Report] = []
    while True:
        found = await reports.reports_for_desk(tx, wanted, spec)
        page += [report for report in found if not await is_about(tx, report, caller)]
        if len(page) >= spec.size or len(found) < spec.size:
            return page[: spec.size]
        spec = replace(spec, after=reports.place_in_queue(found[-1]))


def _record_listing(tx: Tx, listed: list[Report], wanted: QueueFilter) -> None:
    """Record a list in the audit log if the list contains confidential reports."""
    confidential = [report.name for report in listed if report.is_confidential]
    if confidential:
        facts = {"confidential": " ".join(confidential), "listed": str(len(listed))}
        tx.audit("list", "reports", region=wanted.region, facts=facts, confidential=True)


def actor_of(caller: Caller) -> Actor:
    """Return the calling operator's name and roles."""
    return Actor(caller.scope.name, frozenset(caller.scope.roles))


def _files(items: Sequence[Media]) -> Files:
    stored = len(_stored(items))
    return Files(stored, len(visible(items)) - stored)


def _stored(items: Sequence[Media]) -> list[str]:
    """SHA-256 (hex) of the photographs and films that are in the evidence store."""
    stored = [item for item in visible(items) if item.state is MediaState.STORED]
    return [item.evidence_sha256 for item in stored]


def _require(text: str, field: str, *, code: str) -> None:
    with checks() as check:
        check.that(bool(text.strip()), field, "what the reporter reads", code=code)
        check.that(
            len(text) <= TEXT_MAX, field, f"at most {TEXT_MAX} characters", code="TEXT_TOO_LONG"
        )


def _is_code(text: str) -> bool:
    return 3 <= len(text) <= 40 and text.replace("_", "").isalnum() and text.isupper()
