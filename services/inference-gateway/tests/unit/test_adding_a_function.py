"""docs/adding-a-function.md, followed: its blocks are applied to a copy, whose test then passes."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[4]
PAGE = ROOT / "docs" / "adding-a-function.md"
BLOCK = re.compile(
    r'^```\w+ title="(?P<path>[^"]+)"(?: (?P<where>before|after)="(?P<mark>[^"]+)")?\n'
    r"(?P<content>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
COPIED = ("proto", "infra/nats", "libs/vision/src", "services/inference-gateway/src")
SUBJECT = "inference.v1.post_empty"


@dataclass(frozen=True)
class Block:
    """A new file, or lines that go before or after the one line that starts with `mark`."""

    path: str
    where: str | None
    mark: str
    content: str

    def apply(self, root: Path) -> None:
        file = root / self.path
        if self.where is None:
            assert not file.exists(), f"{self.path} is there already"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.content)
            return
        lines = file.read_text().splitlines(keepends=True)
        [place] = [place for place, line in enumerate(lines) if line.startswith(self.mark)]
        at = place + (self.where == "after")
        file.write_text("".join([*lines[:at], self.content, *lines[at:]]))


def blocks() -> list[Block]:
    return [
        Block(found["path"], found["where"], found["mark"] or "", found["content"])
        for found in BLOCK.finditer(PAGE.read_text())
    ]


def test_who_follows_the_page_has_a_function(tmp_path: Path) -> None:
    for folder in COPIED:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignore)
    for block in blocks():
        block.apply(tmp_path)
    run(tmp_path, "proto/build.py")
    # By the path given to Python, which comes before what is installed.
    sources = [
        tmp_path / folder
        for folder in ("libs/contracts/src", "libs/vision/src", "services/inference-gateway/src")
    ]
    told = run(
        tmp_path,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
        "services/inference-gateway/tests/unit",
        path=os.pathsep.join(map(str, sources)),
    )
    assert "1 passed" in told, told

    streams = yaml.safe_load((tmp_path / "infra/nats/streams.yaml").read_text())
    assert SUBJECT in streams["streams"]["SIGHTINGS"]["subjects"]
    assert SUBJECT in streams["users"]["inference-gateway"]["publishes"]["SIGHTINGS"]


def run(root: Path, *arguments: str, path: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
