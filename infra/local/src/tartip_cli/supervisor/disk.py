"""Measures the free space on the disks that hold the data of a mesh."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from tartip_cli.data_dir import DataDir

LOW_BYTES = 1024**3
LOW_PART = 0.05
"""A warning is given when less than LOW_BYTES or less than this part of the disk is free."""


@dataclass(frozen=True)
class Disk:
    """The size and the free space, in bytes, of the disk that contains the folder `path`."""

    path: str
    total_bytes: int
    free_bytes: int

    @property
    def is_nearly_full(self) -> bool:
        return self.free_bytes < max(LOW_BYTES, LOW_PART * self.total_bytes)

    def notice(self) -> dict[str, object]:
        """Return a notice ("code", "text", "path") for `tartip status` that this disk is nearly
        full.

        Call it only if `is_nearly_full` is True.
        """
        percent = 100 * self.free_bytes / self.total_bytes
        text = (
            f"only {self.free_bytes // 2**20} MiB ({percent:.1f} %) are free under {self.path}: "
            "free some space before writing stops"
        )
        return {"code": "DISK_NEARLY_FULL", "text": text, "path": self.path}


def disks_of(home: DataDir) -> tuple[Disk, ...]:
    """Return the disk of the data folder. If the mesh's PostgreSQL cluster is on another disk,
    return that disk too."""
    found: dict[int, Disk] = {}
    for folder in (home.path, home.postgres.resolve()):
        if folder.is_dir():
            usage = shutil.disk_usage(folder)
            disk = Disk(str(folder), usage.total, usage.free)
            found.setdefault(folder.stat().st_dev, disk)
    return tuple(found.values())
