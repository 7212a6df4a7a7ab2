"""Unprivileged Unix users for parts of the mesh, needed if the supervisor runs as root."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True)
class UnixUser:
    uid: int
    gid: int
    name: str


def unprivileged_user() -> UnixUser | None:
    """The user for PostgreSQL, which refuses to run as root; None if this process is not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return UnixUser(entry.pw_uid, entry.pw_gid, name)
    return None
