"""Unprivileged Unix users that run parts of the mesh if the supervisor itself runs as root."""

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
    """Return the user that runs PostgreSQL, `postgres` or `nobody`. PostgreSQL refuses to run as
    root.

    None if this process is not root, or if neither user exists.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return UnixUser(entry.pw_uid, entry.pw_gid, name)
    return None
