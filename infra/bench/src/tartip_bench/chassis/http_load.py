"""`python -m tartip_bench.chassis.http_load PORT PATH TOKEN CALLERS SECONDS`: GETs, timed.

So many callers ask one after another, each on a connection of its own that stays open. Prints what
`load` prints. Ends with an error at the first answer that is not 200.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from tartip_bench.chassis.load import print_times, timed_in_turn

HOST = "127.0.0.1"


class Connection:
    """One that stays open, for one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def get(self, request: bytes) -> None:
        """Send a request and read its answer. Raises OSError unless it is 200."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        if b" 200 " not in status + b" ":
            raise OSError(status.decode())
        headers = dict(line.lower().split(b": ", 1) for line in lines if line)
        await self._reader.readexactly(int(headers[b"content-length"]))


async def main(port: int, path: str, token: str, callers: int, seconds: float) -> None:
    """Ask, and print the times."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()
    idle = [Connection(*await asyncio.open_connection(HOST, port)) for _ in range(callers)]

    async def call() -> None:
        connection = idle.pop()
        await connection.get(request)
        idle.append(connection)

    print_times(*await timed_in_turn(call, callers, seconds))


if __name__ == "__main__":
    port, path, token, callers, seconds = sys.argv[1:]
    uvloop.run(main(int(port), path, token, int(callers), float(seconds)))
