"""Processes uploaded videos, and streams that are watched only while a client's call lasts.

While a video is processed, it is stored in an unnamed temporary file, so a killed process leaves
nothing of it. The address of a stream appears in no log, span or error.
"""

import asyncio
import hashlib
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import IO
from uuid import UUID

import rfc8785
from chassis.clock import Clock, new_id
from chassis.db import Database
from chassis.identity import Caller

from inference_gateway.admission import AdmissionQueue
from inference_gateway.camera_rules.engine import frames_per_second as needed
from inference_gateway.camera_rules.model import CameraFunctions
from inference_gateway.camera_rules.storage import Configurations
from inference_gateway.cameras.clients import Cameras
from inference_gateway.cameras.model import check_camera_in_use
from inference_gateway.frames.model import FrameResult, check_moment
from inference_gateway.ingest.frame_reader import live_frames, stepped_frames
from inference_gateway.ingest.rtsp import FIRST_AGE_SECONDS, StreamFrames
from inference_gateway.ingest.usecases import PendingResult, SessionParts, persist
from inference_gateway.ingest.video import FilmTooLarge, VideoFile
from inference_gateway.ingest.video_account import VideoAccount, VideoSummary
from inference_gateway.ingest.video_session import (
    Configured,
    Subject,
    VideoSession,
)

FILM_BYTES_MAX = 256 * 1024 * 1024
FILMS_AT_ONCE = 2
FILMS_WAITING_MAX = 2
STREAMS_AT_ONCE = 8
# Of pictures that wait to be looked at, where the functions count what passes.
ROOM_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Video:
    film_id: UUID
    camera_id: UUID
    started_at: datetime
    frames_per_second: float


@dataclass(frozen=True)
class VideoProgress:
    """A message about a video being processed: a result, and the share processed so far (0 to 1).
    In the last message, `summary` has the account of the whole video; there is no result."""

    result: FrameResult | None
    progress: float
    summary: VideoSummary | None = None


class VideoIngest:
    def __init__(
        self,
        db: Database,
        cameras: Cameras,
        configurations: Configurations,
        parts: SessionParts,
        clock: Clock,
    ) -> None:
        self._db = db
        self._cameras = cameras
        self._configurations = configurations
        self._parts = parts
        self._clock = clock
        self._films = AdmissionQueue(places=FILMS_AT_ONCE, waiting_max=FILMS_WAITING_MAX)
        self._streams = AdmissionQueue(places=STREAMS_AT_ONCE, waiting_max=0)

    async def show(
        self, film: Video, pieces: AsyncIterator[bytes], caller: Caller
    ) -> AsyncIterator[VideoProgress]:
        """Process an uploaded video, whose bytes come in `pieces`. Yield a result for each sampled
        frame. A plate is tracked from frame to frame; when its track ends, yield a result for the
        plate. At the end yield the summary. See `IngestFilm` in inference.proto."""
        camera, scope = await self._cameras.for_caller(film.camera_id, caller)
        check_camera_in_use(camera)
        check_moment(film.started_at, self._clock())
        async with self._films.slot():
            with tempfile.TemporaryFile() as file:
                digest = await _spool(pieces, file)
                content = _content(film, digest)
                async with self._db.begin(scope) as tx:
                    # Known already or not: its events are emitted once, track by track.
                    await tx.once(caller.key, film.film_id, content)
                reel = await asyncio.to_thread(VideoFile.of, file)
                started_at = self._begun(film, reel)
                subject = Subject(
                    film.film_id, camera, caller, scope, content, started_at, self._clock
                )
                functions = await self._configurations.of(camera.camera_id)
                rate = film.frames_per_second or needed(functions)
                account = VideoAccount(rate)
                if started_at != film.started_at:
                    account.notes.add("start_moved")
                async for shown in self._screened(subject, reel, functions, account):
                    yield shown
                yield VideoProgress(None, 1.0, account.summary(started_at))

    def _begun(self, film: Video, reel: VideoFile) -> datetime:
        """The start given by the caller, moved earlier if the video would end in the future."""
        return min(film.started_at, self._clock() - timedelta(seconds=reel.seconds))

    async def _screened(
        self, subject: Subject, reel: VideoFile, functions: CameraFunctions, account: VideoAccount
    ) -> AsyncIterator[VideoProgress]:
        async def configured() -> CameraFunctions:
            return functions  # of the whole film, so that it is looked at in one way

        rate = account.frames_per_second
        session = self._session(subject, configured, rate)
        async with stepped_frames(reel.frames(rate, account)) as frames:
            async for frame in frames:
                for pending in await session.take(frame):
                    yield VideoProgress(await persist(self._db, pending), frame.progress)
        for pending in await session.finish():
            yield VideoProgress(await persist(self._db, pending), 1.0)

    async def watch(
        self,
        camera_id: UUID,
        address: str,
        *,
        frames_per_second: float,
        max_frames: int,
        caller: Caller,
    ) -> AsyncIterator[FrameResult]:
        """Process an RTSP stream from now on. Yield a result for each sampled frame. A plate is
        tracked from frame to frame; when its track ends, yield a result for the plate. Ends after
        `max_frames` sampled frames; 0 means no limit. See `WatchStream` in inference.proto."""
        camera, scope = await self._cameras.for_caller(camera_id, caller)
        check_camera_in_use(camera)
        watch_id = new_id()
        # The first picture may have been taken a little before it is asked for.
        began = time.monotonic() - FIRST_AGE_SECONDS
        began_at = self._clock() - timedelta(seconds=FIRST_AGE_SECONDS)
        subject = Subject(watch_id, camera, caller, scope, watch_id.bytes, began_at, self._clock)
        functions = await self._configurations.of(camera.camera_id)
        rate = frames_per_second or needed(functions)
        room = ROOM_BYTES if functions.over_time else 0
        session = self._session(subject, lambda: self._configurations.of(camera.camera_id), rate)
        stream = StreamFrames(address, rate, lambda: time.monotonic() - began)
        unpersisted = deque[PendingResult]()
        async with self._streams.slot(), aclosing(live_frames(stream, room=room)) as frames:
            looked = 0
            try:
                async for frame in frames:
                    unpersisted += await session.take(replace(frame, number=looked))
                    async for result in self._persisted(unpersisted):
                        yield result
                    looked += 1
                    if looked == max_frames:
                        break
                unpersisted += await session.finish()
                async for result in self._persisted(unpersisted):
                    yield result
            finally:
                # The caller left or the stream broke: what was detected is persisted all the same.
                unpersisted += await session.finish()
                async for _ in self._persisted(unpersisted):
                    pass

    async def _persisted(self, unpersisted: deque[PendingResult]) -> AsyncIterator[FrameResult]:
        """Store and yield the queued results; each leaves the queue only after it was stored."""
        while unpersisted:
            result = await persist(self._db, unpersisted[0])
            unpersisted.popleft()
            yield result

    def _session(self, subject: Subject, configured: Configured, rate: float) -> VideoSession:
        return VideoSession(
            subject,
            self._parts,
            configured=configured,
            frames_per_second=rate,
        )


async def _spool(pieces: AsyncIterator[bytes], file: IO[bytes]) -> bytes:
    """Write the pieces to a file; return their SHA-256. Raises FilmTooLarge."""
    digest, size = hashlib.sha256(), 0
    async for piece in pieces:
        size += len(piece)
        if size > FILM_BYTES_MAX:
            raise FilmTooLarge
        digest.update(piece)
        await asyncio.to_thread(file.write, piece)
    return digest.digest()


def _content(film: Video, digest: bytes) -> bytes:
    """The canonical bytes that a video with the same id must repeat."""
    return rfc8785.dumps(
        {
            "camera_id": str(film.camera_id),
            "film": digest.hex(),
            "frames_per_second": film.frames_per_second,
            "started_at": film.started_at.isoformat(),
        }
    )
