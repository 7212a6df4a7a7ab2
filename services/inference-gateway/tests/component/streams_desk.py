"""Calls about streams at one copy of the service, whose ledger must add up at all times."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from chassis.clock import from_timestamp
from tartip.inference.v1 import streams_pb2 as pb
from tartip.inference.v1 import streams_pb2_grpc
from tartip_testing.mesh import RunningTestMesh

from .peers import CALL_SECONDS, SERVICE, Device, credentials

SECONDS = 60.0


@dataclass
class Desk:
    """Calls of one caller at one copy of the service."""

    channel: grpc.Channel
    metadata: tuple[tuple[str, str], ...] = ()
    put_here: list[str] = field(default_factory=list)

    def _call(self, method: str, request: Any) -> Any:
        stub = streams_pb2_grpc.StreamsStub(self.channel)
        return getattr(stub, method)(request, timeout=CALL_SECONDS, metadata=self.metadata)

    def put(self, device: Device, address: str, *, rate: float = 2.0) -> pb.Stream:
        request = pb.PutStreamRequest(
            camera_id=device.camera_id, address=address, frames_per_second=rate
        )
        put = self._call("PutStream", request).stream
        self.put_here.append(device.camera_id)
        return put  # type: ignore[no-any-return]

    def remove(self, camera_id: str) -> None:
        self._call("RemoveStream", pb.RemoveStreamRequest(camera_id=camera_id))

    def all(self) -> dict[str, pb.Stream]:
        return {s.camera_id: s for s in self._call("ListStreams", pb.ListStreamsRequest()).streams}

    def of(self, device: Device) -> pb.Stream:
        return self.all()[device.camera_id]

    def until(self, device: Device, holds: Callable[[pb.Stream], bool]) -> pb.Stream:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                stream = self.of(device)
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE, error
            else:
                assert_adds_up(stream)
                if holds(stream):
                    return stream
            assert time.monotonic() < deadline, stream
            time.sleep(0.2)


def assert_adds_up(stream: pb.Stream) -> None:
    """Offered is what the clock says was due, and each of it came to one outcome."""
    counts = stream.counts
    dropped = sum(counts.dropped.values())
    assert counts.offered == counts.looked_at + counts.unchanged + dropped
    seconds = from_timestamp(stream.counted_until) - from_timestamp(stream.put_at)
    assert counts.offered == round(seconds.total_seconds() * stream.frames_per_second)


@contextmanager
def opened_desk(engines: RunningTestMesh) -> Iterator[Desk]:
    """At the service that the tests share; what is put there is removed at the end."""
    with channel_to(engines, engines.address(SERVICE)) as channel:
        made = Desk(channel)
        yield made
        for camera_id in made.put_here:
            made.remove(camera_id)


def channel_to(engines: RunningTestMesh, address: str) -> grpc.Channel:
    return grpc.secure_channel(
        address,
        credentials(engines, "service", "tartip-cli"),
        options=[("grpc.enable_http_proxy", 0)],
    )
