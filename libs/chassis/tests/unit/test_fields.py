"""Every wrong field is named, in the same words by every service, and nothing wrong passes."""

from datetime import timedelta
from enum import StrEnum
from uuid import UUID

import pytest
from chassis import fields
from chassis.clock import new_id, system_clock
from chassis.refusals import BadRequest, Checks, checks
from google.protobuf.timestamp_pb2 import Timestamp
from tartip.cameras.v1 import cameras_pb2

ID = "0190a0b4-1c2d-7e3f-8a4b-5c6d7e8f9a0b"


class Kind(StrEnum):
    FACE = "FACE"
    OVERVIEW = "OVERVIEW"


def wrong(check: Checks) -> list[str]:
    return [error.field for error in check.errors]


@pytest.mark.parametrize(
    "text", ["", "x", ID.upper(), ID.replace("-7", "-4"), "{" + ID + "}", ID.replace("-", "")]
)
def test_an_id_is_a_uuid_of_version_7_as_it_is_written(text: str) -> None:
    check = Checks()
    assert fields.read_id(check, "camera_id", text) == fields.NO_ID
    assert wrong(check) == ["camera_id"]
    assert str(fields.read_id(check, "other", ID)) == ID


def dated(ahead: timedelta) -> str:
    milliseconds = int((system_clock() + ahead).timestamp() * 1000)
    return str(UUID(int=new_id().int % 2**80 + (milliseconds << 80)))


def test_an_id_for_something_new_is_not_dated_ahead() -> None:
    check = Checks()
    for ahead in (timedelta(), timedelta(hours=23), timedelta(days=-400)):
        made = dated(ahead)
        assert str(fields.read_new_id(check, "known", made)) == made
    for ahead in (timedelta(days=2), timedelta(days=74 * 365)):
        assert fields.read_new_id(check, "camera_id", dated(ahead)) == fields.NO_ID
    assert fields.read_new_id(check, "camera_id", "x") == fields.NO_ID
    assert wrong(check) == ["camera_id"] * 3


def test_an_id_for_something_new_is_not_of_a_clock_that_was_never_set() -> None:
    check = Checks()
    for made in ("00000000-0001-7c27-89c5-2ebe821e365e", "00dc6acf-ac00-7c27-89c5-2ebe821e365e"):
        assert fields.read_new_id(check, "camera_id", made) == fields.NO_ID
    assert wrong(check) == ["camera_id"] * 2
    old = dated(timedelta(days=-5 * 365))
    assert str(fields.read_new_id(check, "camera_id", old)) == old


INVISIBLE = (
    *("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u180e", "\U000e0041"),
    *("\u3164", "\u115f", "\uffa0", "\u2800", "\u034f", "\ufe0f", "\ue000", "\uffff"),
)


@pytest.mark.parametrize("character", INVISIBLE)
def test_a_text_has_no_character_that_nobody_sees(character: str) -> None:
    check = Checks()
    for text in (f"Abai{character}", f"Абай{character} 1", character):
        fields.check_text(check, "name", text, longest=20)
    assert wrong(check) == ["name"] * 3
    fields.check_text(check, "serial", f"SN{character}1", longest=20, with_invisible=True)
    fields.check_text(check, "serial", character, longest=20, required=True, with_invisible=True)
    assert wrong(check) == ["name"] * 3 + ["serial"]


@pytest.mark.parametrize(
    "text",
    [
        "Қонаев көшесі, 12",
        "Абаи\u0306 Құнанбаи\u0306ұлы",
        "Ёлка е\u0308",
        "a\u00a0b",
        "№ 5 – «Әуезов»",
    ],
)
def test_letters_with_their_marks_and_blanks_are_seen(text: str) -> None:
    check = Checks()
    fields.check_text(check, "name", text, longest=40, required=True)
    assert not check.errors


@pytest.mark.parametrize("seconds", [0, -1, 10**15, -(10**15)])
def test_a_moment_lies_after_1970_and_in_the_calendar(seconds: int) -> None:
    check = Checks()
    assert fields.read_moment(check, "at", Timestamp(seconds=seconds)) <= fields.EPOCH
    assert wrong(check) == ["at"]
    assert fields.read_moment(Checks(), "at", Timestamp(seconds=1)).timestamp() == 1


def test_an_enum_is_read_by_its_short_name_and_what_is_unknown_is_none() -> None:
    theirs = cameras_pb2.CameraKind
    assert fields.enum_of(Kind, theirs, cameras_pb2.CAMERA_KIND_FACE) is Kind.FACE
    for number in (0, cameras_pb2.CAMERA_KIND_ANPR, 999, -1):
        assert fields.enum_of(Kind, theirs, number) is None
    check = Checks()
    fields.check_enums(check, [("a", 0, theirs), ("b", 1, theirs), ("c", 999, theirs)])
    assert wrong(check) == ["c"]


@pytest.mark.parametrize(
    ("text", "required", "right"),
    [
        ("", False, True),
        ("", True, False),
        ("  ", True, False),
        ("абв", True, True),
        ("x" * 4, False, False),
        ("a\x00", False, False),
    ],
)
def test_a_text_is_bounded_in_characters_and_has_no_nul(
    text: str, required: bool, right: bool
) -> None:
    check = Checks()
    fields.check_text(check, "name", text, longest=3, required=required)
    assert wrong(check) == ([] if right else ["name"])


def test_a_point_is_in_degrees_and_not_a_number_is_none() -> None:
    with pytest.raises(BadRequest) as refused, checks() as check:
        fields.check_point(check, "place.", latitude=90.1, longitude=float("nan"))
        fields.check_point(check, "area.", latitude=-90, longitude=180)
    assert [e.field for e in refused.value.fields] == ["place.latitude", "place.longitude"]
