"""A page token of each list is its caller's, for the query that it is of."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from tartip.inference.v1 import inference_pb2, inference_pb2_grpc, streams_pb2, streams_pb2_grpc
from tartip.inference.v1 import watchlists_pb2 as pb
from tartip_testing.mesh import RunningTestMesh
from tartip_testing.paging import assert_token_is_bound

from .callers import As, refused
from .peers import CALL_SECONDS, SERVICE, Device, Register, credentials
from .processes import Process
from .streams_desk import Desk, opened_desk
from .watchlist_officers import Officer, beside, camera, face


@dataclass(frozen=True)
class Reader:
    """Lists as one operator."""

    channel: grpc.Channel
    token: str

    async def quarantine(self, request: Any) -> Any:
        return self._call(inference_pb2_grpc.InferenceStub(self.channel).ListQuarantine, request)

    async def streams(self, request: Any) -> Any:
        return self._call(streams_pb2_grpc.StreamsStub(self.channel).ListStreams, request)

    def _call(self, method: Any, request: Any) -> Any:
        signed_in = (("authorization", f"Bearer {self.token}"),)
        return method(request, timeout=CALL_SECONDS, metadata=signed_in)


@pytest.fixture
def readers(engines: RunningTestMesh, service: Process) -> Iterator[tuple[Reader, Reader]]:
    """Two who may list both."""
    secured = credentials(engines, "service", "operator-gateway")
    with grpc.secure_channel(engines.address(SERVICE), secured) as channel:
        yield (
            Reader(channel, engines.token("cameras-1")),
            Reader(channel, engines.token("auditor-1")),
        )


@pytest.fixture
def desk(engines: RunningTestMesh, service: Process) -> Iterator[Desk]:
    with opened_desk(engines) as made:
        yield made


def test_streams(
    desk: Desk, readers: tuple[Reader, Reader], register: tuple[Register, str]
) -> None:
    for _ in range(3):
        device = Device()
        register[0].add(device)
        desk.put(device, "rtsp://127.0.0.1:9/nothing")
    one, other = readers
    bound = assert_token_is_bound(
        one.streams,
        streams_pb2.ListStreamsRequest(),
        by_others=other.streams,
        other_query=streams_pb2.ListStreamsRequest(region="KZ-75"),
    )
    asyncio.run(bound)


def test_the_quarantine(
    as_: Callable[..., As],
    scene: bytes,
    readers: tuple[Reader, Reader],
    register: tuple[Register, str],
) -> None:
    device, sender, at = Device(), as_("edge-1", kind="device"), datetime.now(UTC)
    register[0].add(device)
    forged = device.sign(scene, at)
    forged.signature = b"forged"
    for _ in range(3):
        with refused("READINGS_NOT_SIGNED"):
            sender.ingest(device, scene, at=at, readings=forged)
    one, other = readers
    bound = assert_token_is_bound(
        one.quarantine,
        inference_pb2.ListQuarantineRequest(camera_id=device.camera_id),
        by_others=other.quarantine,
        other_query=inference_pb2.ListQuarantineRequest(),
    )
    asyncio.run(bound)


def as_async(officer: Officer, method: str) -> Callable[[Any], Any]:
    async def read(request: Any) -> Any:
        return officer.call(method, request)

    return read


def test_watch_list_entries(one: Officer, other: Officer) -> None:
    for _ in range(3):
        one.ask()
    bound = assert_token_is_bound(
        as_async(one, "ListEntries"),
        pb.ListEntriesRequest(state=pb.ENTRY_STATE_REQUESTED),
        by_others=as_async(other, "ListEntries"),
        other_query=pb.ListEntriesRequest(),
    )
    asyncio.run(bound)


def test_candidates(engines: RunningTestMesh, in_force: str, one: Officer, other: Officer) -> None:
    async def pass_three_cameras() -> None:
        async with beside(engines) as parts:
            for seed in (5, 6, 8):
                await parts.see(face(seed), camera=camera(), at=datetime.now(UTC))

    asyncio.run(pass_three_cameras())
    bound = assert_token_is_bound(
        as_async(one, "ListCandidates"),
        pb.ListCandidatesRequest(entry_id=in_force),
        by_others=as_async(other, "ListCandidates"),
        other_query=pb.ListCandidatesRequest(),
    )
    asyncio.run(bound)
