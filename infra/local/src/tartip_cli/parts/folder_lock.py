"""A lock that keeps two supervisors from running PostgreSQL in the same folder. It works even if
two data folders link to that folder by different paths. The lock is kept until this process
ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from tartip_cli.failures import Exit, Failure
from tartip_cli.home_identity import folder_key

_held: dict[str, int] = {}


def require_unshared(folder: Path) -> None:
    """Lock the folder until this process ends. Nothing happens if this process has already locked
    it. Raises Failure if another process has locked it."""
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
