"""Faults that an alert must tell, each a context manager: wrong inside of it, mended after it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import numpy as np
from chassis.clock import new_id, real_clock
from chassis.refusals import Refusal
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from tartip.cameras.v1 import events_pb2 as camera_events
from tartip.fines.v1 import fines_pb2, fines_pb2_grpc
from tartip.reports.v1 import reports_pb2 as reports
from tartip.reports.v1 import reports_pb2_grpc as reports_grpc
from tartip_cli.clients.journeys import TRIAGE, wait_for
from tartip_cli.topology import CITIZEN_REPORTS, FINES, INFERENCE_GATEWAY
from tartip_scenes.rtsp import RtspServer
from tartip_scenes.scenes import draw_film, draw_scene
from tartip_testing.pauses import standing_still

from .alert_bed import Bed, hand_in, new_report
from .clocks import copy_with_clock
from .test_health import keeping_dead
from .test_streams import registered

CALLERS = 60
BANK, APP = "kaspi", "egov"
PLATES = ("725BDE07", "463DXA02", "118KLM01")
HUB = "Sample hub"
# Until a copy of a service has started and looked at its clock once more.
STARTED_SECONDS = 15.0


@asynccontextmanager
async def calling(call: Callable[[], Awaitable[Any]], *, callers: int = 1) -> AsyncIterator[None]:
    """Make a call again and again while the block runs, whatever it answers."""

    async def keep_calling() -> None:
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError, AssertionError, TimeoutError):
                await call()
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(keep_calling()) for _ in range(callers)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


def look_up(bed: Bed) -> Callable[[], Awaitable[Any]]:
    """A bank asks for a payment that does not exist."""
    stub = fines_pb2_grpc.FinePaymentsStub(bed.outside.as_partner(BANK, FINES))
    request = fines_pb2.GetPaymentRequest(payment_id=str(new_id()))
    return lambda: stub.GetPayment(request, timeout=5)


@asynccontextmanager
async def database_stands_still(bed: Bed) -> AsyncIterator[None]:
    with standing_still(bed.mesh, "postgres"):
        async with calling(look_up(bed)):
            yield


@asynccontextmanager
async def fines_is_away(bed: Bed) -> AsyncIterator[None]:
    async with keeping_dead(bed.mesh, "fines"):
        yield


@asynccontextmanager
async def broker_is_away(bed: Bed) -> AsyncIterator[None]:
    async with keeping_dead(bed.mesh, "nats"), calling(lambda: hand_in(bed)):
        yield


@asynccontextmanager
async def locked(bed: Bed, table: str, *, mode: str = "EXCLUSIVE") -> AsyncIterator[None]:
    """Somebody's session holds a lock; EXCLUSIVE lets rows be read and not written."""
    connection = await asyncpg.connect(bed.mesh.database.url)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN {mode} MODE")
            yield
    finally:
        await connection.close()


@asynccontextmanager
async def audit_log_is_locked(bed: Bed) -> AsyncIterator[None]:
    async with locked(bed, "citizen_reports.audit_heads"):
        await hand_in(bed)
        yield


@asynccontextmanager
async def work_is_locked(bed: Bed) -> AsyncIterator[None]:
    """Work that is due: to discard a key that does not exist."""
    columns = "(kind, key, due_at, traceparent, story)"
    values = f"('discard_key', '{new_id()}', clock_timestamp() + interval '3 seconds', '', '')"
    await bed.sql(f"INSERT INTO citizen_reports.work {columns} VALUES {values}")
    async with locked(bed, "citizen_reports.work"):
        yield


@asynccontextmanager
async def inbox_is_locked(bed: Bed) -> AsyncIterator[None]:
    """Events of the register reach the inference gateway, which cannot note them."""
    async with locked(bed, "inference.inbox"):
        await publish_of_register(bed, valid_change())
        yield


@asynccontextmanager
async def payments_are_locked(bed: Bed) -> AsyncIterator[None]:
    """As by somebody's ALTER TABLE: each call that reads payments keeps a connection waiting."""
    calls = calling(look_up(bed), callers=CALLERS)
    async with locked(bed, "fines.payments", mode="ACCESS EXCLUSIVE"), calls:
        yield


@asynccontextmanager
async def event_is_poison(bed: Bed) -> AsyncIterator[None]:
    event_id = await publish_of_register(bed, b"\xff\xff\xff")
    yield
    bed.command("redrive", "--dismiss", event_id, "--reason", "made for a test of alerts")


def valid_change() -> bytes:
    event = camera_events.CameraChanged(camera_id=str(new_id()), region="KZ-75", version=2)
    return event.SerializeToString()


async def publish_of_register(bed: Bed, content: bytes) -> str:
    """Publish a fact as the camera register does, and return the event's id."""
    client = await bed.mesh.nats_client("camera-registry")
    event_id = str(new_id())
    headers = {"ce-id": event_id, "tartip-aggregate": event_id, "tartip-version": "1"}
    headers |= {"tartip-region": "KZ-75", "tartip-story": ""}
    await client.jetstream().publish("cameras.v1.changed", content, headers=headers)
    await client.close()
    return event_id


@asynccontextmanager
async def certificate_ends(bed: Bed) -> AsyncIterator[None]:
    """A partner whose own key is elsewhere: nothing here renews it."""
    path = bed.mesh.certificates.folder / "partner" / "ends-tomorrow.pem"
    path.write_bytes(leaf_of_a_day())
    try:
        yield
    finally:
        path.unlink()


def leaf_of_a_day() -> bytes:
    key, now = ec.generate_private_key(ec.SECP256R1()), real_clock()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ends-tomorrow")])
    leaf = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    leaf = leaf.public_key(key.public_key()).serial_number(x509.random_serial_number())
    leaf = leaf.not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    return leaf.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@asynccontextmanager
async def supervisor_stands_still(bed: Bed) -> AsyncIterator[None]:
    with stopped(bed.mesh.supervisor.pid):
        yield


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def disk_fills(bed: Bed) -> AsyncIterator[None]:
    filling = bed.disk / "filling"
    with filling.open("wb") as file:
        for _ in range(20):
            file.write(b"\0" * (64 << 20))
            file.flush()
            await asyncio.sleep(0.5)
    try:
        yield
    finally:
        filling.unlink()


@asynccontextmanager
async def evidence_is_not_mounted(bed: Bed) -> AsyncIterator[None]:
    before = objects(bed.disk)
    for text in PLATES:
        await hand_in(bed, draw_scene(1, text=text).jpeg)

    async def stored() -> bool | None:
        """Each picture, and the form of it that may be shown."""
        return len(objects(bed.disk) - before) == 2 * len(PLATES) or None

    await wait_for("the pictures and their forms", stored, seconds=120)
    with hidden(bed.disk):
        yield


@asynccontextmanager
async def erasure_waits(bed: Bed) -> AsyncIterator[None]:
    """A report that ended long ago, and whose picture has not reached the store, which is away. A
    service that starts looks at once for what is due."""
    before = objects(bed.disk)
    async with keeping_dead(bed.mesh, INFERENCE_GATEWAY.name):
        report = new_report(bed, draw_scene(1, text="118KLM01").jpeg, reports.CATEGORY_OTHER)
        await report.open()
        await report.upload()
        await report.submit()
        app = reports_grpc.CitizenReportsStub(bed.outside.as_partner(APP, CITIZEN_REPORTS))
        await app.WithdrawReport(reports.WithdrawReportRequest(report_id=report.report_id))
        for column in ("reports SET opened_at = opened_at", "steps SET at = at"):
            await bed.sql(
                f"UPDATE citizen_reports.{column} - interval '9 years'"
                f" WHERE report_id = '{report.report_id}'"
            )
        bed.mesh.kill(CITIZEN_REPORTS.name)
        yield
    await asyncio.to_thread(bed.mesh.wait_ready)

    async def is_stored() -> bool | None:
        return len(objects(bed.disk) - before) == 2 or None

    await wait_for("the picture and its form", is_stored, seconds=60)
    await asyncio.to_thread(bed.mesh.kill_and_wait, CITIZEN_REPORTS.name)


def objects(disk: Path) -> set[Path]:
    return {path for path in disk.rglob("*.*") if path.is_file()}


@contextmanager
def hidden(folder: Path) -> Iterator[None]:
    """Another, empty file system lies over the folder."""
    hiding = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "tmpfs", str(folder)]
    subprocess.run(hiding, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@asynccontextmanager
async def evidence_is_changed(bed: Bed) -> AsyncIterator[None]:
    known = set(bed.disk.rglob("*"))
    report = new_report(bed, draw_scene(1, text="463DXA02").jpeg)
    await report.open()
    await report.upload()
    await report.submit()
    found = await wait_for("the report on the desk", report.find_on_desk, seconds=60)
    sealed = {path: path.read_bytes() for path in bed.disk.rglob("*.*") if path not in known}
    for path, content in sealed.items():
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    media = found.body["media"][0]["media_id"]
    await report.act("take")  # who is not assigned is shown another object, the blurred form
    with contextlib.suppress(Refusal):
        desk = bed.outside.as_operator(report.dispatcher)
        await desk.get(f"/v1/reports/{report.report_id}/media/{media}", purpose=TRIAGE)
    yield
    for path, content in sealed.items():
        path.write_bytes(content)
    bed.command("verify", "--service", "inference-gateway")


@asynccontextmanager
async def hub_is_silent(bed: Bed) -> AsyncIterator[None]:
    """A hub that has reported once; revoking it ends the incident."""
    key = bed.disk.parent / "hub.pem"
    made = bed.command("hubs", "add", HUB, "--region", "KZ-75", "--new-key", str(key), "--json")
    hub_id = json.loads(made)["hub_id"]
    bed.command("hubs", "report", hub_id, "--key", str(key))
    yield
    bed.command("hubs", "revoke", hub_id, "--reason", "the end of a test of alerts")


@asynccontextmanager
async def bank_floods(bed: Bed) -> AsyncIterator[None]:
    async with calling(look_up(bed), callers=8 * CALLERS):
        yield


@asynccontextmanager
async def app_takes_no_webhooks(bed: Bed) -> AsyncIterator[None]:
    """Nothing listens at its address, which it takes back at last."""
    address = "callback_url={}".format
    bed.command("partners", "change", APP, "--detail", address("https://127.0.0.1:9/changes"))
    app = reports_grpc.CitizenReportsStub(bed.outside.as_partner(APP, CITIZEN_REPORTS))
    await app.RotateWebhookSecret(reports.RotateWebhookSecretRequest(request_id=str(new_id())))
    await hand_in(bed)
    yield
    bed.command("partners", "change", APP, "--detail", address(""))


@asynccontextmanager
async def stream_is_away(bed: Bed) -> AsyncIterator[None]:
    camera_id = bed.cameras[0].camera_id
    bed.command("streams", "put", camera_id, "rtsp://127.0.0.1:9/nothing")
    yield
    bed.command("streams", "remove", camera_id)


@asynccontextmanager
async def facts_are_refused(bed: Bed) -> AsyncIterator[None]:
    """Somebody adds a rule to a table which no new row keeps, while a car passes a watched camera
    again and again."""
    passing = [scene.picture for scene in draw_film(5, frames=10, text=PLATES[0])]
    empty = [np.full_like(passing[0], 90)] * 20
    server = RtspServer([*passing, *empty], rate=5)
    camera_id = await registered(bed.outside, 1)
    bed.command("streams", "put", camera_id, server.address_of("street"))
    rule = "ALTER TABLE inference.frames {} CONSTRAINT of_a_test"
    await bed.sql(rule.format("ADD") + " CHECK (false) NOT VALID")
    try:
        yield
    finally:
        await bed.sql(rule.format("DROP"))
        bed.command("streams", "remove", camera_id)
        server.stop()


@asynccontextmanager
async def models_are_away(bed: Bed) -> AsyncIterator[None]:
    async with keeping_dead(bed.mesh, "triton"):
        yield


@asynccontextmanager
async def clock_goes_apart(bed: Bed) -> AsyncIterator[None]:
    """The clock of a second copy of a service, to start with right."""
    with copy_with_clock(bed.mesh, FINES, bed.disk.parent) as clock:
        await asyncio.sleep(STARTED_SECONDS)
        clock.put_ahead(3)
        yield
        clock.put_ahead(0)
        await asyncio.sleep(STARTED_SECONDS)
