"""Round trips to PostgreSQL, counted where they pass."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

# As PostgreSQL's protocol says that it is ready for the next query.
_READY = b"Z\x00\x00\x00\x05"


class RoundTrips:
    """A proxy before PostgreSQL that counts answers: each round trip ends with one READY."""

    def __init__(self, url: str) -> None:
        self.count = 0
        self._url = urlsplit(url)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Listen during the block, which gets the URL of the database behind the proxy."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            address = "{}:{}".format(*server.sockets[0].getsockname())
            netloc = f"{self._url.netloc.rpartition('@')[0]}@{address}"
            yield urlunsplit(self._url._replace(netloc=netloc))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection(
            self._url.hostname, self._url.port
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pass(reader, behind_writer, is_answer=False))
            group.create_task(self._pass(behind_reader, writer, is_answer=True))

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        end = b""
        while chunk := await reader.read(65536):
            if is_answer:
                seen = end + chunk
                self.count += seen.count(_READY)
                end = seen[1 - len(_READY) :]
            writer.write(chunk)
        writer.close()
