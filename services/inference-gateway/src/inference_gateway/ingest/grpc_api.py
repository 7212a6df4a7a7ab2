"""The RPCs of `Inference` that ingest pictures and videos: convert between protobuf and the use
cases."""

import hashlib
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import grpc
from chassis import telemetry
from chassis.call_context import current_caller
from chassis.clock import from_timestamp, parse_id, to_timestamp
from chassis.identity import Policy, allow
from chassis.refusals import Checks, checks
from google.protobuf.timestamp_pb2 import Timestamp
from tartip.inference.v1 import inference_pb2

from inference_gateway.frames.events import box_to_proto, plate_to_proto
from inference_gateway.frames.model import (
    ArrivedFrame,
    EmittedEvent,
    FaceVerdict,
    FrameResult,
    Readings,
    SeenFace,
    SignedReadings,
)
from inference_gateway.ingest.rtsp import rtsp_address
from inference_gateway.ingest.usecases import Intake
from inference_gateway.ingest.video import FRAMES_PER_SECOND_MAX
from inference_gateway.ingest.video_account import VideoSummary
from inference_gateway.ingest.video_ingest import Video, VideoIngest

SERVICE = "/tartip.inference.v1.Inference/"
TAKE_IN = allow(
    devices=True, services=("tartip-cli", "operator-gateway"), roles=("camera_administrator",)
)
# Not by devices: a box that was taken over must not have the gateway open addresses for it.
WATCH = allow(services=("tartip-cli", "operator-gateway"), roles=("camera_administrator",))
POLICY: Policy = {
    f"{SERVICE}IngestFrame": TAKE_IN,
    f"{SERVICE}IngestFilm": TAKE_IN,
    f"{SERVICE}WatchStream": WATCH,
}
COUNTER_MAX = 2**53 - 1
SERIAL_MAX = 100
ADDRESS_MAX = 2000
PHASES = {
    inference_pb2.SIGNAL_PHASE_GREEN: "green",
    inference_pb2.SIGNAL_PHASE_YELLOW: "yellow",
    inference_pb2.SIGNAL_PHASE_RED: "red",
}
VERDICTS = {
    FaceVerdict.NO_MATCH: inference_pb2.FACE_VERDICT_NO_MATCH,
    FaceVerdict.UNKNOWN: inference_pb2.FACE_VERDICT_UNKNOWN,
    FaceVerdict.CANDIDATE: inference_pb2.FACE_VERDICT_CANDIDATE,
}


class IngestApi:
    def __init__(self, intake: Intake, showing: VideoIngest) -> None:
        self._intake = intake
        self._showing = showing

    async def IngestFrame(
        self, request: inference_pb2.IngestFrameRequest, context: grpc.aio.ServicerContext
    ) -> inference_pb2.IngestFrameResponse:
        frame = read_frame(request)
        telemetry.annotate(frame=request.frame_id, camera=request.camera_id)
        result = await self._intake.ingest(frame, current_caller())
        return inference_pb2.IngestFrameResponse(result=to_proto(result))

    async def IngestFilm(
        self,
        request_iterator: AsyncIterator[inference_pb2.IngestFilmRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[inference_pb2.IngestFilmResponse]:
        film = read_film(await _header(request_iterator))
        telemetry.annotate(frame=str(film.film_id), camera=str(film.camera_id))
        pieces = _contents(request_iterator)
        async for shown in self._showing.show(film, pieces, current_caller()):
            yield inference_pb2.IngestFilmResponse(
                result=to_proto(shown.result) if shown.result else None,
                progress=shown.progress,
                summary=summary_to_proto(shown.summary) if shown.summary else None,
            )

    async def WatchStream(
        self, request: inference_pb2.WatchStreamRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[inference_pb2.WatchStreamResponse]:
        with checks() as check:
            camera_id = _id(check, request.camera_id, "camera_id")
            rate = _rate(check, request.frames_per_second, "frames_per_second")
            check.that(request.max_frames >= 0, "max_frames", "must be 0 or more")
            check.that(
                len(request.address) <= ADDRESS_MAX, "address", f"at most {ADDRESS_MAX} characters"
            )
        address = rtsp_address(request.address)
        telemetry.annotate(camera=request.camera_id)
        async for result in self._showing.watch(
            camera_id,
            address,
            frames_per_second=rate,
            max_frames=request.max_frames,
            caller=current_caller(),
        ):
            yield inference_pb2.WatchStreamResponse(result=to_proto(result))


def read_frame(request: inference_pb2.IngestFrameRequest) -> ArrivedFrame:
    """Convert a request to a frame. Raises BadRequest, which lists every wrong field."""
    with checks() as check:
        frame_id = _id(check, request.frame_id, "frame_id")
        camera_id = _id(check, request.camera_id, "camera_id")
        captured_at = _moment(check, request, "captured_at")
        check.that(len(request.picture) > 0, "picture", "must hold a picture")
        readings = None
        if request.HasField("readings"):
            readings = _readings(check, request.readings)
    return ArrivedFrame(
        frame_id,
        camera_id,
        captured_at,
        request.picture,
        hashlib.sha256(request.picture).digest(),
        readings,
    )


def read_film(header: inference_pb2.FilmHeader) -> Video:
    """Convert the header of a video upload. Raises BadRequest, which lists every wrong field."""
    with checks() as check:
        film_id = _id(check, header.film_id, "header.film_id")
        camera_id = _id(check, header.camera_id, "header.camera_id")
        started_at = _moment(check, header, "started_at", prefix="header.")
        rate = _rate(check, header.frames_per_second, "header.frames_per_second")
    return Video(film_id, camera_id, started_at, rate)


def to_proto(result: FrameResult) -> inference_pb2.FrameResult:
    return inference_pb2.FrameResult(
        frame_id=str(result.frame_id),
        captured_at=to_timestamp(result.captured_at),
        plates=[plate_to_proto(plate) for plate in result.plates],
        objects=[
            inference_pb2.SeenObject(
                label=seen.label, score=seen.score, box=box_to_proto(seen.box), track=seen.track
            )
            for seen in result.objects
        ],
        faces=[face_to_proto(face) for face in result.faces],
        events=[emitted_to_proto(event) for event in result.events],
        evidence_sha256=result.evidence_sha256,
        models_fingerprint=result.models_fingerprint,
        notes=result.notes,
    )


def summary_to_proto(summary: VideoSummary) -> inference_pb2.FilmSummary:
    return inference_pb2.FilmSummary(
        offered_seconds=summary.offered_ms / 1000,
        looked_at_seconds=summary.looked_at_ms / 1000,
        left_out_seconds={outcome.word: ms / 1000 for outcome, ms in summary.left_out_ms.items()},
        discontinuities=summary.discontinuities,
        notes=summary.notes,
        started_at=to_timestamp(summary.started_at),
    )


def face_to_proto(face: SeenFace) -> inference_pb2.SeenFace:
    return inference_pb2.SeenFace(
        box=box_to_proto(face.box),
        verdict=VERDICTS[face.verdict],
        candidate_id=str(face.candidate_id or ""),
    )


def emitted_to_proto(event: EmittedEvent) -> inference_pb2.EmittedEvent:
    return inference_pb2.EmittedEvent(
        event_id=str(event.event_id),
        subject=event.subject,
        what=event.what,
        rule=event.rule,
        track=event.track,
        box=box_to_proto(event.box) if event.box else None,
        confidence=event.confidence,
        at=to_timestamp(event.at) if event.at else None,
    )


async def _header(
    messages: AsyncIterator[inference_pb2.IngestFilmRequest],
) -> inference_pb2.FilmHeader:
    first = await anext(aiter(messages), inference_pb2.IngestFilmRequest())
    with checks() as check:
        check.that(first.HasField("header"), "header", "must come first")
    return first.header


async def _contents(
    messages: AsyncIterator[inference_pb2.IngestFilmRequest],
) -> AsyncIterator[bytes]:
    async for message in messages:
        yield message.content


def _readings(check: Checks, signed: inference_pb2.SignedReadings) -> SignedReadings:
    message, at = signed.readings, "readings.readings."
    device_time = _moment(check, message, "device_time", prefix=at)
    check.that(
        0 < len(message.device_serial) <= SERIAL_MAX,
        f"{at}device_serial",
        f"must be 1 to {SERIAL_MAX} characters",
    )
    check.that(0 < message.counter <= COUNTER_MAX, f"{at}counter", "must be 1 to 2^53 - 1")
    check.that(message.signal_phase in (0, *PHASES), f"{at}signal_phase", "must be a known phase")
    numbers: dict[str, float | None] = {}
    for name in ("speed_kmh", "speed_limit_kmh", "signal_age_seconds"):
        value = getattr(message, name) if message.HasField(name) else None
        right = value is None or (math.isfinite(value) and value >= 0)
        check.that(right, f"{at}{name}", "must be a number, 0 or more")
        numbers[name] = value
    readings = Readings(
        device_serial=message.device_serial,
        device_time=device_time,
        counter=message.counter,
        frame_sha256=message.frame_sha256,
        signal_phase=PHASES.get(message.signal_phase),
        past_stop_line=message.past_stop_line if message.HasField("past_stop_line") else None,
        **numbers,
    )
    return SignedReadings(readings, signed.signature)


def _id(check: Checks, text: str, field: str) -> UUID:
    parsed = parse_id(text)
    check.that(parsed is not None, field, "must be a UUIDv7 in lower case")
    return parsed or UUID(int=0)


def _rate(check: Checks, rate: float, field: str) -> float:
    right = math.isfinite(rate) and 0 <= rate <= FRAMES_PER_SECOND_MAX
    check.that(right, field, f"must be 0 to {FRAMES_PER_SECOND_MAX:g}")
    return rate if right else 0.0


def _moment(
    check: Checks,
    message: (inference_pb2.IngestFrameRequest | inference_pb2.FilmHeader | inference_pb2.Readings),
    name: str,
    *,
    prefix: str = "",
) -> datetime:
    """The moment in a required field; if invalid, adds an error to `check` and returns 1970."""
    stamp: Timestamp = getattr(message, name)
    try:
        if message.HasField(name):  # type: ignore[arg-type]
            return from_timestamp(stamp)
    except (ValueError, OverflowError):
        pass
    check.wrong(prefix + name, "must be a moment")
    return datetime.fromtimestamp(0, UTC)
