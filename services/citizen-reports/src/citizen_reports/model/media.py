"""Pictures and films that arrive in pieces: the checks of a piece and of the whole."""

import hashlib
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from chassis.refusals import checks

from citizen_reports.model.refusals import MediaDiffers, MediaGap

PIECE_MAX = 512 * 1024
WHOLE_MAX = 20 * 1024 * 1024
MEDIA_MAX = 10
PICTURES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
FILMS = frozenset({"video/mp4"})
_SHA256 = re.compile(r"[0-9a-f]{64}")


class MediaState(StrEnum):
    RECEIVING = "receiving"
    COMPLETE = "complete"
    # Not of its announced type: the pieces were deleted, and the app must send it again.
    REFUSED = "refused"
    STORED = "stored"


@dataclass(frozen=True)
class Announced:
    """Size in bytes, SHA-256 (hex) and type of the whole; the same with every piece."""

    total_bytes: int
    sha256: str
    content_type: str


@dataclass(frozen=True)
class Piece:
    media_id: UUID
    offset: int
    content: bytes
    announced: Announced


@dataclass(frozen=True)
class Stored:
    """SHA-256 (hex) of the original in the evidence store and of its form shown to operators.

    The shown one is "" where the file cannot be shown.
    """

    evidence_sha256: str
    shown_sha256: str


@dataclass(frozen=True)
class Media:
    report_id: UUID
    media_id: UUID
    announced: Announced
    received_bytes: int
    state: MediaState
    # SHA-256 (hex) of the original and of the form shown to operators; "" until they are known.
    evidence_sha256: str = ""
    shown_sha256: str = ""

    def stored_as(self, stored: Stored) -> "Media":
        """Marked as in the evidence store, under these hashes."""
        return replace(
            self,
            state=MediaState.STORED,
            evidence_sha256=stored.evidence_sha256,
            shown_sha256=stored.shown_sha256,
        )

    @property
    def is_whole(self) -> bool:
        """Whether all announced bytes have arrived."""
        return self.received_bytes == self.announced.total_bytes

    def new_part_of(self, piece: Piece) -> bytes:
        """The bytes of the piece that have not arrived yet; b"" where all have.

        Raises MediaDiffers for a piece of another file, MediaGap where an earlier piece is missing.
        """
        if piece.announced != self.announced:
            raise MediaDiffers
        if piece.offset > self.received_bytes:
            raise MediaGap(facts={"received_bytes": str(self.received_bytes)})
        if piece.offset + len(piece.content) > self.announced.total_bytes:
            raise MediaDiffers(facts={"received_bytes": str(self.received_bytes)})
        return piece.content[self.received_bytes - piece.offset :]


def check_piece(piece: Piece, *, media_id_ok: bool) -> None:
    """Raises BadRequest with every wrong field; a single one gives the refusal its own code."""
    announced = piece.announced
    with checks() as check:
        check.that(media_id_ok, "media_id", "a UUIDv7 in lower case", code="MEDIA_ID_WRONG")
        check.that(piece.offset >= 0, "offset", "0 or more", code="OFFSET_WRONG")
        check.that(len(piece.content) > 0, "content", "at least one byte", code="CONTENT_REQUIRED")
        check.that(
            len(piece.content) <= PIECE_MAX,
            "content",
            f"at most {PIECE_MAX} bytes a piece",
            code="MEDIA_TOO_LARGE",
        )
        check.that(
            announced.total_bytes > 0,
            "total_bytes",
            "how many bytes the whole has",
            code="TOTAL_WRONG",
        )
        check.that(
            announced.total_bytes <= WHOLE_MAX,
            "total_bytes",
            f"at most {WHOLE_MAX} bytes",
            code="MEDIA_TOO_LARGE",
        )
        check.that(
            _SHA256.fullmatch(announced.sha256) is not None,
            "sha256",
            "64 hex digits",
            code="SHA256_WRONG",
        )
        check.that(
            announced.content_type in PICTURES or announced.content_type in FILMS,
            "content_type",
            "image/jpeg, image/png, image/webp or video/mp4",
            code="MEDIA_TYPE_UNKNOWN",
        )


def is_as_announced(content: bytes, announced: Announced) -> bool:
    """Whether the SHA-256 of the content is the announced one."""
    return hashlib.sha256(content).hexdigest() == announced.sha256
