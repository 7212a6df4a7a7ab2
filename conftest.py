"""What all tests share: real parts, started once a session (see `tartip_cli.testing`)."""

import os

import pytest

pytest_plugins = ["tartip_cli.testing", "tartip_cli.rtsp_testing"]


def pytest_configure() -> None:
    """TARTIP_CLOCK_OFFSET moves the tests' own clock too, as it moves that of the services."""
    if offset := os.environ.get("TARTIP_CLOCK_OFFSET"):
        from chassis.clock import move_clock
        from chassis.settings import parse_offset

        move_clock(parse_offset(offset))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Photographs are not part of the project: without them their tests say so."""
    if os.environ.get("TARTIP_PHOTOGRAPHS"):
        return
    left_out = pytest.mark.skip(
        reason="left out: TARTIP_PHOTOGRAPHS names no folder of photographs"
    )
    for item in items:
        if "photographs" in item.keywords:
            item.add_marker(left_out)
