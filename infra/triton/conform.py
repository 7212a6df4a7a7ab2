"""Runs the conformance test of external models (`docs/adding-a-model.md`).

    .venv/bin/python infra/triton/conform.py FOLDER

FOLDER holds one model (`manifest.json` and `model.onnx`), or one folder for each model.
"""

import argparse
import sys
from pathlib import Path

from store.conformance import conform
from store.environment import HERE
from store.failures import BuildFailed
from store.manifest import FILE


def main() -> int:
    parser = argparse.ArgumentParser(description="Check models before they are served.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--target", type=Path, default=HERE.parents[1] / ".triton")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute()
    target: Path = arguments.target.absolute()
    if not (target / "venv/bin/python").exists():
        print("Triton's environment is not built: run `make models` first", file=sys.stderr)
        return 1
    models = [folder]
    if not (folder / FILE).exists() and folder.is_dir():
        models = sorted(path for path in folder.iterdir() if path.is_dir())
    if not models:
        print(f"{folder} holds no model: a folder with {FILE} and model.onnx", file=sys.stderr)
        return 1
    return 0 if all([_conforms(model, target) for model in models]) else 1


def _conforms(folder: Path, target: Path) -> bool:
    print(folder.name)
    try:
        for passed in conform(folder, target=target):
            print(f"  passed  {passed.check:<9} {passed.seen}", flush=True)
    except (BuildFailed, OSError) as problem:
        print(f"  FAILED  {problem}", flush=True)
        return False
    print("  conforms: put its folder where TARTIP_OUTSIDE_MODELS points, then run `make models`")
    return True


if __name__ == "__main__":
    sys.exit(main())
