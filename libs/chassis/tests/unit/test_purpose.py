"""A purpose is said in any script, and refused by name where it is no plain text."""

import pytest
from chassis.purpose import (
    PurposeWrong,
    checked_purpose,
    purpose_in,
    purpose_metadata,
)

SAID = ["тексеру: 12-іс", "проверка дела № 12", "case 12", "案件十二", "می‌خواهم", "🚓 " + "é" * 150]


@pytest.mark.parametrize("said", SAID)
def test_a_purpose_travels_in_any_script(said: str) -> None:
    assert purpose_in(dict(purpose_metadata(said))) == said


def test_ascii_metadata_stays_accepted_and_the_other_wins() -> None:
    assert purpose_in({"tartip-purpose": " case 12 "}) == "case 12"
    both: dict[str, str | bytes] = {
        "tartip-purpose": "case 12",
        "tartip-purpose-bin": "тексеру".encode(),
    }
    assert purpose_in(both) == "тексеру"


@pytest.mark.parametrize(
    "nothing", ["", "   ", "\u00a0", "\u3000 ", "\u200b", " \u200d\ufeff", "\u00ad\ufe0f"]
)
def test_blanks_are_no_purpose(nothing: str) -> None:
    assert checked_purpose(nothing) == ""


def test_no_purpose_is_no_metadata() -> None:
    assert purpose_metadata("") == ()


@pytest.mark.parametrize(
    "wrong",
    ["x" * 201, "a\nb", "a\tb", "a\x00b", "a\x85b", "a\u2028b", "a\u202eb", "a\u2066b", "\ud800"],
)
def test_what_is_no_plain_text_is_refused(wrong: str) -> None:
    with pytest.raises(PurposeWrong):
        checked_purpose(wrong)


def test_two_hundred_characters_are_counted_as_they_are_written_together() -> None:
    decomposed = "e\u0301" * 200
    assert checked_purpose(decomposed) == "é" * 200


@pytest.mark.parametrize("wrong", [b"\xff\xfe", b"\xed\xa0\x80", "é".encode()[:1]])
def test_bytes_that_are_no_utf8_are_refused(wrong: bytes) -> None:
    with pytest.raises(PurposeWrong):
        purpose_in({"tartip-purpose-bin": wrong})
