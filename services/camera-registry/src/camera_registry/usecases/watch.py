"""Sets the statuses of cameras by the reports of hubs, and detects silent hubs. Hubs are control
centres and edge boxes that report on cameras."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from chassis.db import Database
from chassis.transaction import SYSTEM, Tx
from host.leases import Lease, hold

from camera_registry.events import camera_status_changed, hub_heard, hub_silent
from camera_registry.model.children import Children, Transition
from camera_registry.model.hubs import (
    AHEAD_MAX,
    HubLife,
    Outcome,
    Report,
    missed_between,
    outcome_of_date,
)
from camera_registry.storage import life
from camera_registry.storage.life import MeasuresSpeed

# Cameras whose hubs are followed in one transaction.
CAMERAS_AT_ONCE = 20_000
# So many changed cameras in an event fit into one message of the broker.
TRANSITIONS_IN_EVENT = 10_000
HUBS_READ_AT_ONCE = 50
# A hub's cameras are read anew after this time: a verification may have begun.
READ_AGAIN_AFTER = timedelta(hours=1)


@dataclass
class Followed:
    """A hub whose reports are processed, as kept in memory. `report` is the hub's newest report, or
    None once that report has been processed."""

    row: HubLife
    children: Children | None = None
    read_at: datetime | None = None
    report: Report | None = None
    cameras_silent: int = 0

    def is_due(self, now: datetime, silence: timedelta, *, has_listened: bool) -> bool:
        """Whether this hub must be processed: because it has a new report, or because its silence
        or revocation is not yet processed. `has_listened` says that no report was missed during the
        last `silence`."""
        if self.row.is_revoked:
            return not self.row.is_silent
        if self.report is not None:
            return True
        if not self.is_silent(now, silence):
            return False
        return not self.row.is_silent or (has_listened and not self.row.has_incident)

    def is_unread(self, now: datetime) -> bool:
        """Whether the hub's cameras must be read from the database: they were never read, or were
        last read longer than READ_AGAIN_AFTER ago."""
        is_old = self.read_at is not None and abs(now - self.read_at) > READ_AGAIN_AFTER
        return self.children is None or is_old

    def is_silent(self, now: datetime, silence: timedelta) -> bool:
        """Whether the hub has reported before, but not within the last `silence`. A hub whose last
        report is dated more than AHEAD_MAX after `now` is also silent: the clock was set back
        meanwhile."""
        heard_at = self.row.heard_at
        return heard_at is not None and not now - silence < heard_at <= now + AHEAD_MAX


@dataclass(frozen=True)
class Changed:
    """The status changes of a hub's cameras that follow from a report or from the hub's silence.

    `as_of` is the time of the hub's last report. `foreign` counts the cameras in the report that do
    not belong to this hub.
    """

    hub: Followed
    transitions: list[Transition]
    as_of: datetime
    foreign: int = 0


@dataclass
class Reports:
    """The hubs in service and their newest reports, in the memory of one process of the service. A
    hub that has reported, but not within the last `silence`, is silent."""

    silence: timedelta
    hubs: dict[UUID, Followed] = field(default_factory=dict)
    # Reported cameras that are not the reporting hub's.
    foreign: int = 0

    @property
    def silent(self) -> int:
        """The number of hubs in service that were silent when last processed."""
        return sum(hub.row.is_silent and not hub.row.is_revoked for hub in self.hubs.values())

    def take_foreign(self) -> int:
        """Return how many reported cameras did not belong to the reporting hub since the last call,
        and reset the count to 0."""
        foreign, self.foreign = self.foreign, 0
        return foreign

    def key_of(self, hub_id: UUID) -> bytes | None:
        """Return the public key of the hub with this id; None if no hub in service has it."""
        hub = self.hubs.get(hub_id)
        return hub.row.public_key if hub and not hub.row.is_revoked else None

    def take(self, report: Report, arrived_at: datetime) -> tuple[Outcome, int]:
        """Store a report if it is the newest of its hub. The report's signature must have been
        checked.

        Returns the outcome and the number of missed statuses. This number is the number of reports
        missed before this one, times the number of cameras in this one; it is 0 if the report was
        not stored. Raises KeyError for a hub that is not in `hubs`.
        """
        hub = self.hubs[report.hub_id]
        outcome = outcome_of_date(report.sent_at, arrived_at, self.silence)
        if outcome is not Outcome.HEARD:
            return outcome, 0
        if report.number <= hub.row.number:
            return Outcome.REPEATED, 0
        missed = missed_between(hub.row.number, report.number)
        hub.row = replace(hub.row, number=report.number, heard_at=min(report.sent_at, arrived_at))
        hub.report = report
        return Outcome.HEARD, missed * len(report.camera_ids)


class Watch:
    """Sets the statuses of cameras by the reports of their hubs, and publishes changed statuses."""

    def __init__(self, db: Database, *, silence: timedelta, measures_speed: MeasuresSpeed) -> None:
        """`silence` is the time after a report for which it still holds; `measures_speed` says
        which kinds of camera need a verification."""
        self._db = db
        self._measures_speed = measures_speed
        self.silence = silence

    def alone(self) -> AbstractAsyncContextManager[Lease]:
        """Return a context manager that waits until no other replica processes reports.

        It yields a lease (the exclusive right to process them), and releases the lease at the end.
        """
        return hold(self._db, "heartbeats")

    async def begin(self, lease: Lease) -> Reports:
        """Read all hubs whose reports are to be processed, and return them without reports. Later,
        `look` applies changes of hubs to the returned object."""
        async with lease.begin(SYSTEM) as tx:
            rows = await life.read_hubs(tx)
        return Reports(self.silence, {row.hub_id: Followed(row) for row in rows})

    async def look(
        self, lease: Lease, reports: Reports, hears_since: datetime | None, now: datetime
    ) -> bool:
        """Process the newest reports and detect hubs that have fallen silent, in one transaction.
        Return whether hubs are left to process.

        `hears_since` is the time since which no report was missed, or None if a report may have
        been missed just now. Incidents are opened only if `hears_since` is at least `self.silence`
        ago. If `look` raises an error, get new `reports` from `begin`.
        """
        has_listened = hears_since is not None and now - hears_since >= self.silence
        async with lease.begin(SYSTEM) as tx:
            await self._read_changes(tx, reports, now)
            due = [
                hub
                for hub in reports.hubs.values()
                if hub.is_due(now, self.silence, has_listened=has_listened)
            ]
            followed: list[Changed] = []
            count = 0
            async for hub in self._with_children(tx, due, now):
                followed.append(await self._follow(tx, hub, now, has_listened=has_listened))
                count += len(hub.children or ())
                if count >= CAMERAS_AT_ONCE:
                    break
            await self._write(tx, followed)
            reports.foreign += sum(each.foreign for each in followed)
            await life.look(tx, now)
        return len(followed) < len(due)

    async def _read_changes(self, tx: Tx, reports: Reports, now: datetime) -> None:
        """Read the changed hubs; those that are no longer in service are silent for good."""
        changed = await life.take_changes(tx)
        rows = {row.hub_id: row for row in await life.read_hubs(tx, changed)} if changed else {}
        for hub_id in changed:
            known, row = reports.hubs.get(hub_id), rows.get(hub_id)
            if row is None or row.is_revoked:
                await life.close_incident(tx, hub_id, now)
            if row is None:
                reports.hubs.pop(hub_id, None)
            elif known is None:
                reports.hubs[hub_id] = Followed(row)
            else:
                known.children = None
                known.row = replace(known.row, is_revoked=row.is_revoked)

    async def _with_children(
        self, tx: Tx, due: Sequence[Followed], now: datetime
    ) -> AsyncIterator[Followed]:
        """Yield hubs one after another, with their cameras. Cameras are read for several hubs at
        once."""
        for start in range(0, len(due), HUBS_READ_AT_ONCE):
            part = due[start : start + HUBS_READ_AT_ONCE]
            unread = [hub for hub in part if hub.is_unread(now)]
            if unread:
                await self._read_children(tx, unread, now)
            for hub in part:
                yield hub

    async def _read_children(self, tx: Tx, given: list[Followed], now: datetime) -> None:
        ids = [hub.row.hub_id for hub in given]
        found = await life.read_children(tx, ids, now, self._measures_speed)
        for hub in given:
            hub.children, hub.read_at = Children.of(found[hub.row.hub_id]), now

    async def _follow(self, tx: Tx, hub: Followed, now: datetime, *, has_listened: bool) -> Changed:
        """Return what a hub's newest report, or its silence, makes of its cameras."""
        assert hub.children is not None and hub.row.heard_at is not None
        as_of = min(hub.row.heard_at, now)
        report, hub.report = hub.report, None
        if report is None or hub.row.is_revoked:
            return Changed(hub, await self._fall_silent(tx, hub, now, has_listened), as_of)
        transitions, foreign = hub.children.follow(report, now)
        if hub.row.has_incident:
            incident_id = await life.close_incident(tx, hub.row.hub_id, now)
            if incident_id is not None:
                hub.row = replace(hub.row, events=hub.row.events + 1)
                tx.emit(hub_heard(hub.row, incident_id))
        hub.row = replace(hub.row, is_silent=False, has_incident=False)
        return Changed(hub, transitions, as_of, foreign)

    async def _fall_silent(
        self, tx: Tx, hub: Followed, now: datetime, has_listened: bool
    ) -> list[Transition]:
        assert hub.children is not None
        transitions: list[Transition] = []
        if not hub.row.is_silent:
            transitions = hub.children.fall_silent(now)
            hub.cameras_silent = len(transitions)
            hub.row = replace(hub.row, is_silent=True)
        if has_listened and not hub.row.has_incident and not hub.row.is_revoked:
            count = hub.cameras_silent or len(hub.children)
            hub.row = replace(hub.row, has_incident=True, events=hub.row.events + 1)
            incident = await life.open_incident(tx, hub.row, now, count)
            tx.emit(hub_silent(hub.row, incident))
        return transitions

    async def _write(self, tx: Tx, followed: Sequence[Changed]) -> None:
        """Store what was found out about hubs and their cameras. Publish changed states in as few
        events as possible for each hub."""
        ids = {each.camera_id for changed in followed for each in changed.transitions}
        if ids:
            await life.lock_cameras(tx, ids)
        for changed in followed:
            if changed.transitions:
                await self._write_states(tx, changed)
        await life.keep_heard(tx, [changed.hub.row for changed in followed])

    async def _write_states(self, tx: Tx, changed: Changed) -> None:
        hub, as_of = changed.hub, changed.as_of
        versions = await life.set_states(tx, hub.row.hub_id, changed.transitions, as_of)
        written = [each for each in changed.transitions if each.camera_id in versions]
        for start in range(0, len(written), TRANSITIONS_IN_EVENT):
            hub.row = replace(hub.row, events=hub.row.events + 1)
            given = written[start : start + TRANSITIONS_IN_EVENT]
            tx.emit(camera_status_changed(hub.row, given, versions, as_of))
