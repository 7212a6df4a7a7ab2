"""Runs the served models without Triton; `models.py` starts this program with Triton's own Python.

A request on standard input is a line of JSON with the model and a shape, then pictures as bytes, in
an array of that shape. The answer on standard output is a line of JSON with the output's shape,
then the output as 32-bit floats. Each model runs in one thread, as in Triton.
"""

import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime


def main(repository: Path) -> None:
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while line := questions.readline():
        asked = json.loads(line)
        content = questions.read(int(np.prod(asked["shape"])))
        images = np.frombuffer(content, np.uint8).reshape(asked["shape"])
        found = _session(repository / asked["model"]).run(None, {"image": images})[0]
        answers.write(json.dumps({"shape": found.shape}).encode() + b"\n")
        answers.write(np.ascontiguousarray(found, np.float32).tobytes())
        answers.flush()


@cache
def _session(model: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = str(model / "1/model.onnx")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
