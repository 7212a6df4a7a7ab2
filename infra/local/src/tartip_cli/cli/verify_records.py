"""The part of `tartip verify` that compares a service's records with each other and with the event
streams.

The service itself compares its audit entries, events and data keys (`CheckRecords`), and lists the
events that it has published. The newest of these events are looked up in the streams. The service
recorded a sequence number for each event: the message with this number must have the event's id.

Messages of plate reads are not read, since they hold plates. For a plate read, the recorded
sequence number must not be greater than the last one of the stream.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tartip_cli.failures import Exit, Failure
from tartip_cli.provision.keys import Keys
from tartip_cli.provision.streams import PROVISIONER, Topology, read_topology
from tartip_cli.settings import Settings
from tartip_cli.topology import COMMAND_LINE, Service

if TYPE_CHECKING:
    from nats.js import JetStreamContext
    from tartip.audit.v1 import audit_pb2

    from tartip_cli.clients.partner import Outside

_SECONDS = 30.0
_PAGE = 200
# Faults that are named; the rest are counted.
NAMED_MAX = 5
# The message of a plate read holds the plate, which violations alone may read.
_UNOPENED = "inference.v1.plate_read"


@dataclass(frozen=True)
class Streams:
    """Read access to the event streams of the mesh, as the NATS user that provisions them."""

    jetstream: JetStreamContext
    topology: Topology

    async def has(self, event: audit_pb2.PublishedEvent) -> bool:
        """Return whether the stream has the event at its recorded sequence number. Old messages are
        deleted, so the result is also True if this number is below the first one in the stream."""
        from nats.js.errors import NotFoundError

        name, sequence = self._stream_of(event.subject), event.stream_sequence
        state = (await self.jetstream.stream_info(name)).state
        if sequence < state.first_seq:
            return True
        if event.subject == _UNOPENED:
            return sequence <= state.last_seq
        try:
            message = await self.jetstream.get_msg(name, seq=sequence)
        except NotFoundError:
            return False
        return (message.headers or {}).get("ce-id") == event.event_id

    def _stream_of(self, subject: str) -> str:
        for stream in self.topology.streams:
            for pattern in stream.subjects or []:
                if pattern in (subject, f"{subject.rpartition('.')[0]}.>"):
                    return stream.name or ""
        return ""


@asynccontextmanager
async def streams_of(mesh: Outside, settings: Settings) -> AsyncIterator[Streams]:
    """Yield the event streams of the mesh, connected during the block. Raises Failure if the broker
    does not answer."""
    from nats.errors import Error

    from tartip_cli.provision.broker import connect

    try:
        client = await connect(
            settings.nats_url or mesh.nats_url,
            user=PROVISIONER,
            seed=Keys(mesh.home.keys).nats_seed(PROVISIONER),
            pair=mesh.certificates.service(COMMAND_LINE),
            authority=mesh.certificates.authority,
        )
    except (Error, OSError, TimeoutError) as error:
        raise Failure(
            f"the broker does not answer ({type(error).__name__}): see `tartip status`",
            Exit.NOT_RUNNING,
        ) from error
    try:
        topology = read_topology(settings.checkout / "infra" / "nats" / "streams.yaml")
        yield Streams(client.jetstream(timeout=_SECONDS), topology)
    finally:
        await client.close()


async def check_records(
    mesh: Outside, service: Service, streams: Streams, events: int
) -> list[str]:
    """Return what is wrong with a service's records, as one text per fault. At most NAMED_MAX
    faults of a code are named; the others are counted. `events` is how many of the newest published
    events are looked up in the streams. Raises Refusal if the service refuses the check."""
    faults, published = await _checked(mesh, service)
    newest = published[-events:] if events else []
    unsent = [event for event in newest if not await streams.has(event)]
    return [
        *named(f"{fault.code} {fault.record}" for fault in faults),
        *named(f"EVENT_NOT_SENT event:{event.event_id}" for event in unsent),
    ]


async def _checked(
    mesh: Outside, service: Service
) -> tuple[list[audit_pb2.RecordFault], list[audit_pb2.PublishedEvent]]:
    from chassis.channels import peers_refusals
    from tartip.audit.v1 import audit_pb2, audit_pb2_grpc
    from tartip.common.v1 import common_pb2 as common

    stub = audit_pb2_grpc.AuditStub(mesh.as_command_line(service))
    faults: list[audit_pb2.RecordFault] = []
    published: list[audit_pb2.PublishedEvent] = []
    token = ""
    while True:
        request = audit_pb2.CheckRecordsRequest(page=common.Page(size=_PAGE, token=token))
        with peers_refusals():
            page = await stub.CheckRecords(request, timeout=_SECONDS)
        faults += page.faults
        published += page.published
        token = page.next_page_token
        if not token:
            return faults, published


def named(faults: Iterable[str]) -> list[str]:
    """Return the first `NAMED_MAX` faults of each code, and how many more there are. The code of a
    fault is its first word."""
    by_code: dict[str, list[str]] = {}
    for fault in faults:
        by_code.setdefault(fault.partition(" ")[0], []).append(fault)
    texts: list[str] = []
    for code, found in by_code.items():
        texts += found[:NAMED_MAX]
        if len(found) > NAMED_MAX:
            texts.append(f"and {len(found) - NAMED_MAX} more {code}")
    return texts
