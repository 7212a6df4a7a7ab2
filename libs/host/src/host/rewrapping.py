"""Wraps (encrypts) all data keys of a service by new keys (`python -m <service> rotate-keys`).

Each class of data keys gets a new wrapping key, which running processes use within seconds. Then
the data keys of the class are wrapped by the new key, in batches. Before the older wrapping keys
are destroyed, the rotation waits `settle_seconds` and looks for data keys again: a call that began
earlier may still store a data key that is wrapped by an old key. An interrupted rotation goes on
when it is run again.
"""

import asyncio
import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.settings import Settings
from chassis.tables import data_keys
from chassis.transaction import SYSTEM, Tx
from sqlalchemy import func, select, update
from vault.keyring import Keyring
from vault.wrapping import READ_SECONDS, Rotation

BATCH = 500
# Longer than any call takes from making a data key to its commit: an inference takes three minutes.
SETTLE_SECONDS = 900.0
NO_KEY = UUID(int=0)
_HELD = data_keys.c.wrapped.is_not(None)
Progress = Callable[[str, int, int], None]


class RotationRuns(Exception):
    """Another process is rotating the keys in this folder."""


async def rotate_keys_of(name: str, settings: Settings, settle_seconds: float) -> None:
    """Wrap the data keys of a service by new keys; the progress is a JSON object a line on the
    output. Ends the process if another one is rotating them."""

    def show(key_class: str, done: int, total: int) -> None:
        sys.stdout.write(json.dumps({"key_class": key_class, "done": done, "total": total}) + "\n")
        sys.stdout.flush()

    folder = settings.keys_dir
    keyring = Keyring(folder, new_id=new_id)
    db = Database(settings.owner_database_url, service=name, keyring=keyring, clock=system_clock)
    try:
        await rotate_keys(db, folder, settle_seconds=settle_seconds, progress=show)
    except RotationRuns:
        sys.exit("another rotation of these keys runs: wait for its end")
    finally:
        await db.close()


async def rotate_keys(
    db: Database, folder: Path, *, settle_seconds: float = SETTLE_SECONDS, progress: Progress
) -> None:
    """Wrap all data keys by new keys in `folder`, and destroy the older wrapping keys.

    `progress` is called with a class of data keys, the number of keys done in that class, and the
    number of all keys in that class. Raises RotationRuns if another process is rotating the keys in
    this folder.
    """
    with _alone(folder):
        await _rotate(db, folder, settle_seconds, progress)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from rotating the keys in this folder while the block runs."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder / "rotation.lock", os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(handle, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RotationRuns from error
        yield


async def _rotate(db: Database, folder: Path, settle_seconds: float, progress: Progress) -> None:
    async with db.begin(SYSTEM) as tx:
        found = select(data_keys.c.key_class, func.count().label("held")).where(_HELD)
        rows = await tx.execute(found.group_by(data_keys.c.key_class))
        counts: dict[str, int] = {row.key_class: row.held for row in rows}
    rotations = [Rotation.begin(folder, key_class) for key_class in sorted(counts)]
    await asyncio.sleep(2 * READ_SECONDS)
    for rotation in rotations:
        await _rewrap_all(db, rotation, counts[rotation.key_class], progress)
    await asyncio.sleep(settle_seconds)
    for rotation in rotations:
        while await _rewrap_all(db, rotation, counts[rotation.key_class], progress):
            pass
        async with db.begin(SYSTEM) as tx:
            facts = {"wrapping_key": str(rotation.number)}
            tx.audit("rotate_data_keys", f"key_class:{rotation.key_class}", facts=facts)
        rotation.finish()


async def _rewrap_all(db: Database, rotation: Rotation, total: int, progress: Progress) -> int:
    """Wrap the data keys of one class anew; return how many were not wrapped by the new key."""
    after, changed, looked_at = NO_KEY, 0, 0
    while True:
        async with db.begin(SYSTEM) as tx:
            rows = await _batch(tx, rotation.key_class, after)
            changed += await _rewrap(tx, rotation, rows)
        if not rows:
            return changed
        after, looked_at = rows[-1].key_id, looked_at + len(rows)
        progress(rotation.key_class, looked_at, max(total, looked_at))


async def _batch(tx: Tx, key_class: str, after: UUID) -> list[Any]:
    found = await tx.execute(
        select(data_keys.c.key_id, data_keys.c.wrapped)
        .where(data_keys.c.key_class == key_class, data_keys.c.key_id > after, _HELD)
        .order_by(data_keys.c.key_id)
        .limit(BATCH)
    )
    return list(found)


async def _rewrap(tx: Tx, rotation: Rotation, rows: list[Any]) -> int:
    changed = 0
    for row in rows:
        wrapped = rotation.rewrapped(row.key_id, row.wrapped)
        if wrapped is not None:
            # Only what was read is replaced: a key that was destroyed meanwhile stays so.
            same = (data_keys.c.key_id == row.key_id, data_keys.c.wrapped == row.wrapped)
            await tx.execute(update(data_keys).where(*same).values(wrapped=wrapped))
            changed += 1
    return changed
