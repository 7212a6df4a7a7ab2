"""Which users of this machine run the parts when we are root."""

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
    """Who runs PostgreSQL when we are root, which it refuses to be; otherwise nobody else."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return UnixUser(entry.pw_uid, entry.pw_gid, name)
    return None
