"""While plates are not read for sure nothing new comes forward, and nothing is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import grpc
import pytest
from chassis.clock import new_id, system_clock, to_timestamp
from tartip.cameras.v1 import cameras_pb2
from tartip.inference.v1 import events_pb2 as inference_events
from tartip.violations.v1 import violations_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

Reads = Callable[..., Any]
Wait = Callable[..., Awaitable[list[pb.Violation]]]


@dataclass
class Gateway:
    """The inference gateway, as far as it tells how its probes were answered."""

    publisher: Any
    function: Any = inference_events.PROBED_FUNCTION_PLATES

    async def degrade(self, since: datetime) -> str:
        degradation_id = str(new_id())
        event = inference_events.FunctionDegraded(
            degradation_id=degradation_id,
            function=self.function,
            since=to_timestamp(since),
            probes=8,
            right=2,
            right_at_least=7,
        )
        subject = "inference.v1.function_degraded"
        await self.publisher.send(subject, event, user="inference-gateway")
        return degradation_id

    async def recover(self, degradation_id: str, since: datetime) -> None:
        event = inference_events.FunctionRecovered(
            degradation_id=degradation_id,
            function=self.function,
            since=to_timestamp(since),
            recovered_at=to_timestamp(system_clock()),
        )
        subject = "inference.v1.function_recovered"
        await self.publisher.send(subject, event, user="inference-gateway")


@pytest.fixture
def gateway(publisher: Any) -> Gateway:
    return Gateway(publisher)


async def until(caller: Any, holds: Callable[[Any], bool]) -> Any:
    """What the queue says once it says that."""
    async with asyncio.timeout(60):
        while True:
            answer = await caller.call("ListViolations", pb.ListViolationsRequest())
            if holds(answer):
                return answer
            await asyncio.sleep(0.1)


def paused(answer: Any) -> bool:
    return bool(answer.HasField("paused_since"))


async def test_reads_wait_out_a_degradation_and_come_forward_with_a_caution(
    gateway: Gateway,
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    inspector: Any,
    prepared: Callable[..., Awaitable[Any]],
) -> None:
    since = system_clock() - timedelta(minutes=30)
    await publisher.read(plate_read("111ABC02"))
    [early] = await violations_of(camera.camera_id)
    assert early.caution == ""
    decision = await prepared(early.violation_id)
    degradation = await gateway.degrade(since)
    answer = await until(inspector, paused)
    assert answer.paused_since == to_timestamp(since)
    # Read since plates were last known to be read rightly: what was prepared unwarned is void.
    [warned] = await violations_of(camera.camera_id)
    assert (warned.caution, warned.version) == ("READ_WHILE_DEGRADED", early.version + 1)
    with pytest.raises(grpc.aio.AioRpcError, match="Prepare anew"):
        await inspector.call("ConfirmViolation", decision)

    for number in range(3):
        await publisher.read(plate_read(f"22{number}ABC02"))
    await until(inspector, lambda answer: answer.held_reads == 3)
    assert len(await violations_of(camera.camera_id)) == 1

    await gateway.recover(degradation, since)
    found = await violations_of(camera.camera_id, count=4)
    assert [one.caution for one in found] == ["READ_WHILE_DEGRADED"] * 4
    await until(inspector, lambda answer: not paused(answer) and answer.held_reads == 0)
    # The officer looks, and may confirm: what is signed names the caution.
    signed = await prepared(found[-1].violation_id)
    assert b'"caution":"READ_WHILE_DEGRADED"' in signed.canonical
    confirmed = (await inspector.call("ConfirmViolation", signed)).violation
    assert confirmed.state == pb.VIOLATION_STATE_CONFIRMED

    await publisher.read(plate_read("333ABC02"))
    assert (await violations_of(camera.camera_id, count=5))[-1].caution == ""


async def test_a_late_read_of_a_doubtful_time_carries_the_caution_too(
    gateway: Gateway,
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    inspector: Any,
    engines: RunningTestMesh,
) -> None:
    since = system_clock() - timedelta(minutes=2)
    degradation = str(new_id())
    # The recovery overtakes the news of it: both are known once, and nothing stays paused.
    await gateway.recover(degradation, since)
    await publisher.read(plate_read("444ABC02", at=system_clock() - timedelta(minutes=1)))
    assert (await violations_of(camera.camera_id))[0].caution == "READ_WHILE_DEGRADED"
    # A frame that was long under way: captured well before, looked at by the models in doubt.
    late = plate_read("555ABC02", at=system_clock() - timedelta(hours=1))
    await gateway.recover(str(new_id()), since)
    await publisher.read(late)
    found = await violations_of(camera.camera_id, count=2)
    assert {one.caution for one in found} == {"READ_WHILE_DEGRADED"}
    event = inference_events.FunctionDegraded(
        degradation_id=degradation,
        function=inference_events.PROBED_FUNCTION_PLATES,
        since=to_timestamp(since),
    )
    told = await publisher.send("inference.v1.function_degraded", event, user="inference-gateway")
    await taken(engines, told)
    await until(inspector, lambda answer: not paused(answer))


async def test_other_functions_pause_nothing(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    inspector: Any,
    engines: RunningTestMesh,
) -> None:
    faces = Gateway(publisher, inference_events.PROBED_FUNCTION_FACES)
    await faces.degrade(system_clock())
    await publisher.read(plate_read("555ABC02"))
    assert (await violations_of(camera.camera_id))[0].caution == ""
    assert not paused(await inspector.call("ListViolations", pb.ListViolationsRequest()))


async def taken(engines: RunningTestMesh, event_id: str) -> None:
    """Waits until the service has had the event."""
    connection = await asyncpg.connect(engines.database.url)
    try:
        async with asyncio.timeout(60):
            query = "SELECT 1 FROM violations.inbox WHERE event_id = $1"
            while await connection.fetchval(query, event_id) is None:
                await asyncio.sleep(0.1)
    finally:
        await connection.close()
