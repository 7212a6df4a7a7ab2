"""`pytest --today` makes this process live on another day; else it would prove nothing."""

from datetime import date

import pytest
from chassis.clock import made_at, new_id, real_clock


def test_the_day_is_the_one_that_was_asked_for(request: pytest.FixtureRequest) -> None:
    asked: date | None = request.config.getoption("--today")
    if asked is None:
        pytest.skip("left out: runs with --today alone")
    assert real_clock().date() == asked
    assert made_at(new_id()).date() == asked
