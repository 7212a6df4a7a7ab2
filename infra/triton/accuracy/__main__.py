"""One command that measures every AI function and writes docs/ACCURACY.md.

    TARTIP_PHOTOGRAPHS=… PYTHONPATH=infra/triton .venv/bin/python -m accuracy [--only faces,plates]

TARTIP_PHOTOGRAPHS is the folder of the pictures and films to measure on. The models are the ONNX
files that Triton serves, run by the onnxruntime of Triton's environment without the server: the
outputs are the same, and no server has to be started.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import cv2

from accuracy import faces, left_objects, people, plates, vehicles
from accuracy.models import ROOT, ModelsAlone
from accuracy.page import Page

Measure = Callable[[Path, ModelsAlone, Page], None]

PARTS: Final[Mapping[str, Measure]] = {
    "plates": plates.measure,
    "faces": faces.measure,
    "people": people.measure,
    "left_objects": left_objects.measure,
    "vehicles": vehicles.measure,
}


def main() -> int:
    options = _options()
    folder = Path(options.photographs).resolve()
    if not options.photographs or not folder.is_dir():
        print("no pictures: set TARTIP_PHOTOGRAPHS to the folder that holds them", file=sys.stderr)
        return 1
    parts: dict[str, Measure] = {
        **PARTS,
        "plates": partial(plates.measure, rendered=options.rendered),
    }
    chosen = options.only.split(",") if options.only else list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        print(f"no part is called {min(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 1
    cv2.setNumThreads(1)
    page = Page(tuple(PARTS), options.failures)
    with ModelsAlone() as models:
        for part in PARTS:
            if part in chosen:
                started = time.monotonic()
                page.start(part)
                parts[part](folder, models, page)
                print(f"({part}: {time.monotonic() - started:.0f} s)\n", file=sys.stderr)
    page.write(options.document)
    print(f"written: {options.document}; failures: {options.failures / 'index.html'}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure every function on real pictures.")
    parser.add_argument("--photographs", default=os.environ.get("TARTIP_PHOTOGRAPHS", ""))
    parser.add_argument("--only", default="", help=f"some of {','.join(PARTS)}")
    parser.add_argument(
        "--rendered",
        type=int,
        default=plates.RENDERED,
        help="so many rendered plates of one line, and half as many of two rows",
    )
    parser.add_argument("--document", type=Path, default=ROOT / "docs/ACCURACY.md")
    parser.add_argument(
        "--failures",
        type=Path,
        default=ROOT / ".tartip/accuracy-failures",
        help="folder for the pictures of what failed",
    )
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nstopped; nothing was written", file=sys.stderr)
        sys.exit(130)
