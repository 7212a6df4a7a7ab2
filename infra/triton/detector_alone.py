"""Runs the served object detector without Triton; `accuracy.py` starts it with Triton's own Python.

On standard input it gets, again and again, three uint32 (number, height, width) and the bytes of
the pictures; it answers with two uint32 (number, anchors) and the floats of the anchors.
"""

import sys
from typing import BinaryIO

import numpy as np
import onnxruntime


def main(model: str) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(head := questions.read(12)) == 12:
        anchors = session.run(None, {"image": _pictures(questions, head)})[0]
        answers.write(np.array(anchors.shape[:2], np.uint32).tobytes())
        answers.write(np.ascontiguousarray(anchors, np.float32).tobytes())
        answers.flush()


def _pictures(questions: BinaryIO, head: bytes) -> np.ndarray:
    number, height, width = np.frombuffer(head, np.uint32).tolist()
    content = questions.read(number * height * width * 3)
    return np.frombuffer(content, np.uint8).reshape(number, height, width, 3)


if __name__ == "__main__":
    main(sys.argv[1])
