"""`python -m tartip_bench.gateway.load CONFIG CALLERS SECONDS`: makes and times GETs over REST.

CALLERS clients run concurrently. Each client sends one request at a time, on a connection of its
own that stays open. CONFIG is a JSON file with port, path and tokens; the requests use the tokens
in turn. Prints what `tartip_bench.chassis.load` prints. Ends with an error at the first answer
whose status is not 200.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import uvloop

from tartip_bench.chassis.load import print_times, timed_in_turn

HOST = "127.0.0.1"


class Connection:
    """An HTTP connection that stays open and carries one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def get(self, request: bytes) -> None:
        """Send a request and read its answer. Raises OSError unless the status is 200."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in lines if line)
        content = await self._reader.readexactly(int(headers[b"content-length"]))
        if b" 200 " not in status + b" ":
            raise OSError(f"{status.decode()}: {content.decode()[:200]}")


async def main(config: dict[str, Any], callers: int, seconds: float) -> None:
    """Send requests for `seconds` after a warm-up, and print how long they took."""
    port = config["port"]
    requests = itertools.cycle([request_of(config, token) for token in config["tokens"]])
    idle = [Connection(*await asyncio.open_connection(HOST, port)) for _ in range(callers)]

    async def call() -> None:
        connection = idle.pop()
        await connection.get(next(requests))
        idle.append(connection)

    print_times(*await timed_in_turn(call, callers, seconds))


def request_of(config: dict[str, Any], token: str) -> bytes:
    lines = (
        f"GET {config['path']} HTTP/1.1",
        f"Host: {HOST}:{config['port']}",
        f"Authorization: Bearer {token}",
    )
    return "\r\n".join((*lines, "", "")).encode()


if __name__ == "__main__":
    given, callers, seconds = sys.argv[1:]
    uvloop.run(main(json.loads(Path(given).read_text()), int(callers), float(seconds)))
