"""Real photographs through the running mesh: how many plates are read exactly."""

from __future__ import annotations

import csv
import fnmatch
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tartip_cli.settings import inherited_environment
from tartip_testing.mesh import RunningTestMesh

pytestmark = [pytest.mark.mesh, pytest.mark.photographs]

MEASURED = ("eub_*", "ua_[0-9]*", "kz_01*")
COUNT = 67
AT_LEAST = 48
AMBIGUOUS = str.maketrans("OI", "01")
"""No reader can tell these apart where a country's plates have both in one shape."""


def test_most_plates_of_photographs_are_read_exactly(
    mesh: RunningTestMesh, sample_cameras: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = plates_of_truth(Path(os.environ["TARTIP_PHOTOGRAPHS"]) / "plates")
    assert len(truth) == COUNT
    seen = ingested(mesh, sample_cameras[2].camera_id, list(truth))
    lines, right, strictly = [], 0, 0
    for path, texts in truth.items():
        found = [plate["text"] for plate in seen[str(path)]["plates"]]
        first = found[0] if found else ""
        strictly += first in texts
        hit = first.translate(AMBIGUOUS) in {text.translate(AMBIGUOUS) for text in texts}
        right += hit
        lines.append(f"{'read  ' if hit else 'MISSED'} {path.name:20} {'|'.join(texts):12} {first}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))
        print(f"read exactly: {right} of {len(truth)} (to the letter: {strictly})")
    assert right >= AT_LEAST


def plates_of_truth(folder: Path) -> dict[Path, list[str]]:
    with (folder / "truth.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["lines"] == "1"]
    return {
        folder / row["file"]: [plain(text) for text in row["plate_text"].split("|")]
        for row in rows
        if any(fnmatch.fnmatch(row["file"], pattern) for pattern in MEASURED)
    }


def plain(text: str) -> str:
    return text.replace(" ", "").replace("-", "").upper()


def ingested(mesh: RunningTestMesh, camera: str, files: list[Path]) -> dict[str, Any]:
    """What `tartip ingest --json` prints, by file."""
    command = [sys.executable, "-m", "tartip_cli", "ingest", "--camera", camera, "--json"]
    done = subprocess.run(
        [*command, *map(str, files)],
        env={**inherited_environment(), "TARTIP_HOME": str(mesh.home.path)},
        capture_output=True,
        text=True,
        timeout=420,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-500:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for answer in answers:
        assert set(answer) >= {"file", "plates", "objects", "faces", "events"}
    return {answer["file"]: answer for answer in answers}
