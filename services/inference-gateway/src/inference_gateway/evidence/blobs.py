"""Where sealed objects lie: a local folder or any S3 bucket, behind `obstore`.

Nothing here knows what an object holds; it only ever gets sealed bytes. A local object is on the
disk when `put` returns, not merely in the page cache.
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
from obstore.exceptions import BaseError
from obstore.store import from_url

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
        """Raises EvidenceAway. An object that was cut off never shows under its name."""
        try:
            async with asyncio.timeout(PUT_SECONDS):
                await obstore.put_async(self._store, path, content, use_multipart=False)
                if self._folder is not None:
                    await asyncio.to_thread(_to_disk, self._folder, self._folder / path)
        except (BaseError, OSError) as error:
            raise EvidenceAway from error

    async def get(self, path: str) -> bytes:
        """Raises EvidenceAway."""
        try:
            async with asyncio.timeout(GET_SECONDS):
                found = await obstore.get_async(self._store, path)
                return bytes(await found.bytes_async())
        except (BaseError, OSError) as error:
            raise EvidenceAway from error

    async def under(self, prefix: str) -> AsyncIterator[tuple[str, datetime]]:
        """Paths and when each was last written."""
        async for batch in obstore.list(self._store, prefix=prefix):
            for found in batch:
                yield found["path"], found["last_modified"]

    async def delete(self, paths: Sequence[str]) -> None:
        await obstore.delete_async(self._store, list(paths))


def _to_disk(root: Path, path: Path) -> None:
    """The file, then every folder that holds a name leading to it."""
    for place in (path, *path.parents):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if place == root:
            return
