"""The checks from which a process's `Health` is made: database, certificate, broker, outbox, peers.

If the check of the broker or the outbox fails, the process is only degraded: accepted data are in
the database and are published later.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from chassis.clock import real_clock
from chassis.db import Database
from chassis.refusals import ClockUnsure
from chassis.transaction import CLOCK_TOLERANCE_SECONDS
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry import context, trace

from host.broker import Broker
from host.certificates import CertificateFiles, CurrentCertificate
from host.health import SERVING, Check, Effect, Reasons, reasons_in
from host.outbox import oldest_waiting

DATABASE_SECONDS = 3.0
PEER_SECONDS = 1.5
# Longer than a restart of the broker or a change of the relay's process usually takes.
WAITING_SECONDS = 15.0
_UNSAMPLED = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False))


def database_check(db: Database, *, name: str = "database") -> Check:
    """Return a check that fails if the database does not answer within DATABASE_SECONDS, or if the
    database's clock differs from this process's by more than CLOCK_TOLERANCE_SECONDS."""

    async def look() -> Reasons:
        try:
            await db.ping()
        except ClockUnsure:
            apart = f"over {CLOCK_TOLERANCE_SECONDS:.0f} s"
            return {"clock": f"differs from the database's by {apart}, so that nothing is decided"}
        return {}

    return Check(name, Effect.UNREADY, look, within_seconds=DATABASE_SECONDS)


def certificate_check(cert: Path, key: Path) -> Check:
    """Return a check that fails if the process's certificate is expired or not valid yet.

    While its files are missing or damaged, the certificate that was read last counts: it is in use.
    Raises CertificateUnusable.
    """
    current = CurrentCertificate(CertificateFiles(cert, key))

    async def look() -> Reasons:
        leaf, now = x509.load_pem_x509_certificates(current.get().certificate)[0], real_clock()
        if now < leaf.not_valid_before_utc:
            return {"certificate": f"is not valid before {leaf.not_valid_before_utc.isoformat()}"}
        if now > leaf.not_valid_after_utc:
            return {"certificate": f"expired at {leaf.not_valid_after_utc.isoformat()}"}
        return {}

    return Check("certificate", Effect.UNREADY, look)


def broker_check(broker: Broker) -> Check:
    """Return a check that fails while the broker is not connected."""

    async def look() -> Reasons:
        return {} if broker.is_connected else {"broker": "is not connected"}

    return Check("broker", Effect.DEGRADED, look)


def outbox_check(db: Database, *, waiting_seconds: float = WAITING_SECONDS) -> Check:
    """Return a check that fails if one event has been the oldest unpublished for `waiting_seconds`.

    This happens if the broker is connected, but refuses all events or those of one subject.
    """
    oldest: int | None = None
    since = 0.0

    async def look() -> Reasons:
        nonlocal oldest, since
        try:
            position = await oldest_waiting(db)
        except Exception:  # the check of the database says so
            return {}
        now = time.monotonic()
        if position is None or position != oldest:
            oldest, since = position, now
        waited = now - since
        if position is None or waited < waiting_seconds:
            return {}
        return {"outbox": f"has an event that could not be published for {waited:.0f} s"}

    return Check("outbox", Effect.DEGRADED, look)


def peer_check(name: str, channel: grpc.aio.Channel) -> Check:
    """Return a check that fails if a peer is not ready or does not answer within PEER_SECONDS.

    `name` is the name under which the peer is deployed.
    """
    stub = health_pb2_grpc.HealthStub(channel)

    async def look() -> Reasons:
        with _leaving_no_spans():
            call = stub.Check(health_pb2.HealthCheckRequest(), timeout=PEER_SECONDS)
            try:
                answer = await call
            except grpc.aio.AioRpcError as error:
                return {name: f"does not answer ({error.code().name})"}
        if answer.status == SERVING:
            return {}
        wrong = reasons_in(await call.trailing_metadata())
        said = ", ".join(f"{what} {why}" for what, why in wrong.items())
        return {name: f"is not ready: {said}" if said else "is not ready"}

    return Check(name, Effect.PEER, look)


@contextmanager
def _leaving_no_spans() -> Iterator[None]:
    token = context.attach(trace.set_span_in_context(_UNSAMPLED))
    try:
        yield
    finally:
        context.detach(token)
