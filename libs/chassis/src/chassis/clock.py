"""Clocks, which are passed as arguments, and ids that carry the time.

A `Clock` returns the current moment in UTC. There are two clocks:

- `system_clock` is the host's clock plus TARTIP_CLOCK_OFFSET (tests and the sandbox run in another
  year). Services and new ids use this time. The database adds the same offset in `service_now()`
  (see `tables`).
- `real_clock` is the host's clock without offset, used for certificates, tokens and the broker.

Ids are UUIDv7 in lower case. They sort by the time of their creation, which keeps indexes compact
and lists in order.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import overload
from uuid import UUID

import uuid6
from google.protobuf.timestamp_pb2 import Timestamp

Clock = Callable[[], datetime]

_ONE_MILLISECOND = timedelta(milliseconds=1)
_TIME_BITS_FROM = 80  # of a UUIDv7: milliseconds of the epoch stand above
# By so much the clock of a client that makes an id may be ahead of ours.
ID_AHEAD_MAX = timedelta(days=1)
# Version 7 and the variant of RFC 9562.
_CANONICAL_V7 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# No client made an id before: UUIDs of version 7 were proposed later. An earlier time is that of a
# clock that was never set.
ID_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
_EARLIEST_MILLISECONDS = int(ID_EARLIEST.timestamp()) * 1000
_offset = timedelta()


def move_clock(offset: timedelta) -> None:
    """Set the offset of `system_clock` and of ids, once, before the time is first read."""
    global _offset
    _offset = offset


def clock_offset() -> timedelta:
    """The offset of `system_clock` from the host's clock; negative for a time in the past."""
    return _offset


def real_clock() -> datetime:
    """The host's time, in UTC."""
    return datetime.now(UTC)


def system_clock() -> datetime:
    """The time that services use, in UTC: the host's time plus `clock_offset`."""
    return real_clock() + _offset


def new_id() -> UUID:
    """A new UUIDv7 that carries the time of `system_clock`."""
    made = uuid6.uuid7().int + (_offset // _ONE_MILLISECOND << _TIME_BITS_FROM)
    return UUID(int=made)


def made_at(made: UUID) -> datetime:
    """The time in a UUIDv7, in UTC, to the millisecond."""
    return datetime.fromtimestamp((made.int >> 80) / 1000, UTC)


def parse_id(text: str) -> UUID | None:
    """The UUID of a UUIDv7 in canonical lower-case form; None for any other text."""
    if not _CANONICAL_V7.fullmatch(text):
        return None
    return UUID(int=int(text.replace("-", ""), 16))


def parse_new_id(text: str) -> UUID | None:
    """The UUID of a UUIDv7 that a client made for something new; None for any other text.

    Also None if the time in the id is before ID_EARLIEST, or more than ID_AHEAD_MAX ahead of both
    `system_clock` and `real_clock`: such an id would sort after ids that are made later.
    """
    parsed = parse_id(text)
    if parsed is None:
        return None
    latest = real_clock() + max(_offset, timedelta(0)) + ID_AHEAD_MAX
    milliseconds = parsed.int >> _TIME_BITS_FROM
    is_in_time = _EARLIEST_MILLISECONDS <= milliseconds <= latest.timestamp() * 1000
    return parsed if is_in_time else None


@overload
def to_timestamp(moment: datetime) -> Timestamp: ...


@overload
def to_timestamp(moment: datetime | None) -> Timestamp | None: ...


def to_timestamp(moment: datetime | None) -> Timestamp | None:
    """Convert a moment with a time zone to a protobuf timestamp; None (no field) stays None."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment.astimezone(UTC).replace(tzinfo=None))
    return stamp


def from_timestamp(stamp: Timestamp) -> datetime:
    """Convert a protobuf timestamp to a moment in UTC.

    Raises ValueError or OverflowError outside of the years 1 to 9999.
    """
    return stamp.ToDatetime(tzinfo=UTC)
