"""The clock that is moved, what moves with it, and what never does."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from chassis.clock import clock_offset, made_at, move_clock, new_id, real_clock, system_clock
from chassis.settings import Settings, parse_offset

MOVED = timedelta(days=400, hours=3)
SERVICE = """
from host.runtime import Service, main
from chassis.settings import Settings
main(Service("scratch", settings=Settings, build=lambda chassis: None))
"""


@pytest.fixture
def moved() -> Iterator[None]:
    before = clock_offset()
    move_clock(MOVED)
    yield
    move_clock(before)


@pytest.mark.usefixtures("moved")
def test_the_services_time_moves_and_the_hosts_does_not() -> None:
    apart = system_clock() - datetime.now(UTC)
    assert abs(apart - MOVED) < timedelta(seconds=5)
    assert abs(real_clock() - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.usefixtures("moved")
def test_ids_carry_the_moved_time_and_stay_in_order() -> None:
    made = [new_id() for _ in range(1000)]
    assert abs(made_at(made[0]) - system_clock()) < timedelta(seconds=5)
    assert made == sorted(made) and len(set(made)) == 1000
    assert {one.version for one in made} == {7}


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("0", timedelta()),
        ("3600", timedelta(hours=1)),
        ("-86400.0", timedelta(days=-1)),
        ("P48D", timedelta(days=48)),
        ("-P1DT12H", -timedelta(days=1, hours=12)),
        (" pt30m ", timedelta(minutes=30)),
    ],
)
def test_an_offset_is_seconds_or_an_iso_duration(text: str, offset: timedelta) -> None:
    assert parse_offset(text) == offset


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "nan", "inf", "P", "2027-01-15", "1e300", "P200Y"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_offset(text)


@pytest.mark.parametrize(
    ("environment", "offset", "message"),
    [
        (
            "production",
            "P48D",
            "TARTIP_CLOCK_OFFSET: for trials alone (TARTIP_ENVIRONMENT embedded"
            " or sandbox), refused with TARTIP_ENVIRONMENT=production",
        ),
        (
            "prod",
            "3600",
            "TARTIP_CLOCK_OFFSET: for trials alone (TARTIP_ENVIRONMENT embedded"
            " or sandbox), refused with TARTIP_ENVIRONMENT=prod",
        ),
        (
            "embedded",
            "soon",
            "TARTIP_CLOCK_OFFSET: 'soon' is neither a number of seconds nor an"
            " ISO 8601 duration such as P48D",
        ),
    ],
)
def test_a_service_refuses_to_start_with_a_clock_that_it_may_not_have(
    environment: str, offset: str, message: str
) -> None:
    refused = subprocess.run(
        [sys.executable, "-c", SERVICE],
        env={"TARTIP_ENVIRONMENT": environment, "TARTIP_CLOCK_OFFSET": offset},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (refused.returncode, refused.stderr.strip()) == (1, message)


@pytest.mark.parametrize("environment", ["embedded", "sandbox"])
def test_trials_may_move_the_clock_and_production_may_say_that_it_does_not(
    environment: str,
) -> None:
    assert Settings(environment=environment, clock_offset="P48D").clock_offset.days == 48
    assert not Settings(environment="production", clock_offset="0").clock_offset
