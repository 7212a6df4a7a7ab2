"""The apps' use cases: open, submit and read a report, reply to a question, dispute an answer.

Row-level security limits each transaction to the reports of the calling partner.
"""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.db import Database, RowExists, canonical_json
from chassis.identity import Caller
from chassis.pages import PageSpec
from chassis.refusals import IdReused, Refusal, checks
from chassis.telemetry import current_story
from chassis.transaction import Tx
from partners.register import PartnerRegister
from vault.data_keys import PERSON_KEY

from citizen_reports.model.draft import TEXT_MAX, CheckedDraft, Draft
from citizen_reports.model.law import Law
from citizen_reports.model.media import Media, MediaState, handed_in
from citizen_reports.model.refusals import MediaIncomplete
from citizen_reports.model.report import BEFORE_WORK, Receipt, Report, Status
from citizen_reports.storage import contents, reports
from citizen_reports.storage.app_views import AppView, view_of
from citizen_reports.storage.contents import Written
from citizen_reports.storage.reports import Submitted
from citizen_reports.usecases.openings import Openings
from citizen_reports.usecases.recording import REPORTER, ReportRecorder, audit, bind_trace

STORE_MEDIA = "store_media"
FIND_DUPLICATES = "find_duplicates"
DROP_DRAFT = "drop_draft"
# A draft that was not submitted is deleted after this.
DRAFT_LIFE = timedelta(days=7)  # tidy: our own promise, not a term


class Intake:
    def __init__(
        self,
        db: Database,
        clock: Clock,
        law: Law,
        recorder: ReportRecorder,
        openings: Openings,
        *,
        partners: PartnerRegister,
    ) -> None:
        self._db = db
        self._clock = clock
        self._law = law
        self._recorder = recorder
        self._openings = openings
        self._partners = partners

    async def open(
        self, report_id: UUID | None, draft: Draft, content: bytes, caller: Caller
    ) -> AppView:
        """Store a draft under the id that the app chose, and return it.

        `content` is the serialised request. A repeated call with the same id and content returns
        the stored report. Raises BadRequest, ReportKindNotAllowed, or IdReused if the id was used
        with other content or by another partner.
        """
        now = self._clock()
        checked = draft.checked(now, report_id_ok=report_id is not None)
        assert report_id is not None
        try:
            self._partners.require_kind(caller, checked.category)
        except Refusal:  # what was opened before is answered as it was
            async with self._db.begin(caller.scope) as tx:
                if await tx.once(caller.key, report_id, content):
                    raise
                return await self._view(tx, await reports.get(tx, report_id))
        report = _opened(report_id, checked, caller.name, now)
        if await self._add(report, checked, content, caller):
            return AppView(report, "", "", 0)
        async with self._db.begin(caller.scope) as tx:
            return await self._view(tx, await reports.get(tx, report_id))

    async def submit(self, report_id: UUID, caller: Caller) -> Receipt:
        """Register and route the report in a single transaction, and return its receipt. A repeated
        call returns the first receipt again.

        Files that were refused are left out. Raises ReportNotFound, ReportKindNotAllowed,
        MediaIncomplete or CalendarYearMissing.
        """
        # Only at first, so that one whose row is locked does not hold up the rest of a batch.
        is_shared = True
        while True:  # the report has changed since it was read, or was locked
            found = await reports.submitted(self._db, caller.scope, report_id)
            report = found.report
            bind_trace(report)
            if report.receipt is not None:
                return report.receipt
            self._partners.require_kind(caller, report.category)
            _require_whole(found.media)
            routed = await self._register(found, caller, is_shared=is_shared)
            if routed is not None:
                bind_trace(routed)
                assert routed.receipt is not None
                return routed.receipt
            is_shared = False

    async def by_id(self, report_id: UUID, caller: Caller) -> AppView:
        """Return the report as shown to its app. Raises ReportNotFound."""
        return await self._read(report_id, caller)

    async def by_number(self, number: str, caller: Caller) -> AppView:
        """Return the report as shown to its app. Raises ReportNotFound."""
        return await self._read(number, caller)

    async def list_opened(
        self, spec: PageSpec, caller: Caller
    ) -> tuple[list[AppView], list[tuple[str, ...]]]:
        """Return a page of the calling partner's reports, in the order in which they were opened,
        and for each report its sort key for a page token."""
        async with self._db.begin(caller.scope) as tx:
            found = await reports.reports_of_partner(tx, caller.name, spec)
            views = [await self._view(tx, report) for report in found]
        return views, [(one.opened_at.isoformat(), str(one.report_id)) for one in found]

    async def reply(self, report_id: UUID, text: str, caller: Caller) -> AppView:
        """Record the reporter's reply to a question. The suspended deadline then runs again.

        Raises BadRequest, ReportNotFound, NothingAsked, StatusNotAllowed or CalendarYearMissing.
        """
        _require_text(text)
        now = self._clock()
        async with self._db.begin(caller.scope) as tx:
            report = await reports.get_for_update(tx, report_id)
            bind_trace(report)
            replied = report.reply(now, self._law.deadlines)
            await contents.set_content(tx, report_id, question="")
            await self._recorder.record(
                tx, report, replied, Decision("reply"), at=now, actor=REPORTER, note=text
            )
            return await self._view(tx, replied)

    async def dispute(self, report_id: UUID, text: str, caller: Caller) -> AppView:
        """Dispute the answer, which is possible once. An oversight role then takes the report.

        Raises BadRequest, ReportNotFound, AlreadyDisputed, ReportNotAnswered or
        CalendarYearMissing.
        """
        _require_text(text)
        now = self._clock()
        async with self._db.begin(caller.scope) as tx:
            report = await reports.get_for_update(tx, report_id)
            bind_trace(report)
            deadline = self._law.deadlines.of_dispute(report.category, report.region, now)
            disputed = report.dispute(now, deadline)
            await self._recorder.record(
                tx, report, disputed, Decision("dispute"), at=now, actor=REPORTER, note=text
            )
            return await self._view(tx, disputed)

    async def _add(
        self, report: Report, draft: CheckedDraft, content: bytes, caller: Caller
    ) -> bool:
        """Store a draft; return False if the app has opened it before. Raises IdReused."""
        for is_second_try in (False, True):
            key = await contents.key_of_reporter(self._db, caller.scope, draft.reporter)
            try:
                async with self._db.begin(caller.scope, shared=True) as tx:
                    tx.write_once(caller.key, report.report_id, content)
                    reports.add_report(tx, report)
                    await contents.add_contents(tx, report, draft, key)
                    due_at = report.opened_at + DRAFT_LIFE
                    await tx.schedule(DROP_DRAFT, str(report.report_id), due_at)
                    audit(tx, "open", report)
                break
            except RowExists as error:
                if error.key == reports.KEY:
                    raise IdReused from None  # by another partner; nothing more of it is answered
                # Another first report of the person came at once: its key is found now.
                if error.key != PERSON_KEY or is_second_try:
                    raise
        return tx.was_first

    async def _register(
        self, found: Submitted, caller: Caller, *, is_shared: bool
    ) -> Report | None:
        """Store the report as registered and routed; None, and nothing is stored, if it has changed
        since it was read, or with `is_shared` if it is locked."""
        report, written, now = found.report, found.written(self._db), self._clock()
        items = handed_in(found.media)
        receipt = self._receipt(report, items, written, now)
        for number in self._recorder.numbers(report, now):
            numbered = replace(receipt, number=number)
            try:
                async with self._db.begin(caller.scope, shared=is_shared) as tx:
                    routed = await self._recorder.register(
                        tx, report, numbered, written.key, waits=not is_shared
                    )
                    await _schedule(tx, report, items, now)
                return routed if tx.was_current else None
            except RowExists as error:
                if error.key != reports.NUMBER_KEY:
                    raise
        raise AssertionError("numbers end with an error")

    def _receipt(
        self, report: Report, items: list[Media], written: Written, now: datetime
    ) -> Receipt:
        """The receipt of a report that is submitted now, still without a number."""
        law = self._law
        deadline = law.deadlines.of(report.category, report.region, now)
        unit = law.routing.unit_for(report.category, report.region, now, abroad=report.place_abroad)
        return Receipt("", now, deadline, unit, _content_digest(report, items, written))

    async def _read(self, key: UUID | str, caller: Caller) -> AppView:
        async with self._openings.recorded(key, caller):
            view = await view_of(self._db, caller.scope, key)
        bind_trace(view.report)
        return view

    async def _view(self, tx: Tx, report: Report) -> AppView:
        items = await contents.media_of(tx, report.report_id)
        question = answer = ""
        if report.status not in BEFORE_WORK:
            written = await contents.contents_of(tx, report.report_id)
            question, answer = written.question, written.answer
        return AppView(report, question, answer, len(handed_in(items)), tuple(items))


def _opened(report_id: UUID, draft: CheckedDraft, partner: str, now: datetime) -> Report:
    place = draft.place
    return Report(
        report_id=report_id,
        partner=partner,
        category=draft.category,
        region=place.region,
        status=Status.OPEN,
        language=draft.language,
        occurred_at=draft.occurred_at,
        opened_at=now,
        story=current_story(),
        cell=place.cell,
        place_abroad=draft.place_abroad,
    )


async def _schedule(tx: Tx, report: Report, items: list[Media], now: datetime) -> None:
    """Schedule what is done about a report once it is registered."""
    for item in items:
        await tx.schedule(STORE_MEDIA, f"{report.report_id}:{item.media_id}", now)
    if report.cell and not report.is_complaint:
        await tx.schedule(FIND_DUPLICATES, str(report.report_id), now)


def _require_whole(items: list[Media]) -> None:
    for item in items:
        if item.state is MediaState.RECEIVING:
            facts = {"media_id": str(item.media_id), "received_bytes": str(item.received_bytes)}
            raise MediaIncomplete(facts=facts)


def _require_text(text: str) -> None:
    with checks() as check:
        check.that(bool(text.strip()), "text", "what you want to say", code="TEXT_REQUIRED")
        check.that(
            len(text) <= TEXT_MAX, "text", f"at most {TEXT_MAX} characters", code="TEXT_TOO_LONG"
        )


def _content_digest(report: Report, items: list[Media], written: Written) -> bytes:
    """SHA-256 of the canonical JSON (RFC 8785) of the submitted report, in which media are
    listed by SHA-256."""
    said, reporter = written.contents, written.reporter
    place = said.place
    return hashlib.sha256(
        canonical_json(
            {
                "report_id": str(report.report_id),
                "category": report.category.value,
                "occurred_at": report.occurred_at.isoformat(),
                "language": report.language,
                "text": said.text,
                "officer": said.officer,
                "place": {
                    "latitude": place.latitude,
                    "longitude": place.longitude,
                    "region": place.region,
                    "address": place.address,
                    # Absent where none was given, so that digests from before the field hold.
                    **({"kato": place.kato} if place.kato else {}),
                },
                "reporter": {"iin": reporter.iin, "name": reporter.name, "phone": reporter.phone},
                "media": sorted(item.announced.sha256 for item in items),
            }
        )
    ).digest()
