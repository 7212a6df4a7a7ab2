"""An encrypted file, written and read as a stream: AES-256-GCM in chunks of one megabyte.

    magic (16 bytes) | header: one line of JSON | chunk | chunk | … | last chunk

The header has the salt of the file's key and a check value, by which a wrong key is told from a
damaged file. The nonce of a chunk is its number and whether it is the last one, so that chunks can
be neither reordered nor dropped, and a file without its end is recognised. The additional data of
all chunks is the header.
"""

from __future__ import annotations

import hmac
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from tartip_cli.backup.refusals import BackupRefused, cut_off, damaged, wrong_key

MAGIC = b"tartip-backup-1\n"
CHUNK_BYTES = 1024 * 1024
KEY_BYTES = 32
_KEY_DIGITS = re.compile(rb"[0-9a-fA-F]{64}")
_PASSPHRASE_MIN = 12
_TAG_BYTES = 16
_SALT_BYTES = 16
_NUMBER_BYTES = 11
_HEADER_MAX = 1024
_SCRYPT = {"n": 2**17, "r": 8, "p": 1}  # 128 MiB of memory, half a second


@dataclass(frozen=True)
class Secret:
    """What opens a backup: a random key of 32 bytes, or a passphrase."""

    value: bytes
    is_passphrase: bool

    def file_key(self, salt: bytes) -> bytes:
        if self.is_passphrase:
            return Scrypt(salt=salt, length=KEY_BYTES, **_SCRYPT).derive(self.value)
        return _derived(self.value, salt, b"tartip backup")


class SealedWriter:
    """Encrypts what is written to it. `close` writes the last chunk; without it the file counts as
    cut off."""

    def __init__(self, file: IO[bytes], secret: Secret) -> None:
        self._file = file
        salt = os.urandom(_SALT_BYTES)
        key = secret.file_key(salt)
        kind = "passphrase" if secret.is_passphrase else "key"
        self._header = _header_of(kind, salt, key)
        self._cipher = AESGCM(key)
        self._waiting = bytearray()
        self._number = 0
        file.write(MAGIC + self._header)

    def write(self, content: bytes) -> int:
        self._waiting += content
        # A whole chunk waits until more follows it: it may be the last one.
        while len(self._waiting) > CHUNK_BYTES:
            self._seal(bytes(self._waiting[:CHUNK_BYTES]), is_last=False)
            del self._waiting[:CHUNK_BYTES]
        return len(content)

    def close(self) -> None:
        self._seal(bytes(self._waiting), is_last=True)
        self._waiting.clear()

    def _seal(self, plain: bytes, *, is_last: bool) -> None:
        nonce = _nonce(self._number, is_last=is_last)
        self._file.write(self._cipher.encrypt(nonce, plain, self._header))
        self._number += 1


class SealedReader:
    """Decrypts a file that `SealedWriter` wrote. Raises BackupRefused for a wrong key, and for a
    file that is damaged, cut off, or something else."""

    def __init__(self, file: IO[bytes], secret: Secret) -> None:
        self._file = file
        if file.read(len(MAGIC)) != MAGIC:
            raise BackupRefused("NO_BACKUP", "the file was not written by `tartip backup`")
        self._header = file.readline(_HEADER_MAX)
        self._cipher = AESGCM(_opened(self._header, secret))
        self._plain = b""
        self._number = 0
        self._next = file.read(CHUNK_BYTES + _TAG_BYTES)
        self._ended = False

    def read(self, size: int) -> bytes:
        """Return `size` bytes, or fewer at the end of the file."""
        while len(self._plain) < size and not self._ended:
            self._plain += self._chunk()
        found, self._plain = self._plain[:size], self._plain[size:]
        return found

    def _chunk(self) -> bytes:
        sealed, self._next = self._next, self._file.read(CHUNK_BYTES + _TAG_BYTES)
        self._ended = not self._next
        try:
            plain = self._open(sealed, is_last=self._ended)
        except InvalidTag:
            raise self._refusal(sealed) from None
        self._number += 1
        return plain

    def _refusal(self, sealed: bytes) -> BackupRefused:
        if not self._ended:
            return damaged(f"chunk {self._number} of the file was changed")
        # Cut off between two chunks, its last one is a whole one that is not marked as the last;
        # cut off within one, that is shorter than any that was written, or does not open.
        try:
            self._open(sealed, is_last=False)
        except InvalidTag:
            is_whole = len(sealed) == CHUNK_BYTES + _TAG_BYTES
            return damaged("its last chunk was changed") if is_whole else cut_off()
        return cut_off()

    def _open(self, sealed: bytes, *, is_last: bool) -> bytes:
        if len(sealed) < _TAG_BYTES:
            raise InvalidTag
        return self._cipher.decrypt(_nonce(self._number, is_last=is_last), sealed, self._header)


def read_secret(path: Path) -> Secret:
    """Read a key (64 hexadecimal digits) or a passphrase (anything else) from a file. Raises
    BackupRefused for a passphrase of fewer than 12 characters, or OSError."""
    content = path.read_bytes().strip()
    if _KEY_DIGITS.fullmatch(content):
        return Secret(bytes.fromhex(content.decode()), is_passphrase=False)
    if len(content) < _PASSPHRASE_MIN:
        raise BackupRefused(
            "KEY_TOO_SHORT",
            f"{path} holds neither 64 hexadecimal digits nor a passphrase of at least "
            f"{_PASSPHRASE_MIN} characters",
        )
    return Secret(content, is_passphrase=True)


def _header_of(kind: str, salt: bytes, key: bytes) -> bytes:
    check = _derived(key, salt, b"check").hex()
    return json.dumps({"secret": kind, "salt": salt.hex(), "check": check}).encode() + b"\n"


def _opened(header: bytes, secret: Secret) -> bytes:
    """The file's key. Raises BackupRefused if the header is damaged or the secret is wrong."""
    try:
        content = json.loads(header)
        kind, salt = content["secret"], bytes.fromhex(content["salt"])
        check = bytes.fromhex(content["check"])
    except (ValueError, KeyError, TypeError):
        raise (damaged("its header was changed") if header.endswith(b"\n") else cut_off()) from None
    if secret.is_passphrase != (kind == "passphrase"):
        raise BackupRefused("BACKUP_KEY_WRONG", f"the backup is opened by a {kind}; give that one")
    key = secret.file_key(salt)
    if not hmac.compare_digest(_derived(key, salt, b"check"), check):
        raise wrong_key()
    return key


def _derived(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=salt, info=purpose).derive(key)


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(_NUMBER_BYTES, "big") + bytes([is_last])
