"""The process that examines a file says its reasons by name, and starts quickly."""

import subprocess
import sys

import pytest
from citizen_reports.model.findings import Reason
from citizen_reports.model.media import REASONS

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
