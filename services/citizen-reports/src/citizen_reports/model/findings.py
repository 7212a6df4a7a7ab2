"""What the examination of a file finds.

The process that reads hostile files imports this anew for each file, so it imports nothing heavy.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# Of blurred forms and first frames.
PREVIEW_TYPE = "image/jpeg"


class Reason(StrEnum):
    """Why a file that arrived whole cannot be used: the code of the refusal."""

    DIFFERS = "MEDIA_DIFFERS"
    NOT_A_PICTURE = "MEDIA_NOT_A_PICTURE"
    OTHER_THAN_ANNOUNCED = "MEDIA_OTHER_THAN_ANNOUNCED"
    KIND_NOT_TAKEN = "MEDIA_KIND_NOT_TAKEN"
    BEYOND_LIMITS = "MEDIA_BEYOND_LIMITS"
    TOO_LARGE = "MEDIA_TOO_LARGE"


@dataclass(frozen=True)
class Taken:
    """When and where a photograph or film was taken, as the phone wrote into the file. It may be
    wrong or forged. Degrees of WGS 84; None if the file does not say so."""

    at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None

    @property
    def is_empty(self) -> bool:
        return self.at is None and self.latitude is None


@dataclass(frozen=True)
class Finding:
    """What was found in a file that can be used: its media type by content, the media type of its
    clean form, when and where it was taken, and the first frame of a film as a JPEG."""

    content_type: str
    clean_type: str
    taken: Taken
    first_frame: bytes = b""
