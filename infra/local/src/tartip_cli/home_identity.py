"""Detects whether a data folder is a copy of another one. A copy gets an id of its own.

The file `home-id` has the id of the data folder. The file `home-place.json` has its place: the
path, device number and inode number of the folder when it was last used. A folder that was moved or
restored keeps its id. A folder is a copy if another folder with the same id is still at the
recorded place.

A copy needs its own id because some files are stored under the id outside the data folder:
PostgreSQL's files in /var/lib/tartip, and shared memory.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

_ID, _PLACE = "home-id", "home-place.json"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a folder is: its resolved path, and its device and inode numbers."""

    path: str
    device: int
    inode: int

    @classmethod
    def of(cls, folder: Path) -> Place:
        found = folder.stat()
        return cls(path=str(folder.resolve()), device=found.st_dev, inode=found.st_ino)

    @classmethod
    def recorded_in(cls, folder: Path) -> Place | None:
        """Return the place that is recorded in the folder: where the folder was when it was last
        used. None if there is no readable record, as in a new folder or one from an older
        version."""
        try:
            return cls(**json.loads((folder / _PLACE).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def content(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    def is_same_as(self, other: Place) -> bool:
        """Return whether two places can be those of the same folder. It is enough that the device
        and inode numbers are equal: the folder was moved on its disk. It is also enough that the
        paths are equal: the folder was restored there, for instance from a backup."""
        moved = (self.device, self.inode) == (other.device, other.inode)
        return moved or self.path == other.path


def id_file(folder: Path) -> Path:
    return folder / _ID


def place_file(folder: Path) -> Path:
    return folder / _PLACE


def original_of(folder: Path) -> Path | None:
    """Return the path of the original if this folder is a copy, otherwise None. Also None if the
    original is no longer at its recorded place."""
    recorded = Place.recorded_in(folder)
    if recorded is None or recorded.is_same_as(Place.of(folder)):
        return None
    original = Path(recorded.path)
    try:
        same_id = id_file(original).read_bytes() == id_file(folder).read_bytes()
    except OSError:
        return None
    return original if same_id else None


def folder_key(folder: Path) -> str:
    """Return a text that identifies the folder on this machine: its device and inode numbers. The
    text is equal for every path that leads to the folder. It is different for a copy of the
    folder."""
    found = folder.stat()
    return f"{found.st_dev}:{found.st_ino}"
