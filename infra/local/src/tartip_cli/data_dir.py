"""The data folder of a mesh, with the paths of all files and folders in it. The folders are private
(mode 0700).

The path of the data folder may have any length, since no part of the mesh needs a Unix socket.
"""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from tartip_cli.failures import Exit, Failure, broken_file, from_os_error
from tartip_cli.home_identity import Place, id_file, original_of, place_file

_MIN_FREE_BYTES = 512 * 1024 * 1024
_ID_BYTES = 8
_FOLDERS = ("nats", "evidence", "keys", "letters", "logs", "oidc", "run", "spans", "tls")


@dataclass(frozen=True)
class DataDir:
    path: Path

    @property
    def postgres(self) -> Path:
        """The folder of the PostgreSQL cluster. If the mesh runs as root, this is a link to another
        folder, which the unprivileged user of PostgreSQL can access."""
        return self.path / "pg"

    @property
    def nats(self) -> Path:
        return self.path / "nats"

    @property
    def evidence(self) -> Path:
        return self.path / "evidence"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def letters(self) -> Path:
        return self.path / "letters"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def oidc(self) -> Path:
        return self.path / "oidc"

    @property
    def run(self) -> Path:
        """The folder for pid files and generated configuration. It is not needed after the mesh has
        stopped."""
        return self.path / "run"

    @property
    def spans(self) -> Path:
        return self.path / "spans"

    @property
    def tls(self) -> Path:
        return self.path / "tls"

    @property
    def lock(self) -> Path:
        return self.path / "supervisor.lock"

    @property
    def unfinished_restore(self) -> Path:
        """The path of a file that marks an unfinished restore. The file exists from the start of
        `tartip restore` into this folder until the restore is complete."""
        return self.path / "restore-unfinished"

    @property
    def sandbox(self) -> Path:
        """The path of a file that marks the data folder of a sandbox (`tartip sandbox`)."""
        return self.path / "sandbox.json"

    def log_of(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def prepare(self) -> None:
        """Create all folders. If the data folder is a copy of another one, it gets a new identity.
        Raises Failure if a folder cannot be written or the disk is nearly full. A copy without the
        database of the original raises Failure too."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)
            for name in _FOLDERS:
                (self.path / name).mkdir(mode=0o700, exist_ok=True)
            write_private(self.run / "probe", b"x" * 4096)
            (self.run / "probe").unlink()
            self._settle()
        except OSError as error:
            raise from_os_error(error) from error
        free = shutil.disk_usage(self.path).free
        if free < _MIN_FREE_BYTES:
            raise Failure(
                f"only {free // 2**20} MiB are free under {self.path}, {_MIN_FREE_BYTES // 2**20} "
                "are needed: free some space, or set TARTIP_HOME to a folder on another disk",
                Exit.DISK_FULL,
            )

    def require_restored(self) -> None:
        """Raise Failure if a restore into this folder was begun but not completed."""
        if self.unfinished_restore.exists():
            raise Failure(
                f"a restore into {self.path} was interrupted: run `tartip restore` again",
                Exit.FINDINGS,
            )

    def require_no_sandbox(self) -> None:
        """Raise Failure if this is the data folder of a sandbox."""
        if self.sandbox.exists():
            raise Failure(
                f"{self.path} is a sandbox: run `tartip sandbox`, or set TARTIP_HOME to another "
                "folder",
                Exit.USAGE,
            )

    def identity(self) -> str:
        """Return the random, permanent id of this data folder. Some files and folders belong to the
        data folder but must be stored outside it. They have this id in their names."""
        return stored_secret(id_file(self.path), bytes_=_ID_BYTES)

    def _settle(self) -> None:
        """Bind the identity to this place; a copy gets a new one and forgets the processes of the
        folder that it was copied from."""
        if original := original_of(self.path):
            if self.postgres.is_symlink():
                raise Failure(
                    f"{self.path} is a copy of {original} without its database, which is in "
                    f"{self.postgres.resolve()}: copy a stopped mesh with `cp --archive "
                    f"--dereference`, or delete {self.postgres} to begin with an empty database",
                    Exit.COPIED_FOLDER,
                )
            for file in (*self.run.glob("*.pid"), self.run / "mesh.json"):
                file.unlink(missing_ok=True)
            write_private(id_file(self.path), _secret(_ID_BYTES))
        self.identity()
        place = Place.of(self.path).content()
        if place != _content(place_file(self.path)):
            write_private(place_file(self.path), place)


def make_erasures_folder(folder: Path) -> None:
    """Create the folder for the lists of erasures (destroyed data keys) if it does not exist.
    Raises Failure if the folder cannot be created."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(
            f"cannot create {folder} for the list of erasures ({error.strerror}): set "
            "TARTIP_ERASURES to a folder of yours outside the data folder",
            Exit.FOLDER_NOT_WRITABLE,
        ) from error


def write_private(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file atomically: a reader sees either the old or the new content. `mode` is the
    file's permissions. Raises OSError if writing fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def stored_secret(path: Path, *, bytes_: int = 24) -> str:
    """Return the secret stored in the file `path`. If there is no file, it is created, with
    `bytes_` random bytes in hex as the secret. Raises Failure if the file is empty."""
    if not path.exists():
        write_private(path, _secret(bytes_))
    if not (secret := path.read_text()):
        raise broken_file(path, "it is empty")
    return secret


def _secret(bytes_: int) -> bytes:
    return secrets.token_hex(bytes_).encode()


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
