"""The rule that decides which refused frames are quarantined, and the data stored about them. No
I/O."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from chassis.refusals import Refusal

from inference_gateway.frames.model import (
    ArrivedFrame,
    CounterWentBack,
    FrameFromFuture,
    PictureSignedBefore,
    ReadingsNotSigned,
    ReadingsOfOtherFrame,
)

# A clock that is set wrong drifts by seconds; a moment farther ahead was made up.
FAR_AHEAD: Final = timedelta(minutes=10)
# Of one sender and day; what comes above is counted alone.
ROWS_A_DAY: Final = 100
KEPT: Final = timedelta(days=180)


@dataclass(frozen=True)
class Quarantined:
    """The unverified data of a refused frame, and who sent it. The picture is not stored.

    The field `reason` is the reason of the refusal. `signed_sha256` is the hash of the picture for
    which the readings were signed. `counter_before` is the last counter accepted from the camera's
    device. `story` is a correlation id.
    """

    quarantine_id: UUID
    camera_id: UUID
    region: str
    # "device/edge-1": who sent it, as the certificate or token says.
    sender: str
    reason: str
    frame_id: UUID
    captured_at: datetime
    picture_sha256: bytes
    # Digest of the picture that the readings were signed for.
    signed_sha256: bytes | None
    counter: int | None
    # The last counter that was taken from the camera's device.
    counter_before: int | None
    device_time: datetime | None
    story: str
    arrived_at: datetime

    @property
    def day(self) -> date:
        """The day of arrival in UTC, for the limit on rows per sender and day."""
        return self.arrived_at.date()


def is_suspect(refusal: Refusal, frame: ArrivedFrame, now: datetime) -> bool:
    """Whether a refused frame may be an attack: the frame is dated more than ten minutes ahead, or
    the readings are wrong. Readings are wrong if they are not validly signed, are of another frame,
    or repeat an earlier counter or picture."""
    if isinstance(refusal, FrameFromFuture):
        return frame.captured_at > now + FAR_AHEAD
    return isinstance(
        refusal, ReadingsNotSigned | ReadingsOfOtherFrame | CounterWentBack | PictureSignedBefore
    )
