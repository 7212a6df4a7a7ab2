"""The findings of the examination of an uploaded file.

Each file is examined in a new process, which imports this module: it must import nothing slow.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# The media type of blurred forms and first frames.
PREVIEW_TYPE = "image/jpeg"


class Reason(StrEnum):
    """Why a completely uploaded file cannot be used: the code of the refusal."""

    DIFFERS = "MEDIA_DIFFERS"
    NOT_A_PICTURE = "MEDIA_NOT_A_PICTURE"
    OTHER_THAN_ANNOUNCED = "MEDIA_OTHER_THAN_ANNOUNCED"
    KIND_NOT_TAKEN = "MEDIA_KIND_NOT_TAKEN"
    BEYOND_LIMITS = "MEDIA_BEYOND_LIMITS"
    TOO_LARGE = "MEDIA_TOO_LARGE"


@dataclass(frozen=True)
class Taken:
    """When and where a photograph or film was taken, by the metadata in the file, which may be
    wrong or forged. Coordinates are degrees of WGS 84. None if the file states no value."""

    at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None

    @property
    def is_empty(self) -> bool:
        return self.at is None and self.latitude is None


@dataclass(frozen=True)
class Finding:
    """What was found in a usable file: the media type of its content, that of its clean form, when
    and where it was taken, and the first frame of a film as a JPEG (b"" for other files)."""

    content_type: str
    clean_type: str
    taken: Taken
    first_frame: bytes = b""
