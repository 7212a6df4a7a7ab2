"""Shared set-up of all tests: fixtures, the option `--today`, and the groups of tests.

The fixtures come from `infra/testing`; expensive ones are started once per test session.
`make test` runs two workers in parallel. Tests that use the same expensive part run in one worker:
the tests of the whole mesh in one group, those of the models in another. All other tests are
grouped by folder.
"""

import datetime as dt
import os
from typing import Any

import pytest

pytest_plugins = ["tartip_testing.fixtures", "tartip_testing.rtsp"]


OUTSIDE = {
    "photographs": ("TARTIP_PHOTOGRAPHS", "photographs"),
    "cases": ("TARTIP_CASES", "small inputs that are odd"),
}


# Folders of tests that stand on the same part. Those of the first groups are begun first, so that
# no worker is left alone with a long one at the end.
GROUPS = {
    "services/inference-gateway/tests/component": "models",
    "infra/triton/tests/component": "models",
    "services/operator-gateway/tests/component": "browser",
    "tests/chaos": "mesh",
    "tests/insiders": "mesh",
    "tests/isolation": "mesh",
    "tests/journeys": "mesh",
    "tests/secrecy": "mesh",
    "tests/telemetry": "mesh",
    "tests/upgrade": "mesh",
    "tests/years": "mesh",
}
BEGUN_FIRST = ("models", "browser", "mesh")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--today",
        type=dt.date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="unit tests: as if this process ran on that day (component tests take"
        " TARTIP_CLOCK_OFFSET, which moves the services along)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Set the clocks of the tests. With the option `--today`, set the clock of this process to that
    day. If the environment variable TARTIP_CLOCK_OFFSET is set, move the clock of the chassis by
    that offset."""
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
        items.sort(key=lambda item: _rank(group_of(item.nodeid)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return ByGroup(config, log)


def group_of(nodeid: str) -> str:
    """Return the name of a test's group; `nodeid` is the test's pytest id. All tests of a group run
    in the same worker. GROUPS maps folders to groups. A folder that GROUPS does not list is a group
    of its own."""
    folder = nodeid.partition("::")[0].rpartition("/")[0]
    return GROUPS.get(folder, folder)


def _rank(group: str) -> int:
    return BEGUN_FIRST.index(group) if group in BEGUN_FIRST else len(BEGUN_FIRST)


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
