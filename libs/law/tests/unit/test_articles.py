"""Articles by edition: brackets with their ties, what a table must say, and what names it."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st
from law import guards
from law.articles import Articles, read_articles
from law.editions import EditionMissing, Editions
from law.guards import Rule

EDITIONS = read_articles()
ARTICLES = EDITIONS.on(date(2026, 6, 3))
RAW = (resources.files("law") / "tables" / "articles-2024-12-04.json").read_bytes()


@pytest.mark.parametrize(
    ("over", "code"),
    [
        (9.99, ""),
        (10, "SPEED_10_20"),
        (20, "SPEED_10_20"),
        (20.01, "SPEED_20_40"),
        (40, "SPEED_20_40"),
        (40.01, "SPEED_40_60"),
        (59.99, "SPEED_40_60"),
        (60, "SPEED_60_PLUS"),
        (140, "SPEED_60_PLUS"),
    ],
)
def test_a_speed_on_the_border_falls_to_the_drivers_side(over: float, code: str) -> None:
    found = ARTICLES.speeding(Decimal(repr(over)))
    assert (found.code if found else "") == code


@given(st.decimals(min_value=0, max_value=300, places=2))
def test_brackets_neither_overlap_nor_leave_a_gap(excess: Decimal) -> None:
    rows = ARTICLES.by_code.values()
    holding = [row for row in rows if row.speed and row.speed.holds(excess)]
    assert len(holding) == (1 if excess >= 10 else 0)


def test_phone_and_belt_became_automatic_in_march_2026_and_courts_articles_never() -> None:
    automatic = {code: row.automatic_from for code, row in ARTICLES.by_code.items()}
    assert automatic["PHONE"] == automatic["SEATBELT"] == date(2026, 3, 12)
    assert automatic["ONCOMING"] is automatic["FAKE_PLATE"] is automatic["LIGHTS_DAY"] is None


def test_a_day_without_a_table_is_refused_by_name() -> None:
    before = datetime(2024, 12, 3, 18, 59, tzinfo=UTC)  # 23:59 in Almaty
    with pytest.raises(EditionMissing) as caught:
        EDITIONS.at(before)
    assert caught.value.args == ("2024-12-03",)
    assert EDITIONS.at(datetime(2024, 12, 3, 19, tzinfo=UTC)) is ARTICLES


def test_a_table_that_is_over_decides_nothing_and_the_newer_of_two_decides() -> None:
    old, new = (
        Articles.parse(edition(**dates))
        for dates in (
            {"version": "old", "valid_from": "2025-01-01", "valid_until": "2025-12-31"},
            {"version": "new", "valid_from": "2025-07-01", "valid_until": "2026-06-03"},
        )
    )
    for book in (Editions([old, new]), Editions([new, old])):
        assert book.at(datetime(2025, 6, 30, tzinfo=UTC)) is old
        assert book.at(datetime(2025, 7, 1, tzinfo=UTC)) is new
        assert book.at(datetime(2026, 6, 3, 18, 59, tzinfo=UTC)) is new
        with pytest.raises(EditionMissing):
            book.at(datetime(2026, 6, 3, 19, 0, tzinfo=UTC))


def edition(**changed: str) -> bytes:
    return json.dumps(json.loads(RAW) | changed).encode()


def test_an_article_names_the_edition_that_it_is_from_and_its_hash() -> None:
    row = ARTICLES.by_code["RED_LIGHT"]
    assert row.edition == f"{ARTICLES.version}@sha256:{ARTICLES.sha256}"
    other = Articles.parse(RAW.replace(b"Average", b"average") + b" ")
    assert other.by_code["RED_LIGHT"].edition != row.edition
    assert json.loads(RAW)["source"] and json.loads(RAW)["plates"]["source"]


def test_devices_measure_what_the_guards_say_they_do() -> None:
    bounds = guards.load().on(date(2026, 6, 3))
    for code, row in ARTICLES.by_code.items():
        measured = (row.measures_speed, row.signal is not None)
        rule = bounds.rule_of(code)
        assert measured == (rule is Rule.SPEED, rule is Rule.RED_LIGHT), code


def test_only_a_red_light_forbids_to_pass() -> None:
    assert ARTICLES.passing_a_signal("RED") is ARTICLES.by_code["RED_LIGHT"]
    assert ARTICLES.passing_a_signal("YELLOW") is ARTICLES.passing_a_signal("") is None
