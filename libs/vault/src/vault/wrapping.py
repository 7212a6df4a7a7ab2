"""The keys that wrap (encrypt) data keys, and the rotation of a class's wrapping key.

At first, a class has no wrapping key. Its data keys are wrapped by its first key, in the file
`<class>.key`. Wrapping keys are in files `<class>.wrap-<number>.key`. The wrapping key with the
highest number wraps new data keys; the older ones only unwrap. A rotation replaces the wrapping
key:

    rotation = Rotation.begin(folder, "person")   # makes a new key, or resumes a rotation
    rotation.rewrapped(key_id, wrapped)           # for each data key, until all are rewrapped
    rotation.finish()                             # destroys the older wrapping keys
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
KEY_BYTES = 32
# How soon a running process wraps by a new key.
READ_SECONDS = 5.0


def wrap(wrapping: bytes, key_id: UUID, plain: bytes) -> bytes:
    """Encrypt a data key with a wrapping key. Returns the nonce and, after it, the ciphertext."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(wrapping).encrypt(nonce, plain, key_id.bytes)


def unwrap(wrapping: bytes, key_id: UUID, wrapped: bytes) -> bytes:
    """Decrypt a data key. Raises InvalidTag if it was wrapped by another key or for another id."""
    nonce, sealed = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
    return AESGCM(wrapping).decrypt(nonce, sealed, key_id.bytes)


class WrappingKeys:
    """The wrapping keys in a folder. Files are read again when READ_SECONDS have passed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[float, tuple[bytes, ...]]] = {}

    def newest_first(self, key_class: str, *, read_again: bool = False) -> tuple[bytes, ...]:
        """Return the wrapping keys of a class, newest first. The result is empty if there are none.

        The files are read if `read_again`, or if READ_SECONDS have passed since the last reading.
        """
        now = time.monotonic()
        read_at, keys = self._known.get(key_class, (-READ_SECONDS, ()))
        if read_again or now - read_at >= READ_SECONDS:
            files = _files(self._folder, key_class)
            keys = tuple(_contents([files[number] for number in sorted(files, reverse=True)]))
            self._known[key_class] = (now, keys)
        return keys


@dataclass(frozen=True)
class Rotation:
    """The replacement of the wrapping keys of a class by a new one.

    The field `new` is the new wrapping key. The field `number` is part of the name of the new key's
    file. The field `older` has the keys that wrapped before, also the first key of the class.
    """

    folder: Path
    key_class: str
    number: int
    new: bytes
    older: tuple[bytes, ...]

    @classmethod
    def begin(cls, folder: Path, key_class: str) -> "Rotation":
        """Begin a rotation with a new wrapping key, or resume one that was not finished."""
        note = _note(folder, key_class)
        if not note.exists():
            number = max(_files(folder, key_class), default=0) + 1
            _write(note, str(number).encode())
        number = int(note.read_text())
        new = made_once(folder / f"{key_class}.wrap-{number}.key")
        first = folder / f"{key_class}.key"
        older = _contents([*_older(folder, key_class, number), first])
        return cls(folder, key_class, number, new, tuple(older))

    def rewrapped(self, key_id: UUID, wrapped: bytes) -> bytes | None:
        """Unwrap a data key, wrap it with the new key, and return the result.

        Returns None if the data key is already wrapped by the new key. Raises InvalidTag
        (cryptography) if no key of the class wrapped the data key.
        """
        with suppress(InvalidTag):
            unwrap(self.new, key_id, wrapped)
            return None
        for wrapping in self.older:
            with suppress(InvalidTag):
                return wrap(self.new, key_id, unwrap(wrapping, key_id, wrapped))
        raise InvalidTag

    def finish(self) -> None:
        """Destroy the older wrapping keys, but not the first key, which also makes blind indexes.

        Data keys that are still wrapped by a destroyed key can never be read again.
        """
        for file in _older(self.folder, self.key_class, self.number):
            with file.open("r+b") as content:
                content.write(os.urandom(KEY_BYTES))
                content.flush()
                os.fsync(content.fileno())
            file.unlink()
        _note(self.folder, self.key_class).unlink(missing_ok=True)


def made_once(path: Path) -> bytes:
    """Return the key in a file; a missing file is created with a random key and mode 0600."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written under another name and linked: a crash leaves no incomplete key behind.
    draft = path.with_suffix(f".{os.getpid()}.draft")
    try:
        _write_draft(draft, os.urandom(KEY_BYTES))
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return path.read_bytes()


def _write(path: Path, content: bytes) -> None:
    draft = path.with_suffix(f".{os.getpid()}.draft")
    _write_draft(draft, content)
    draft.rename(path)


def _write_draft(draft: Path, content: bytes) -> None:
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _files(folder: Path, key_class: str) -> Mapping[int, Path]:
    """The files of a class's wrapping keys by their numbers."""
    prefix = f"{key_class}.wrap-"
    found = {path.name.removeprefix(prefix)[: -len(".key")]: path for path in folder.glob("*.key")}
    return {
        int(number): path
        for number, path in found.items()
        if path.name.startswith(prefix) and number.isdigit()
    }


def _older(folder: Path, key_class: str, number: int) -> list[Path]:
    files = _files(folder, key_class)
    return [files[other] for other in sorted(files) if other < number]


def _contents(files: Iterable[Path]) -> Iterator[bytes]:
    for file in files:
        with suppress(FileNotFoundError):  # destroyed by the end of a rotation
            yield file.read_bytes()


def _note(folder: Path, key_class: str) -> Path:
    return folder / f"{key_class}.rotation"
