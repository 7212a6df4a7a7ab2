"""The kinds of files that a report takes, recognised by their content, and the limits of each.

The media type that an app announces is only a hint, which is compared with the content.
"""

from dataclasses import dataclass
from enum import StrEnum

# How many bytes of the beginning of a file `kind_of` needs.
START_BYTES = 4096


class Family(StrEnum):
    PHOTOGRAPH = "photograph"
    FILM = "film"
    VOICE = "voice"


@dataclass(frozen=True)
class Limits:
    """The limits of files of one family: the most bytes of an upload."""

    bytes_max: int


MIB = 1024 * 1024
LIMITS = {
    Family.PHOTOGRAPH: Limits(bytes_max=20 * MIB),
    Family.FILM: Limits(bytes_max=100 * MIB),
    Family.VOICE: Limits(bytes_max=20 * MIB),
}
LARGEST = max(limits.bytes_max for limits in LIMITS.values())

# Media types as stored, each with the other names that phones and libraries give it.
_NAMES: dict[Family, dict[str, tuple[str, ...]]] = {
    Family.PHOTOGRAPH: {
        "image/jpeg": ("image/jpg", "image/pjpeg", "image/x-jpeg"),
        "image/heic": ("image/heif", "image/heic-sequence", "image/heif-sequence"),
        "image/png": ("image/x-png",),
        "image/webp": (),
    },
    Family.FILM: {
        "video/mp4": ("video/x-m4v", "video/mpeg4"),
        "video/quicktime": ("video/mov", "video/x-quicktime"),
        "video/3gpp": ("video/3gp", "video/3gpp2"),
    },
    Family.VOICE: {
        "audio/mp4": ("audio/m4a", "audio/x-m4a", "audio/mp4a-latm"),
        "audio/ogg": ("audio/opus", "audio/vorbis", "audio/x-ogg", "application/ogg"),
        "audio/amr": ("audio/amr-nb", "audio/x-amr"),
        "audio/amr-wb": (),
        "audio/3gpp": ("audio/3gp", "audio/3gpp2"),
        "audio/wav": ("audio/x-wav", "audio/wave", "audio/vnd.wave"),
        "audio/mpeg": ("audio/mp3", "audio/x-mp3", "audio/mpeg3", "audio/x-mpeg"),
        "audio/aac": ("audio/x-aac", "audio/aacp", "audio/x-hx-aac-adts"),
    },
}
_TYPE_OF_NAME = {
    name: content_type
    for types in _NAMES.values()
    for content_type, others in types.items()
    for name in (content_type, *others)
}
FAMILY_OF = {name: family for family, types in _NAMES.items() for name in types}
TYPES = frozenset(FAMILY_OF)
NAMES = frozenset(_TYPE_OF_NAME)

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_STARTS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"OggS", "audio/ogg"),
    (b"#!AMR-WB\n", "audio/amr-wb"),
    (b"#!AMR\n", "audio/amr"),
    (b"ID3", "audio/mpeg"),
)
# Known formats that are not accepted, with their names for `Kind.not_taken`.
_NOT_TAKEN = (
    (b"GIF8", "gif"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"%PDF", "pdf"),
    (b"BM", "bmp"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
)
# Known formats of markup, sought after a byte order mark and white space.
_MARKUP = ((b"<svg", "svg"), (b"<!doctype html", "html"), (b"<html", "html"), (b"<script", "html"))
_OLD_QUICKTIME = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})


@dataclass(frozen=True)
class Kind:
    """The kind of a file, as far as its first bytes show.

    `content_type` is one of `TYPES`, or "" for a file that is not accepted. `not_taken` is the name
    of a known format that is not accepted, such as "svg", else "".

    The first bytes of an MP4 or 3GP file do not always show whether it is a film or a voice
    message; its streams do.
    """

    content_type: str = ""
    not_taken: str = ""


def type_of(name: str) -> str:
    """Return the media type, one of `TYPES`, that an app means by a name such as "image/jpg"; "" if
    it is not accepted. Case and parameters (";codecs=opus") are ignored."""
    return _TYPE_OF_NAME.get(name.partition(";")[0].strip().lower(), "")


def kind_of(start: bytes) -> Kind:
    """Return the kind of a file that begins with `start`, its first START_BYTES bytes."""
    for signature, content_type in _STARTS:
        if start.startswith(signature):
            return Kind(content_type)
    if start[4:8] == b"ftyp":
        return _kind_of_brand(start)
    if start.startswith(b"RIFF"):
        return {b"WEBP": Kind("image/webp"), b"WAVE": Kind("audio/wav")}.get(start[8:12], Kind())
    if start[4:8] in _OLD_QUICKTIME:
        return Kind("video/quicktime")
    for signature, name in _NOT_TAKEN:
        if start.startswith(signature):
            return Kind(not_taken=name)
    return _kind_of_sound(start) or Kind(not_taken=_markup_in(start))


def _kind_of_brand(start: bytes) -> Kind:
    brand = start[8:12]
    # "mif1" names the container alone; a further brand "avif" names the format of the picture.
    if brand in (b"avif", b"avis") or (brand in (b"mif1", b"msf1") and b"avif" in start[16:64]):
        return Kind(not_taken="avif")
    if brand in _HEIC_BRANDS:
        return Kind("image/heic")
    if brand == b"qt  ":
        return Kind("video/quicktime")
    if brand[:2] == b"3g":
        return Kind("video/3gpp")
    return Kind("audio/mp4" if brand in (b"M4A ", b"M4B ") else "video/mp4")


def _kind_of_sound(start: bytes) -> Kind | None:
    """The kind if a file begins with an MPEG audio frame, else None; ADTS has the layer bits 00."""
    if len(start) < 2 or start[0] != 0xFF or start[1] & 0xE0 != 0xE0:
        return None
    is_adts = start[1] & 0xF6 == 0xF0
    return Kind("audio/aac" if is_adts else "audio/mpeg")


def _markup_in(start: bytes) -> str:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not text.startswith(b"<"):
        return ""
    named = (name for tag, name in _MARKUP if tag in text)
    return next(named, "xml" if text.startswith(b"<?xml") else "")
