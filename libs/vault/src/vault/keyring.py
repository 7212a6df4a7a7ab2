"""Column encryption with data keys, each wrapped by the key of its class, and blind indexes.

AES-256-GCM is used with a random nonce; the associated data names table, column and row, so that a
sealed value moved to another row cannot be opened. Destroying a data key erases all values sealed
with the key, also in backups. A blind index is HMAC-SHA-256 (truncated to 16 bytes) over a
normalised value. Equal values are linkable, and whoever has the key can guess them, so only values
that identify by themselves (IIN, plate, phone) are indexed, and never few-valued ones.
"""

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
INDEX_BYTES = 16


@dataclass(frozen=True)
class DataKey:
    """The key of one person or object, which encrypts their columns."""

    key_id: UUID
    wrapped: bytes
    plain: bytes

    def seal(self, value: str | bytes, place: str) -> bytes:
        """Encrypt a value, bound to `place` ("table.column:row id"), which `open` needs again."""
        raw = value.encode() if isinstance(value, str) else value
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.plain).encrypt(nonce, raw, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Decrypt a value. Raises InvalidTag (cryptography) if key, place or content differ."""
        return AESGCM(self.plain).decrypt(
            sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode()
        )

    def open_text(self, sealed: bytes, place: str) -> str:
        """Decrypt a value that was sealed as text (UTF-8). Raises InvalidTag."""
        return self.open(sealed, place).decode()


class Keyring:
    """The key-encryption keys of one service: a file per class, mode 0600, created if missing."""

    def __init__(self, folder: Path, *, new_id: Callable[[], UUID] = uuid4) -> None:
        """`new_id` makes the ids of new data keys; ids ordered by time keep the database index
        compact."""
        self._folder = folder
        self._new_id = new_id
        self._keys: dict[str, bytes] = {}

    def new_data_key(self, key_class: str) -> DataKey:
        """A new random key of 32 bytes, wrapped by the key of its class."""
        key_id, plain = self._new_id(), AESGCM.generate_key(256)
        nonce = os.urandom(NONCE_BYTES)
        wrapped = nonce + AESGCM(self._key(key_class)).encrypt(nonce, plain, key_id.bytes)
        return DataKey(key_id, wrapped, plain)

    def unwrap(self, key_class: str, key_id: UUID, wrapped: bytes) -> DataKey:
        """Decrypt a data key. Raises InvalidTag (cryptography) if class or id differ."""
        plain = AESGCM(self._key(key_class)).decrypt(
            wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_id.bytes
        )
        return DataKey(key_id, wrapped, plain)

    def blind_index(self, key_class: str, field: str, value: str) -> bytes:
        """HMAC-SHA-256 truncated to 16 bytes, equal for equal values of one class and field."""
        index_key = hmac.digest(self._key(key_class), b"blind-index:" + field.encode(), "sha256")
        return hmac.digest(index_key, value.encode(), hashlib.sha256)[:INDEX_BYTES]

    def own_key(self, key_class: str) -> DataKey:
        """The key for all rows of a class that belong to no person or object."""
        plain = hmac.digest(self._key(key_class), b"own-key", "sha256")
        return DataKey(UUID(int=0), b"", plain)

    def signing_key(self, name: str) -> Ed25519PrivateKey:
        """The Ed25519 key `name`: a PEM file from a provisioner, or 32 bytes created if missing.

        Raises ValueError if the PEM file holds another kind of key.
        """
        raw = self._key(name)
        if not raw.startswith(b"-----BEGIN"):
            return Ed25519PrivateKey.from_private_bytes(raw)
        key = serialization.load_pem_private_key(raw, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{name}.key is no Ed25519 key")
        return key

    def _key(self, key_class: str) -> bytes:
        if key_class not in self._keys:
            self._keys[key_class] = self._read_or_make(self._folder / f"{key_class}.key")
        return self._keys[key_class]

    def _read_or_make(self, path: Path) -> bytes:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            # Written under another name and linked: a crash leaves no incomplete key behind.
            draft = path.with_suffix(f".{os.getpid()}.draft")
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(os.urandom(32))
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink(missing_ok=True)
        return path.read_bytes()


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The 32 raw bytes of the public key of a signing key."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
