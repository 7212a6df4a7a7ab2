"""Runs the served models without Triton, in a process of Triton's own Python.

The outputs equal Triton's. `ModelsAlone` can take the place of the gateway's Triton client. Plates
and faces are then measured with the gateway's own detection code.
"""

import asyncio
import json
import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final, Self

import numpy as np
import numpy.typing as npt
from vision.arrays import Floats
from vision.detector import Labelled

ROOT: Final = Path(__file__).resolve().parents[3]
TRITON: Final = ROOT / ".triton"


class ModelsAlone:
    """A context manager that runs the models under `home` in a child process, one request at a
    time."""

    def __init__(self, home: Path = TRITON) -> None:
        self._repository = home / "models"
        if not self._repository.is_dir():
            raise SystemExit("no models: run `make models` first")
        command = [home / "venv/bin/python", Path(__file__).with_name("alone.py"), self._repository]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self._turn = threading.Lock()

    def ask(self, model: str, images: npt.NDArray[np.uint8]) -> Floats:
        """Return a model's output for a batch of pictures [n, h, w, channels]. Raises SystemExit if
        the model was not built."""
        if not (self._repository / model / "1/model.onnx").exists():
            raise SystemExit(f"no {model}: run `make models` first")
        with self._turn:
            return self._answered(model, images)

    def _answered(self, model: str, images: npt.NDArray[np.uint8]) -> Floats:
        questions, answers = self._pipes()
        asked = json.dumps({"model": model, "shape": images.shape})
        questions.write(asked.encode() + b"\n" + np.ascontiguousarray(images).tobytes())
        questions.flush()
        told = answers.readline()
        if not told:
            raise SystemExit(f"{model} could not run; what it said stands above")
        shape = json.loads(told)["shape"]
        content = bytearray(answers.read(4 * int(np.prod(shape))))
        return np.frombuffer(content, np.float32).reshape(shape)

    async def run(
        self, model: str, images: npt.NDArray[np.uint8], *, seconds: float
    ) -> npt.NDArray[np.float32]:
        """Return the model's output for a batch of pictures, like `ask`; `seconds` is ignored."""
        return await asyncio.to_thread(self.ask, model, images)

    async def fingerprint(self) -> str:
        return "alone"

    async def object_models(self) -> Mapping[str, Labelled]:
        """Return an empty mapping: external models are not measured."""
        return {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipes()[0].close()
        self._process.wait(10)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None and answers is not None
        return questions, answers
