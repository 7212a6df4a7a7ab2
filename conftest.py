"""What all tests share: real parts, started once a session (see `tartip_cli.testing`)."""

import os

import pytest

pytest_plugins = ["tartip_cli.testing", "tartip_cli.rtsp_testing"]


OUTSIDE = {
    "photographs": ("TARTIP_PHOTOGRAPHS", "photographs"),
    "cases": ("TARTIP_CASES", "small inputs that are odd"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is not part of the project: without it the tests that need it say so."""
    for marker, (variable, what) in OUTSIDE.items():
        if os.environ.get(variable):
            continue
        left_out = pytest.mark.skip(reason=f"left out: {variable} names no folder of {what}")
        for item in items:
            if marker in item.keywords:
                item.add_marker(left_out)
