"""Photographs, films and voice messages that apps upload in pieces, and the checks of each piece.

`media_kinds` has the kinds of files that are accepted, and their largest sizes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from chassis.fields import NEW_ID
from chassis.refusals import Refusal, checks

from citizen_reports.model.findings import Finding, Reason, Taken
from citizen_reports.model.media_kinds import FAMILY_OF, LARGEST, LIMITS, Family, type_of
from citizen_reports.model.refusals import (
    MediaBeyondLimits,
    MediaDiffers,
    MediaGap,
    MediaKindNotTaken,
    MediaNotAPicture,
    MediaOtherThanAnnounced,
    MediaTooLarge,
)

PIECE_MAX = 512 * 1024
# The most files of a report, not counting refused files.
MEDIA_MAX = 10
# The most files of a report, counting refused files, so that nobody fills the table.
MEDIA_SENT_MAX = 50
_SHA256 = re.compile(r"[0-9a-f]{64}")


class MediaState(StrEnum):
    RECEIVING = "receiving"
    COMPLETE = "complete"
    # The file cannot be used, and its pieces were deleted. The app may upload it again.
    REFUSED = "refused"
    STORED = "stored"


@dataclass(frozen=True)
class Announced:
    """What the app states about a whole file: its size in bytes, SHA-256 (hex) and media type. The
    app repeats this with every uploaded piece.

    The media type is a hint. Once the file was examined, it is the type found in the content.
    """

    total_bytes: int
    sha256: str
    content_type: str

    @property
    def family(self) -> Family:
        return FAMILY_OF[type_of(self.content_type)]

    def is_same_file(self, other: "Announced") -> bool:
        """Whether both announce the same file; their media types may differ."""
        return (self.total_bytes, self.sha256) == (other.total_bytes, other.sha256)


@dataclass(frozen=True)
class CleanForm:
    """The copy of a file that operators see instead of the original: made anew without metadata,
    further streams and trailing bytes. `sha256` (hex) is the hash of the copy."""

    sha256: str
    size_bytes: int
    content_type: str


@dataclass(frozen=True)
class EvidenceFile:
    """A file to be put into the evidence store; `sha256` (hex) is the hash of its content.

    `shown_sha256` is the hash of the form that operators are shown. It equals `sha256` if the file
    is that form, and is "" if the evidence store itself is to make that form.
    """

    sha256: str
    content_type: str
    shown_sha256: str


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
    # The code of the refusal, if the file was refused or must be uploaded again; "" otherwise.
    refused_reason: str = ""
    # None before the file was examined, and for files from before there was a clean form.
    clean: CleanForm | None = None
    # SHA-256 (hex) of the first frame of a film; "" until this is in the evidence store.
    first_frame_sha256: str = ""
    # When and where the file was taken; empty unless read for a caller who may see the reporter.
    taken: Taken = field(default_factory=Taken)
    # SHA-256 (hex) of the blurred form in the evidence store; "" until it is made, or if not read.
    blurred_sha256: str = ""

    def found(self, finding: Finding, clean: CleanForm) -> "Media":
        """Return the file as COMPLETE, with its clean form and the media type of its content."""
        announced = replace(self.announced, content_type=finding.content_type)
        return replace(
            self, state=MediaState.COMPLETE, announced=announced, clean=clean, refused_reason=""
        )

    def refused(self, reason: str) -> "Media":
        """Return the file as REFUSED, with the code of the refusal; none of its bytes are kept."""
        return replace(self, state=MediaState.REFUSED, refused_reason=reason, received_bytes=0)

    def to_be_sent_again(self, reason: str) -> "Media":
        """Return the file of a submitted report with the code of a refusal and without bytes. Its
        state stays, so that the app may upload the file that it announced once more."""
        return replace(self, refused_reason=reason, received_bytes=0)

    def stored_as(self, stored: Stored) -> "Media":
        """Return the file as STORED, with the hashes that it has in the evidence store."""
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
        if not piece.announced.is_same_file(self.announced):
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
        content_type = type_of(announced.content_type)
        is_known = check.that(
            bool(content_type),
            "content_type",
            "a photograph, film or voice message, such as image/jpeg, video/mp4 or audio/mp4",
            code="MEDIA_TYPE_UNKNOWN",
        )
        most = LIMITS[FAMILY_OF[content_type]].bytes_max if is_known else LARGEST
        check.that(
            announced.total_bytes <= most,
            "total_bytes",
            f"at most {most} bytes",
            code="MEDIA_TOO_LARGE",
        )
        check.that(
            _SHA256.fullmatch(announced.sha256) is not None,
            "sha256",
            "64 hex digits",
            code="SHA256_WRONG",
        )


def handed_in(items: Sequence[Media]) -> list[Media]:
    """Return the files that are part of a report: all that were not refused."""
    return [item for item in items if item.state is not MediaState.REFUSED]


def visible(items: Sequence[Media]) -> list[Media]:
    """Return the photographs and films among the files, without the voice messages."""
    return [item for item in items if item.announced.family is not Family.VOICE]


# The refusal of a completely uploaded file that cannot be used, by the code in the file's row.
REASONS: dict[str, type[Refusal]] = {
    Reason.DIFFERS: MediaDiffers,
    Reason.NOT_A_PICTURE: MediaNotAPicture,
    Reason.OTHER_THAN_ANNOUNCED: MediaOtherThanAnnounced,
    Reason.KIND_NOT_TAKEN: MediaKindNotTaken,
    Reason.BEYOND_LIMITS: MediaBeyondLimits,
    Reason.TOO_LARGE: MediaTooLarge,
}


def reason_against(finding: Finding, announced: Announced) -> str:
    """Return the code of the refusal if the content of a file is not of the announced family, or if
    the file is larger than its family allows; "" if the file is accepted."""
    family = FAMILY_OF[finding.content_type]
    if family is not announced.family:
        return Reason.OTHER_THAN_ANNOUNCED
    if announced.total_bytes > LIMITS[family].bytes_max:
        return Reason.TOO_LARGE
    return ""
