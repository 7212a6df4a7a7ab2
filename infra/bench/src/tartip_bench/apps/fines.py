"""Has the fines service issue and deliver the fines that the bench looks up and pays.

This module takes the place of the violations service: it publishes the events of confirmed
violations and answers `GetViolation`. The real fines service does the rest: it finds the owner,
sets the amount and the time limits, and sends the letter.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import grpc
from chassis.channels import peers_refusals
from chassis.clock import new_id, system_clock, to_timestamp
from nats.js import JetStreamContext
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import fines_pb2, fines_pb2_grpc
from tartip.inference.v1 import inference_pb2
from tartip.violations.v1 import events_pb2, violations_pb2
from tartip_cli.failures import Exit, Failure
from tartip_cli.provision import vehicles
from tartip_cli.provision.broker import connect
from tartip_cli.topology import FINES, VIOLATIONS

from tartip_bench.bench_mesh import REGION, BenchMesh
from tartip_bench.partner_load import OpenFine

INSPECTOR = "inspector-almaty"
# One in ten vehicles belongs to a firm; fines of persons are made.
SPARE_VEHICLES = 1.3
AT_ONCE = 100
LOOK_SECONDS = 5.0
WAIT_SECONDS = 600.0
PAGE = 200
_CALL_SECONDS = 10.0


async def delivered(bench: BenchMesh, count: int, report: Callable[[str], None]) -> list[OpenFine]:
    """Have `count` fines issued, and return them once all are delivered to their owners. Each fine
    is for a different vehicle that a person owns. `report` is called with lines of text about the
    progress. Raises Failure if a fine is not delivered within WAIT_SECONDS."""
    register = vehicles.made_up(int(count * SPARE_VEHICLES) + 1)
    vehicles.write(bench.folder / "vehicles.json", register)
    of_persons = [vehicle for vehicle in register if vehicle.of_a_person][:count]
    owed = {vehicle.plate: vehicle.owner.number for vehicle in of_persons}
    confirmed = {found.violation_id: found for found in map(violation, owed)}
    async with answering(bench, confirmed):
        await publish(bench, list(confirmed.values()))
        until = time.monotonic() + WAIT_SECONDS
        while len(fines := await found(bench)) < count:
            report(f"{len(fines)} of {count} fines are delivered")
            if time.monotonic() > until:
                raise Failure(f"{len(fines)} of {count} fines are delivered", Exit.PART_FAILED)
            await asyncio.sleep(LOOK_SECONDS)
    return [
        OpenFine(
            fine.number,
            owed[confirmed[fine.violation_id].plate.text],
            fine.discounted_amount.amount_minor,
        )
        for fine in fines
    ]


def violation(plate: str) -> violations_pb2.Violation:
    """Return a made-up confirmed violation by the vehicle with this plate: 31 km/h over the limit,
    one hour ago."""
    now = system_clock()
    at = to_timestamp(now - dt.timedelta(hours=1))
    frame = hashlib.sha256(new_id().bytes)
    return violations_pb2.Violation(
        violation_id=str(new_id()),
        state=violations_pb2.VIOLATION_STATE_CONFIRMED,
        source=violations_pb2.VIOLATION_SOURCE_DEVICE,
        camera_id=str(new_id()),
        place=common_pb2.Place(latitude=43.24, longitude=76.95, region=REGION, address="Dostyk 5"),
        occurred_at=at,
        plate=inference_pb2.Plate(text=plate, confidence=0.99),
        offence=violations_pb2.Offence(
            code="SPEED_20_40", article="592(2)", rules_version="rules-1", rules_sha256="00" * 32
        ),
        readings=inference_pb2.Readings(
            device_serial="B-1",
            device_time=at,
            counter=1,
            frame_sha256=frame.digest(),
            speed_kmh=93,
            speed_limit_kmh=60,
        ),
        over_kmh=31.0,
        device=violations_pb2.Device(
            name="Bench",
            serial="B-1",
            certificate_number="KZ.B.1",
            verification_number="V-1",
            verification_from=to_timestamp(now - dt.timedelta(days=30)),
            verification_until=to_timestamp(now + dt.timedelta(days=30)),
            kind=cameras_pb2.CAMERA_KIND_SPEED_POINT,
            tolerance_kmh=2.0,
        ),
        evidence_sha256=[hashlib.sha256(frame.digest()).hexdigest()],
        original_sha256=[frame.hexdigest()],
        decision=violations_pb2.Decision(
            decision_id=str(new_id()), officer=INSPECTOR, decided_at=to_timestamp(now)
        ),
        story=secrets.token_hex(16),
    )


def answers(confirmed: Mapping[str, violations_pb2.Violation]) -> grpc.GenericRpcHandler:
    """Return a handler of `Violations.GetViolation`. It answers with the violation in `confirmed`
    whose id was requested."""

    async def get_violation(
        request: violations_pb2.GetViolationRequest, context: object
    ) -> violations_pb2.GetViolationResponse:
        return violations_pb2.GetViolationResponse(violation=confirmed[request.violation_id])

    method = grpc.unary_unary_rpc_method_handler(
        get_violation,
        request_deserializer=violations_pb2.GetViolationRequest.FromString,
        response_serializer=violations_pb2.GetViolationResponse.SerializeToString,
    )
    service = violations_pb2.DESCRIPTOR.services_by_name["Violations"].full_name
    return grpc.method_handlers_generic_handler(service, {"GetViolation": method})


@asynccontextmanager
async def answering(
    bench: BenchMesh, confirmed: Mapping[str, violations_pb2.Violation]
) -> AsyncIterator[None]:
    """Answer `GetViolation` with these violations during the block. The server has the address and
    the certificate of the violations service."""
    certificates = bench.outside.certificates
    pair = certificates.service(VIOLATIONS.name)
    server = grpc.aio.server()
    server.add_secure_port(
        bench.address(VIOLATIONS),
        grpc.ssl_server_credentials(
            [(pair.key.read_bytes(), pair.certificate.read_bytes())],
            certificates.authority.read_bytes(),
            require_client_auth=True,
        ),
    )
    server.add_generic_rpc_handlers((answers(confirmed),))
    await server.start()
    yield
    await server.stop(1)


async def publish(bench: BenchMesh, confirmed: Sequence[violations_pb2.Violation]) -> None:
    """Publish one `violations.v1.confirmed` event for each of these violations, under the identity
    of the violations service."""
    client = await connect(
        f"tls://127.0.0.1:{bench.mesh.ports.nats}",
        user=VIOLATIONS.name,
        seed=bench.mesh.keys.nats_seed(VIOLATIONS.name),
        pair=bench.outside.certificates.service(VIOLATIONS.name),
        authority=bench.outside.certificates.authority,
    )
    stream = client.jetstream()
    for start in range(0, len(confirmed), AT_ONCE):
        await asyncio.gather(*(_publish(stream, each) for each in confirmed[start:][:AT_ONCE]))
    await client.close()


async def _publish(stream: JetStreamContext, confirmed: violations_pb2.Violation) -> None:
    event = events_pb2.ViolationConfirmed(
        violation_id=confirmed.violation_id,
        region=confirmed.place.region,
        offence_code=confirmed.offence.code,
        occurred_at=confirmed.occurred_at,
        confirmed_at=confirmed.decision.decided_at,
    )
    headers = {
        "ce-id": str(new_id()),
        "ce-type": "violations.v1.confirmed",
        "ce-source": VIOLATIONS.name,
        "ce-specversion": "1.0",
        "content-type": "application/protobuf",
        "traceparent": f"00-{confirmed.story}-{secrets.token_hex(8)}-01",
        "tartip-aggregate": f"violation:{confirmed.violation_id}",
        "tartip-version": "2",
        "tartip-region": confirmed.place.region,
        "tartip-story": confirmed.story,
    }
    await stream.publish("violations.v1.confirmed", event.SerializeToString(), headers=headers)


async def found(bench: BenchMesh) -> list[fines_pb2.Fine]:
    """Return all fines in the state "delivered". The call is made as an inspector; all pages are
    fetched."""
    stub = fines_pb2_grpc.FinesStub(bench.for_operators(FINES))
    metadata = await bench.speaking(INSPECTOR)
    fines: list[fines_pb2.Fine] = []
    token = ""
    while True:
        request = fines_pb2.ListFinesRequest(
            state=fines_pb2.FINE_STATE_DELIVERED, page=common_pb2.Page(size=PAGE, token=token)
        )
        with peers_refusals():
            answer = await stub.ListFines(request, metadata=metadata, timeout=_CALL_SECONDS)
        fines += answer.fines
        token = answer.next_page_token
        if not token:
            return fines
