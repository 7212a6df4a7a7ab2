"""The use cases that raise a report to a more secret category, or settle a complaint's subject.

Both decisions may hide the report from the operator who makes them. So the report is first read in
the operator's scope, and then decided in a scope with the lookup "decides:<report id>".
"""

from dataclasses import dataclass, replace
from uuid import UUID

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import checks
from chassis.transaction import SYSTEM, Scope, Tx

from citizen_reports import events
from citizen_reports.model.categories import Category
from citizen_reports.model.decided import SUBJECT
from citizen_reports.model.law import Law
from citizen_reports.model.officer_words import words_of_officer, words_of_text
from citizen_reports.model.personnel import Officer, Subject
from citizen_reports.model.raising import raised, subject_settled
from citizen_reports.model.refusals import ReportChangedMeanwhile
from citizen_reports.model.report import Report
from citizen_reports.storage import complaints, contents, personnel, reports
from citizen_reports.storage.contents import Contents
from citizen_reports.storage.desk_log_in import DECIDES
from citizen_reports.usecases.desk import REASON_MAX, Shown
from citizen_reports.usecases.openings import Openings
from citizen_reports.usecases.recording import ReportRecorder, audit, bind_trace

MATCH_OFFICER = "match_officer"


@dataclass(frozen=True)
class Candidates:
    """The officers whom a complaint may mean, and the complaint's subject, None until settled."""

    officers: list[Officer]
    subject: Subject | None


class Complaints:
    def __init__(
        self, db: Database, clock: Clock, law: Law, recorder: ReportRecorder, openings: Openings
    ) -> None:
        self._db = db
        self._clock = clock
        self._law = law
        self._recorder = recorder
        self._openings = openings

    async def raise_report(
        self, shown: Shown, category: Category | None, reason: str, caller: Caller
    ) -> bool:
        """Raise the report named by `shown` to a more secret category, and route it to a unit by
        the rules for that category. Returns whether the report is now hidden from the caller.

        Raises BadRequest, also if `category` is None, ReportNotFound, ReportChangedMeanwhile,
        CategoryNotRaised if `category` is not more secret than the present one, StatusNotAllowed,
        or StorageAway if the routing rules have not been read yet.
        """
        with checks() as check:
            check.that(
                category is not None, "category", "a more secret kind", code="CATEGORY_UNKNOWN"
            )
            check.that(bool(reason.strip()), "reason", "what shows it", code="REASON_REQUIRED")
            check.that(
                len(reason) <= REASON_MAX,
                "reason",
                f"at most {REASON_MAX} characters",
                code="REASON_TOO_LONG",
            )
        assert category is not None
        now = self._clock()
        async with self._openings.begin(shown.report_id, caller) as tx:
            seen = await reports.get(tx, shown.report_id)
            shown.require_unchanged(seen)
            said = await contents.contents_of(tx, shown.report_id)
        words = _words_of(said)
        facts = replace(seen.routing_facts(said.place.kato, now), category=category)
        unit = self._law.router.decide(facts).unit
        secret = raised(seen, category, unit, now, self._law.deadlines)
        meant = await personnel.meant_by(self._db, words) if secret.is_complaint else []
        async with self._db.begin(_scope_to_decide(caller, seen)) as tx:
            await self._lock(tx, seen)
            complaints.add_candidates(tx, seen.report_id, meant)
            await self._recorder.record(
                tx,
                seen,
                secret,
                Decision("raise", {"category": category.value}),
                at=now,
                actor=caller.scope.name,
                note=reason,
                fact=events.report_routed(secret, now),
            )
        return await self._is_hidden(seen.report_id, caller)

    async def candidates(self, report_id: UUID, caller: Caller) -> Candidates:
        """Return the officers whom the words of a complaint may mean, and the complaint's subject.
        The access is audited. Raises ReportNotFound or NotAComplaint."""
        async with self._openings.begin(report_id, caller) as tx:
            report = await reports.get(tx, report_id)
            bind_trace(report)
            subject_settled(report)
            subject = await complaints.find_subject(tx, report_id)
            audit(tx, "read_candidates", report)
        async with self._db.begin(SYSTEM) as tx:
            meant = await complaints.candidates_of(tx, report_id)
            return Candidates(await personnel.officers_with_ids(tx, meant), subject)

    async def name_subject(self, shown: Shown, subject: Subject, caller: Caller) -> bool:
        """Settle the subject of the complaint named by `shown`, replacing an earlier one. Returns
        whether the complaint is now hidden from the caller.

        Raises BadRequest, ReportNotFound, ReportChangedMeanwhile, NotAComplaint or OfficerNotFound.
        """
        now = self._clock()
        async with self._openings.begin(shown.report_id, caller) as tx:
            seen = await reports.get(tx, shown.report_id)
            shown.require_unchanged(seen)
            settled = subject_settled(seen)
            await _require_known(tx, subject)
        row = complaints.to_row(seen.report_id, subject, now)
        facts = {"subject": "officer" if subject.officer_id else subject.unit and "unit"}
        async with self._db.begin(_scope_to_decide(caller, seen)) as tx:
            await self._lock(tx, seen)
            decision = Decision("name_subject", facts, beside={SUBJECT: row})
            entry = await self._recorder.record(
                tx, seen, settled, decision, at=now, actor=caller.scope.name
            )
            await complaints.save_subject(tx, row, entry)
        return await self._is_hidden(seen.report_id, caller)

    async def match_officer(self, key: str) -> None:
        """Scheduled work MATCH_OFFICER: add an officer as a candidate to each complaint without a
        named subject that may mean the officer. `key` is "officer id:request id of the change"."""
        officer_id = UUID(key.partition(":")[0])
        async with self._db.begin(SYSTEM) as tx:
            words = words_of_officer(await personnel.officer_with_id(tx, officer_id))
            for report_id in await complaints.unsettled(tx):
                written = await contents.contents_of(tx, report_id)
                if words & words_of_text(_words_of(written)):
                    complaints.add_candidates(tx, report_id, [officer_id])

    async def _lock(self, tx: Tx, seen: Report) -> None:
        """Lock the report `seen`. Raises ReportChangedMeanwhile if its version has changed."""
        bind_trace(seen)
        report = await reports.get_for_update(tx, seen.report_id)
        if report.version != seen.version:
            raise ReportChangedMeanwhile(facts={"version": str(report.version)})

    async def _is_hidden(self, report_id: UUID, caller: Caller) -> bool:
        async with self._db.begin(caller.scope) as tx:
            return await reports.find_by_key(tx, report_id) is None


def _scope_to_decide(caller: Caller, seen: Report) -> Scope:
    return replace(caller.scope, lookup=f"{DECIDES}{seen.report_id}")


def _words_of(written: Contents) -> str:
    return f"{written.officer}\n{written.text}"


async def _require_known(tx: Tx, subject: Subject) -> None:
    """Raise BadRequest for an unknown unit, or if `subject` names both an officer and a unit;
    OfficerNotFound for an unknown officer."""
    with checks() as check:
        one = subject.officer_id is None or not subject.unit
        check.that(one, "subject", "an officer, a unit, or neither")
        if subject.unit:
            known = await personnel.find_unit(tx, subject.unit) is not None
            check.that(known, "subject.unit", "a unit of the police", code="UNIT_UNKNOWN")
    if subject.officer_id is not None:
        await personnel.officer_with_id(tx, subject.officer_id)
