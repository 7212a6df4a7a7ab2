"""Sends a picture, film or stream to the inference gateway; yields results and progress."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from chassis.channels import peers_refusals, refusals_of
from chassis.clock import new_id, system_clock
from chassis.refusals import Kind, Refusal
from tartip.inference.v1 import inference_pb2 as inference
from tartip.inference.v1 import inference_pb2_grpc

from tartip_cli.cli.ingest.accounts import Account
from tartip_cli.cli.ingest.hours import Began, began
from tartip_cli.cli.ingest.sources import Source, SourceReadings
from tartip_cli.clients.journeys import PASSING, patiently
from tartip_cli.clients.partner import Outside
from tartip_cli.topology import INFERENCE_GATEWAY

_LOOK_SECONDS = 45.0
_FILM_SECONDS = 3600.0
_PIECE_BYTES = 256 * 1024
_PICTURE_BYTES = 8 * 1024 * 1024
"""The largest picture that the inference gateway accepts; gRPC rejects far larger messages."""
_PATIENCE_SECONDS = 600.0
_PAUSE_SECONDS = 2.0


class _PictureTooLarge(Refusal):
    """The gateway's refusal of a large picture, raised before the picture is sent."""

    kind = Kind.INVALID
    code = "PICTURE_TOO_LARGE"


@dataclass(frozen=True)
class FileAnswer:
    """One answer of the gateway to a file or stream. It has the result of one frame or, if it is
    the last answer to a film, the film's `account`. The field `share` is the processed part of the
    file (0 to 1, 0 if unknown)."""

    result: inference.FrameResult | None
    share: float
    account: Account | None = None


Answers = AsyncIterator[FileAnswer]


@dataclass(frozen=True)
class Asking:
    """Sends files and streams to the gateway with the same options.

    The options are the id of the camera, the device's signed readings, and `taken_at`: when the
    picture was taken or the film began. It is None if not given. `fps` is how many frames per
    second of a film or stream are analysed. A stream ends after `frames` frames (0: never).
    """

    mesh: Outside
    camera: str
    fps: float
    frames: int
    readings: SourceReadings
    taken_at: dt.datetime | None = None

    def answers(self, source: Source) -> Answers:
        if source.path is None:
            return self._stream(source.name)
        if source.is_film:
            return self._film(source.path)
        return self._picture(source.path)

    async def _picture(self, path: Path) -> Answers:
        picture = await asyncio.to_thread(path.read_bytes)
        if len(picture) > _PICTURE_BYTES:
            raise _PictureTooLarge
        request = inference.IngestFrameRequest(
            frame_id=str(new_id()), camera_id=self.camera, picture=picture
        )
        signed = self.readings.of(path)
        if signed is None:
            request.captured_at.FromDatetime(_plain(self.taken_at or system_clock()))
        else:
            request.readings.CopyFrom(signed)
            request.captured_at.CopyFrom(signed.readings.device_time)

        async def send() -> inference.IngestFrameResponse:
            with peers_refusals():
                return await self._stub.IngestFrame(request, timeout=_LOOK_SECONDS)

        yield FileAnswer((await patiently(send)).result, 1.0)

    async def _film(self, path: Path) -> Answers:
        start = await asyncio.to_thread(began, path, self.taken_at, now=system_clock())
        header = inference.FilmHeader(
            film_id=str(new_id()), camera_id=self.camera, frames_per_second=self.fps
        )
        header.started_at.FromDatetime(_plain(start.at))

        async def pieces() -> AsyncIterator[inference.IngestFilmRequest]:
            yield inference.IngestFilmRequest(header=header)
            with path.open("rb") as film:
                while piece := await asyncio.to_thread(film.read, _PIECE_BYTES):
                    yield inference.IngestFilmRequest(content=piece)

        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE_SECONDS
        answered = False
        while True:
            try:
                call = self._stub.IngestFilm(pieces(), timeout=_FILM_SECONDS)
                async for answer in refusals_of(call):
                    answered = True
                    yield _answer_of(answer, start)
                return
            except Refusal as refusal:
                # Until its first answer nothing of the film is stored; others may be ahead of it.
                if answered or refusal.kind not in PASSING or loop.time() > until:
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _stream(self, address: str) -> Answers:
        request = inference.WatchStreamRequest(
            camera_id=self.camera,
            address=address,
            frames_per_second=self.fps,
            max_frames=self.frames,
        )
        looked = 0
        async for answer in refusals_of(self._stub.WatchStream(request)):
            looked += 1
            yield FileAnswer(answer.result, min(1.0, looked / self.frames) if self.frames else 0.0)

    @property
    def _stub(self) -> inference_pb2_grpc.InferenceAsyncStub:
        return inference_pb2_grpc.InferenceStub(self.mesh.as_command_line(INFERENCE_GATEWAY))


def _answer_of(answer: inference.IngestFilmResponse, start: Began) -> FileAnswer:
    account = Account(answer.summary, start) if answer.HasField("summary") else None
    return FileAnswer(
        answer.result if answer.HasField("result") else None, answer.progress, account
    )


def _plain(moment: dt.datetime) -> dt.datetime:
    """The moment in UTC as a naive datetime, as protobuf's FromDatetime requires."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None)
