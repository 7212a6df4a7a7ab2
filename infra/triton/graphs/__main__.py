"""Writes a model's served ONNX by a function of this package; run in Triton's environment.

    python -m graphs nanodet:convert SOURCE TARGET

The same source gives the same bytes: nothing is optimised here, as the runtime does that when it
loads the file.
"""

import importlib
import sys
from pathlib import Path

import onnx


def main() -> None:
    step, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    module, function = step.split(":")
    model: onnx.ModelProto = getattr(importlib.import_module(f"graphs.{module}"), function)(source)
    onnx.checker.check_model(model, full_check=True)
    target.write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
