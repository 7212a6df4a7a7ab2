"""Runs a model's ONNX without Triton, for `tartip bench`; started with Triton's own Python.

    python onnx_alone.py MODEL.onnx TENSOR.npy THREADS

For each number on standard input, it runs the model that many times on the tensor, in THREADS
threads with one session each, and prints the seconds that it took.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime


def main(model: str, tensor: str, threads: int) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    sessions = [
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        for _ in range(threads)
    ]
    given = {sessions[0].get_inputs()[0].name: np.load(tensor)}
    with ThreadPoolExecutor(threads) as pool:
        for line in sys.stdin:
            times = int(line)
            began = time.perf_counter()
            list(pool.map(lambda place: sessions[place % threads].run(None, given), range(times)))
            print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
