"""Storing heartbeats, and judging the cameras that send none."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from uuid import UUID

from chassis.db import Database
from chassis.transaction import SYSTEM
from host.leases import Lease, hold

from camera_registry.events import camera_status_changed
from camera_registry.model.camera import CameraStatus, verdict_on_silence
from camera_registry.storage import life

# Heartbeats written, and cameras judged, in one transaction.
BATCH = 1000
CHUNK = 5000
SWEEPS_PER_SILENCE = 12


class Watch:
    """Stores heartbeats and sets the status of cameras that send none. An event is published only
    when a status changes."""

    def __init__(self, db: Database, *, silence: timedelta) -> None:
        self._db = db
        self.silence = silence
        self.sweep_seconds = silence.total_seconds() / SWEEPS_PER_SILENCE

    def alone(self) -> AbstractAsyncContextManager[Lease]:
        """Return a context manager that waits until no other replica processes heartbeats.

        It yields a lease, the exclusive right to process them, and releases it at the end.
        """
        return hold(self._db, "heartbeats")

    async def hear(self, lease: Lease, beats: life.Beats, now: datetime) -> None:
        """Store those heartbeats that are not older than `silence`, in batched transactions.

        `beats` maps a camera's id to the region and time of its heartbeat.
        """
        fresh = [beat for beat in beats.items() if now - beat[1][1] < self.silence]
        for start in range(0, len(fresh), BATCH):
            async with lease.begin(SYSTEM) as tx:
                batch = dict(fresh[start : start + BATCH])
                for camera in await life.heard(tx, batch, now=now):
                    tx.emit(camera_status_changed(camera))
                await life.look(tx, now)

    def verdict(self, hears_since: datetime | None, now: datetime) -> CameraStatus:
        """Return the status of a camera without recent heartbeats: OFFLINE if none can have been
        missed (see `verdict_on_silence`), else UNKNOWN."""
        return verdict_on_silence(hears_since, now, self.silence)

    async def judge_silent(
        self, lease: Lease, after: UUID | None, hears_since: datetime | None, now: datetime
    ) -> UUID | None:
        """Set the status of the silent cameras in one chunk of cameras, ordered by id.

        The chunk starts after the id `after` (None: at the first camera). Returns the last id of
        the chunk, or None if it was the last chunk.
        """
        async with lease.begin(SYSTEM) as tx:
            until = await life.chunk_end(tx, after=after, size=CHUNK)
            silent = await life.fall_silent(
                tx,
                after=after,
                until=until,
                before=now - self.silence,
                now=now,
                status=self.verdict(hears_since, now),
            )
            for camera in silent:
                tx.emit(camera_status_changed(camera))
            if until is None:
                await life.look(tx, now)
        return until
