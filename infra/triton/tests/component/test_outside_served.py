"""Follows docs/adding-a-model.md: a model of others is tested, built in, served and asked.

Its manifest is the page's, its commands are the page's; no code of the project knows of it.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from store.environment import HERE
from tartip_cli.parts.triton import Triton

from ..conftest import PAGE, Maker
from .conftest import Served, running

RED = (20, 20, 230)  # BGR
SECONDS = 60.0


def test_an_outside_model_is_served_beside_ours(
    outside: Maker, target: Path, described: Callable[[Path], Triton], tmp_path: Path
) -> None:
    folder = outside()
    assert "infra/triton/conform.py FOLDER" in PAGE.read_text()
    assert "conforms" in _command("conform.py", str(folder))
    assert "export TARTIP_OUTSIDE_MODELS=" in PAGE.read_text()
    told = _command("build.py", "--target", str(target), TARTIP_OUTSIDE_MODELS=str(folder.parent))
    assert "outside model red_squares: 9 checks passed" in told
    with running(described(target), tmp_path / "triton.log") as served:
        asyncio.run(_finds_red_squares(served))
    _command("build.py", "--target", str(target))
    assert not (target / "models/red_squares").exists(), "what is no longer named is not served"


def _command(program: str, *arguments: str, **environment: str) -> str:
    answer = subprocess.run(
        [sys.executable, str(HERE / program), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


async def _finds_red_squares(served: Served) -> None:
    models = served.models()
    try:
        assert await models.ready()
        (name,) = found = await models.object_models()
        assert found[name].labels == ("red square",)
        pictures = np.full((2, 384, 640, 3), 128, np.uint8)
        _draw(pictures[0], left=100, top=40, side=60)
        _draw(pictures[1], left=400, top=200, side=32)
        boxes = await models.run(name, pictures, seconds=SECONDS)
        anchors = await models.run("object_detector", pictures, seconds=SECONDS)
    finally:
        await models.close()
    assert boxes.shape == (2, 2, 6)
    assert len(anchors) == 2, "a request of several pictures stays together"
    assert boxes[0, 0].tolist() == [100, 40, 160, 100, 1.0, 0]
    assert boxes[1, 1].tolist() == [400, 200, 432, 232, 1.0, 0]
    assert boxes[[0, 1], [1, 0], 4].tolist() == [0, 0]


def _draw(picture: NDArray[np.uint8], *, left: int, top: int, side: int) -> None:
    picture[top : top + side, left : left + side] = RED
