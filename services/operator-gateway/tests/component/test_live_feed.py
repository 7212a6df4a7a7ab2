"""The live feed over server-sent events: who gets which facts, and what a client may rely on."""

import asyncio
import json
import signal
import time
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from chassis.clock import new_id
from host.shares import DEFAULTS

from .conftest import Publisher, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Frames:
    """A client of the live feed that sorts what arrives."""

    def __init__(self) -> None:
        self.facts: list[dict[str, Any]] = []
        self.kinds: list[str] = []
        self.last_id = ""
        self.open = asyncio.Event()

    async def read(self, client: httpx.AsyncClient, **options: Any) -> None:
        kind = ""
        async with client.stream("GET", "/v1/events", **options) as answer:
            assert answer.status_code == 200, await answer.aread()
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for line in answer.aiter_lines():
                self.open.set()
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                    self.kinds.append(kind)
                elif name == "id":
                    self.last_id = value
                elif name == "data" and kind == "fact":
                    self.facts.append(json.loads(value))


async def test_the_live_feed_tells_ids_of_ones_region_and_nothing_else(gateway: Any) -> None:
    frames = Frames()
    async with gateway.client() as client, asyncio.TaskGroup() as group:
        headers = gateway.headers("inspector-almaty")
        reading = group.create_task(frames.read(client, headers=headers))
        await frames.open.wait()
        marker = str(new_id())
        publish = Publisher(gateway.engines, marker)
        await publish("violations", "violations.v1.detected", "foreign", region="KZ-71")
        await publish("inference-gateway", "inference.v1.plate_read", "plate")
        await publish("citizen-reports", "complaints.v1.received", "complaint")
        await publish("citizen-reports", "reports.v1.received", "report")
        await publish("violations", "violations.v1.detected", "mine")
        await until(lambda: any(marker in fact["id"] for fact in frames.facts))
        reading.cancel()
    mine = [fact for fact in frames.facts if marker in fact["id"]]
    assert [fact["id"] for fact in mine] == [f"{marker}-mine"]
    assert set(mine[0]) == {"subject", "id", "region", "at", "story", "version"}

    # What came while away is told after the last id that was had.
    await publish("violations", "violations.v1.confirmed", "while-away")
    again = Frames()
    async with gateway.client() as client, asyncio.TaskGroup() as group:
        headers = gateway.headers("inspector-almaty") | {"Last-Event-ID": frames.last_id}
        reading = group.create_task(again.read(client, headers=headers))
        await until(lambda: bool(again.facts))
        reading.cancel()
    assert [fact["id"] for fact in again.facts] == [f"{marker}-while-away"]
    assert "gap" not in again.kinds


async def test_internal_security_is_told_no_complaint_here_either(gateway: Any) -> None:
    frames = Frames()
    async with gateway.client() as client, asyncio.TaskGroup() as group:
        reading = group.create_task(frames.read(client, headers=gateway.headers("security-1")))
        await frames.open.wait()
        publish = Publisher(gateway.engines, str(new_id()))
        await publish("citizen-reports", "complaints.v1.received", "complaint")
        await asyncio.sleep(0.5)
        reading.cancel()
    assert frames.facts == []


async def test_a_ticket_opens_one_stream(gateway: Any) -> None:
    async with gateway.client() as client, asyncio.TaskGroup() as group:
        headers = gateway.headers("inspector-almaty")
        given = (await client.post("/v1/events/tickets", headers=headers)).json()
        frames = Frames()
        params = {"ticket": given["ticket"]}
        reading = group.create_task(frames.read(client, params=params))
        await frames.open.wait()
        second = await client.get("/v1/events", params=params)
        assert (second.status_code, second.json()["reason"]) == (401, "TICKET_SPENT")
        reading.cancel()


async def test_an_open_stream_does_not_hold_the_gateway_back(another_gateway: Any) -> None:
    frames = Frames()
    async with another_gateway.client() as client:
        headers = another_gateway.headers("inspector-almaty")
        reading = asyncio.create_task(frames.read(client, headers=headers))
        await asyncio.wait_for(frames.open.wait(), 10)
        another_gateway.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        code = await asyncio.to_thread(another_gateway.process.wait, 15)
        assert (code, time.monotonic() - began < 5) == (0, True)
        await reading  # the stream ended in order, not by a broken connection


async def test_the_live_feed_outlives_the_brokers_death(gateway: Any) -> None:
    frames = Frames()
    async with gateway.client() as client, asyncio.TaskGroup() as group:
        headers = gateway.headers("inspector-almaty")
        reading = group.create_task(frames.read(client, headers=headers))
        await frames.open.wait()
        await asyncio.to_thread(gateway.engines.kill_and_wait, "nats")
        marker = str(new_id())
        await Publisher(gateway.engines, marker)("violations", "violations.v1.detected", "after")
        await until(lambda: any(marker in fact["id"] for fact in frames.facts))
        reading.cancel()


async def test_one_operators_streams_leave_room_for_others(gateway: Any) -> None:
    async with gateway.client() as client, AsyncExitStack() as streams:
        headers = gateway.headers("dispatcher-almaty")
        for _ in range(DEFAULTS["operator"].streams):
            opened = await streams.enter_async_context(
                client.stream("GET", "/v1/events", headers=headers)
            )
            assert opened.status_code == 200
        refused = await client.get("/v1/events", headers=headers)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        assert refused.json()["facts"] == {"limit": "streams", "limit_value": "8"}
        other = gateway.headers("inspector-almaty")
        async with client.stream("GET", "/v1/events", headers=other) as opened:
            assert opened.status_code == 200
        await streams.aclose()

        async def is_free() -> bool:
            async with client.stream("GET", "/v1/events", headers=headers) as again:
                return bool(again.status_code == 200)

        async with asyncio.timeout(60):
            while not await is_free():
                await asyncio.sleep(0.2)
