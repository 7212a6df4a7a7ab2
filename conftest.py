"""What all tests share: real parts, started once a session (see `tartip_cli.testing`).

`make test` runs two workers side by side. What stands on the same expensive part stays in one of
them: the tests of the whole mesh, those of Triton, and otherwise those of a folder.
"""

import datetime as dt
import os

import pytest

pytest_plugins = ["tartip_cli.testing", "tartip_cli.rtsp_testing"]


OUTSIDE = {
    "photographs": ("TARTIP_PHOTOGRAPHS", "photographs"),
    "cases": ("TARTIP_CASES", "small inputs that are odd"),
}


MODELS = ("services/inference-gateway/tests/component", "infra/triton/tests/component")
# Begun first, in this order, so that no worker is left alone with a long one at the end.
LONGEST = ("models", "services/operator-gateway/tests/component", "mesh")


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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _leave_out(items)
    if hasattr(config, "workerinput"):
        for item in items:
            item.add_marker(pytest.mark.xdist_group(_group_of(item)))
        items.sort(key=lambda item: _rank(_group_of(item)))


def _group_of(item: pytest.Item) -> str:
    """What stays in one worker."""
    folder = item.path.parent.relative_to(item.config.rootpath).as_posix()
    if "mesh" in getattr(item, "fixturenames", ()):
        return "mesh"
    return "models" if folder in MODELS else folder


def _rank(group: str) -> int:
    return LONGEST.index(group) if group in LONGEST else len(LONGEST)


def _leave_out(items: list[pytest.Item]) -> None:
    """What is for the night; and what is not part of the project: the tests that need it say so."""
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
