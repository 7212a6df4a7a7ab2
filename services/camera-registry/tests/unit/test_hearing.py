"""When reports may have been missed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from camera_registry.hearing import Hearing, Look

NOW = datetime(2026, 6, 3, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FIRST = Look(NOW, monotonic=50.0, connected=True, reconnects=0, lost=0)
SECOND_LATER = replace(FIRST, at=NOW + SECOND, monotonic=51.0)


def test_a_listener_that_has_just_begun_has_missed_what_came_before() -> None:
    hearing_state = Hearing()
    assert hearing_state.since is None
    assert hearing_state.look(FIRST)
    assert hearing_state.since == NOW


def test_nothing_is_missed_while_all_goes_well() -> None:
    hearing_state = Hearing()
    hearing_state.look(FIRST)
    for seconds in range(1, 600):
        look = replace(FIRST, at=NOW + seconds * SECOND, monotonic=50.0 + seconds)
        assert hearing_state.look(look) == ""
    assert hearing_state.since == NOW


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("the broker was away between two looks", {"reconnects": 1}),
        ("reports were lost", {"lost": 1}),
        (
            "its own loop stood still",
            {"at": NOW + 11 * SECOND, "monotonic": 61.0},
        ),
        ("its clock was set forward", {"at": NOW + timedelta(hours=1)}),
        ("its clock was set back", {"at": NOW - timedelta(hours=1)}),
    ],
)
def test_who_was_deaf_begins_to_listen_anew(what: str, change: dict[str, Any]) -> None:
    hearing_state = Hearing()
    hearing_state.look(FIRST)
    look = replace(SECOND_LATER, **change)
    assert hearing_state.look(look), what
    assert hearing_state.since == look.at


def test_while_the_broker_is_away_nothing_is_heard() -> None:
    hearing_state = Hearing()
    hearing_state.look(FIRST)
    away = replace(SECOND_LATER, connected=False)
    assert hearing_state.look(away) and hearing_state.since is None
    back = replace(away, at=NOW + 2 * SECOND, monotonic=52.0, connected=True, reconnects=1)
    assert hearing_state.look(back) and hearing_state.since == back.at


def test_a_new_subscription_has_missed_what_came_before_it() -> None:
    hearing_state = Hearing()
    hearing_state.look(FIRST)
    hearing_state.begin()
    hearing_state.look(SECOND_LATER)
    assert hearing_state.since == SECOND_LATER.at
