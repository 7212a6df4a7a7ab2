"""Pictures and films that apps upload in pieces: checks of each piece and of the whole file."""

import hashlib
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from chassis.fields import NEW_ID
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
    """What the app states about a whole file: its size in bytes, SHA-256 (hex) and media type. The
    app repeats this with every uploaded piece."""

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
    """The SHA-256 hashes (hex) of a file in the evidence store.

    `evidence_sha256` is the hash of the original. `shown_sha256` is the hash of the copy that
    operators are shown, or "" if no such copy can be made.
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
        """Return the file marked as stored in the evidence store under these hashes."""
        return replace(
            self,
            state=MediaState.STORED,
            evidence_sha256=stored.evidence_sha256,
            shown_sha256=stored.shown_sha256,
        )

    @property
    def is_whole(self) -> bool:
        """Whether all announced bytes have been received."""
        return self.received_bytes == self.announced.total_bytes

    def new_part_of(self, piece: Piece) -> bytes:
        """Return the bytes of the piece that have not been received yet; b"" if all have been.

        Raises MediaDiffers if the piece belongs to another file or ends after the announced size,
        MediaGap if an earlier piece is missing.
        """
        if piece.announced != self.announced:
            raise MediaDiffers
        if piece.offset > self.received_bytes:
            raise MediaGap(facts={"received_bytes": str(self.received_bytes)})
        if piece.offset + len(piece.content) > self.announced.total_bytes:
            raise MediaDiffers(facts={"received_bytes": str(self.received_bytes)})
        return piece.content[self.received_bytes - piece.offset :]


def check_piece(piece: Piece, *, media_id_ok: bool) -> None:
    """Check the fields of one uploaded piece of a file. Raises BadRequest with all wrong fields.

    If only one field is wrong, the error has the code of that field, such as SHA256_WRONG.
    `media_id_ok` says whether the app sent a valid UUIDv7 as the file's id.
    """
    announced = piece.announced
    with checks() as check:
        check.that(media_id_ok, "media_id", NEW_ID, code="MEDIA_ID_WRONG")
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
    """Whether the content has the announced SHA-256."""
    return hashlib.sha256(content).hexdigest() == announced.sha256
