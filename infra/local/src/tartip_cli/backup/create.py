"""Makes a backup of a mesh while the mesh keeps running.

The order of the steps makes the backup consistent. First the stored results of `tartip verify` are
read, then the database in one snapshot, then the files that the snapshot refers to (evidence, keys,
certificates). Keys and objects that are newer than the snapshot do no harm. NATS is left out: after
a restore, the services publish the events of their outboxes again.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from chassis.clock import system_clock
from host.erasures import AUDIT_KEY, list_path, read_erasures
from vault.keyring import Keyring

from tartip_cli.backup.archive import ArchiveWriter, writing_archive
from tartip_cli.backup.manifest import Manifest
from tartip_cli.backup.refusals import BackupRefused
from tartip_cli.backup.sealed_file import Secret
from tartip_cli.backup.snapshot import Snapshot, connected, heads_of, ledger_of, snapshot_of
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure
from tartip_cli.topology import GRPC_SERVICES, INFERENCE_GATEWAY

HOME, EVIDENCE, DATABASE = "home", "evidence", "database"
_HEADS = "verify.json"
# Made anew by every run, or restored from elsewhere: the cluster from the dump, evidence from what
# the database names. The id of a folder is that of one folder.
_LEFT_OUT = frozenset(
    {"evidence", "home-id", "home-place.json", "logs", "nats", "pg", "run", "spans"}
    | {"supervisor.lock"}
)


class Progress(Protocol):
    """An object that shows the progress of a backup. `show` is called with the name of the current
    stage, the amount done so far, and the total amount. Amounts are bytes of the database or
    objects of evidence. `total` is None if the total is unknown."""

    def show(self, name: str, done: int, total: int | None = None) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Source:
    """The mesh to back up: its data folder, the URL of its database, and the folder `erasures` with
    the lists of destroyed keys. The URL must give the right to read all schemas. If the evidence is
    in an external store, `evidence_is_outside` is True, and the evidence is not backed up."""

    home: DataDir
    database_url: str
    erasures: Path
    evidence_is_outside: bool


async def create(source: Source, target: Path, secret: Secret, progress: Progress) -> Manifest:
    """Write a backup to the file `target`, and return its manifest. The file appears under this
    name only when it is complete and on disk. After an error, no file is left.

    Raises BackupRefused if keys changed during the backup or a list of erasures is damaged. Raises
    Failure if the database cannot be read or the disk is full. Raises OSError if the file cannot be
    written.
    """
    draft = target.with_name(f".{target.name}.partial")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with writing_archive(file, secret) as archive:
                manifest = await _write(source, archive, progress)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
        _sync(target.parent)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Failure(
                f"the disk of {target.parent} is full; no backup was made: free some space or "
                "name another folder",
                Exit.DISK_FULL,
            ) from error
        raise
    return manifest


async def _write(source: Source, archive: ArchiveWriter, progress: Progress) -> Manifest:
    home = source.home
    # Before the snapshot: heads newer than the restored logs would be a finding of `verify`.
    _add(archive, home.path / _HEADS, f"{HOME}/{_HEADS}")
    keys, erasures = _fingerprint(home.keys), listed_erasures(home, source.erasures)
    async with snapshot_of(source.database_url) as snapshot:
        manifest = Manifest(
            version=version("tartip-local"),
            made_at=system_clock().isoformat(),
            heads=await heads_of(snapshot.connection),
            ledger=await ledger_of(snapshot.connection),
            erasures=erasures,
            evidence_is_outside=source.evidence_is_outside,
        )
        done = number = 0
        async with aclosing(snapshot.dump()) as pieces:
            async for piece in pieces:
                archive.add(f"{DATABASE}/{number:06}", piece)
                done, number = done + len(piece), number + 1
                progress.show("database", done)
        if not source.evidence_is_outside:
            manifest.missing_evidence = await _evidence(source, snapshot, archive, progress)
    for path in _files(home.path):
        _add(archive, path, f"{HOME}/{path.relative_to(home.path)}")
    if any(keys[path] != digest for path, digest in _fingerprint(home.keys, *keys).items()):
        raise BackupRefused(
            "KEYS_CHANGED", "keys were changed meanwhile (a rotation); make the backup again"
        )
    archive.finish(manifest)
    return manifest


async def _evidence(
    source: Source, snapshot: Snapshot, archive: ArchiveWriter, progress: Progress
) -> list[str]:
    """Add the objects that the snapshot names; return the paths of those that are missing."""
    total, done, absent = await snapshot.evidence_count(), 0, []
    async for path in snapshot.evidence():
        if not _add(archive, source.home.evidence / path, f"{EVIDENCE}/{path}"):
            absent.append(path)
        done += 1
        progress.show("evidence", done, total)
    return await _still_known(source.database_url, absent) if absent else []


async def _still_known(url: str, paths: list[str]) -> list[str]:
    """Those of the objects that the database still names: the others were deleted meanwhile."""
    connection = await connected(url)
    try:
        rows = await connection.fetch(
            f"SELECT DISTINCT object_path FROM {INFERENCE_GATEWAY.schema}.evidence"
            " WHERE object_path = ANY($1::text[])",
            paths,
        )
        return sorted(row["object_path"] for row in rows)
    finally:
        await connection.close(timeout=5)


def listed_erasures(home: DataDir, folder: Path) -> dict[str, int]:
    """Return the number of the newest line in each list of erasures (destroyed keys), by service; 0
    for an empty list. `folder` has one list for each service. Services that have no audit key yet
    are left out. Raises BackupRefused if a list is damaged."""
    found = {}
    for service in GRPC_SERVICES:
        keys = home.keys / service.name
        if not (keys / f"{AUDIT_KEY}.key").exists():
            continue
        key = Keyring(keys).signing_key(AUDIT_KEY).public_key()
        read = read_erasures(list_path(folder, service.name), service.name, key)
        if read.damaged:
            raise BackupRefused(
                "ERASURES_DAMAGED",
                f"{list_path(folder, service.name)} is damaged in line {read.damaged[0]}: restore "
                "it from a copy",
            )
        found[service.name] = read.newest
    return found


def _files(home: Path) -> Iterator[Path]:
    for path in sorted(home.rglob("*")):
        parts = path.relative_to(home).parts
        is_draft = path.name.startswith(".") or path.suffix == ".draft"
        if parts[0] in _LEFT_OUT or parts == (_HEADS,) or is_draft:
            continue
        if path.is_file() and not path.is_symlink():
            yield path


def _add(archive: ArchiveWriter, path: Path, name: str) -> bool:
    """Add a file; return False if it is not there (any more)."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    archive.add(name, content)
    return True


def _fingerprint(keys: Path, *only: Path) -> dict[Path, str]:
    """The SHA-256 of each key file, or of those given; "" for one that is not there."""
    paths = only or tuple(path for path in keys.rglob("*.key") if path.is_file())
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
        for path in paths
    }


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
