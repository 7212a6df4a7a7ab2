"""Column encryption with data keys, and blind indexes.

A class is a kind of data, such as "person". Each class has a key-encryption key, and its data keys
are stored encrypted ("wrapped") by this key. The cipher is AES-256-GCM with a random nonce. The
associated data names table, column and row, so that a value moved to another row cannot be
decrypted. Once a data key is destroyed, nothing encrypted with it can be read.

The file `<class>.key` has the first key of a class. The first key wraps the class's data keys until
the class gets a wrapping key (see `vault.wrapping`). Blind indexes and `Keyring.own_key` are always
derived from the first key, so the first key is never replaced.

A blind index is HMAC-SHA-256, truncated to 16 bytes, of a value that the caller has normalised.
Blind indexes show which values are equal, and whoever has the key can test guesses. So only values
that identify a person or vehicle on their own (identification number, plate, phone) are indexed,
never those with few possible values. An exception needs a decision of its own (ADR 43: the stems of
the texts of reports).
"""

import hashlib
import hmac
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault.wrapping import NONCE_BYTES, WrappingKeys, made_once, unwrap, wrap

INDEX_BYTES = 16


@dataclass(frozen=True)
class DataKey:
    """A key that encrypts the columns of one person or object.

    `wrapped` is the encrypted key, as stored; `plain` is the key itself.
    """

    key_id: UUID
    wrapped: bytes
    plain: bytes

    def seal(self, value: str | bytes, place: str) -> bytes:
        """Encrypt a value for the place "table.column:row id"; return the nonce and the ciphertext.

        To decrypt the value, `open` needs the same place. Text is encoded as UTF-8.
        """
        raw = value.encode() if isinstance(value, str) else value
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.plain).encrypt(nonce, raw, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Decrypt a value that was encrypted for `place`.

        Raises InvalidTag (cryptography) if the value was altered, or was encrypted with another key
        or for another place.
        """
        return AESGCM(self.plain).decrypt(
            sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode()
        )

    def open_text(self, sealed: bytes, place: str) -> str:
        """Decrypt a value as `open` does, and decode it as UTF-8."""
        return self.open(sealed, place).decode()


class KeysForeign(OSError):
    """The keys of the process are not those of its database. Callers are told that the storage is
    away, and consumers wait: what would be written with these keys could not be read later."""


class Keyring:
    """The key-encryption keys of one service, in a folder with one file per class of keys.

    A missing file is created, with a random key and mode 0600.
    """

    def __init__(self, folder: Path, *, new_id: Callable[[], UUID] = uuid4) -> None:
        """`new_id` makes the ids of new data keys; ids ordered by time keep the database index
        compact."""
        # Whether these keys are known not to be those of the database; all but signing keys are
        # refused then, with KeysForeign.
        self.is_foreign = False
        self._folder = folder
        self._new_id = new_id
        self._keys: dict[str, bytes] = {}
        self._wrapping = WrappingKeys(folder)

    def new_data_key(self, key_class: str) -> DataKey:
        """Return a new random data key of 32 bytes, without storing it.

        The newest wrapping key of the class wraps the data key. If the class has no wrapping key,
        the first key of the class wraps it.
        """
        key_id, plain, first = self._new_id(), AESGCM.generate_key(256), self._key(key_class)
        wrapping = self._wrapping.newest_first(key_class) or (first,)
        return DataKey(key_id, wrap(wrapping[0], key_id, plain), plain)

    def unwrap(self, key_class: str, key_id: UUID, wrapped: bytes) -> DataKey:
        """Decrypt a data key that was stored encrypted.

        Raises InvalidTag (cryptography) if `wrapped` does not belong to this class and id.
        """
        for read_again in (False, True):
            newer = self._wrapping.newest_first(key_class, read_again=read_again)
            for wrapping in (*newer, self._key(key_class)):
                with suppress(InvalidTag):
                    return DataKey(key_id, wrapped, unwrap(wrapping, key_id, wrapped))
        raise InvalidTag

    def unwrapped(self, key_class: str, key_id: UUID, wrapped: bytes | None) -> DataKey | None:
        """Decrypt a data key as `unwrap` does. If `wrapped` is None, the key was destroyed: returns
        None."""
        return None if wrapped is None else self.unwrap(key_class, key_id, wrapped)

    def blind_index(self, key_class: str, field: str, value: str) -> bytes:
        """The blind index of a value: 16 bytes. Equal values of one class and field have equal
        indexes."""
        index_key = hmac.digest(self._key(key_class), b"blind-index:" + field.encode(), "sha256")
        return hmac.digest(index_key, value.encode(), hashlib.sha256)[:INDEX_BYTES]

    def mac(self, key_class: str, content: bytes) -> bytes:
        """The message authentication code (HMAC-SHA-256, 32 bytes) of `content`.

        Only with the class's first key can the code be computed. So the code of a database row
        shows that the service wrote the row, and not somebody who has one of the service's log-ins.
        """
        mac_key = hmac.digest(self._key(key_class), b"mac", "sha256")
        return hmac.digest(mac_key, content, "sha256")

    def own_key(self, key_class: str) -> DataKey:
        """The data key for rows of a class that belong to no person or object.

        It is derived from the key-encryption key of the class, so it is not stored.
        """
        plain = hmac.digest(self._key(key_class), b"own-key", "sha256")
        return DataKey(UUID(int=0), b"", plain)

    def signing_key(self, name: str) -> Ed25519PrivateKey:
        """The Ed25519 key in the file `name`.key, which contains PEM or 32 raw bytes.

        A missing file is created with 32 random bytes. Raises ValueError if a PEM file holds
        another kind of key.
        """
        return read_signing_key(self._read(name), name)

    def _key(self, key_class: str) -> bytes:
        if self.is_foreign:
            raise KeysForeign(f"the keys in {self._folder} are not those of the database")
        return self._read(key_class)

    def _read(self, key_class: str) -> bytes:
        if key_class not in self._keys:
            self._keys[key_class] = made_once(self._folder / f"{key_class}.key")
        return self._keys[key_class]


def read_signing_key(raw: bytes, name: str) -> Ed25519PrivateKey:
    """Return the Ed25519 key in `raw`, which is the content of the file `name`.key.

    The content is PEM or 32 raw bytes. Raises ValueError if PEM holds another kind of key, or if
    raw bytes have another length.
    """
    if not raw.startswith(b"-----BEGIN"):
        return Ed25519PrivateKey.from_private_bytes(raw)
    key = serialization.load_pem_private_key(raw, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{name}.key is no Ed25519 key")
    return key


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The public key of an Ed25519 signing key, as 32 raw bytes."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
