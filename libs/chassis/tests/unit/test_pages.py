"""A page token is a stranger's text: whatever it holds, it is a page or refused by its name."""

import base64
import json
from datetime import UTC, datetime

import pytest
from chassis.pages import PageSpec, moment_in, next_token, read_page
from chassis.refusals import PageTokenWrong


def token(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def test_the_token_of_a_full_page_leads_to_the_next_one() -> None:
    given = next_token([("a", "1"), ("b", "2")], PageSpec(2, ()), of="things")
    assert read_page(2, given, of="things").after == ("b", "2")


@pytest.mark.parametrize(
    "wrong",
    [
        base64.urlsafe_b64encode(b"[" * 1200).decode(),
        base64.urlsafe_b64encode(b"[" * 10**6).decode(),
        token(["other", "a"]),
        token(["things"]),
        token(["things", 1]),
        token({}),
        token(["things", "a\x00"]),
        token(["things", "\ud800"]),
        token(7),
        "!",
        "é",
        "²",
    ],
)
def test_what_no_list_gave_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(PageTokenWrong):
        read_page(0, wrong, of="things")


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00", "", "x"],
)
def test_a_moment_that_no_database_holds_is_refused_by_name(text: str) -> None:
    with pytest.raises(PageTokenWrong):
        moment_in(text)


def test_a_moment_is_read_as_it_was_written() -> None:
    assert moment_in("2026-01-01T05:00:00+05:00") == datetime(2026, 1, 1, tzinfo=UTC)
