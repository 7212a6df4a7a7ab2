"""What people write is cleaned and not refused; only its visible length counts."""

import unicodedata

import pytest
from citizen_reports.model.words import RAW_TIMES, cleaned, cleaned_line, cleaned_phone
from hypothesis import given
from hypothesis import strategies as st

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u3164\u2800\ufe0f\U000e0041\ue000"


def clean(text: str) -> str:
    return cleaned(text, longest=4000)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("помогите", "помогите"),
        ("Көмектесіңіз!\n\tАбай 44", "Көмектесіңіз!\n\tАбай 44"),
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        ("one\r\ntwo\rthree\u2028four\x0bfive", "one\ntwo\nthree\nfour\nfive"),
        (f"mur{BIDI}der", "murder"),
        (f"x{UNSEEN}y", "xy"),
        ("и\u0306", "й"),
        ("  spaces around \n", "spaces around"),
        ("🚗💥", "🚗💥"),
        ("", ""),
        (" \n\t ", ""),
        (UNSEEN + BIDI + "\x00", ""),
        ("\u0301", ""),
        ("\u00a0\u3000", ""),
    ],
)
def test_what_shows_nothing_is_left_out(written: str, kept: str) -> None:
    assert clean(written) == kept


@given(st.text(max_size=200))
def test_whatever_is_written_what_is_kept_is_clean_and_stays_so(written: str) -> None:
    kept = clean(written)
    assert clean(kept) == kept == unicodedata.normalize("NFC", kept)
    assert not [each for each in kept if unicodedata.category(each) == "Cc" and each not in "\n\t"]
    assert not set(kept) & set(BIDI + UNSEEN)


def test_a_name_or_address_is_one_line() -> None:
    assert cleaned_line("Абай\r\n 44,\t flat  5 ", longest=500) == "Абай 44, flat 5"


@pytest.mark.parametrize(
    "written",
    [
        "+77010000000",
        "+7 (701) 000-00-00",
        "\u202a+7\u00a0701\u2011000.00.00\u202c",
        "+7 701 0000000\n",
    ],
)
def test_a_phone_number_is_written_as_people_write_it(written: str) -> None:
    assert cleaned_phone(written, longest=40) == "+77010000000"


def test_a_megabyte_of_text_is_not_cleaned_but_refused_as_it_is() -> None:
    long = "\u200b\n" * 2**20
    for clean_one in (cleaned, cleaned_line, cleaned_phone):
        assert clean_one(long, longest=4000) is long
    assert clean("\u200b" * (RAW_TIMES - 1) * 4000 + "help") == "help"
