"""The list of erasures: ids of destroyed data keys, kept outside the database and its backups.

A database that is restored from a backup has keys again that were destroyed after the backup. So
the id of each destroyed key is also written into a file, `<service>.jsonl` in a folder that no
backup contains, and a service destroys the listed keys again before it serves.

The transaction that destroys a key also schedules the work to list its id
(`chassis.work.LIST_ERASURE`). The scheduler does this work soon after the commit, and repeats it
until it succeeds, so a key may be listed twice. Each line is JSON with a number, the key's id, the
time, the hash of the line before, and a signature by the service's audit key: a line cannot be
forged, and missing lines are found unless they were the last ones. A crash may cut off the last
line, which then lacks its newline. In that case the work is repeated and writes the line anew.
"""

import asyncio
import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database, storage_is_away
from chassis.tables import data_keys
from chassis.transaction import SYSTEM
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import select

from host.key_destruction import discard_recorded

AUDIT_KEY = "audit"
BATCH = 1000
RETRY_SECONDS = 1.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Erasure:
    """One line of a list: its number, from 1 on, and the id of a destroyed data key."""

    number: int
    key_id: UUID


@dataclass(frozen=True)
class ReadErasures:
    """The authentic lines of a list of erasures, and the numbers of the damaged lines.

    `damaged` has the positions of the damaged lines in the file, from 1 on. A line is damaged if it
    is not authentic, or if it does not follow the line that it names. In the second case the line
    is authentic and is in `erasures` too.
    """

    erasures: tuple[Erasure, ...] = ()
    damaged: tuple[int, ...] = ()

    @property
    def newest(self) -> int:
        """The number of the newest authentic line; 0 if there is none."""
        return max((erasure.number for erasure in self.erasures), default=0)


def list_path(folder: Path, service: str) -> Path:
    """Return the path of a service's list in the folder of erasures."""
    return folder / f"{service}.jsonl"


def read_erasures(path: Path, service: str, key: Ed25519PublicKey) -> ReadErasures:
    """Read and check a service's list; a missing file counts as an empty list.

    `key` is the service's public audit key, with which the signatures are verified.
    """
    if not path.exists():
        return ReadErasures()
    erasures, damaged, previous = list[Erasure](), list[int](), ""
    for number, line in enumerate(_whole_lines(path.read_bytes()), start=1):
        found = _parsed(line, service, key)
        if found is None or found.follows != previous:
            damaged.append(number)
        if found is not None:
            erasures.append(found.erasure)
        previous = _digest(line)
    return ReadErasures(tuple(erasures), tuple(damaged))


@dataclass
class ErasureList:
    """The list of erasures of one service: appends to it and destroys the listed keys again."""

    folder: Path
    service: str
    key: Ed25519PrivateKey = field(repr=False)
    clock: Clock

    async def append(self, key_id: str) -> None:
        """Add the id of a destroyed data key to the list, and sync it to disk. Raises OSError."""
        await asyncio.to_thread(self._append, UUID(key_id))

    async def repeat(self, db: Database) -> int:
        """Destroy again the listed keys that a restore brought back; return how many there were.

        The destructions are audited. Damaged lines are logged, and lines that are not authentic are
        skipped. Raises a database error.
        """
        path = list_path(self.folder, self.service)
        found = await asyncio.to_thread(read_erasures, path, self.service, self.key.public_key())
        if found.damaged:
            log.error("%s is damaged in lines %s: restore it from a copy", path, found.damaged)
        repeated = 0
        for start in range(0, len(found.erasures), BATCH):
            repeated += await self._destroy(db, found.erasures[start : start + BATCH])
        if repeated:
            log.warning("%s data keys were destroyed again after a restore", repeated)
        return repeated

    async def repeat_patiently(self, db: Database, stopping: asyncio.Event) -> None:
        """Call `repeat`; while the database is unavailable, call it again every second until
        `stopping` is set. Other errors of `repeat` are raised."""
        while not stopping.is_set():
            try:
                await self.repeat(db)
                return
            except Exception as error:
                if not storage_is_away(error):
                    raise
                log.warning("erasures wait for the database: %s", type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)

    async def _destroy(self, db: Database, erasures: Sequence[Erasure]) -> int:
        listed = data_keys.c.key_id.in_([erasure.key_id for erasure in erasures])
        kept = select(data_keys.c.key_id).where(listed, data_keys.c.wrapped.is_not(None))
        async with db.begin(SYSTEM) as tx:
            key_ids = (await tx.execute(kept)).scalars().all()
            for key_id in key_ids:
                await discard_recorded(tx, key_id)
            if key_ids:
                newest = f"erasure:{erasures[-1].number}"
                tx.audit("repeat_erasures", newest, facts={"keys": str(len(key_ids))})
        return len(key_ids)

    def _append(self, key_id: UUID) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = list_path(self.folder, self.service)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # another copy of the service may append too
            last = _last_line(file)
            file.write(self._line(key_id, last))
            file.flush()
            os.fsync(file.fileno())
        if not last:
            _sync_folder(self.folder)

    def _line(self, key_id: UUID, last: bytes) -> bytes:
        content = {
            "number": _number_of(last) + 1,
            "key_id": str(key_id),
            "erased_at": self.clock().isoformat(),
            "previous": _digest(last) if last else "",
        }
        signature = self.key.sign(_signed_text(self.service, content)).hex()
        return json.dumps({**content, "signature": signature}).encode() + b"\n"


@dataclass(frozen=True)
class _Line:
    erasure: Erasure
    follows: str


def _parsed(line: bytes, service: str, key: Ed25519PublicKey) -> _Line | None:
    """An authentic line; None for any other."""
    try:
        content = json.loads(line)
        signature = bytes.fromhex(content.pop("signature"))
        key.verify(signature, _signed_text(service, content))
        datetime.fromisoformat(content["erased_at"])
        return _Line(Erasure(content["number"], UUID(content["key_id"])), content["previous"])
    except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
        return None


def _number_of(line: bytes) -> int:
    """The number in a line; 0 if there is no line or it is damaged, which its reader will find."""
    try:
        return int(json.loads(line)["number"])
    except (ValueError, KeyError, TypeError):
        return 0


def _signed_text(service: str, content: dict[str, Any]) -> bytes:
    return f"tartip-erasure-v1\n{service}\n{json.dumps(content, sort_keys=True)}".encode()


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _whole_lines(content: bytes) -> Iterator[bytes]:
    *whole, _ = content.split(b"\n")
    yield from whole


def _last_line(file: IO[bytes]) -> bytes:
    """The last whole line, b"" if there is none. What follows it was cut off by a crash and is
    deleted; the file is positioned at its end."""
    content = file.read()
    end = content.rfind(b"\n") + 1
    file.truncate(end)
    file.seek(end)
    return content[:end].rstrip(b"\n").rpartition(b"\n")[2]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
