"""The use cases by which apps open, submit, hand in, read and list reports. The use cases by which
a reporter replies, disputes or withdraws are in `correspondence`.

Row-level security limits each transaction to the reports of the calling partner.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database, RowExists, canonical_json
from chassis.identity import Caller
from chassis.pages import PageSpec
from chassis.refusals import IdReused, Refusal
from chassis.telemetry import current_story
from chassis.transaction import Tx
from partners.register import PartnerRegister
from vault.data_keys import PERSON_KEY

from citizen_reports.model.categories import Category
from citizen_reports.model.draft import CheckedDraft, Draft
from citizen_reports.model.following_files import looked_at, may_follow
from citizen_reports.model.law import Law
from citizen_reports.model.media import Media, MediaState, handed_in
from citizen_reports.model.own_ids import derived_id
from citizen_reports.model.receipt import Receipt
from citizen_reports.model.refusals import MediaIncomplete, ReportEmpty
from citizen_reports.model.report import Report
from citizen_reports.model.reporter_actions import ReporterAction, actions_of_reporter
from citizen_reports.model.statuses import Status
from citizen_reports.model.urgency import proposed, reasons_of
from citizen_reports.storage import complaints, contents, personnel, reports, urgency
from citizen_reports.storage.app_views import AppView, OwnFilter, view_of, views_of_partner
from citizen_reports.storage.contents import Contents, Written
from citizen_reports.storage.reports import Submitted
from citizen_reports.usecases.openings import Openings
from citizen_reports.usecases.recording import ReportRecorder, audit, bind_trace
from citizen_reports.usecases.uploads import AWAIT_MEDIA, STORE_MEDIA

FIND_DUPLICATES = "find_duplicates"
NAME_CAMERAS = "name_cameras"
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
        """Store a draft under the id that the app chose, and return the draft.

        `report_id` is None if the app sent no valid id, which raises BadRequest. `content` is the
        serialised request. A repeated call with the same id and content returns the stored report.
        Raises BadRequest, ReportKindNotAllowed, or IdReused if the id had other content before.
        """
        now = self._clock()
        checked = draft.checked(now, report_id_ok=report_id is not None)
        assert report_id is not None
        if await self._may_add(report_id, checked.category, content, caller):
            opened = _opened(report_id, checked, caller.name, now)
            report = await _under_free_id(
                opened, lambda own: self._add(own, checked, content, caller)
            )
            if report is not None:
                return self._offered(AppView(report, has_text=bool(checked.text)))
        async with self._db.begin(caller.scope) as tx:
            return await self.view(tx, await reports.get(tx, report_id))

    async def hand_in(
        self, report_id: UUID | None, draft: Draft, content: bytes, caller: Caller
    ) -> AppView:
        """Store a report without media as registered and routed, in a single transaction, and
        return the report.

        `content` is the serialised `OpenReportRequest`. A repeated call with the same id and
        content returns the stored report. If `open` has stored it as a draft, the draft is
        submitted first. Raises what `open` and `submit` raise.
        """
        now = self._clock()
        checked = draft.checked(now, report_id_ok=report_id is not None, is_whole=True)
        assert report_id is not None
        if await self._may_add(report_id, checked.category, content, caller):
            opened = _opened(report_id, checked, caller.name, now)
            routed = await _under_free_id(
                opened, lambda own: self._add_registered(own, checked, content, caller)
            )
            if routed is not None:
                bind_trace(routed)
                return self._offered(AppView(routed))
        await self.submit(report_id, caller)
        return await self.by_id(report_id, caller)

    async def submit(self, report_id: UUID, caller: Caller) -> Receipt:
        """Register and route the report in a single transaction, and return its receipt. A repeated
        call returns the first receipt again.

        Refused files are left out. In an emergency, uploads may continue after submission. Raises
        ReportNotFound, ReportKindNotAllowed, MediaIncomplete or ReportEmpty.
        """
        # The first try shares its commit, and so must not wait for a locked row; later tries may.
        is_shared = True
        while True:  # again if the report has changed since it was read, or was locked
            found = await reports.submitted(self._db, caller.scope, report_id)
            report = found.report
            bind_trace(report)
            if report.receipt is not None:
                return report.receipt
            self._partners.require_kind(caller, report.category)
            _require_whole(report, found.media)
            written = found.written(self._db)
            _require_content(report, handed_in(found.media), has_text=bool(written.contents.text))
            routed = await self._register(found, written, caller, is_shared=is_shared)
            if routed is not None:
                bind_trace(routed)
                assert routed.receipt is not None
                return routed.receipt
            is_shared = False

    async def by_id(self, report_id: UUID, caller: Caller) -> AppView:
        """Return the report with the id that its app chose. Raises ReportNotFound."""
        return await self._read(report_id, caller)

    async def by_number(self, number: str, caller: Caller) -> AppView:
        """Return the report with this number, such as KZ75-2026-4081937. Raises ReportNotFound."""
        return await self._read(number, caller)

    async def list_opened(
        self, wanted: OwnFilter, spec: PageSpec, caller: Caller
    ) -> tuple[list[AppView], list[tuple[str, ...]]]:
        """Return a page of the calling partner's reports, in the order in which they were opened,
        and for each report its sort key for a page token."""
        async with self._db.begin(caller.scope) as tx:
            found = await views_of_partner(tx, caller.name, wanted, spec)
        views = [self._offered(view) for view in found]
        opened = [view.report for view in views]
        return views, [(each.opened_at.isoformat(), str(each.report_id)) for each in opened]

    async def view(self, tx: Tx, report: Report) -> AppView:
        """Return a report as shown to its app, in the state that this transaction sees."""
        items = await contents.media_of(tx, report.report_id)
        written = await contents.contents_of(tx, report.report_id)
        has_text, count = bool(written.text), len(handed_in(items))
        question, answer = written.question, written.answer
        view = AppView(report, question, answer, count, has_text, tuple(items))
        return self._offered(view)

    async def _may_add(
        self, report_id: UUID, category: Category, content: bytes, caller: Caller
    ) -> bool:
        """Whether to store a new report. Returns False if the partner may not hand in reports of
        this category now, but has opened the report with this id and content before. Raises
        ReportKindNotAllowed if the report is new, or IdReused."""
        try:
            self._partners.require_kind(caller, category)
        except Refusal:
            async with self._db.begin(caller.scope) as tx:
                if await tx.once(caller.key, report_id, content):
                    raise
            return False
        return True

    async def _add(
        self, report: Report, draft: CheckedDraft, content: bytes, caller: Caller
    ) -> Report | None:
        """Store a draft, and return the draft; None if the app has opened it before. Raises
        IdReused, or RowExists if another partner has a report with this id."""
        for is_second_try in (False, True):
            key = await contents.key_of_reporter(self._db, caller.scope, draft.reporter)
            try:
                async with self._db.begin(caller.scope, shared=True) as tx:
                    tx.write_once(caller.key, report.id_of_app, content)
                    reports.add_report(tx, report)
                    await contents.add_contents(tx, report, draft, key)
                    due_at = report.opened_at + DRAFT_LIFE
                    await tx.schedule(DROP_DRAFT, str(report.report_id), due_at)
                    audit(tx, "open", report)
                break
            except RowExists as error:
                # Another call has meanwhile stored a key of this person: the second try finds it.
                if error.key != PERSON_KEY or is_second_try:
                    raise
        return report if tx.was_first else None

    async def _add_registered(
        self, opened: Report, draft: CheckedDraft, content: bytes, caller: Caller
    ) -> Report | None:
        """Store a new report as registered and routed, and return the report in that state; None
        if the app has used its id before. Raises IdReused, or RowExists if another partner has a
        report with this id."""
        said = Contents(draft.text, draft.place, draft.officer)
        written, now = Written(said, draft.reporter, None), opened.opened_at
        receipt = self._receipt(opened, [], written, now)
        key = await contents.key_of_reporter(self._db, caller.scope, draft.reporter)
        meant = await self._officers_meant(opened, draft.officer, draft.text)
        reasons = reasons_of(opened, draft.text, draft.place.address)
        opened = proposed(opened, reasons)
        for number in self._recorder.numbers(opened, now):
            try:
                async with self._db.begin(caller.scope, shared=True) as tx:
                    tx.write_once(caller.key, opened.id_of_app, content)
                    report_key = await contents.add_contents(tx, opened, draft, key)
                    numbered = replace(receipt, number=number)
                    routed = await self._recorder.register_new(tx, opened, numbered, report_key)
                    complaints.add_candidates(tx, opened.report_id, meant)
                    urgency.add_reasons(tx, opened, reasons, report_key)
                    await _schedule(tx, opened, [], now)
                return routed if tx.was_first else None
            except RowExists as error:
                if error.key not in {PERSON_KEY, *reports.NUMBER_KEYS}:
                    raise
                # If another call has meanwhile stored a key of this person, it is found now.
                key = await contents.key_of_reporter(self._db, caller.scope, draft.reporter)
        raise AssertionError("numbers end with an error")

    async def _register(
        self, found: Submitted, written: Written, caller: Caller, *, is_shared: bool
    ) -> Report | None:
        """Store the report as registered and routed, and return the report in that state. Store
        nothing, and return None, if it has changed since it was read or, with `is_shared`, if
        another transaction has locked it."""
        report, now = found.report, self._clock()
        items = handed_in(found.media)
        receipt = self._receipt(report, items, written, now)
        said = written.contents
        meant = await self._officers_meant(report, said.officer, said.text)
        reasons = reasons_of(report, said.text, said.place.address)
        report = proposed(report, reasons)
        for number in self._recorder.numbers(report, now):
            numbered = replace(receipt, number=number)
            try:
                async with self._db.begin(caller.scope, shared=is_shared) as tx:
                    routed = await self._recorder.register(
                        tx, report, numbered, written.key, waits=not is_shared
                    )
                    complaints.add_candidates(tx, report.report_id, meant)
                    urgency.add_reasons(tx, report, reasons, written.key)
                    await _schedule(tx, report, items, now)
                return routed if tx.was_current else None
            except RowExists as error:
                if error.key not in reports.NUMBER_KEYS:
                    raise
        raise AssertionError("numbers end with an error")

    async def _officers_meant(self, report: Report, officer: str, text: str) -> list[UUID]:
        """The ids of the officers whom a complaint may mean, and who must not see it."""
        if not report.is_complaint:
            return []
        return await personnel.meant_by(self._db, f"{officer}\n{text}")

    def _receipt(
        self, report: Report, items: list[Media], written: Written, now: datetime
    ) -> Receipt:
        """The receipt of a report that is submitted at `now`, without a number."""
        law = self._law
        deadline = law.deadlines.of(report.category, report.region, now)
        response = law.deadlines.response_of(report.category, report.region, now)
        routed = law.router.decide(report.routing_facts(written.contents.place.kato, now))
        digest = _content_digest(report, items, written)
        return Receipt("", now, deadline, routed.unit, digest, response, routed.note)

    async def _read(self, key: UUID | str, caller: Caller) -> AppView:
        async with self._openings.recorded(key, caller):
            view = await view_of(self._db, caller.scope, key)
        bind_trace(view.report)
        return self._offered(view)

    def _offered(self, view: AppView) -> AppView:
        """The view with the reporter's present actions, and the end of the time for a dispute."""
        report, deadlines = view.report, self._law.deadlines

        def require_complete() -> None:
            _require_whole(report, view.media)
            _require_content(report, handed_in(view.media), has_text=view.has_text)

        actions = actions_of_reporter(report, deadlines, self._clock(), require_complete)
        dispute_until = None
        if ReporterAction.DISPUTE in actions and report.answered_at is not None:
            dispute_until = report.answered_at + timedelta(days=deadlines.table.dispute_days)
        return replace(view, actions=actions, dispute_until=dispute_until)


async def _under_free_id(
    report: Report, add: Callable[[Report], Awaitable[Report | None]]
) -> Report | None:
    """Call `add` with the report, and return the result. If another partner has a report with the
    same id, call `add` with a derived id instead, which the app never sees."""
    derived = replace(report, report_id=derived_id(report.report_id, report.partner))
    for own in (report, derived):
        try:
            return await add(own)
        except RowExists as error:
            if error.key != reports.KEY:
                raise
    raise IdReused  # two partners chose ids together so that both are taken


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
        silent_alarm=draft.silent_alarm,
    )


async def _schedule(tx: Tx, report: Report, items: list[Media], now: datetime) -> None:
    """Schedule the work on a newly registered report: on its files, cameras and duplicates."""
    for item in items:
        key = f"{report.report_id}:{item.media_id}"
        if item.state is MediaState.COMPLETE:
            await tx.schedule(STORE_MEDIA, key, now)
        else:
            await tx.schedule(AWAIT_MEDIA, key, looked_at(item, now))
    if not report.cell:
        return
    await tx.schedule(NAME_CAMERAS, str(report.report_id), now)
    if not report.is_complaint:
        await tx.schedule(FIND_DUPLICATES, str(report.report_id), now)


def _require_whole(report: Report, items: Sequence[Media]) -> None:
    """Raise MediaIncomplete if a file is not completely uploaded. In emergencies, whose uploads may
    continue after submission, raise nothing."""
    for item in items if not may_follow(report) else ():
        if item.state is MediaState.RECEIVING:
            facts = {"media_id": str(item.media_id), "received_bytes": str(item.received_bytes)}
            raise MediaIncomplete(facts=facts)


def _require_content(report: Report, items: Sequence[Media], *, has_text: bool) -> None:
    """Raise ReportEmpty for a report with neither text nor files. Silent alarms need neither; nor
    do complaints, which name an officer."""
    if not (has_text or items or report.silent_alarm or report.is_complaint):
        raise ReportEmpty


def _content_digest(report: Report, items: list[Media], written: Written) -> bytes:
    """The SHA-256 of a submitted report as canonical JSON (RFC 8785), with its files' hashes."""
    said, reporter = written.contents, written.reporter
    place = said.place
    return hashlib.sha256(
        canonical_json(
            {
                "report_id": str(report.id_of_app),
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
                    # Left out if not given, so that digests older than the field stay the same.
                    **({"kato": place.kato} if place.kato else {}),
                },
                "reporter": {"iin": reporter.iin, "name": reporter.name, "phone": reporter.phone},
                "media": sorted(item.announced.sha256 for item in items),
                **({"silent_alarm": True} if report.silent_alarm else {}),
            }
        )
    ).digest()
