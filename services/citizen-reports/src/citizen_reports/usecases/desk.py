"""The use cases of operators at the desk: list, read, take, ask, answer, and accept evidence.

Row-level security limits the reports that an operator sees by region, role and category.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.pages import PageSpec
from chassis.refusals import Checks, checks
from chassis.transaction import Tx
from law.plates import plate_as_read
from law.regions import REGIONS

from citizen_reports import events
from citizen_reports.model.actions import DeskAction, Files, accept_evidence, allowed_actions
from citizen_reports.model.blurred_forms import opens_clean
from citizen_reports.model.cameras import ReportCamera
from citizen_reports.model.danger_words import Reason
from citizen_reports.model.draft import TEXT_MAX, Reporter
from citizen_reports.model.law import Law
from citizen_reports.model.media import Media, MediaState, handed_in, visible
from citizen_reports.model.merging import require_own
from citizen_reports.model.proposed_plates import ProposedPlate
from citizen_reports.model.refusals import ReportChangedMeanwhile
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Actor, Status, Urgency
from citizen_reports.model.viewings import Seen
from citizen_reports.model.waiting_answers import WaitingAnswer
from citizen_reports.model.words import check_length, cleaned
from citizen_reports.model.written import says_something
from citizen_reports.storage import (
    blurred_forms,
    cameras,
    contents,
    media_files,
    merging,
    proposed_plates,
    reports,
    urgency,
    waiting_answers,
)
from citizen_reports.storage.contents import Contents, Step
from citizen_reports.storage.merging import Related
from citizen_reports.storage.queue import QueueFilter, place_in_queue, reports_for_desk
from citizen_reports.usecases.answering import record_answer
from citizen_reports.usecases.escalation import WAITING, question_schedule
from citizen_reports.usecases.openings import Openings
from citizen_reports.usecases.readings import record_reading, seen_of
from citizen_reports.usecases.recording import ReportRecorder, bind_trace

REASON_MAX = 500
# The reason of a question whose request names none, as from clients older than the reasons.
QUESTION_REASON = "needs_information"


@dataclass(frozen=True)
class DeskView:
    """A report as shown to operators; contents, reporter, media and steps are empty in a list."""

    report: Report
    overdue: bool
    # The actions that the calling operator may take on the report now.
    actions: tuple[DeskAction, ...] = ()
    contents: Contents = field(default_factory=Contents)
    reporter: Reporter = field(default_factory=Reporter)
    media: tuple[Media, ...] = ()
    steps: tuple[Step, ...] = ()
    # The words for which the report is proposed as urgent; in a list, until an operator has judged.
    urgency_reasons: tuple[Reason, ...] = ()
    # The cameras that may have seen what is reported, nearest first; empty in a list.
    cameras: tuple[ReportCamera, ...] = ()
    # The waiting answer, None without one; in a list, its text is "".
    waiting: WaitingAnswer | None = None
    # Plates that a model read in the photographs, highest confidence first; empty in a list.
    proposed_plates: tuple[ProposedPlate, ...] = ()
    # Visible reports that are, or may be, of the same incident; empty in a list.
    related: tuple[Related, ...] = ()
    # Whether the operator may open the report's files in their clean form; False in a list.
    opens_clean: bool = False


@dataclass(frozen=True)
class Shown:
    """The report that an operator acts on, and the version of the report that the operator saw.

    If the report has another version by now, the operator's action is refused. The `version` 0
    allows any version.
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
        """Return a page of the queue of reports, and for each report its sort key for a page token.
        Emergencies where nobody has arrived come first. Each group is in order of deadline.

        `overdue_only` limits the page to overdue reports. Raises BadRequest for an unknown region,
        or PageTokenWrong.
        """
        now = self._clock()
        with checks() as check:
            known = not wanted.region or wanted.region in REGIONS
            check.that(known, "region", "an ISO code such as KZ-75", code="REGION_UNKNOWN")
        if overdue_only:
            wanted = replace(wanted, overdue_at=now)
        async with self._db.begin(caller.scope) as tx:
            listed = await reports_for_desk(tx, wanted, spec)
            stored = await contents.stored_counts(tx, [report.report_id for report in listed])
            reasons = await urgency.reasons_to_judge(tx, listed)
            waiting = await waiting_answers.waiting_on(tx, listed)
            _record_listing(tx, listed, wanted)
        views = []
        for report in listed:
            files = Files(stored.get(report.report_id, 0))
            actions = self._actions(report, files, caller)
            found = reasons.get(report.report_id, ())
            view = DeskView(report, report.is_overdue(now), actions, urgency_reasons=found)
            views.append(replace(view, waiting=waiting.get(report.report_id)))
        return views, [place_in_queue(report) for report in listed]

    async def by_id(self, report_id: UUID, caller: Caller) -> DeskView:
        """Return the report, and record the access in the audit log. A service that acts for no
        operator gets only place, plate and media of the contents. Raises ReportNotFound."""
        async with self._openings.begin(report_id, caller) as tx:
            return await self._read(tx, await reports.get(tx, report_id), caller)

    async def by_number(self, number: str, caller: Caller) -> DeskView:
        """Return the report with this number, such as KZ75-2026-4081937, as `by_id` does. Raises
        ReportNotFound."""
        async with self._openings.begin(number, caller) as tx:
            return await self._read(tx, await reports.get_by_number(tx, number), caller)

    async def take(self, shown: Shown, caller: Caller) -> DeskView:
        """Assign the report named by `shown` to the calling operator. Nothing changes if the report
        is in work with this operator already.

        Raises ReportNotFound, ReportMerged, ReportChangedMeanwhile, StatusNotAllowed,
        CalendarYearMissing, or AnotherOfficerRequired if the caller gave the disputed answer.
        """
        now, operator = self._clock(), caller.scope.name
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await self.lock(tx, shown.report_id, caller)
            if report.status is Status.IN_WORK and report.operator == operator:
                return await self.view(tx, report, caller)
            shown.require_unchanged(report)
            taken = report.take(actor_of(caller), now, self._law.deadlines)
            await self._recorder.record(tx, report, taken, Decision("take"), at=now, actor=operator)
            return await self.view(tx, taken, caller)

    async def ask(self, shown: Shown, question: str, reason_id: str, caller: Caller) -> DeskView:
        """Ask the reporter (the citizen who sent the report) a question about the report.

        `question` has two or more words and at most TEXT_MAX characters. `reason_id` is the id
        of a reason in the legal table, "" for QUESTION_REASON. The clock of the answer stops
        until the reporter replies, at most for as long as the reason allows; the deadline of the
        answer is then extended by the time waited. The clock of the response never stops.

        Raises BadRequest for a wrong question or reason, ReportNotFound, ReportMerged,
        ReportChangedMeanwhile, StatusNotAllowed if the report is not in work, or WaitingTimeUsed if
        earlier questions have used up the time for waiting.
        """
        reason = self._law.deadlines.table.question_reason(reason_id or QUESTION_REASON)
        question = cleaned(question, longest=TEXT_MAX)
        with checks() as check:
            _require(check, question, "question", code="QUESTION_REQUIRED")
            check.that(
                not question or says_something(question),
                "question",
                "at least two words that ask something",
                code="QUESTION_SAYS_NOTHING",
            )
            check.that(reason is not None, "reason", "a reason of the list", code="REASON_UNKNOWN")
        assert reason is not None
        now, operator = self._clock(), caller.scope.name
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await self.lock_unchanged(tx, shown, caller)
            asked = report.ask(reason, now, self._law.deadlines)
            await contents.set_content(tx, shown.report_id, question=question)
            decision = Decision("ask", {"reason": reason.id})
            await self._recorder.record(
                tx, report, asked, decision, at=now, actor=operator, note=question
            )
            for key, due_at in question_schedule(asked, reason.reminder_days):
                await tx.schedule(WAITING, key, due_at)
            return await self.view(tx, asked, caller)

    async def answer(self, shown: Shown, answer: str, outcome: str, caller: Caller) -> DeskView:
        """Answer the report named by `shown`. `answer` is the text for the reporter, with two or
        more words and at most TEXT_MAX characters. `outcome` is a code of the legal table for the
        report's category, such as "measures_taken".

        The reporter may dispute the answer for `dispute_days`. After these days, scheduled work
        closes the report if the answer was not disputed.

        Raises BadRequest for a wrong text or outcome, ReportNotFound, ReportMerged,
        ReportChangedMeanwhile, StatusNotAllowed, ArrivalRequired or AnotherOfficerRequired.
        """
        answer = cleaned(answer, longest=TEXT_MAX)
        with checks() as check:
            _require(check, answer, "answer", code="ANSWER_REQUIRED")
            check.that(
                not answer or says_something(answer),
                "answer",
                "at least two words that say something",
                code="ANSWER_SAYS_NOTHING",
            )
            check.that(bool(outcome), "outcome", "what came of it", code="OUTCOME_REQUIRED")
        now = self._clock()
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await self.lock_unchanged(tx, shown, caller)
            with checks() as check:
                known = {one.id for one in self._law.outcomes.of(report.category)}
                check.that(
                    outcome in known,
                    "outcome",
                    "an outcome of the report's category",
                    code="OUTCOME_UNKNOWN",
                )
            answered = report.answer(actor_of(caller), outcome, now)
            await record_answer(tx, self._recorder, self._law.deadlines, report, answered, answer)
            return await self.view(tx, answered, caller)

    async def accept_traffic_evidence(
        self, shown: Shown, plate: str, offence_code: str, caller: Caller
    ) -> DeskView:
        """Accept the report's files as evidence of an offence, and publish an event from which the
        violations service may make a violation. A ROUTED report is first assigned to the caller.

        Raises BadRequest, ReportNotFound, ReportMerged, ReportChangedMeanwhile, StatusNotAllowed,
        NotTraffic, NoEvidence, AnotherOfficerRequired or CalendarYearMissing.
        """
        now, operator = self._clock(), caller.scope.name
        normal = plate_as_read(plate)
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await self.lock_unchanged(tx, shown, caller)
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
                report, offence_code, actor_of(caller), self._law.deadlines, _files(items), now
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
            return await self.view(tx, accepted, caller)

    async def lock_unchanged(self, tx: Tx, shown: Shown, caller: Caller) -> Report:
        """Lock the report named by `shown`, and return the report. Raises ReportNotFound,
        ReportMerged, or ReportChangedMeanwhile if its version differs from the version shown."""
        report = await self.lock(tx, shown.report_id, caller)
        shown.require_unchanged(report)
        return report

    async def lock(self, tx: Tx, report_id: UUID, caller: Caller) -> Report:
        """Lock a report, and return the report. Raises ReportNotFound, also for a report that the
        calling operator may not see, or ReportMerged for a report that follows another one."""
        report = await reports.get_for_update(tx, report_id)
        bind_trace(report)
        require_own(report)
        return report

    async def _read(self, tx: Tx, report: Report, caller: Caller) -> DeskView:
        bind_trace(report)
        if caller.operator is None:
            return await self._view_for_service(tx, report, caller)
        return await self.view(tx, report, caller)

    async def view(self, tx: Tx, report: Report, caller: Caller) -> DeskView:
        """Return the report with all that the calling operator may see, and record the access in
        the audit log."""
        items = handed_in(await contents.media_of(tx, report.report_id))
        written = await contents.written_of(tx, report.report_id)
        record_reading(tx, report, seen_of(written), caller)
        items = await media_files.with_taken(tx, items, written.key)
        items = await blurred_forms.with_blurred(tx, items)
        answer_id = report.waiting_answer
        return DeskView(
            report=report,
            overdue=report.is_overdue(self._clock()),
            actions=self._actions(report, _files(items), caller),
            contents=written.contents,
            reporter=written.reporter,
            media=tuple(items),
            steps=tuple(await contents.steps_of(tx, report.report_id, written.key)),
            urgency_reasons=await urgency.reasons_of(tx, report.report_id, written.key),
            cameras=await cameras.cameras_of(tx, report.report_id, written.key),
            waiting=await waiting_answers.with_text(tx, answer_id) if answer_id else None,
            proposed_plates=await proposed_plates.plates_of(tx, report.report_id, written.key),
            related=await merging.related_to(tx, report),
            opens_clean=opens_clean(report, caller.scope.name, caller.scope.roles),
        )

    def _actions(self, report: Report, files: Files, caller: Caller) -> tuple[DeskAction, ...]:
        return allowed_actions(report, actor_of(caller), self._law.deadlines, files, self._clock())

    async def _view_for_service(self, tx: Tx, report: Report, caller: Caller) -> DeskView:
        """The report with only place, plate and media, which the violations service needs."""
        record_reading(tx, report, [Seen.PLACE], caller)
        written = await contents.contents_of(tx, report.report_id)
        items = handed_in(await contents.media_of(tx, report.report_id))
        visible = Contents(place=written.place, plate=written.plate)
        overdue = report.is_overdue(self._clock())
        return DeskView(report, overdue, contents=visible, media=tuple(items))


def _record_listing(tx: Tx, listed: list[Report], wanted: QueueFilter) -> None:
    """Audit a list if it has confidential reports, or shows words of a proposed urgency."""
    confidential = [report.name for report in listed if report.is_confidential]
    read = [report.name for report in listed if report.urgency is Urgency.PROPOSED]
    if not confidential and not read:
        return
    names = {"confidential": " ".join(confidential), "words_of": " ".join(read)}
    facts = {name: listing for name, listing in names.items() if listing}
    facts["listed"] = str(len(listed))
    is_confidential = bool(confidential)
    tx.audit("list", "reports", region=wanted.region, facts=facts, confidential=is_confidential)


def actor_of(caller: Caller) -> Actor:
    """Return the calling operator, with name and roles, as the actor of a decision."""
    return Actor(caller.scope.name, frozenset(caller.scope.roles))


def _files(items: Sequence[Media]) -> Files:
    stored = len(_stored(items))
    return Files(stored, len(visible(items)) - stored)


def _stored(items: Sequence[Media]) -> list[str]:
    """The SHA-256 (hex) of the photographs and films that are in the evidence store."""
    stored = [item for item in visible(items) if item.state is MediaState.STORED]
    return [item.evidence_sha256 for item in stored]


def require_reason(check: Checks, reason: str, meaning: str) -> None:
    """Add a wrong field to `check` unless `reason`, the operator's reason for an action, has 1 to
    REASON_MAX characters and is not blank. `meaning` says what the reason must state."""
    check.that(bool(reason.strip()), "reason", meaning, code="REASON_REQUIRED")
    check.that(
        len(reason) <= REASON_MAX,
        "reason",
        f"at most {REASON_MAX} characters",
        code="REASON_TOO_LONG",
    )


def _require(check: Checks, kept: str, field: str, *, code: str) -> None:
    """Add a wrong field to `check` if `kept`, a `cleaned` text, is empty or too long."""
    check.that(bool(kept), field, "what the reporter reads", code=code)
    check_length(check, field, kept, longest=TEXT_MAX, code="TEXT_TOO_LONG")


def _is_code(text: str) -> bool:
    return 3 <= len(text) <= 40 and text.replace("_", "").isalnum() and text.isupper()
