"""Writes the served ONNX of one model; run in Triton's environment, which has onnx.

python -m graphs object_detector SOURCE TARGET
"""

import sys
from pathlib import Path

import onnx
import onnxruntime

from graphs import nanodet, readers

CONVERSIONS = {
    "object_detector": nanodet.convert,
    "plate_reader": readers.text_reader,
    "plate_reader_kz": readers.kazakh_reader,
}


def main() -> None:
    name, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    model = CONVERSIONS[name](source)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)  # basic level: only portable operators
    options.log_severity_level = 3
    onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


if __name__ == "__main__":
    main()
