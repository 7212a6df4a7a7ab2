"""Makes the clean forms of films and voice messages: decodes the beginning of each stream, then
copies the streams into a new file.

Runs in the child process. The clean form has picture and sound alone: no metadata, no other
streams, no bytes after the end. The first frame of a film is returned as a JPEG, which is shown
before the film is available.
"""

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, Any, Final

import av
from av.error import InvalidDataError
from PIL import Image
from vision.pixel_shapes import pixel_aspect_of, shown_size
from vision.video_copies import BITEXACT, copy_streams, shown_streams

from citizen_reports.examination.frames import ends_within_a_frame
from citizen_reports.examination.previews import SIDE_MAX, preview_of
from citizen_reports.examination.verdict import BeyondLimits
from citizen_reports.model.findings import Finding, Taken
from citizen_reports.model.media_kinds import FAMILY_OF, Family

# 8192 x 4320: larger films come from no phone.
PIXELS_MAX: Final = 36_000_000
PACKETS_TRIED: Final = 200
# JPEG quality of a first frame, in which models search, and from which a blurred form is made.
FRAME_QUALITY: Final = 92
# By the rotation in quarter turns, counterclockwise.
_TURNS: Final = {
    1: Image.Transpose.ROTATE_90,
    2: Image.Transpose.ROTATE_180,
    3: Image.Transpose.ROTATE_270,
}
# FFmpeg's reader by media type. Naming it keeps FFmpeg from reading a playlist or script instead.
_READERS: Final = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/3gpp": "mov",
    "audio/mp4": "mov",
    "audio/ogg": "ogg",
    "audio/amr": "amr",
    "audio/amr-wb": "amr",
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
    "audio/aac": "aac",
}
# A container with the media type of a film may have sound alone, and one of sound a picture.
_FILM_OF: Final = {"audio/mp4": "video/mp4", "audio/3gpp": "video/3gpp"}
_VOICE_OF: Final = {
    "video/mp4": "audio/mp4",
    "video/quicktime": "audio/mp4",
    "video/3gpp": "audio/3gpp",
}
# By the media type that was found: FFmpeg's writer, its options, the clean form's media type.
_NO_TAGS: Final = {"id3v2_version": "0", "write_xing": "0"}
_WRITERS: Final[dict[str, tuple[str, dict[str, str], str]]] = {
    "video/mp4": ("mp4", {}, "video/mp4"),
    "video/quicktime": ("mp4", {}, "video/mp4"),
    "video/3gpp": ("3gp", {}, "video/3gpp"),
    "audio/mp4": ("ipod", {}, "audio/mp4"),
    "audio/3gpp": ("ipod", {}, "audio/mp4"),
    "audio/ogg": ("ogg", {}, "audio/ogg"),
    "audio/amr": ("ipod", {}, "audio/mp4"),
    "audio/amr-wb": ("ipod", {}, "audio/mp4"),
    "audio/wav": ("wav", {}, "audio/wav"),
    "audio/mpeg": ("mp3", _NO_TAGS, "audio/mpeg"),
    "audio/aac": ("adts", {}, "audio/aac"),
}
_PLACES: Final = ("com.apple.quicktime.location.ISO6709", "location", "location-eng")
_TIMES: Final = ("com.apple.quicktime.creationdate", "creation_time")
_ISO6709: Final = re.compile(r"([+-]\d{2}(?:\.\d+)?)([+-]\d{3}(?:\.\d+)?)")
_UNTIL_THE_END: Final = (0, 0xFFFFFFFF)


class Unreadable(ValueError):
    """The file is not a film or voice message, cannot be decoded, or was cut off."""


def clean_recording(file: IO[bytes], size: int, content_type: str, clean: IO[bytes]) -> Finding:
    """Write the clean form of a film or voice message of `size` bytes to `clean`.

    `content_type` is the media type by the file's beginning; the returned finding has the one by
    its streams. Raises Unreadable, BeyondLimits, and PyAV's errors for a damaged file.
    """
    reader = _READERS[content_type]
    if _is_cut(file, size, reader):
        raise Unreadable("cut off")
    file.seek(0)
    with av.open(file, "r", format=reader, metadata_errors="replace") as source:
        found = _type_by_streams(source, content_type)
        taken = taken_of(source.metadata)
        first_frame = _decode_beginning(source)
    file.seek(0)
    writer, options, clean_type = _WRITERS[found]
    with (
        av.open(file, "r", format=reader, metadata_errors="replace") as source,
        av.open(clean, "w", format=writer, options=BITEXACT | options) as target,
    ):
        if FAMILY_OF[found] is Family.VOICE and _is_amr(source):
            _encode_anew(source, target)
        else:
            copy_streams(source, target)
    return Finding(found, clean_type, taken, first_frame)


def taken_of(metadata: dict[str, str]) -> Taken:
    """Return when and where a recording was made, by its container's metadata; None if missing."""
    latitude = longitude = None
    for name in _PLACES:
        if place := _ISO6709.match(metadata.get(name, "")):
            latitude, longitude = float(place[1]), float(place[2])
            break
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        latitude = longitude = None
    return Taken(_moment(metadata), latitude, longitude)


def _moment(metadata: dict[str, str]) -> datetime | None:
    for name in _TIMES:
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(metadata.get(name, ""))
            # Phones that do not know the time write the first moment of the format's calendar.
            if moment.tzinfo and moment.year > 1970:
                return moment.astimezone(UTC)
    return None


def _type_by_streams(source: Any, content_type: str) -> str:
    kinds = {stream.type for stream in shown_streams(source)}
    if "video" in kinds:
        return _FILM_OF.get(content_type, content_type)
    if "audio" in kinds:
        return _VOICE_OF.get(content_type, content_type)
    raise Unreadable("neither picture nor sound")


def _decode_beginning(source: Any) -> bytes:
    """Decode a frame of each picture and sound stream. Return the first picture as a JPEG, or b"".
    Raises Unreadable if a stream has no frame in PACKETS_TRIED packets, and BeyondLimits."""
    preview = b""
    waiting = {stream.index: stream for stream in shown_streams(source)}
    for stream in waiting.values():
        context = stream.codec_context
        context.thread_count = 1
        if stream.type == "video" and context.width * context.height > PIXELS_MAX:
            raise BeyondLimits
    for tried, packet in enumerate(source.demux(list(waiting.values()))):
        stream = waiting.get(packet.stream.index)
        frames = packet.decode() if stream is not None else ()
        if frames:
            del waiting[packet.stream.index]
            preview = preview or _preview_of(stream, frames[0])
        if not waiting or tried > PACKETS_TRIED:
            break
    if waiting:
        raise Unreadable("a stream cannot be decoded")
    return preview


def _preview_of(stream: Any, frame: Any) -> bytes:
    """A decoded frame, upright, as a JPEG; b"" for sound. Also b"" for a picture that cannot be
    converted, since a film without a preview is accepted too."""
    if stream.type != "video":
        return b""
    with suppress(ValueError, MemoryError, av.FFmpegError):
        shown = shown_size(frame.width, frame.height, pixel_aspect_of(stream))
        scale = min(1, SIDE_MAX / max(shown))
        width, height = (max(1, round(side * scale)) for side in shown)
        picture: Image.Image = frame.to_image(width=width, height=height, interpolation="AREA")
        turn = _TURNS.get(round(frame.rotation / 90) % 4)
        return preview_of(picture if turn is None else picture.transpose(turn), FRAME_QUALITY)
    return b""


def _is_amr(source: Any) -> bool:
    return any(stream.codec_context.name.startswith("amr") for stream in shown_streams(source))


def _encode_anew(source: Any, target: Any) -> None:
    """Encode the first sound stream, AMR, as AAC, because no browser plays AMR."""
    [voice, *_] = [stream for stream in shown_streams(source) if stream.type == "audio"]
    sound = target.add_stream("aac", rate=voice.rate)
    sound.layout = "mono"
    for packet in source.demux(voice):
        with suppress(InvalidDataError):  # a damaged frame is left out, as a player does
            for frame in packet.decode():
                target.mux(sound.encode(frame))
    target.mux(sound.encode(None))


def _is_cut(file: IO[bytes], size: int, reader: str) -> bool:
    """Whether a file of `size` bytes is shorter than the lengths that it states itself."""
    if reader in ("mp4", "mov"):
        return _ends_within_a_box(file, size)
    if reader == "wav":
        file.seek(4)
        length = int.from_bytes(file.read(4), "little")
        return length not in _UNTIL_THE_END and length + 8 > size
    return ends_within_a_frame(file, reader)


def _ends_within_a_box(file: IO[bytes], size: int) -> bool:
    """Whether a box of an MP4 file with media data or an index (mdat, moov, moof) is longer than
    the rest of the file. Other boxes may be cut off: they are left out of the clean form."""
    start = 0
    while start + 8 <= size:
        file.seek(start)
        length, name = int.from_bytes(file.read(4), "big"), file.read(4)
        if length == 1:
            length = int.from_bytes(file.read(8), "big")
        if length < 8:  # 0: to the end of the file; less is not a box
            return False
        if start + length > size:
            return name in (b"mdat", b"moov", b"moof")
        start += length
    return False
