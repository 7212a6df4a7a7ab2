"""Checks of the field types that requests of all services share.

A check adds each wrong field to a `Checks`, so that a caller learns of all wrong fields at once.
For a wrong field, a `read_` function returns a placeholder, which is never used. What a field means
(a plate, a region, an amount) is checked by the service that owns it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.characters import is_all_visible, is_one_line, is_visible
from chassis.clock import from_timestamp, parse_id, parse_new_id
from chassis.refusals import Checks

NO_ID = UUID(int=0)
NEW_ID = "a UUIDv7 in lower case whose time is not ahead, and not before 2020"
EPOCH = datetime.fromtimestamp(0, UTC)
E = TypeVar("E", bound=Enum)


def read_id(check: Checks, field: str, text: str, *, code: str = "BAD_REQUEST") -> UUID:
    """Parse a client's UUIDv7; for any other text, add an error with `code`, and return NO_ID."""
    found = parse_id(text)
    check.that(found is not None, field, "a UUIDv7 in lower case", code=code)
    return found or NO_ID


def read_new_id(check: Checks, field: str, text: str, *, code: str = "BAD_REQUEST") -> UUID:
    """Parse a UUIDv7 that a client made for something new. For any text that `clock.parse_new_id`
    refuses, such as an id with a time that is too late, add an error and return NO_ID."""
    found = parse_new_id(text)
    check.that(found is not None, field, NEW_ID, code=code)
    return found or NO_ID


def read_moment(check: Checks, field: str, stamp: Timestamp) -> datetime:
    """Convert a timestamp to UTC; if absent or not in 1970 to 9999, add an error, return EPOCH."""
    try:
        moment = from_timestamp(stamp)
    except (ValueError, OverflowError):
        moment = EPOCH
    check.that(moment > EPOCH, field, "a moment after 1970")
    return moment


@lru_cache(maxsize=1024)
def enum_of(ours: type[E], theirs: Any, number: int) -> E | None:
    """Convert a number of the proto enum `theirs` to the member of `ours` of the same name.

    The member's value is the proto name without its prefix: "FACE" for CAMERA_KIND_FACE. Returns
    None for zero (UNSPECIFIED) and for numbers that the proto enum or `ours` does not have.
    """
    values = theirs.DESCRIPTOR.values_by_number
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    value = values.get(number)
    return next((member for member in ours if value and value.name == prefix + member.value), None)


def check_enums(check: Checks, given: Iterable[tuple[str, int, Any]]) -> None:
    """For each (field, number, proto enum) in `given`, check that the enum has this number."""
    for field, number, theirs in given:
        check.that(
            number in theirs.DESCRIPTOR.values_by_number, field, "a value of its kind, or nothing"
        )


def check_text(
    check: Checks,
    field: str,
    text: str,
    *,
    longest: int,
    required: bool = False,
    with_invisible: bool = False,
) -> None:
    """Check that a text is one line of at most `longest` characters and, if required, not blank.

    Control characters and direction marks are refused. Other invisible characters, such as
    zero-width spaces, are refused unless `with_invisible`.
    """
    is_short = len(text) <= longest and (not required or is_visible(text))
    if not (is_short and is_one_line(text) and (with_invisible or is_all_visible(text))):
        shortest = 1 if required else 0
        visible = "no control or invisible characters"
        check.wrong(field, f"{shortest} to {longest} characters in one line, {visible}")


def check_point(check: Checks, at: str, *, latitude: float, longitude: float) -> None:
    """Check that `latitude` and `longitude` are degrees in range. `at` is the path of the field
    that contains them, with a dot at its end: "place."."""
    check.that(-90 <= latitude <= 90, at + "latitude", "degrees, -90 to 90")
    check.that(-180 <= longitude <= 180, at + "longitude", "degrees, -180 to 180")
