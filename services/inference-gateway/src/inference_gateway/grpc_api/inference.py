"""`tartip.inference.v1.Inference`: proto to use case to proto."""

import hashlib
import math
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import grpc
from chassis import telemetry
from chassis.call_context import current_caller
from chassis.clock import from_timestamp, parse_id, to_timestamp
from chassis.grpc_server import Policy
from chassis.identity import allow
from chassis.refusals import Checks, checks
from google.protobuf.timestamp_pb2 import Timestamp
from tartip.inference.v1 import inference_pb2, inference_pb2_grpc

from inference_gateway.events import box_to_proto, plate_to_proto
from inference_gateway.evidence import MOST_BYTES, EvidenceTooLarge, ShownEvidence, Vault
from inference_gateway.film_account import FilmSummary
from inference_gateway.films import FRAMES_PER_SECOND_MAX
from inference_gateway.model import ArrivedFrame, Emitted, FaceVerdict, FrameResult, SeenFace
from inference_gateway.readings import Readings, SignedReadings
from inference_gateway.rtsp import rtsp_address
from inference_gateway.showing import Film, Showing
from inference_gateway.storage import EvidencePlace
from inference_gateway.usecases import Intake

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
    f"{SERVICE}StoreEvidence": allow(services=("citizen-reports",)),
    # The owners of records decide which operator sees what of them, and ask in their own name.
    f"{SERVICE}ReadEvidence": allow(services=("violations", "citizen-reports"), purpose=True),
}
PIECE_BYTES = 512 * 1024
M = TypeVar("M", bound=Any)
COUNTER_MAX = 2**53 - 1
SERIAL_MAX = 100
ADDRESS_MAX = 2000
CONTENT_TYPE = re.compile(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,60}")
REGION = re.compile(r"KZ-\d{2}")
ROLE = re.compile(r"[a-z_]{0,40}")
SHA256 = re.compile(r"[0-9a-f]{64}")
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


class InferenceApi(inference_pb2_grpc.InferenceServicer):
    def __init__(self, intake: Intake, showing: Showing, vault: Vault) -> None:
        self._intake = intake
        self._showing = showing
        self._vault = vault

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

    async def StoreEvidence(
        self,
        request_iterator: AsyncIterator[inference_pb2.StoreEvidenceRequest],
        context: grpc.aio.ServicerContext,
    ) -> inference_pb2.StoreEvidenceResponse:
        header = await _evidence_header(request_iterator)
        content = bytearray()
        async for message in request_iterator:
            content += message.content
            if len(content) > MOST_BYTES:
                raise EvidenceTooLarge
        with checks() as check:
            check.that(len(content) > 0, "content", "must not be empty")
        kept = await self._vault.store(
            bytes(content),
            sha256=header.sha256,
            content_type=header.content_type,
            place=EvidencePlace(header.region, header.only_role),
            caller=current_caller(),
            confidential=header.confidential,
        )
        return inference_pb2.StoreEvidenceResponse(
            sha256=kept.sha256, size_bytes=kept.size_bytes, shown_sha256=kept.shown_sha256
        )

    async def ReadEvidence(
        self, request: inference_pb2.ReadEvidenceRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[inference_pb2.ReadEvidenceResponse]:
        with checks() as check:
            _digest(check, request.sha256, "sha256")
        shown = await self._vault.read(
            request.sha256, current_caller().scope, confidential=request.confidential
        )
        for message in in_pieces(shown, inference_pb2.ReadEvidenceResponse):
            yield message


def in_pieces(shown: ShownEvidence, message: type[M]) -> Iterator[M]:
    """What it is in the first message alone, content in all."""
    for start in range(0, len(shown.content), PIECE_BYTES):
        content = shown.content[start : start + PIECE_BYTES]
        if start:
            yield message(content=content)
        else:
            yield message(
                content=content,
                content_type=shown.content_type,
                sha256=shown.sha256,
                original_sha256=shown.original_sha256,
                size_bytes=len(shown.content),
            )


def read_frame(request: inference_pb2.IngestFrameRequest) -> ArrivedFrame:
    """Raises BadRequest with every wrong field."""
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


def read_film(header: inference_pb2.FilmHeader) -> Film:
    """Raises BadRequest with every wrong field."""
    with checks() as check:
        film_id = _id(check, header.film_id, "header.film_id")
        camera_id = _id(check, header.camera_id, "header.camera_id")
        started_at = _moment(check, header, "started_at", prefix="header.")
        rate = _rate(check, header.frames_per_second, "header.frames_per_second")
    return Film(film_id, camera_id, started_at, rate)


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


def summary_to_proto(summary: FilmSummary) -> inference_pb2.FilmSummary:
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


def emitted_to_proto(event: Emitted) -> inference_pb2.EmittedEvent:
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


async def _evidence_header(
    messages: AsyncIterator[inference_pb2.StoreEvidenceRequest],
) -> inference_pb2.EvidenceHeader:
    first = await anext(aiter(messages), inference_pb2.StoreEvidenceRequest())
    header = first.header
    with checks() as check:
        if check.that(first.HasField("header"), "header", "must come first"):
            _digest(check, header.sha256, "header.sha256")
            check.that(
                bool(CONTENT_TYPE.fullmatch(header.content_type)),
                "header.content_type",
                "must be a media type such as image/jpeg",
            )
            check.that(bool(REGION.fullmatch(header.region)), "header.region", "must be as KZ-75")
            check.that(
                bool(ROLE.fullmatch(header.only_role)),
                "header.only_role",
                "must be a role or empty",
            )
    return header


def _readings(check: Checks, signed: inference_pb2.SignedReadings) -> SignedReadings:
    told, at = signed.readings, "readings.readings."
    device_time = _moment(check, told, "device_time", prefix=at)
    check.that(
        0 < len(told.device_serial) <= SERIAL_MAX,
        f"{at}device_serial",
        f"must be 1 to {SERIAL_MAX} characters",
    )
    check.that(0 < told.counter <= COUNTER_MAX, f"{at}counter", "must be 1 to 2^53 - 1")
    check.that(told.signal_phase in (0, *PHASES), f"{at}signal_phase", "must be a known phase")
    numbers: dict[str, float | None] = {}
    for name in ("speed_kmh", "speed_limit_kmh", "signal_age_seconds"):
        value = getattr(told, name) if told.HasField(name) else None
        right = value is None or (math.isfinite(value) and value >= 0)
        check.that(right, f"{at}{name}", "must be a number, 0 or more")
        numbers[name] = value
    readings = Readings(
        device_serial=told.device_serial,
        device_time=device_time,
        counter=told.counter,
        frame_sha256=told.frame_sha256,
        signal_phase=PHASES.get(told.signal_phase),
        past_stop_line=told.past_stop_line if told.HasField("past_stop_line") else None,
        **numbers,
    )
    return SignedReadings(readings, signed.signature)


def _id(check: Checks, text: str, field: str) -> UUID:
    parsed = parse_id(text)
    check.that(parsed is not None, field, "must be a UUIDv7 in lower case")
    return parsed or UUID(int=0)


def _digest(check: Checks, text: str, field: str) -> None:
    check.that(bool(SHA256.fullmatch(text)), field, "must be a SHA-256 in lower-case hex")


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
    """The moment in a field that must be there; any moment where it is not, refused later."""
    stamp: Timestamp = getattr(message, name)
    try:
        if message.HasField(name):  # type: ignore[arg-type]
            return from_timestamp(stamp)
    except (ValueError, OverflowError):
        pass
    check.wrong(prefix + name, "must be a moment")
    return datetime.fromtimestamp(0, UTC)
