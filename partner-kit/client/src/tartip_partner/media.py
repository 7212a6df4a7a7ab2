"""Pictures, films and recordings of a report: their type by content, and their pieces."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from tartip_partner.ids import media_id_of

PIECE_BYTES = 512 * 1024
_HEAD_BYTES = 16
_UNKNOWN_TYPE = "application/octet-stream"
# First bytes, where they stand, and the type that they are of.
_SIGNATURES = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (0, b"OggS", "audio/ogg"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
)
# The brand of an ISO base media file, by its beginning; anything else in such a file is a film.
_BRANDS = {
    b"hei": "image/heic",
    b"mif1": "image/heic",
    b"qt": "video/quicktime",
    b"3g": "video/3gpp",
    b"M4A": "audio/mp4",
}


@dataclass(frozen=True)
class Media:
    """A picture, film or recording: a file or its bytes, and its type where the app knows it.

    Without `content_type` the type is read from the first bytes, never from a file's name.
    """

    content: str | os.PathLike[str] | bytes
    content_type: str = ""


@dataclass(frozen=True)
class Upload:
    """What is announced with each piece of an upload, and where the pieces are read from."""

    source: Path | bytes
    media_id: str
    total_bytes: int
    sha256: str
    content_type: str

    def piece(self, offset: int, size: int = PIECE_BYTES) -> bytes:
        """The piece that begins at byte `offset`, of at most `size` bytes. Raises OSError."""
        if isinstance(self.source, bytes):
            return self.source[offset : offset + size]
        with self.source.open("rb") as file:
            file.seek(offset)
            return file.read(size)


def prepared(media: Media | str | os.PathLike[str] | bytes, report_id: str) -> Upload:
    """Read all of `media` once: its size, SHA-256 and type. Raises OSError."""
    given = media if isinstance(media, Media) else Media(media)
    content = given.content
    source = content if isinstance(content, bytes) else Path(content)
    if isinstance(source, bytes):
        size, head, sha256 = len(source), source[:_HEAD_BYTES], hashlib.sha256(source).hexdigest()
    else:
        with source.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    return Upload(
        source,
        media_id=media_id_of(report_id, sha256),
        total_bytes=size,
        sha256=sha256,
        content_type=given.content_type or content_type_of(head),
    )


def content_type_of(head: bytes) -> str:
    """The media type of a file by its first 16 bytes; "application/octet-stream" if unknown."""
    if head[4:8] == b"ftyp":
        brands = (kind for brand, kind in _BRANDS.items() if head[8:].startswith(brand))
        return next(brands, "video/mp4")
    found = (kind for at, mark, kind in _SIGNATURES if head[at:].startswith(mark))
    return next(found, _UNKNOWN_TYPE)
