"""An operator's REST client and a server that closes idle connections."""

import asyncio
import json

import pytest
from chassis.refusals import Kind, Refusal
from tartip_cli.clients.partner import Desk, http_client

IDLE_SECONDS = 4.0


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers all requests of a connection; closes it without one that comes after IDLE_SECONDS, as
    a server whose close and the client's request cross on the way."""
    loop = asyncio.get_running_loop()
    answered_at = loop.time()
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
            await reader.readexactly(int(fields.get(b"content-length", b"0")))
            if loop.time() - answered_at > IDLE_SECONDS:
                return
            body = json.dumps({"access_token": "t", "expires_in": 0}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            answered_at = loop.time()
    except asyncio.IncompleteReadError:
        return
    finally:
        writer.close()


async def test_no_request_is_lost_on_a_connection_that_the_server_closes() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    url = "http://{}:{}".format(*server.sockets[0].getsockname())
    async with server, http_client() as http:
        desk = Desk(http, url, url, "operator")
        await desk.get("/")
        await asyncio.sleep(IDLE_SECONDS + 0.2)
        await desk.get("/")


async def test_an_issuer_that_is_away_is_named() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    url = "http://{}:{}".format(*server.sockets[0].getsockname())
    server.close()
    await server.wait_closed()
    async with http_client() as http:
        with pytest.raises(Refusal) as refused:
            await Desk(http, url, url, "operator").get("/")
    assert refused.value.kind is Kind.UNAVAILABLE
