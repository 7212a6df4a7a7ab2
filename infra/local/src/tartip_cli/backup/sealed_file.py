"""Encrypts and decrypts a file as a stream: AES-256-GCM in chunks of at most one megabyte.

    magic (16 bytes) | header: one line of JSON | chunk | chunk | … | last chunk

The header has the salt of the file's key, and a check value that distinguishes a wrong key from a
damaged file. The header is the additional authenticated data of every chunk.

A chunk begins with four bytes: the length of its content and, in the highest bit, whether it is the
last chunk. The nonce of a chunk consists of the chunk's number and this bit. Chunks can therefore
not be reordered or dropped, and a file without its end is recognised.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import struct
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
_START, _LAST = struct.Struct(">I"), 1 << 31
_TAG_BYTES = 16
_SALT_BYTES = 16
_NUMBER_BYTES = 11
_HEADER_MAX = 1024
_SCRYPT = {"n": 2**17, "r": 8, "p": 1}  # 128 MiB of memory, half a second


@dataclass(frozen=True)
class Secret:
    """The secret from which the key of a backup file is derived: a random key of 32 bytes, or a
    passphrase."""

    value: bytes
    is_passphrase: bool

    def file_key(self, salt: bytes) -> bytes:
        if self.is_passphrase:
            return Scrypt(salt=salt, length=KEY_BYTES, **_SCRYPT).derive(self.value)
        return _derived(self.value, salt, b"tartip backup")


class SealedWriter:
    """A writable stream that encrypts its input into `file`. `close` must be called, since it
    writes the last chunk. Readers refuse a file without its last chunk as cut off."""

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
        start = _START.pack(len(plain) | (_LAST if is_last else 0))
        self._file.write(start + self._cipher.encrypt(nonce, plain, self._header))
        self._number += 1


class SealedReader:
    """A readable stream that decrypts a file of `SealedWriter`. The constructor and `read` raise
    BackupRefused if the key is wrong, or if the file is damaged, cut off or not a backup."""

    def __init__(self, file: IO[bytes], secret: Secret) -> None:
        self._file = file
        if file.read(len(MAGIC)) != MAGIC:
            raise BackupRefused("NO_BACKUP", "the file was not written by `tartip backup`")
        self._header = file.readline(_HEADER_MAX)
        self._cipher = AESGCM(_opened(self._header, secret))
        self._plain = b""
        self._number = 0
        self._ended = False

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes of the decrypted content, or fewer at its end. Raises
        BackupRefused if the file is damaged or cut off."""
        while len(self._plain) < size and not self._ended:
            self._plain += self._chunk()
        found, self._plain = self._plain[:size], self._plain[size:]
        return found

    def _chunk(self) -> bytes:
        start = self._file.read(_START.size)
        if len(start) < _START.size:
            raise cut_off()
        (length,) = _START.unpack(start)
        self._ended, length = bool(length & _LAST), length & ~_LAST
        if length > CHUNK_BYTES:
            raise damaged(f"chunk {self._number} of the file was changed")
        sealed = self._file.read(length + _TAG_BYTES)
        if len(sealed) < length + _TAG_BYTES:
            raise cut_off()
        try:
            nonce = _nonce(self._number, is_last=self._ended)
            plain = self._cipher.decrypt(nonce, sealed, self._header)
        except InvalidTag:
            raise damaged(f"chunk {self._number} of the file was changed") from None
        if self._ended and self._file.read(1):
            raise damaged("something follows its last chunk")
        self._number += 1
        return plain


def read_secret(path: Path) -> Secret:
    """Read a secret from a file. If the content is 64 hexadecimal digits, the secret is a key,
    otherwise a passphrase. White space around the content is ignored. Raises BackupRefused if a
    passphrase is shorter than 12 characters, or OSError if the file cannot be read."""
    content = path.read_bytes().strip()
    if _KEY_DIGITS.fullmatch(content):
        return Secret(bytes.fromhex(content.decode()), is_passphrase=False)
    if len(content.decode(errors="replace")) < _PASSPHRASE_MIN:
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
