"""What all tests share: real parts, started once a session (see `tartip_cli.testing`)."""

import datetime as dt
import os

import pytest

pytest_plugins = ["tartip_cli.testing", "tartip_cli.rtsp_testing"]


OUTSIDE = {
    "photographs": ("TARTIP_PHOTOGRAPHS", "photographs"),
    "cases": ("TARTIP_CASES", "small inputs that are odd"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--today",
        type=dt.date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="unit tests: as if this process ran on that day (component tests take"
        " TARTIP_CLOCK_OFFSET, which moves the services along)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Before anything is imported that might ask for the time."""
    if today := config.getoption("--today"):
        import time_machine

        time_machine.travel(dt.datetime.combine(today, dt.time(7), dt.UTC), tick=True).start()
    # The tests' own clock moves as that of the services does.
    if offset := os.environ.get("TARTIP_CLOCK_OFFSET"):
        from chassis.clock import move_clock
        from chassis.settings import parse_offset

        move_clock(parse_offset(offset))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is not part of the project: without it the tests that need it say so."""
    if not os.environ.get("TARTIP_NIGHTLY"):
        by_night = pytest.mark.skip(reason="left out: long, for `make nightly`")
        for item in items:
            if "nightly" in item.keywords:
                item.add_marker(by_night)
    for marker, (variable, what) in OUTSIDE.items():
        if os.environ.get(variable):
            continue
        left_out = pytest.mark.skip(reason=f"left out: {variable} names no folder of {what}")
        for item in items:
            if marker in item.keywords:
                item.add_marker(left_out)
