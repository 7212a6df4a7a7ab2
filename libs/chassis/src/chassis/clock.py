"""Time and ids, passed in rather than looked up.

A `Clock` answers the moment in UTC. Ids are UUIDv7 in lower case: they sort by the time they were
made, which keeps indexes short and pages in order.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import uuid6
from google.protobuf.timestamp_pb2 import Timestamp

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    return datetime.now(UTC)


def new_id() -> UUID:
    return UUID(str(uuid6.uuid7()))


def made_at(made: UUID) -> datetime:
    """When an id of `new_id` was made, to the millisecond."""
    return datetime.fromtimestamp((made.int >> 80) / 1000, UTC)


def parse_id(text: str) -> UUID | None:
    """A UUIDv7 in its canonical lower-case form, or None."""
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text and parsed.version == 7 else None


def to_timestamp(moment: datetime | None) -> Timestamp | None:
    """The protobuf form of a moment with a zone; None stays None (the field stays absent)."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment.astimezone(UTC).replace(tzinfo=None))
    return stamp


def from_timestamp(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
