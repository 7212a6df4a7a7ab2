"""Reads and writes the content of a backup file: an encrypted tar archive. Its members are the
files of the mesh and the pieces of the database dump; the last member is the manifest, which lists
all others."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from tartip_cli.backup.manifest import NAME, Manifest, Member, read_manifest
from tartip_cli.backup.refusals import cut_off, damaged
from tartip_cli.backup.sealed_file import CHUNK_BYTES, SealedReader, SealedWriter, Secret

Opener = Callable[[], IO[bytes]]


class ArchiveWriter:
    """Adds members to the archive of a backup. `finish` adds the last member, the manifest."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self.members: dict[str, Member] = {}
        self._tar = tar

    def add(self, name: str, content: bytes) -> None:
        self.members[name] = _member(content)
        self._put(name, content)

    def finish(self, manifest: Manifest) -> None:
        manifest.members = self.members
        self._put(NAME, manifest.as_json())

    def _put(self, name: str, content: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o600
        self._tar.addfile(entry, io.BytesIO(content))


@contextmanager
def writing_archive(file: IO[bytes], secret: Secret) -> Iterator[ArchiveWriter]:
    """Yield a writer that writes an encrypted archive into `file`. The archive is completed at the
    end of the block. If the block raises an error, readers will refuse the file as cut off."""
    sealed = SealedWriter(file, secret)
    stream = cast(Any, sealed)
    with tarfile.open(
        fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK_BYTES
    ) as tar:
        yield ArchiveWriter(tar)
    sealed.close()


def read_members(file: IO[bytes], secret: Secret) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each member. The manifest is the last one.

    Raises BackupRefused if the key is wrong or the file is damaged or incomplete. Members that were
    yielded before the error are authentic, but others may be missing.
    """
    sealed = SealedReader(file, secret)
    try:
        yield from _entries(sealed)
    except tarfile.TarError as error:
        raise damaged(f"its contents are not readable ({error})") from error
    while sealed.read(CHUNK_BYTES):  # to the last chunk, which says that nothing is missing
        pass


def _entries(sealed: SealedReader) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=cast(Any, sealed), mode="r|", bufsize=CHUNK_BYTES) as tar:
        for entry in tar:
            content = tar.extractfile(entry)
            yield entry.name, b"" if content is None else content.read()


def check(
    opened: Opener, secret: Secret, *, wanted: Callable[[str], bool]
) -> tuple[Manifest, dict[str, bytes]]:
    """Read a whole backup, and compare the size and SHA-256 of each member with the manifest.
    Nothing is written. `opened` opens the backup file at its beginning; `secret` decrypts the
    content.

    Returns the manifest, and the contents of the members for whose names `wanted` returns True.
    Raises BackupRefused if the key is wrong, or if the file is damaged, incomplete or differs from
    its manifest.
    """
    found, taken, manifest = dict[str, Member](), dict[str, bytes](), None
    with opened() as file:
        for name, content in read_members(file, secret):
            if name == NAME:
                manifest = read_manifest(content)
                continue
            found[name] = _member(content)
            if wanted(name):
                taken[name] = content
    if manifest is None:
        raise cut_off()
    for name in {*manifest.members, *found}:
        if manifest.members.get(name) != found.get(name):
            raise damaged(f"{name} is not what its manifest says")
    return manifest, taken


def _member(content: bytes) -> Member:
    return Member(size=len(content), sha256=hashlib.sha256(content).hexdigest())
