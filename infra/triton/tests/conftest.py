"""The model store beside its tests: scripts and not a package, so its folder goes on the path."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[2] / "docs/adding-a-model.md"
TRITON = HERE.parent
BUILT = TRITON.parents[1] / ".triton"
sys.path.insert(0, str(TRITON))

Maker = Callable[..., Path]


def manifest_of(onnx: Path, name: str) -> dict[str, Any]:
    """What the page shows, filled in as it says."""
    (example,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    told: dict[str, Any] = json.loads(example)
    sha256 = hashlib.sha256(onnx.read_bytes()).hexdigest()
    source = {**told["source"], "files": {"model.onnx": sha256}}
    return {**told, "name": name, "sha256": sha256, "source": source, "labels": ["red square"]}


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder that `build.py` has made, with Triton's own Python in it."""
    if not (BUILT / "venv/bin/python").exists():
        pytest.skip("left out: Triton's environment is not built, run `make models`")
    return BUILT


@pytest.fixture
def outside(tmp_path: Path, built: Path) -> Maker:
    """`outside(flaw=…, **changes)`: the folder of a small model, as a supplier would hand it in."""

    def make(name: str = "red_squares", *, flaw: str = "", **changes: Any) -> Path:
        folder = tmp_path / "outside" / name
        folder.mkdir(parents=True)
        onnx = folder / "model.onnx"
        command = [str(built / "venv/bin/python"), str(HERE / "red_squares.py"), str(onnx), flaw]
        subprocess.run(command, check=True, capture_output=True)
        told = {**manifest_of(onnx, name), **changes}
        (folder / "manifest.json").write_text(json.dumps(told))
        return folder

    return make


@pytest.fixture
def target(tmp_path: Path, built: Path) -> Path:
    """A folder to build into, with the environment that is there already."""
    folder = tmp_path / "target"
    folder.mkdir()
    for shared in ("venv", "libpython", "npm"):
        (folder / shared).symlink_to(built / shared)
    return folder
