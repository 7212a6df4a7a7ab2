"""What a hold keeps: the frames of one camera in a time window."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

WINDOW_MAX = timedelta(days=1)  # tidy: our own bound, not a term


@dataclass(frozen=True)
class EvidenceHold:
    """Keeps the frames that a camera took in a window, both ends included. `hold_id` is made at
    random by the service that asks: it leads to no record for anybody else."""

    hold_id: UUID
    camera_id: UUID
    held_from: datetime
    held_until: datetime

    @property
    def is_window_right(self) -> bool:
        """Whether the window does not end before it begins, and is not longer than WINDOW_MAX."""
        return timedelta() <= self.held_until - self.held_from <= WINDOW_MAX
