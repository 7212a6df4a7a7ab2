"""A lock on PostgreSQL's folder, held until this process ends.

Two supervisors never use one cluster, whatever the links in their data folders lead to."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from tartip_cli.failures import Exit, Failure
from tartip_cli.home_identity import folder_key

_held: dict[str, int] = {}


def require_unshared(folder: Path) -> None:
    """Lock the folder for this process, which may do so again. Raises Failure if another process
    has locked it."""
    key = folder_key(folder)
    if key in _held:
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Failure(
            f"the database in {folder.resolve()} is in use by the mesh of another data folder: "
            "stop that one with `tartip down`, or use its folder",
            Exit.COPIED_FOLDER,
        ) from None
    _held[key] = descriptor
