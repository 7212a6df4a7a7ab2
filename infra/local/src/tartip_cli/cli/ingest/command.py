"""The command `tartip ingest`: sends several files in parallel and prints results as they arrive.

The exit code is 11 if the mesh refused a file; the other files are still analysed.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from chassis.clock import system_clock

from tartip_cli.cli.console import App, AsJson, hint, print_json
from tartip_cli.cli.ingest.hours import parse_hour
from tartip_cli.cli.ingest.progress import Progress
from tartip_cli.cli.ingest.sources import Source, SourceReadings, sources_of
from tartip_cli.cli.ingest.summary import Summary
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import Settings, read_settings

if TYPE_CHECKING:
    from chassis.refusals import FieldError, Refusal
    from tartip.inference.v1 import inference_pb2 as inference

    from tartip_cli.cli.ingest.client import FileAnswer
    from tartip_cli.cli.ingest.copies import Copies
    from tartip_cli.clients.partner import Outside

IN_FLIGHT = 4
# As many as the inference gateway analyses at once; streams run beside all other files.
FILMS_IN_FLIGHT = 2
_NO_FILE = "NO_FILE"
_NO_COPY = "NO_COPY"


Files = Annotated[
    list[str], typer.Argument(help="Pictures, films, folders, patterns, or rtsp:// addresses.")
]

Camera = Annotated[
    str,
    typer.Option(
        "--camera",
        "-c",
        help="A registered camera: its id, serial number or name.",
        show_default=False,
    ),
]

Readings = Annotated[
    Path | None,
    typer.Option("--readings", help="JSON of the device's signed readings; see below."),
]

Fps = Annotated[
    float,
    typer.Option(
        "--fps",
        min=0.0,
        max=30.0,
        help="Frames a second to analyse; 0: as many as the camera's functions need.",
    ),
]

Frames = Annotated[
    int,
    typer.Option(
        "--frames", min=0, help="Stop an rtsp:// address after this many frames; 0: never."
    ),
]

TakenAt = Annotated[
    str,
    typer.Option(
        "--taken-at",
        help="When the picture was taken or the film began: RFC 3339, or Almaty time.",
        show_default=False,
    ),
]

Draw = Annotated[
    Path | None,
    typer.Option("--draw", help="Folder for copies with the detections drawn on them."),
]


def register(app: App) -> None:
    app.command()(ingest)


def ingest(
    files: Files,
    camera: Camera = "",
    readings: Readings = None,
    fps: Fps = 0.0,
    frames: Frames = 0,
    taken_at: TakenAt = "",
    draw: Draw = None,
    as_json: AsJson = False,
) -> None:
    """Analyse pictures, films and streams, and print what was detected.

    --readings: the object that the device signed (counter, device_serial, device_time, frame_sha256
    and what it measured), with its "signature" in base64. For several pictures, an object that maps
    file names to such objects. Without readings, no violation is recorded.

    --draw: draws boxes with labels, track numbers and plate texts, and shows each event for two
    seconds. Pictures are copied as JPEG, films as MP4. The copies may show faces and plates:
    protect them.

    --taken-at: if it is not given, a film starts at the creation time stored in its file. If that
    time is missing or not plausible, the film is assumed to end now. The end of the output says
    which time was used. It also accounts for every second of each film: analysed, or left out and
    why.

    Exit code 11 if the mesh refused a file; the others are still analysed.
    """
    if not camera:
        raise Failure(
            "which camera took it? Add --camera with its id, serial number or name; "
            "`tartip seed` registers sample cameras and prints their ids, GET /v1/cameras of the "
            "gateway lists all",
            Exit.USAGE,
        )
    sources = sources_of(files)
    if draw is not None:
        _check_folder(draw, sources)
    signed = SourceReadings.read(readings)
    sources = signed.in_order(sources)
    hour = _hour(taken_at, sources)
    work = _Ingestion(camera, signed, fps, frames, hour, as_json=as_json, draw=draw)
    asyncio.run(work.run(read_settings(), sources))
    if work.summary.refused:
        raise typer.Exit(Exit.REFUSED)


def _check_folder(draw: Path, sources: list[Source]) -> None:
    """Raises Failure for a stream, or if copies in this folder would overwrite the originals."""
    if any(source.is_stream for source in sources):
        raise Failure("--draw copies files; leave it out for an rtsp:// address", Exit.USAGE)
    if any(source.lies_in(draw) for source in sources):
        raise Failure(
            f"copies in {draw} would be written over the files themselves: give --draw a folder "
            "of its own",
            Exit.USAGE,
        )


def _hour(taken_at: str, sources: list[Source]) -> dt.datetime | None:
    if not taken_at:
        return None
    if len(sources) != 1 or sources[0].is_stream:
        raise Failure("--taken-at is the time of one picture or film; give one file", Exit.USAGE)
    return parse_hour(taken_at, now=system_clock())


@dataclass
class _Lines:
    """The results of one file as lines of JSON; the last one of a film includes its account."""

    source: Source
    _last: dict[str, Any] | None = None

    def take(self, answer: FileAnswer) -> None:
        from tartip_cli.cli.ingest.accounts import account_as_json
        from tartip_cli.cli.ingest.shapes import as_json_of

        if answer.account is not None and self._last is not None:
            self._last["account"] = account_as_json(answer.account)
        if answer.result is not None:
            self.end()
            self._last = {"file": self.source.name, **as_json_of(answer.result)}
        if not self.source.is_film:
            self.end()

    def end(self) -> None:
        if self._last is not None:
            print_json(self._last)
        self._last = None


@dataclass
class _Ingestion:
    """One run: several files at once, results as they arrive, refusals counted by name."""

    camera: str
    readings: SourceReadings
    fps: float
    frames: int
    taken_at: dt.datetime | None
    as_json: bool = field(kw_only=True)
    draw: Path | None = field(kw_only=True)
    summary: Summary = field(default_factory=Summary)

    async def run(self, settings: Settings, sources: list[Source]) -> None:
        from tartip_cli.cli.ingest.cameras import camera_id_of
        from tartip_cli.clients.partner import outside
        from tartip_cli.clients.traces import traced

        # The counter of a device must increase: its pictures are sent in that order, one by one.
        pictures = asyncio.Semaphore(1 if self.readings.by_name else IN_FLIGHT)
        films = asyncio.Semaphore(FILMS_IN_FLIGHT)
        copies = self._copies()
        try:
            async with outside(settings) as mesh:
                self.camera = await camera_id_of(mesh, self.camera)
                with (
                    traced(*settings.exports_to(mesh.otlp_endpoint)),
                    Progress(sources) as progress,
                ):

                    async def ingest_one(source: Source) -> None:
                        if source.is_stream:
                            await self._look(mesh, source, progress, copies)
                            return
                        async with films if source.is_film else pictures:
                            await self._look(mesh, source, progress, copies)

                    async with asyncio.TaskGroup() as group:
                        for source in sources:
                            group.create_task(ingest_one(source))
        finally:  # a stream without --frames ends by Ctrl-C
            if not self.as_json and (self.summary.files or self.summary.refused):
                self.summary.show(None if copies is None else copies.folder)

    def _copies(self) -> Copies | None:
        if self.draw is None:
            return None
        from tartip_cli.cli.ingest.copies import Copies

        self.draw.mkdir(parents=True, exist_ok=True)
        return Copies(self.draw)

    async def _look(
        self, mesh: Outside, source: Source, progress: Progress, copies: Copies | None
    ) -> None:
        from chassis import telemetry
        from chassis.refusals import Refusal
        from opentelemetry.context import Context

        if source.missing:
            self._refuse(source, _NO_FILE, source.missing)
            progress.ended(source)
            return
        results: list[inference.FrameResult] = []
        with telemetry.span("ingest", parent=Context()):
            try:
                await self._ask(mesh, source, progress, results if copies else None)
            except Refusal as refusal:
                self._take_refusal(source, refusal)
            except OSError as error:
                self._refuse(source, _NO_FILE, f"cannot read it: {error.strerror or error}")
        if copies is not None and results:
            await self._draw(source, results, progress, copies)
        progress.ended(source)

    async def _draw(
        self,
        source: Source,
        results: list[inference.FrameResult],
        progress: Progress,
        copies: Copies,
    ) -> None:
        """Write the annotated copy; a failure is reported and the other files continue."""
        progress.drawing(source)
        try:
            await asyncio.to_thread(
                copies.draw, source, results, lambda share: progress.drawn(source, share)
            )
        except (OSError, ValueError) as error:
            self._refuse(source, _NO_COPY, f"cannot write its copy: {error}")

    async def _ask(
        self,
        mesh: Outside,
        source: Source,
        progress: Progress,
        results: list[inference.FrameResult] | None,
    ) -> None:
        from tartip_cli.cli.ingest.client import Asking

        asking = Asking(mesh, self.camera, self.fps, self.frames, self.readings, self.taken_at)
        lines = _Lines(source) if self.as_json else None
        try:
            async for answer in asking.answers(source):
                if answer.account is not None:
                    self.summary.account(source, answer.account)
                if lines is not None:
                    lines.take(answer)
                if answer.result is not None:
                    self._take(source, answer.result, results)
                    progress.looked(source, answer.share, self.summary.of(source))
        finally:
            if lines is not None:
                lines.end()

    def _take(
        self,
        source: Source,
        result: inference.FrameResult,
        results: list[inference.FrameResult] | None,
    ) -> None:
        self.summary.take(source, result)
        if results is not None:
            results.append(result)

    def _take_refusal(self, source: Source, refusal: Refusal) -> None:
        says = refusal.message.en
        if refusal.reason == "CAMERA_NOT_FOUND":
            says += hint(" `tartip seed` registers sample cameras and prints their ids.")
        self._refuse(source, refusal.reason, says, refusal.fields)

    def _refuse(
        self, source: Source, reason: str, says: str, fields: tuple[FieldError, ...] = ()
    ) -> None:
        named = "; ".join(f"{e.field}: {e.description}" for e in fields)
        self.summary.refuse(source, reason, named or says)
        if self.as_json:
            wrong = [
                {"field": e.field, "code": e.code, "description": e.description} for e in fields
            ]
            print_json({"file": source.name, "refused": reason, "message": says, "fields": wrong})
