"""Delivers letters into a folder, as a substitute for the post, and signs letters with the
authority's electronic seal."""

import asyncio
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

from chassis.clock import Clock, system_clock
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from vault.keyring import public_bytes

from fines.letters import SIGNATURE_PLACE


class LetterFolder:
    """Delivers letters by writing them into a folder, as a substitute for the post. A letter counts
    as delivered once its file is complete."""

    def __init__(self, folder: Path, clock: Clock = system_clock) -> None:
        self._folder = folder
        self._clock = clock

    async def deliver(self, name: str, letter: str) -> datetime:
        return await asyncio.to_thread(self._put, f"{name}.html", letter.encode())

    def _put(self, name: str, letter: bytes) -> datetime:
        path = self._folder / name
        if not path.exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(path, letter)
        # The first delivery counts, however often it is repeated.
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def _write(self, path: Path, letter: bytes) -> None:
        draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(letter)
                file.flush()
                # Files are dated by the host's clock; the services' clock may be moved.
                now = self._clock().timestamp()
                os.utime(file.fileno(), (now, now))
                os.fsync(file.fileno())
            draft.rename(path)
        finally:
            # With the drafts of processes that were killed while they wrote this letter.
            for left in self._folder.glob(f".{path.name}.*.draft"):
                left.unlink(missing_ok=True)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class ElectronicSeal:
    """Signs letters with the authority's Ed25519 key.

    The signature covers the SHA-256 of the unsigned letter, which contains `SIGNATURE_PLACE`. In
    the signed letter, the signature replaces `SIGNATURE_PLACE`.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, content: str) -> str:
        digest = hashlib.sha256(content.encode()).hexdigest()
        signature = self._key.sign(f"tartip-letter-v1\n{digest}".encode()).hex()
        shown = (
            f"<p>ЭЦҚ / ЭЦП (Ed25519): {signature}<br>SHA-256: {digest}<br>"
            f"{public_bytes(self._key).hex()}</p>"
        )
        return content.replace(SIGNATURE_PLACE, shown)
