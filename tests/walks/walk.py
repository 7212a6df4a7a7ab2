"""Walks through the house: which files a journey enters in each service, in order (`make walks`).

Each journey is one component test of its service, on real parts, whose service runs under the
profiler of `profiler/`. Of the calls of an RPC the one that enters most files counts: others are
repetitions that are answered earlier. What is found is held against the table "Four walks" of
`docs/ARCHITECTURE.md`.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (\w+) \| `(\w+)` \| ([a-z-]+) \| (\d+) \| ([^|]+) \|$", re.MULTILINE)
TESTS = {
    "confirm": "violations/tests/component/test_desk.py"
    "::test_a_confirmed_violation_keeps_what_was_signed_and_tells_it_once",
    "report": "citizen-reports/tests/component/test_intake.py"
    "::test_a_report_is_registered_with_number_unit_and_deadline",
    "frame": "inference-gateway/tests/component/test_frames.py::test_a_plate_is_read_told_and_kept",
    "payment": "fines/tests/component/test_payments.py"
    "::test_paid_once_with_the_same_answer_for_ever",
}


@dataclass(frozen=True)
class Journey:
    """A row of the table: at most so many files of its service, and which (none: not held)."""

    name: str
    rpc: str
    service: str
    files_max: int
    files: list[str]


def journeys() -> dict[str, Journey]:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    return {
        name: Journey(name, rpc, service, int(most), re.findall(r"`([^`]+)`", files))
        for name, rpc, service, most, files in ROW.findall(text)
    }


def walked(journey: Journey) -> list[Path]:
    """The files below the checkout that the journey entered. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory(prefix="tartip-walks-") as folder:
        profiler = str(Path(__file__).parent / "profiler")
        told = {"TARTIP_WALKS": folder, "TARTIP_WALK_ROOT": f"{ROOT}/", "PYTHONPATH": profiler}
        test = f"services/{TESTS[journey.name]}"
        command = [sys.executable, "-m", "pytest", "--no-header", "-p", "no:cacheprovider", test]
        subprocess.run(command, cwd=ROOT, env={**os.environ, **told}, check=True)
        walks = [path.read_text().split() for path in Path(folder).glob(f"{journey.rpc}.*")]
    return [Path(file).relative_to(ROOT) for file in max(walks, key=len, default=[])]


def by_package(files: list[Path]) -> dict[str, list[str]]:
    """The walk, package by package in order of entry; a file by its place in its package."""
    found: dict[str, list[str]] = {}
    for file in files:
        package, *inside = file.parts[file.parts.index("src") + 1 :]
        found.setdefault(package, []).append("/".join(inside).removesuffix(".py"))
    return found


def differences(journey: Journey, own: list[str]) -> list[str]:
    """What the walk and the architecture do not agree on."""
    said = [] if own else [f"nothing of {journey.service} was entered"]
    if len(own) > journey.files_max:
        said.append(f"{len(own)} files of {journey.service}, at most {journey.files_max} are meant")
    if journey.files and own != journey.files:
        row = " ".join(f"`{file}`" for file in own)
        said.append(f"docs/ARCHITECTURE.md tells another way; entered were: {row}")
    return said


def show(journey: Journey) -> list[str]:
    packages = by_package(walked(journey))
    print(f"\n{journey.name}: {journey.rpc}")
    for package, files in packages.items():
        print(f"  {package:20} {len(files):>3}  {' '.join(files)}")
    found = differences(journey, packages.get(journey.service.replace("-", "_"), []))
    for difference in found:
        print(f"  ! {difference}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", choices=[*TESTS, []], metavar="JOURNEY")
    chosen = parser.parse_args().only or list(TESTS)
    told = journeys()
    found = [difference for name in chosen for difference in show(told[name])]
    print(f"\n{len(chosen)} walks, {len(found)} differences from docs/ARCHITECTURE.md")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
