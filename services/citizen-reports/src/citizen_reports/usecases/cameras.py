"""Scheduled work on the cameras that may have seen what is reported. The camera register names
the cameras, and the evidence store holds their evidence until the report's text is erased.

A handler may run more than once for one report. While the register or the store is unavailable, the
handler raises, and is called again later.
"""

from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from chassis.clock import Clock, new_id
from chassis.db import Database
from chassis.telemetry import context_from, span
from chassis.transaction import SYSTEM, Tx
from host.scheduler import WaitUntilDue

from citizen_reports.model.cameras import (
    CAMERAS_MAX,
    ReportCamera,
    Sighting,
    Window,
    held_window,
    rounded_up,
)
from citizen_reports.model.draft import Place
from citizen_reports.storage import cameras, contents, nearby, reports
from citizen_reports.storage.nearby import Located
from citizen_reports.usecases.recording import audit, bind_trace

HOLD_EVIDENCE = "hold_evidence"
RELEASE_EVIDENCE = "release_evidence"
# For so long after the held period, frames are counted again: an offline box may send them late.
COUNT_AFTER = timedelta(hours=1)  # tidy: our own promise, not a term


class CameraRegister(Protocol):
    async def seeing(self, place: Place, at: datetime) -> list[Sighting]:
        """Return the cameras of the place's region that may have seen the place at the moment `at`,
        nearest first."""
        ...


class EvidenceHolder(Protocol):
    async def hold(self, hold_id: UUID, camera_id: UUID, window: Window) -> int:
        """Hold the evidence of a camera in the period `window`; return the number of frames held
        now. A repeated call with the same `hold_id` only counts the frames again."""
        ...

    async def release(self, hold_id: UUID) -> None:
        """End a hold. Nothing happens if there is no hold with this id."""
        ...


class CameraEvidence:
    def __init__(
        self, db: Database, clock: Clock, register: CameraRegister, holder: EvidenceHolder
    ) -> None:
        self._db = db
        self._clock = clock
        self._register = register
        self._holder = holder

    async def name(self, key: str) -> None:
        """Ask the register which cameras may have seen the place of a report when the incident
        happened, store the CAMERAS_MAX nearest, and schedule the holds on their evidence. `key` is
        the report's id."""
        found = await nearby.located(self._db, UUID(key))
        bind_trace(found.report)
        if not found.place.has_point:  # the place was erased meanwhile
            return
        seen = await self._register.seeing(found.place, found.report.occurred_at)
        named = [ReportCamera(new_id(), sighting) for sighting in seen[:CAMERAS_MAX]]
        async with self._db.begin(SYSTEM) as tx:
            report = await reports.get_for_update(tx, found.report.report_id)
            if not named or await cameras.has_cameras(tx, report.report_id):
                return
            cameras.add_cameras(tx, report, named, await contents.report_key(tx, report.report_id))
            await tx.schedule(HOLD_EVIDENCE, key, rounded_up(self._clock()))
            audit(tx, "name_cameras", report, cameras=str(len(named)))

    async def hold(self, key: str) -> None:
        """Hold the evidence of a report's cameras, and store how many frames are held. `key` is the
        report's id. Until COUNT_AFTER has passed since the end of the held period, raises
        WaitUntilDue, so that the frames are counted again."""
        found = await nearby.located(self._db, UUID(key))
        bind_trace(found.report)
        window, now = held_window(found.report.occurred_at), self._clock()
        for camera in await self._cameras_of(found):
            if camera.sighting is None or camera.released_at is not None:
                continue
            with _unlinked():
                frames = await self._holder.hold(camera.hold_id, camera.sighting.camera_id, window)
            async with self._db.begin(SYSTEM) as tx:
                await cameras.save_held(tx, camera.hold_id, now, frames)
        if now < window.end + COUNT_AFTER:
            raise WaitUntilDue(window.end + COUNT_AFTER - now)

    async def release(self, key: str) -> None:
        """End the holds of a report after its text was erased. `key` is the report's id."""
        found = await nearby.located(self._db, UUID(key))
        bind_trace(found.report)
        for camera in await self._cameras_of(found):
            if camera.released_at is not None:
                continue
            with _unlinked():
                await self._holder.release(camera.hold_id)
            async with self._db.begin(SYSTEM) as tx:
                await cameras.save_released(tx, camera.hold_id, self._clock())

    async def _cameras_of(self, found: Located) -> tuple[ReportCamera, ...]:
        async with self._db.begin(SYSTEM) as tx:
            key = await contents.find_report_key(tx, found.report.report_id)
            return await cameras.cameras_of(tx, found.report.report_id, key)


async def schedule_release(tx: Tx, report_id: UUID, now: datetime) -> None:
    """Schedule the release of the holds on the evidence of a report's cameras, if there are any."""
    if await cameras.has_cameras(tx, report_id):
        await tx.schedule(RELEASE_EVIDENCE, str(report_id), rounded_up(now))


def _unlinked() -> AbstractContextManager[Any]:
    """A span in a new trace: the report's own trace would link the hold to the report's number."""
    return span("evidence hold", parent=context_from(""))
