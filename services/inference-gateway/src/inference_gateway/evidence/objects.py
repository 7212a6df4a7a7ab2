"""The store of encrypted objects: a local folder or an S3 bucket.

When `put` returns, a local object is on the disk, not merely in the page cache.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from chassis.refusals import Kind, Refusal
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import from_url

from inference_gateway.evidence.model import Damage, EvidenceDamaged

PUT_SECONDS = 30.0
GET_SECONDS = 30.0


class EvidenceAway(Refusal):
    kind = Kind.UNAVAILABLE
    code = "EVIDENCE_AWAY"


class BlobStore:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._folder = Path(unquote(parts.path)) if parts.scheme == "file" else None
        options: dict[str, Any] = {"mkdir": True} if self._folder else {}
        self._store = from_url(url, **options)

    async def put(self, path: str, content: bytes) -> None:
        """Write an object atomically. Raises EvidenceAway."""
        try:
            async with asyncio.timeout(PUT_SECONDS):
                await obstore.put_async(self._store, path, content, use_multipart=False)
                if self._folder is not None:
                    await asyncio.to_thread(_to_disk, self._folder, self._folder / path)
        except (BaseError, OSError) as error:
            raise EvidenceAway from error

    async def get(self, path: str) -> bytes:
        """The encrypted bytes of an object.

        Raises EvidenceDamaged if the store has other objects and not this one, else EvidenceAway.
        """
        try:
            async with asyncio.timeout(GET_SECONDS):
                found = await obstore.get_async(self._store, path)
                return bytes(await found.bytes_async())
        except (NotFoundError, FileNotFoundError) as error:
            if await self.has_objects():
                raise EvidenceDamaged(Damage.MISSING) from error
            raise EvidenceAway from error  # an empty store: not mounted, or another one
        except (BaseError, OSError) as error:
            raise EvidenceAway from error

    async def has_objects(self) -> bool:
        """Whether the store answers and has any object. Raises EvidenceAway."""
        try:
            async with asyncio.timeout(GET_SECONDS):
                async for batch in obstore.list(self._store, chunk_size=1):
                    if batch:
                        return True
                return False
        except (BaseError, OSError) as error:
            raise EvidenceAway from error

    async def under(self, prefix: str) -> AsyncIterator[tuple[str, datetime]]:
        """Yield the path of each object under a prefix, with the time of its last write."""
        async for batch in obstore.list(self._store, prefix=prefix):
            for found in batch:
                yield found["path"], found["last_modified"]

    async def delete(self, paths: Sequence[str]) -> None:
        await obstore.delete_async(self._store, list(paths))


def _to_disk(root: Path, path: Path) -> None:
    """Flush the file and every folder up to the root to the disk, so that its name is durable."""
    for place in (path, *path.parents):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if place == root:
            return
