"""The process that examines a file says its reasons by name, and starts quickly."""

import json
import subprocess
import sys

import pytest
from citizen_reports.examination.verdict import FRAME_MAX, Verdict, read_verdict
from citizen_reports.model.findings import Finding, Reason, Taken
from citizen_reports.model.media import REASONS
from citizen_reports.model.media_kinds import LARGEST

# By what it reads: what costs more than the reading of a photograph, and is of no use to it.
HEAVY = {
    "child": ("chassis", "grpc", "google", "babel", "asyncio", "numpy", "PIL", "av"),
    "pictures": ("chassis", "grpc", "google", "babel", "asyncio", "numpy", "av"),
    "recordings": ("chassis", "grpc", "google", "babel", "asyncio", "numpy"),
    "blurring": ("chassis", "grpc", "google", "babel", "asyncio", "av"),
}


def test_each_reason_is_the_code_of_its_refusal() -> None:
    assert {reason.value: REASONS[reason].code for reason in Reason} == {
        reason.value: reason.value for reason in Reason
    }
    assert set(REASONS) == set(Reason)


@pytest.mark.parametrize("name", HEAVY)
def test_the_process_of_one_file_imports_nothing_heavy_that_the_file_does_not_need(
    name: str,
) -> None:
    imported = f"import sys, citizen_reports.examination.{name}; print(*sys.modules)"
    command = [sys.executable, "-I", "-c", imported]
    modules = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    assert not {*HEAVY[name]} & {module.partition(".")[0] for module in modules}


def line_of(content_type: str, **told: int) -> bytes:
    """What a process says that some hostile file has taken over."""
    line = Verdict(Finding(content_type, content_type, Taken()), "", 1, True).line()
    return json.dumps(json.loads(line) | told).encode()


def test_a_verdict_is_read_within_bounds() -> None:
    found = read_verdict(line_of("video/mp4", clean_bytes=LARGEST, frame_bytes=FRAME_MAX))
    assert (found.clean_bytes, found.frame_bytes) == (LARGEST, FRAME_MAX)


@pytest.mark.parametrize(
    ("content_type", "told"),
    [
        ("video/mp4", {"clean_bytes": LARGEST + 1}),
        ("video/mp4", {"clean_bytes": 0}),
        ("video/mp4", {"frame_bytes": FRAME_MAX + 1}),
        ("video/mp4", {"frame_bytes": -1}),
        ("image/jpeg", {"frame_bytes": 1}),
        ("audio/mpeg", {"frame_bytes": 1}),
    ],
)
def test_sizes_beyond_the_bounds_are_no_verdict(content_type: str, told: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="no sizes"):
        read_verdict(line_of(content_type, **told))
