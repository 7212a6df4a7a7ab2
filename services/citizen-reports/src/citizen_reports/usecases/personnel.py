"""The use cases that manage units, officers and their postings. Each change is audited."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import checks
from chassis.transaction import SYSTEM, Tx
from host.scheduler import WaitUntilDue

from citizen_reports.model.personnel import Officer, Posting, Unit
from citizen_reports.model.raising import released
from citizen_reports.model.refusals import PostingEnded
from citizen_reports.model.report import Report
from citizen_reports.storage import personnel, reports
from citizen_reports.usecases.complaints import MATCH_OFFICER
from citizen_reports.usecases.recording import SYSTEM_ACTOR, ReportRecorder, bind_trace
from citizen_reports.usecases.routed_units import RoutedUnits

RELEASE_CASES = "release_cases"
RELEASE_LOG_IN = "release_log_in"


@dataclass(frozen=True)
class Asked:
    """A request that may be repeated: its id, its serialised content and its caller."""

    request_id: UUID
    content: bytes
    caller: Caller


class Personnel:
    """The use cases of personnel. A request id that is repeated with the same content changes
    nothing, and the stored unit or officer is returned; with other content, IdReused is raised."""

    def __init__(
        self, db: Database, clock: Clock, recorder: ReportRecorder, routed: RoutedUnits
    ) -> None:
        self._db = db
        self._clock = clock
        self._recorder = recorder
        self._routed = routed

    async def put_unit(self, unit: Unit, asked: Asked) -> Unit:
        """Add a unit, or change the unit of this name. If the unit has an end, postings to the unit
        are shortened to that end.

        Raises BadRequest if the parent is unknown, the unit itself or a unit below it, or
        UnitReceivesReports if routing rules send it reports that the changed unit could not take.
        """
        async with self._db.begin(asked.caller.scope) as tx:
            if await self._is_new(tx, asked):
                await _check_parent(tx, unit)
                await self._routed.lock(tx)
                await personnel.put_unit(tx, unit)
                await self._routed.require_fit(tx, unit.unit)
                await self._end_postings(tx, unit)
                facts = {"kind": unit.kind.value, "parent": unit.parent}
                tx.audit("put_unit", f"unit:{unit.unit}", region=unit.region, facts=facts)
            return await personnel.find_unit(tx, unit.unit) or unit

    async def put_officer(self, officer: Officer, asked: Asked) -> Officer:
        """Add an officer, or change log-in, badge and names of the officer with this id. Scheduled
        work then makes the officer a candidate of complaints that may mean him, and removes a
        former log-in as the operator of open reports. Raises LogInTaken or BadgeTaken."""
        async with self._db.begin(asked.caller.scope) as tx:
            if await self._is_new(tx, asked):
                await self._put(tx, officer, asked.request_id)
            return await personnel.officer_with_id(tx, officer.officer_id)

    async def add_posting(self, officer_id: UUID, posting: Posting, asked: Asked) -> Officer:
        """Post an officer to a unit, at most until the end of the unit. Raises OfficerNotFound, or
        BadRequest for an unknown unit or one that has ended when the posting starts."""
        async with self._db.begin(asked.caller.scope) as tx:
            officer = await personnel.officer_with_id(tx, officer_id)
            if not await self._is_new(tx, asked):
                return officer
            await self._routed.lock(tx)
            with checks() as check:
                unit = await personnel.find_unit(tx, posting.unit)
                lasts = unit is not None and not unit.has_ended(posting.starts_at)
                check.that(
                    lasts, "posting.unit", "a unit that has not ended by then", code="UNIT_UNKNOWN"
                )
            assert unit is not None
            posting = posting.within(unit)
            personnel.add_posting(tx, officer_id, posting)
            tx.audit("add_posting", f"officer:{officer_id}", facts={"unit": posting.unit})
            if posting.ends_at is not None:
                await tx.schedule(RELEASE_CASES, str(posting.posting_id), posting.ends_at)
            return await personnel.officer_with_id(tx, officer_id)

    async def end_posting(self, posting_id: UUID, ends_at: datetime, asked: Asked) -> Officer:
        """End a posting at `ends_at`. `release_cases` is scheduled for that time. Raises BadRequest
        if `ends_at` is before the start, PostingNotFound, or PostingEnded if an end is set."""
        async with self._db.begin(asked.caller.scope) as tx:
            is_new = await self._is_new(tx, asked)
            officer_id, posting = await personnel.posting_for_update(tx, posting_id)
            if is_new:
                if posting.ends_at is not None:
                    raise PostingEnded
                with checks() as check:
                    after = ends_at >= posting.starts_at
                    check.that(after, "ends_at", "not before the posting began")
                await personnel.end_posting(tx, posting_id, ends_at)
                tx.audit("end_posting", f"officer:{officer_id}", facts={"unit": posting.unit})
                await tx.schedule(RELEASE_CASES, str(posting_id), ends_at)
            return await personnel.officer_with_id(tx, officer_id)

    async def units(self, *, after: str, size: int, caller: Caller) -> list[Unit]:
        """Return at most `size` units in order of name, from the first after the name `after`."""
        async with self._db.begin(caller.scope) as tx:
            return await personnel.page_of_units(tx, after=after, size=size)

    async def officers(
        self, unit: str, *, after: UUID | None, size: int, caller: Caller
    ) -> list[Officer]:
        """Return at most `size` officers in order of id, beginning after the id `after`, or with
        the first for None. `unit` limits them to present and former officers of a unit; "" sets no
        limit. The access is audited."""
        async with self._db.begin(caller.scope) as tx:
            found = await personnel.page_of_officers(tx, unit=unit, after=after, size=size)
            tx.audit("list_officers", f"unit:{unit or 'all'}", facts={"read": str(len(found))})
            return found

    async def release_cases(self, key: str) -> None:
        """Remove the officer of an ended posting as the operator of open reports of the posting's
        unit or, if the officer has no posting now, of all units. Does nothing if another posting to
        the unit lasts. `key` is the posting's id. Raises WaitUntilDue before the end."""
        now = self._clock()
        async with self._db.begin(SYSTEM) as tx:
            officer_id, posting = await personnel.posting_for_update(tx, UUID(key))
            officer = await personnel.officer_with_id(tx, officer_id)
            units = _units_now(officer, now)
            if posting.ends_at is None or not officer.log_in:
                return
            if posting.ends_at > now:  # the clock was set back, or the work was moved
                raise WaitUntilDue(posting.ends_at - now)
            if posting.unit in units:
                return
            unit = posting.unit if units else ""
            await self._release(tx, await reports.held_by(tx, officer.log_in, unit), now)

    async def release_log_in(self, key: str) -> None:
        """Remove a log-in as the operator of open reports, unless an officer has the log-in. `key`
        is "request id:log-in", with the id of the request that changed the log-in."""
        log_in = key.partition(":")[2]
        async with self._db.begin(SYSTEM) as tx:
            if await personnel.officer_with_log_in(tx, log_in) is None:
                await self._release(tx, await reports.held_by(tx, log_in), self._clock())

    async def add_for_trial(self, officer: Officer) -> None:
        """Add an officer and his postings, for a trial run, unless an officer has this log-in."""
        async with self._db.begin(SYSTEM) as tx:
            if await personnel.officer_with_log_in(tx, officer.log_in) is not None:
                return
            await self._put(tx, officer, officer.officer_id)
            for posting in officer.postings:
                personnel.add_posting(tx, officer.officer_id, posting)

    async def _end_postings(self, tx: Tx, unit: Unit) -> None:
        """End the postings to a unit when the unit ends, but not before now: past service stays on
        record, since it decides from whom a complaint is hidden."""
        if unit.valid_until is None:
            return
        ends_at = max(unit.valid_until, self._clock())
        for row in await personnel.end_postings_to(tx, unit.unit, ends_at):
            tx.audit("end_posting", f"officer:{row.officer_id}", facts={"unit": unit.unit})
            await tx.reschedule(RELEASE_CASES, str(row.posting_id), row.ends_at)

    async def _release(self, tx: Tx, held: list[Report], now: datetime) -> None:
        for report in held:
            bind_trace(report)
            free = released(report)
            await self._recorder.record(
                tx, report, free, Decision("release"), at=now, actor=SYSTEM_ACTOR
            )

    async def _put(self, tx: Tx, officer: Officer, request_id: UUID) -> None:
        before = await personnel.log_in_of(tx, officer.officer_id)
        await personnel.put_officer(tx, officer)
        if before and before != officer.log_in:
            await tx.schedule(RELEASE_LOG_IN, f"{request_id}:{before}", self._clock())
        tx.audit("put_officer", f"officer:{officer.officer_id}")
        key = f"{officer.officer_id}:{request_id}"
        await tx.schedule(MATCH_OFFICER, key, self._clock())

    async def _is_new(self, tx: Tx, asked: Asked) -> bool:
        return await tx.once(asked.caller.key, asked.request_id, asked.content)


async def _check_parent(tx: Tx, unit: Unit) -> None:
    if not unit.parent:
        return
    above = await personnel.units_above(tx, unit.parent)
    with checks() as check:
        check.that(bool(above), "unit.parent", "a unit of the police", code="UNIT_UNKNOWN")
        check.that(unit.unit not in above, "unit.parent", "not the unit itself or one below it")


def _units_now(officer: Officer, now: datetime) -> set[str]:
    """The units in which an officer serves now."""
    return {
        posting.unit
        for posting in officer.postings
        if posting.starts_at <= now and (posting.ends_at is None or posting.ends_at > now)
    }
