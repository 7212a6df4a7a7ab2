"""`tartip ingest`: your own pictures, films and RTSP addresses through the running mesh.

With --json one object a line: {"file", "plates": [{"text", "confidence", "box": [x, y, w, h]}],
"objects": [{"label", "score", "box"}], "faces": [{"box", "match"}], "events": […]}; boxes in pixels
of the picture as given. A refused file is {"file", "refused", "message", "fields"}, a file that
cannot be read is refused as NO_FILE; the exit code is then 11.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import glob
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from tartip_cli.console import App, AsJson, console, hint, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import Settings, read_settings
from tartip_cli.topology import INFERENCE_GATEWAY

if TYPE_CHECKING:
    from chassis.refusals import FieldError, Refusal
    from tartip.inference.v1 import inference_pb2 as inference
    from tartip.inference.v1 import inference_pb2_grpc

    from tartip_cli.partner import Outside

_FILMS = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".ts", ".mpg", ".mpeg"})
_IN_FLIGHT = 4
_LOOK_SECONDS = 45.0
_FILM_SECONDS = 3600.0
_PIECE_BYTES = 256 * 1024
_NO_FILE = "NO_FILE"
_RTSP = ("rtsp://", "rtsps://")


def register(app: App) -> None:
    app.command()(ingest)


def ingest(
    files: Annotated[
        list[str], typer.Argument(help="Pictures, films, folders, patterns, or rtsp:// addresses.")
    ],
    camera: Annotated[
        str, typer.Option("--camera", "-c", help="Id of a registered camera.", show_default=False)
    ] = "",
    readings: Annotated[
        Path | None,
        typer.Option("--readings", help="JSON of the device's signed readings; see below."),
    ] = None,
    fps: Annotated[
        float, typer.Option("--fps", min=0.0, max=30.0, help="Frames a second of films to look at.")
    ] = 2.0,
    frames: Annotated[
        int,
        typer.Option("--frames", min=0, help="Stop an rtsp:// address after so many."),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Look at pictures, films and streams, and tell what was seen.

    --readings: the object that the device signed (counter, device_serial, device_time,
    frame_sha256 and what it measured) with its "signature" in base64; or, for several pictures, an
    object of such objects by file name. Without readings no violation arises.

    Exit code 11 if the mesh refused a file; the others are still looked at.
    """
    if not camera:
        raise Failure(
            "which camera took it? Add --camera ID; `tartip seed` registers sample cameras and "
            "prints their ids, GET /v1/cameras of the gateway lists all",
            Exit.USAGE,
        )
    sources = _sources(files)
    signed = _Readings.read(readings)
    work = _Ingestion(camera, signed, fps, frames, as_json=as_json)
    asyncio.run(work.run(read_settings(), sources))
    if work.refused:
        raise typer.Exit(Exit.REFUSED)


@dataclass(frozen=True)
class Source:
    """Something to look at: a file or an address, under the name that the user gave."""

    name: str
    path: Path | None
    missing: str = ""
    """Why there is nothing to look at."""

    @property
    def is_film(self) -> bool:
        return self.path is not None and self.path.suffix.lower() in _FILMS


@dataclass
class _Ingestion:
    """One run: several files in flight, results as they come, refusals counted by name."""

    camera: str
    readings: _Readings
    fps: float
    frames: int
    as_json: bool = field(kw_only=True)
    looked_at: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    rows: list[tuple[str, ...]] = field(default_factory=list)

    async def run(self, settings: Settings, sources: list[Source]) -> None:
        from tartip_cli.client_traces import traced
        from tartip_cli.partner import outside

        places = asyncio.Semaphore(_IN_FLIGHT)
        async with outside(settings) as mesh:
            with traced(settings.otlp_endpoint or mesh.otlp_endpoint), self._progress() as progress:
                bar = progress.add_task("looking", total=len(sources))

                async def one(source: Source) -> None:
                    async with places:
                        await self._look(mesh, source)
                    progress.advance(bar)

                async with asyncio.TaskGroup() as group:
                    for source in sources:
                        group.create_task(one(source))
        if not self.as_json:
            self._tell()

    async def _look(self, mesh: Outside, source: Source) -> None:
        if source.missing:
            self._refuse(source, _NO_FILE, source.missing)
            return
        try:
            await self._ask(mesh, source)
        except OSError as error:
            self._refuse(source, _NO_FILE, f"cannot read it: {error.strerror or error}")

    async def _ask(self, mesh: Outside, source: Source) -> None:
        from chassis import telemetry
        from chassis.refusals import Refusal
        from opentelemetry.context import Context
        from tartip.inference.v1 import inference_pb2_grpc

        stub = inference_pb2_grpc.InferenceStub(mesh.as_command_line(INFERENCE_GATEWAY))
        with telemetry.span("ingest", parent=Context()):
            try:
                async for result in self._results(stub, source):
                    self._take(source, result)
            except Refusal as refusal:
                self._take_refusal(source, refusal)

    def _results(
        self, stub: inference_pb2_grpc.InferenceAsyncStub, source: Source
    ) -> AsyncIterator[inference.FrameResult]:
        if source.path is None:
            return self._stream(stub, source.name)
        if source.is_film:
            return self._film(stub, source.path)
        return self._picture(stub, source.path)

    async def _picture(
        self, stub: inference_pb2_grpc.InferenceAsyncStub, path: Path
    ) -> AsyncIterator[inference.FrameResult]:
        from chassis.channels import peers_refusals
        from chassis.clock import new_id
        from tartip.inference.v1 import inference_pb2 as inference

        from tartip_cli.journeys import patiently

        request = inference.IngestFrameRequest(
            frame_id=str(new_id()),
            camera_id=self.camera,
            picture=await asyncio.to_thread(path.read_bytes),
        )
        signed = self.readings.of(path)
        if signed is None:
            request.captured_at.FromDatetime(dt.datetime.now(dt.UTC).replace(tzinfo=None))
        else:
            request.readings.CopyFrom(signed)
            request.captured_at.CopyFrom(signed.readings.device_time)

        async def send() -> inference.IngestFrameResponse:
            with peers_refusals():
                return await stub.IngestFrame(request, timeout=_LOOK_SECONDS)

        yield (await patiently(send)).result

    async def _film(
        self, stub: inference_pb2_grpc.InferenceAsyncStub, path: Path
    ) -> AsyncIterator[inference.FrameResult]:
        from chassis.channels import refusals_of
        from chassis.clock import new_id
        from tartip.inference.v1 import inference_pb2 as inference

        header = inference.FilmHeader(
            film_id=str(new_id()), camera_id=self.camera, frames_per_second=self.fps
        )
        header.started_at.FromDatetime(dt.datetime.now(dt.UTC).replace(tzinfo=None))

        async def pieces() -> AsyncIterator[inference.IngestFilmRequest]:
            yield inference.IngestFilmRequest(header=header)
            with path.open("rb") as film:
                while piece := await asyncio.to_thread(film.read, _PIECE_BYTES):
                    yield inference.IngestFilmRequest(content=piece)

        async for answer in refusals_of(stub.IngestFilm(pieces(), timeout=_FILM_SECONDS)):
            yield answer.result

    async def _stream(
        self, stub: inference_pb2_grpc.InferenceAsyncStub, address: str
    ) -> AsyncIterator[inference.FrameResult]:
        from chassis.channels import refusals_of
        from tartip.inference.v1 import inference_pb2 as inference

        request = inference.WatchStreamRequest(
            camera_id=self.camera, address=address, frames_per_second=self.fps,
            max_frames=self.frames,
        )  # fmt: skip
        async for answer in refusals_of(stub.WatchStream(request)):
            yield answer.result

    def _take(self, source: Source, result: inference.FrameResult) -> None:
        self.looked_at += 1
        if self.as_json:
            print_json({"file": source.name, **as_json_of(result)})
            return
        plates = ", ".join(f"{plate.text} ({plate.confidence:.2f})" for plate in result.plates)
        labels = [seen.label for seen in result.objects]
        objects = ", ".join(f"{labels.count(label)} {label}" for label in dict.fromkeys(labels))
        self.rows.append((source.name, plates, objects, str(len(result.events) or "")))

    def _take_refusal(self, source: Source, refusal: Refusal) -> None:
        says = refusal.says.en
        if refusal.reason == "CAMERA_NOT_FOUND":
            says += hint(" `tartip seed` registers sample cameras and prints their ids.")
        self._refuse(source, refusal.reason, says, refusal.fields)

    def _refuse(
        self, source: Source, reason: str, says: str, fields: tuple[FieldError, ...] = ()
    ) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1
        if self.as_json:
            wrong = [
                {"field": e.field, "code": e.code, "description": e.description} for e in fields
            ]
            print_json({"file": source.name, "refused": reason, "message": says, "fields": wrong})
            return
        named = "; ".join(f"{e.field}: {e.description}" for e in fields)
        self.rows.append((source.name, f"refused: {reason}", named or says, ""))

    def _progress(self) -> Progress:
        return Progress(console=console, disable=self.as_json, transient=True)

    def _tell(self) -> None:
        table = Table()
        for header in ("file", "plates", "objects", "events"):
            table.add_column(header, overflow="fold")
        for name, plates, objects, events in sorted(self.rows):
            style = "red" if plates.startswith("refused") else ""
            table.add_row(Text(name), Text(plates, style=style), Text(objects), events)
        console.print(table)
        refused = ", ".join(f"{count} {name}" for name, count in sorted(self.refused.items()))
        console.print(f"{self.looked_at} looked at" + (f"; refused: {refused}" if refused else ""))


@dataclass(frozen=True)
class _Readings:
    """Signed readings from a file: of one picture, or of several by file name."""

    of_one: dict[str, Any] | None = None
    by_name: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path | None) -> _Readings:
        if path is None:
            return cls()
        try:
            content = json.loads(path.read_text())
            if "signature" in content:
                return cls(of_one=dict(content))
            return cls(by_name={name: dict(one) for name, one in content.items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise Failure(f"{path} is no JSON object of signed readings", Exit.USAGE) from error

    def of(self, path: Path) -> inference.SignedReadings | None:
        from tartip.inference.v1 import inference_pb2 as inference

        from tartip_cli.readings import from_json

        found = self.of_one or self.by_name.get(path.name)
        if found is None:
            return None
        values = dict(found)
        try:
            signature = base64.b64decode(values.pop("signature"), validate=True)
            return inference.SignedReadings(readings=from_json(values), signature=signature)
        except (KeyError, TypeError, ValueError) as error:
            raise Failure(
                f"the readings of {path.name} do not hold what a device signs: {error}", Exit.USAGE
            ) from error


def as_json_of(result: inference.FrameResult) -> dict[str, Any]:
    """The shape that others build on."""
    return {
        "plates": [
            {"text": p.text, "confidence": round(p.confidence, 4), "box": _box(p.box)}
            for p in result.plates
        ],
        "objects": [
            {"label": o.label, "score": round(o.score, 4), "box": _box(o.box)}
            for o in result.objects
        ],
        "faces": [{"box": _box(face.box), "match": None} for face in result.faces],
        "events": [{"id": event.event_id, "subject": event.subject} for event in result.events],
    }


def _box(box: inference.Box) -> list[float]:
    return [round(side, 1) for side in (box.x, box.y, box.width, box.height)]


def _sources(given: list[str]) -> list[Source]:
    """Every file behind the given names, in order; a name with nothing behind it says why."""
    found: list[Source] = []
    for name in given:
        if name.startswith(_RTSP):
            found.append(Source(name, None))
            continue
        path = Path(name)
        if path.is_dir():
            files = sorted(entry for entry in path.iterdir() if entry.is_file())
        elif path.is_file():
            files = [path]
        else:
            matches = sorted(glob.glob(name))  # noqa: PTH207 (a pattern may be absolute)
            files = [Path(match) for match in matches if Path(match).is_file()]
        if files:
            found += [Source(str(file), file) for file in files]
        else:
            why = f"no pictures in {name}" if path.is_dir() else f"there is no file {name}"
            found.append(Source(name, None, missing=why))
    if all(source.missing for source in found):
        raise Failure("; ".join(source.missing for source in found), Exit.NOT_FOUND)
    return found
