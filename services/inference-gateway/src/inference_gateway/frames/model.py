"""Frames, signed readings and results, and the rules for accepting a frame.

No I/O and no clock: times and ids are passed in. A device signs its readings as canonical JSON (RFC
8785), without the values that it did not measure. The names of the JSON members are listed at
`SignedReadings` in inference.proto. A device, or a tool that simulates it, needs only this format
and an Ed25519 key. `vision.pictures` decodes pictures; its errors are converted to refusals of this
module.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

import rfc8785
from chassis.refusals import Kind, Refusal, checks
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from vision import pictures
from vision.arrays import Picture
from vision.boxes import Box
from vision.detector import Detections
from vision.pictures import OpenedPicture, PictureFault, PictureUnusable
from vision.plates.reading import Plate

from inference_gateway.cameras.model import Camera, CameraRetired

# How far a camera's clock may run ahead of ours.
AHEAD_MAX = timedelta(seconds=5)
# How far the unsigned moment of a frame may lie from the one that the device signed.
APART_MAX = timedelta(seconds=5)
KEY_BYTES = 32
PHASES = ("green", "yellow", "red")


class FrameFromFuture(Refusal):
    kind = Kind.INVALID
    code = "FRAME_FROM_FUTURE"


class ReadingsNotSigned(Refusal):
    kind = Kind.INVALID
    code = "READINGS_NOT_SIGNED"


class ReadingsOfOtherFrame(Refusal):
    kind = Kind.INVALID
    code = "READINGS_OF_OTHER_FRAME"


class CounterWentBack(Refusal):
    kind = Kind.STATE
    code = "COUNTER_WENT_BACK"


class PictureSignedBefore(Refusal):
    kind = Kind.STATE
    code = "PICTURE_SIGNED_BEFORE"


class NotAPicture(Refusal):
    kind = Kind.INVALID
    code = "NOT_A_PICTURE"


class PictureFormatNotTaken(Refusal):
    kind = Kind.INVALID
    code = "PICTURE_FORMAT_NOT_TAKEN"


class PictureTruncated(Refusal):
    kind = Kind.INVALID
    code = "PICTURE_TRUNCATED"


class PictureTooLarge(Refusal):
    kind = Kind.INVALID
    code = "PICTURE_TOO_LARGE"


class PictureAnimated(Refusal):
    kind = Kind.INVALID
    code = "PICTURE_ANIMATED"


REFUSALS: dict[PictureFault, type[Refusal]] = {
    PictureFault.NOT_A_PICTURE: NotAPicture,
    PictureFault.FORMAT_NOT_TAKEN: PictureFormatNotTaken,
    PictureFault.TRUNCATED: PictureTruncated,
    PictureFault.TOO_LARGE: PictureTooLarge,
    PictureFault.ANIMATED: PictureAnimated,
}


@dataclass(frozen=True)
class Readings:
    """The readings of a measuring device for one frame; None means not measured."""

    device_serial: str
    device_time: datetime
    counter: int
    frame_sha256: bytes
    speed_kmh: float | None = None
    speed_limit_kmh: float | None = None
    signal_phase: str | None = None
    signal_age_seconds: float | None = None
    past_stop_line: bool | None = None

    def canonical(self) -> bytes:
        """The bytes that the device signs: the measured fields as canonical JSON (RFC 8785)."""
        members: dict[str, object] = {
            "counter": self.counter,
            "device_serial": self.device_serial,
            "device_time": _rfc3339(self.device_time),
            "frame_sha256": self.frame_sha256.hex(),
            "past_stop_line": self.past_stop_line,
            "signal_age_seconds": self.signal_age_seconds,
            "signal_phase": self.signal_phase,
            "speed_kmh": self.speed_kmh,
            "speed_limit_kmh": self.speed_limit_kmh,
        }
        present = {name: value for name, value in members.items() if value is not None}
        return bytes(rfc8785.dumps(present))  # type: ignore[arg-type]


@dataclass(frozen=True)
class SignedReadings:
    readings: Readings
    signature: bytes

    def signed_by(self, device_key: bytes) -> bool:
        """Whether the signature is valid for exactly these readings and the Ed25519 public key
        `device_key`."""
        if len(device_key) != KEY_BYTES:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(device_key).verify(
                self.signature, self.readings.canonical()
            )
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class ArrivedFrame:
    frame_id: UUID
    camera_id: UUID
    captured_at: datetime
    picture: bytes
    picture_sha256: bytes
    readings: SignedReadings | None
    # When it reached this service.
    received_at: datetime | None = None

    @property
    def content(self) -> bytes:
        """The frame's content as canonical JSON. A frame sent again with the same id must have the
        same bytes."""
        signed = self.readings
        return rfc8785.dumps(
            {
                "camera_id": str(self.camera_id),
                "captured_at": self.captured_at.isoformat(),
                "picture": self.picture_sha256.hex(),
                "readings": signed.readings.canonical().decode() if signed else "",
                "signature": signed.signature.hex() if signed else "",
            }
        )


@dataclass(frozen=True)
class ReadPlate:
    """A plate that was read. It may be acted upon only if `legible` is True. The field `track` is
    the number of the plate's track in a video or stream, 0 if it has none."""

    text: str
    confidence: float
    character_confidences: tuple[float, ...]
    box: Box
    country: str
    plate_type: str
    legible: bool
    # Number of its track in the film or stream; 0 where there is none.
    track: int = 0


@dataclass(frozen=True)
class SeenObject:
    """A detected vehicle, person or other object. `track` is 0 if it is not tracked."""

    label: str
    score: float
    box: Box
    track: int = 0


class FaceVerdict(StrEnum):
    NO_MATCH = "no_match"
    UNKNOWN = "unknown"
    CANDIDATE = "candidate"


@dataclass(frozen=True)
class SeenFace:
    """A detected face. The field `verdict` says whether the face may match a watch-list entry. Only
    if it may, `candidate_id` is set."""

    box: Box
    verdict: FaceVerdict
    candidate_id: UUID | None = None


@dataclass(frozen=True)
class EmittedEvent:
    """A published event about a frame, as it is listed in the response to the frame."""

    event_id: UUID
    subject: str
    what: str = ""
    rule: str = ""
    track: int = 0
    box: Box | None = None
    confidence: float = 0.0
    at: datetime | None = None


@dataclass(frozen=True)
class FrameResult:
    frame_id: UUID
    captured_at: datetime
    plates: tuple[ReadPlate, ...] = ()
    objects: tuple[SeenObject, ...] = ()
    faces: tuple[SeenFace, ...] = ()
    events: tuple[EmittedEvent, ...] = ()
    evidence_sha256: str = ""
    models_fingerprint: str = ""
    # Of the form of that evidence that operators are shown.
    shown_sha256: str = ""
    # What had to be mended before the picture could be decoded.
    notes: tuple[str, ...] = ()

    @property
    def as_stored(self) -> "FrameResult":
        """A copy of the result for storage, with only those faces that may match a watch list.
        Nothing about other faces may be stored."""
        candidates = tuple(face for face in self.faces if face.verdict is FaceVerdict.CANDIDATE)
        return replace(self, faces=candidates)


def check_frame(frame: ArrivedFrame, camera: Camera, now: datetime) -> None:
    """Check that the camera is not retired, that the frame is not dated in the future, and that its
    readings, if any, pass `check_readings`.

    Raises CameraRetired, FrameFromFuture, or an error of `check_readings`.
    """
    if camera.retired:
        raise CameraRetired
    check_moment(frame.captured_at, now)
    if frame.readings is not None:
        check_readings(frame.readings, frame, camera)


def check_moment(captured_at: datetime, now: datetime) -> None:
    """Raise FrameFromFuture if `captured_at` is more than five seconds after `now`."""
    if captured_at > now + AHEAD_MAX:
        raise FrameFromFuture


def check_readings(signed: SignedReadings, frame: ArrivedFrame, camera: Camera) -> None:
    """Check that a device's readings belong to this frame.

    Raises ReadingsNotSigned if the readings are not signed with the camera's key. Raises
    ReadingsOfOtherFrame if they are of another picture. Raises BadRequest if the serial number is
    not the camera's, or the device's time is too far from the frame's.
    """
    if not signed.signed_by(camera.device_key):
        raise ReadingsNotSigned
    if signed.readings.frame_sha256 != frame.picture_sha256:
        raise ReadingsOfOtherFrame
    apart = abs(signed.readings.device_time - frame.captured_at)
    with checks() as check:
        check.that(
            signed.readings.device_serial == camera.serial,
            "readings.readings.device_serial",
            "must be the serial number under which the camera is registered",
        )
        check.that(
            apart <= APART_MAX,
            "captured_at",
            f"must be within {APART_MAX.seconds} s of readings.readings.device_time",
        )


def measured(plates: tuple[ReadPlate, ...]) -> int | None:
    """Return the index of the plate to which the device's readings belong, None if that is unclear.

    If exactly one plate is legible, the readings belong to that plate. Illegible plates beside it
    (such as lettering on a van) are ignored. If the frame has only one plate, the readings belong
    to that plate, legible or not.
    """
    legible = [place for place, plate in enumerate(plates) if plate.legible]
    if len(legible) == 1:
        return legible[0]
    return 0 if len(plates) == 1 else None


def plates_of(sight: Detections) -> tuple[ReadPlate, ...]:
    """The plates of a picture, legible or not, in order of detection."""
    return tuple(read_plate(plate) for plate in sight.plates)


def read_plate(plate: Plate) -> ReadPlate:
    """Return the plate detected in a single picture as a `ReadPlate` with track number 0 (no
    track)."""
    return ReadPlate(
        plate.text,
        plate.confidence,
        plate.character_confidences,
        plate.box,
        plate.country,
        plate.plate_type,
        plate.legible,
    )


def objects_of(sight: Detections) -> tuple[SeenObject, ...]:
    """The vehicles, people and other objects of a picture, without tracks; boxes in pixels."""
    return tuple(SeenObject(seen.label, seen.score, seen.box) for seen in sight.objects)


def open_picture(content: bytes) -> Picture:
    """Decode a still picture to BGR pixels, upright. Blocking: call it from a thread.

    Raises one of the refusals in `REFUSALS` if the picture cannot be used.
    """
    return read_picture(content).picture


def read_picture(content: bytes, *, most_bytes: int = pictures.MOST_BYTES) -> OpenedPicture:
    """Decode a still picture, and return it with notes on what was repaired in it. Raises the same
    refusals as `open_picture`."""
    with _refused_by_name():
        return pictures.read_picture(content, most_bytes=most_bytes)


def check_format(start: bytes) -> None:
    """Raise PictureFormatNotTaken for three formats of files: HEIC, HEIF and AVIF.

    `start` is the beginning of the file, at least its first 12 bytes. Everything else passes:
    also an unknown format and a file that is no picture.
    """
    with _refused_by_name():
        pictures.check_format(start)


@contextmanager
def _refused_by_name() -> Iterator[None]:
    try:
        yield
    except PictureUnusable as problem:
        raise REFUSALS[problem.fault](facts=problem.facts) from problem


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
