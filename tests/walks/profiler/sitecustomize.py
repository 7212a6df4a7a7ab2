"""Notes which files a service enters from an RPC's handler to its reply.

Python reads this module at start where its folder is on PYTHONPATH; it does nothing without
`TARTIP_WALKS`, the folder to write to, and outside a service that serves. A walk begins in the
method that answers one of the RPCs, and belongs to its task and to what that task starts: what the
gate of the chassis does before, and what workers do meanwhile, is not of it.
"""

import os
import sys
import threading
from contextvars import ContextVar
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

RPCS = frozenset({"ConfirmViolation", "SubmitReport", "IngestFrame", "PayFine"})
_walk: ContextVar["Walk | None"] = ContextVar("walk", default=None)
_numbers = count(1)


class Walk:
    """One call of an RPC: its files, each once, in the order in which they are entered."""

    def __init__(self, rpc: str, folder: str) -> None:
        self._files: set[str] = set()
        self._path = Path(folder) / f"{rpc}.{os.getpid()}.{next(_numbers)}"

    def enter(self, file: str) -> None:
        if file not in self._files:
            self._files.add(file)
            with self._path.open("a") as out:
                out.write(f"{file}\n")


def install(root: str, folder: str) -> None:
    """Notes the files below `root` that were written by hand."""
    known: dict[str, bool] = {}

    def enters(frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        file = code.co_filename
        if file not in known:
            known[file] = file.startswith(root) and "/src/" in file and "/contracts/" not in file
        if not known[file] or code.co_name == "<module>":
            return
        walk = _walk.get()
        if walk is None and code.co_name in RPCS and "/services/" in file:
            walk = Walk(code.co_name, folder)
            _walk.set(walk)
        if walk is not None:
            walk.enter(file)

    threading.setprofile(enters)
    sys.setprofile(enters)


if "TARTIP_WALKS" in os.environ and sys.orig_argv[-1:] == ["serve"]:
    install(os.environ["TARTIP_WALK_ROOT"], os.environ["TARTIP_WALKS"])
