"""Checks of the kinds of field that requests of every service have.

Each adds what is wrong to a `Checks`, so that a caller learns of all wrong fields at once, and
returns a value all the same: it is used only where nothing was wrong. What a field means (a plate,
a region, an amount) is for its owner to check.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.clock import from_timestamp, parse_id
from chassis.refusals import Checks

NO_ID = UUID(int=0)
EPOCH = datetime.fromtimestamp(0, UTC)
E = TypeVar("E", bound=Enum)


def read_id(check: Checks, field: str, text: str, *, code: str = "BAD_REQUEST") -> UUID:
    """A client-made UUIDv7; NO_ID, and a wrong field, for any other text."""
    found = parse_id(text)
    check.that(found is not None, field, "a UUIDv7 in lower case", code=code)
    return found or NO_ID


def read_moment(check: Checks, field: str, stamp: Timestamp) -> datetime:
    """A moment in UTC; EPOCH, and a wrong field, where it is absent, before 1970 or after 9999."""
    try:
        moment = from_timestamp(stamp)
    except (ValueError, OverflowError):
        moment = EPOCH
    check.that(moment > EPOCH, field, "a moment after 1970")
    return moment


def enum_of(ours: type[E], theirs: Any, number: int) -> E | None:
    """The member of `ours` that has the short name of a number of the proto enum `theirs`.

    CAMERA_KIND_FACE of CameraKind is the member with the value "FACE". None for the zero that means
    "not said", and for numbers of a newer contract.
    """
    values = theirs.DESCRIPTOR.values_by_number
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    value = values.get(number)
    return next((member for member in ours if value and value.name == prefix + member.value), None)


def check_enums(check: Checks, given: Iterable[tuple[str, int, Any]]) -> None:
    """Checks filters (field, number, proto enum): the number is in the enum; 0 is allowed."""
    for field, number, theirs in given:
        check.that(number in theirs.values(), field, "a value of its kind, or nothing")


def check_text(
    check: Checks, field: str, text: str, *, longest: int, required: bool = False
) -> None:
    """Checks a text's length, that it has no NUL, and, if required, that it is not blank."""
    shortest = 1 if required else 0
    check.that(
        shortest <= len(text.strip()) and len(text) <= longest and "\x00" not in text,
        field,
        f"{shortest} to {longest} characters, none of them NUL",
    )


def check_point(check: Checks, at: str, *, latitude: float, longitude: float) -> None:
    """Checks latitude and longitude in degrees (WGS 84); `at` is their path, such as "place."."""
    check.that(-90 <= latitude <= 90, at + "latitude", "degrees, -90 to 90")
    check.that(-180 <= longitude <= 180, at + "longitude", "degrees, -180 to 180")
