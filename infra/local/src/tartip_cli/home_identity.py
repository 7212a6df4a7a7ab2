"""The identity of a data folder, bound to the place where the folder is.

The id is in the file `home-id`, the place in `home-place.json`: the path of the folder and its
device and inode numbers. A folder that was moved or restored keeps its id. A copy is recognised
because the folder that it was copied from is still where it was; it gets an id of its own, so that
both share nothing outside of them (PostgreSQL's files under /var/lib/tartip, shared memory).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

_ID, _PLACE = "home-id", "home-place.json"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a folder is."""

    path: str
    device: int
    inode: int

    @classmethod
    def of(cls, folder: Path) -> Place:
        found = folder.stat()
        return cls(path=str(folder.resolve()), device=found.st_dev, inode=found.st_ino)

    @classmethod
    def recorded_in(cls, folder: Path) -> Place | None:
        """The place that the folder had when it was last used; None for a new folder, or one that
        an older version used."""
        try:
            return cls(**json.loads((folder / _PLACE).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def content(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    def is_same_as(self, other: Place) -> bool:
        """Whether a folder of the one place is in the other now: it was moved on its disk, or put
        there anew, as from a backup."""
        moved = (self.device, self.inode) == (other.device, other.inode)
        return moved or self.path == other.path


def id_file(folder: Path) -> Path:
    return folder / _ID


def place_file(folder: Path) -> Path:
    return folder / _PLACE


def original_of(folder: Path) -> Path | None:
    """Return the folder that this one is a copy of; None if it is no copy, or if the other is
    gone."""
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
    """A word that differs between a folder and its copies: device and inode number."""
    found = folder.stat()
    return f"{found.st_dev}:{found.st_ino}"
