"""A TCP relay before the played server: it counts connections, and cuts them."""

from __future__ import annotations

import asyncio
import contextlib

from tartip_partner_contract.authority import HOST

_CHUNK_BYTES = 64 * 1024


class Relay:
    """Carries bytes between the adapter and the server; TLS goes through it unread."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._listening: asyncio.Server | None = None
        self.connections = 0

    async def start(self) -> str:
        """Begin to listen; returns the address ("host:port") for the adapter."""
        self._listening = await asyncio.start_server(self._carry, HOST, 0)
        port: int = self._listening.sockets[0].getsockname()[1]
        return f"{HOST}:{port}"

    def cut(self) -> None:
        """Break every connection now; what is on the way is lost."""
        for writer in self._writers:
            writer.transport.abort()

    async def stop(self) -> None:
        self.cut()
        if self._listening:
            self._listening.close()

    async def _carry(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        self.connections += 1
        far_in, far_out = await asyncio.open_connection(HOST, self._server_port)
        writers = {near_out, far_out}
        self._writers |= writers
        try:
            await asyncio.gather(_copy(near_in, far_out), _copy(far_in, near_out))
        finally:
            self._writers -= writers
            for writer in writers:
                writer.transport.abort()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(_CHUNK_BYTES):
            target.write(chunk)
            await target.drain()
    target.close()
