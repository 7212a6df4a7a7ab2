"""Films that are sent and streams that are pulled, turned into screenings.

A film lies in a file without a name while it is looked at: a kill leaves nothing of it. The
address of a stream is in no log, span or error.
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

from inference_gateway.evidence import Vault
from inference_gateway.eyes import Eyes
from inference_gateway.film_account import FilmAccount, FilmSummary
from inference_gateway.films import FilmFile, FilmTooLarge
from inference_gateway.functions.model import CameraFunctions
from inference_gateway.functions.watching import frames_per_second as needed
from inference_gateway.limits import Turnstile
from inference_gateway.model import FrameResult, check_moment
from inference_gateway.reels import live_shots, stepped
from inference_gateway.rtsp import FIRST_AGE_SECONDS, StreamShots
from inference_gateway.screening import Configured, Screening, Subject
from inference_gateway.usecases import Intake, Settling, check_camera_in_use

FILM_BYTES_MAX = 256 * 1024 * 1024
FILMS_AT_ONCE = 2
FILMS_WAITING_MAX = 2
STREAMS_AT_ONCE = 8
# Of pictures that wait to be looked at, where the functions count what passes.
ROOM_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Film:
    film_id: UUID
    camera_id: UUID
    started_at: datetime
    frames_per_second: float


@dataclass(frozen=True)
class Shown:
    """A result as a film goes on, or the account at its end."""

    result: FrameResult | None
    progress: float
    summary: FilmSummary | None = None


class Showing:
    def __init__(
        self, db: Database, intake: Intake, eyes: Eyes, vault: Vault, clock: Clock
    ) -> None:
        self._db = db
        self._intake = intake
        self._eyes = eyes
        self._vault = vault
        self._clock = clock
        self._films = Turnstile(places=FILMS_AT_ONCE, waiting_max=FILMS_WAITING_MAX)
        self._streams = Turnstile(places=STREAMS_AT_ONCE, waiting_max=0)

    async def show(
        self, film: Film, pieces: AsyncIterator[bytes], caller: Caller
    ) -> AsyncIterator[Shown]:
        """A result a frame, and one for every track that ended; see `IngestFilm`."""
        camera, scope = await self._intake.camera_for(film.camera_id, caller)
        check_camera_in_use(camera)
        check_moment(film.started_at, self._clock())
        async with self._films.turn():
            with tempfile.TemporaryFile() as file:
                digest = await _spool(pieces, file)
                content = _content(film, digest)
                async with self._db.begin(scope) as tx:
                    # Known already or not: what was told of it is told once, track by track.
                    await tx.once(caller.key, film.film_id, content)
                reel = await asyncio.to_thread(FilmFile.of, file)
                started_at = self._begun(film, reel)
                subject = Subject(
                    film.film_id, camera, caller, scope, content, started_at, self._clock
                )
                functions = await self._intake.functions_of(camera)
                rate = film.frames_per_second or needed(functions)
                account = FilmAccount(rate)
                if started_at != film.started_at:
                    account.notes.add("start_moved")
                async for shown in self._screened(subject, reel, functions, account):
                    yield shown
                yield Shown(None, 1.0, account.summary(started_at))

    def _begun(self, film: Film, reel: FilmFile) -> datetime:
        """As the caller says; earlier where the film would otherwise not be over yet."""
        return min(film.started_at, self._clock() - timedelta(seconds=reel.seconds))

    async def _screened(
        self, subject: Subject, reel: FilmFile, functions: CameraFunctions, account: FilmAccount
    ) -> AsyncIterator[Shown]:
        async def configured() -> CameraFunctions:
            return functions  # of the whole film, so that it is looked at in one way

        rate = account.frames_per_second
        screening = self._screening(subject, configured, rate)
        async with stepped(reel.shots(rate, account)) as shots:
            async for shot in shots:
                for settling in await screening.take(shot):
                    yield Shown(await self._intake.settle(settling), shot.progress)
        for settling in await screening.finish():
            yield Shown(await self._intake.settle(settling), 1.0)

    async def watch(
        self,
        camera_id: UUID,
        address: str,
        *,
        frames_per_second: float,
        max_frames: int,
        caller: Caller,
    ) -> AsyncIterator[FrameResult]:
        """What a stream shows from now on; see `WatchStream`."""
        camera, scope = await self._intake.camera_for(camera_id, caller)
        check_camera_in_use(camera)
        watch_id = new_id()
        # The first picture may have been taken a little before it is asked for.
        began = time.monotonic() - FIRST_AGE_SECONDS
        began_at = self._clock() - timedelta(seconds=FIRST_AGE_SECONDS)
        subject = Subject(watch_id, camera, caller, scope, watch_id.bytes, began_at, self._clock)
        functions = await self._intake.functions_of(camera)
        rate = frames_per_second or needed(functions)
        room = ROOM_BYTES if functions.over_time else 0
        screening = self._screening(subject, lambda: self._intake.functions_of(camera), rate)
        stream = StreamShots(address, rate, lambda: time.monotonic() - began)
        untold = deque[Settling]()
        async with self._streams.turn(), aclosing(live_shots(stream, room=room)) as shots:
            looked = 0
            try:
                async for shot in shots:
                    untold += await screening.take(replace(shot, number=looked))
                    async for result in self._settled(untold):
                        yield result
                    looked += 1
                    if looked == max_frames:
                        break
                untold += await screening.finish()
                async for result in self._settled(untold):
                    yield result
            finally:
                # The caller left or the stream broke: what was seen is told all the same.
                untold += await screening.finish()
                async for _ in self._settled(untold):
                    pass

    async def _settled(self, untold: deque[Settling]) -> AsyncIterator[FrameResult]:
        """One leaves the line once it is settled, so one that was interrupted is settled again."""
        while untold:
            result = await self._intake.settle(untold[0])
            untold.popleft()
            yield result

    def _screening(self, subject: Subject, configured: Configured, rate: float) -> Screening:
        return Screening(
            subject,
            self._eyes,
            self._vault,
            configured=configured,
            faces=self._intake.faces,
            frames_per_second=rate,
        )


async def _spool(pieces: AsyncIterator[bytes], file: IO[bytes]) -> bytes:
    """Writes the pieces down; returns their SHA-256. Raises FilmTooLarge."""
    digest, size = hashlib.sha256(), 0
    async for piece in pieces:
        size += len(piece)
        if size > FILM_BYTES_MAX:
            raise FilmTooLarge
        digest.update(piece)
        await asyncio.to_thread(file.write, piece)
    return digest.digest()


def _content(film: Film, digest: bytes) -> bytes:
    """What the same film id must come with again."""
    return rfc8785.dumps(
        {
            "camera_id": str(film.camera_id),
            "film": digest.hex(),
            "frames_per_second": film.frames_per_second,
            "started_at": film.started_at.isoformat(),
        }
    )
