"""Both trainings in small, where torch is: the loss falls, and what comes out can be served.

Two minutes of one core, so `make test` leaves it out: `make training-smoke` and `make nightly`.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".triton/train/bin/python"
TRAINING = ROOT / "infra/triton/training"
SOURCES = ("infra/scenes/src", "services/inference-gateway/src")
RUN = """
import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
shape = [int(side) for side in sys.argv[2].split("x")]
image = numpy.random.default_rng(1).integers(0, 256, shape, numpy.uint8)
numpy.save(sys.argv[3], session.run(None, {"image": image})[0])
"""

pytestmark = [
    pytest.mark.skipif(
        not PYTHON.exists(), reason="left out: torch is not installed, run `make training-tools`"
    ),
    pytest.mark.skipif(
        not os.environ.get("TARTIP_NIGHTLY"), reason="left out: long, run `make training-smoke`"
    ),
]


def test_plate_detector_learns_and_can_be_served(tmp_path: Path) -> None:
    wanted = ("--looks", "1600", "--samples", "300", "--held-out", "40", "--cars", "3", "--offline")
    card = trained("train_plate_detector.py", tmp_path, *wanted)
    assert card["loss"]["last"] < 0.75 * card["loss"]["first"]
    cells = answered(tmp_path / "plate_detector.onnx", "2x160x256x3", tmp_path)
    assert cells.shape == (2, 9, 20, 32)
    assert cells[:, 0].min() >= 0 and cells[:, 0].max() <= 1


def test_plate_reader_learns_goes_on_and_can_be_served(tmp_path: Path) -> None:
    wanted = ("--samples", "400", "--held-out", "40")
    begun = trained("train_plate_reader.py", tmp_path, *wanted, "--looks", "3200")
    card = trained("train_plate_reader.py", tmp_path, *wanted, "--looks", "6400", "--resume")
    assert card["loss"]["first"] == begun["loss"]["first"]
    assert card["loss"]["last"] < begun["loss"]["last"] < begun["loss"]["first"]
    chances = answered(tmp_path / "plate_reader_kz.onnx", "3x32x160x1", tmp_path)
    assert chances.shape == (3, 40, 37)
    assert np.allclose(chances.sum(2), 1, atol=1e-3)


def trained(script: str, folder: Path, *options: str) -> dict[str, Any]:
    """Run a training; its card."""
    command = [str(PYTHON), str(TRAINING / script), "--out", str(folder), *options]
    paths = os.pathsep.join(str(ROOT / source) for source in SOURCES)
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    told = subprocess.run(
        [*command, "--work", str(folder / "work")], env=environment, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    (written,) = folder.glob(f"{script.removeprefix('train_').removesuffix('.py')}*.training.json")
    card: dict[str, Any] = json.loads(written.read_text())
    return card


def answered(onnx: Path, shape: str, folder: Path) -> np.ndarray:
    """What the exported model answers to bytes of that shape."""
    answer = folder / "answer.npy"
    subprocess.run([str(PYTHON), "-c", RUN, str(onnx), shape, str(answer)], check=True)
    answered: np.ndarray = np.load(answer)
    return answered
