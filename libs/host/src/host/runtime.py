"""The life of a service process: wiring, start, serving and ordered stop.

    SERVICE = Service("fines", schema="fines", settings=FinesSettings, build=build, migrations=...)
    # python -m fines serve | migrate | rotate-keys

`build` gets a `Chassis` and registers servicers with their policy, consumers, work and loops. On
SIGTERM the process accepts no new calls, finishes calls in flight for at most 20 s, cancels its
loops, closes broker and pool and flushes telemetry. The supervisor kills it after 45 s.
"""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import uvloop
from chassis.authorities import Authorities
from chassis.channels import Channels
from chassis.clock import Clock, clock_offset, move_clock, system_clock
from chassis.db import Database
from chassis.identity import Policy, TokenVerifier
from chassis.settings import Settings, read
from chassis.telemetry import register_ids
from chassis.work import LIST_ERASURE
from google.protobuf import descriptor

from host.broker import Broker, client_tls
from host.certificates import CertificateUnusable, require_all_certificates
from host.channels import RenewingChannels
from host.checks import broker_check, certificate_check, database_check, outbox_check, peer_check
from host.consumer import Consumer, Subscription
from host.databases import Databases, IsAtDesk
from host.erasures import AUDIT_KEY, ErasureList
from host.gate import Gate
from host.health import Check, Health
from host.key_destruction import handlers_of
from host.migrations import migrate
from host.outbox import Relay
from host.pauses import keep_pauses_short
from host.revocation import Revocations
from host.rewrapping import SETTLE_SECONDS, rotate_keys_of
from host.scheduler import Scheduler, WorkHandler
from host.server import GrpcServer
from host.shares import QuotaOf, Shares, no_quota
from host.telemetry import providers
from host.telemetry.measures import BrokerMeasures, DatabaseMeasures, keep_measuring

GRACE_SECONDS = 20.0
RESTART_SECONDS = 1.0
# Longer than a loop needs for its end, such as for giving up a lease.
CANCEL_AGAIN_SECONDS = 5.0
log = logging.getLogger(__name__)
S = TypeVar("S", bound=Settings)


@dataclass
class Chassis(Generic[S]):
    """What a service's function `build` gets: the service's settings, database, broker and so on.

    `build` registers servicers, handlers of events and work, and background loops here. Servicers
    use `db`; handlers and loops use `work_db`.
    """

    name: str
    settings: S
    clock: Clock
    channels: Channels
    tokens: TokenVerifier
    _databases: Databases | None
    _broker: Broker | None
    servicers: list[tuple[descriptor.ServiceDescriptor, Callable[..., None], Any]] = field(
        default_factory=list
    )
    policy: dict[str, Any] = field(default_factory=dict)
    # By a service's full name, whose calls need them; "" for a process that nobody else asks.
    needs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    health: Health = field(default_factory=Health)
    loops: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = field(default_factory=list)
    work: dict[str, WorkHandler] = field(default_factory=dict)
    # For kinds of heavy work: how many rows are done at once.
    at_once: dict[str, int] = field(default_factory=dict)
    consumed: list[str] = field(default_factory=list)
    on_stop: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    quota_of: QuotaOf = no_quota
    # Returns a servicer whose methods for partners look the caller's scope up.
    guard: Callable[[descriptor.ServiceDescriptor, Any], Any] | None = None

    @property
    def databases(self) -> Databases:
        """The service's three databases, one per log-in. Raises LookupError if it has none."""
        if self._databases is None:
            raise LookupError(f"{self.name} has no database")
        return self._databases

    @property
    def db(self) -> Database:
        """The database with the log-in that serves calls. Raises LookupError if there is none."""
        return self.databases.calls

    @property
    def work_db(self) -> Database:
        """The database with the log-in for events, scheduled work and loops. Raises LookupError if
        there is none."""
        return self.databases.work

    @property
    def broker(self) -> Broker:
        """The broker. Raises LookupError in a service that neither publishes nor consumes."""
        if self._broker is None:
            raise LookupError(f"{self.name} is not connected to the broker")
        return self._broker

    @property
    def measures(self) -> list[DatabaseMeasures | BrokerMeasures]:
        """The objects that measure this process's database and broker, for `keep_measuring`."""
        found: list[DatabaseMeasures | BrokerMeasures] = []
        if self._databases is not None:
            pools = self._databases.pools
            found.append(DatabaseMeasures(self.work_db, pools=pools, kinds=tuple(self.work)))
        if self._broker is not None:
            streams = tuple(self.consumed)
            found.append(BrokerMeasures(self._broker, durable=self.name, streams=streams))
        return found

    def serve(
        self,
        service: descriptor.ServiceDescriptor,
        add: Callable[..., None],
        servicer: Any,
        policy: Policy,
        needs: tuple[str, ...] = (),
    ) -> None:
        """Register a gRPC servicer with the policy of its methods.

        `service` is the generated DESCRIPTOR.services_by_name[…], `add` the generated
        add_…_to_server. `needs` names the peers without which the service is not ready. A peer's
        address is in the setting <peer>_address, unless `Chassis.checks` has a check with the
        peer's name.
        """
        self.servicers.append((service, add, servicer))
        self.policy.update(policy)
        self.needs[service.full_name] = needs

    def consume(self, stream: str, subscriptions: Mapping[str, Subscription]) -> None:
        """Register the handlers of the events of `stream`, by subject.

        The stream's durable consumer must have the name of this service.
        """
        consumer = Consumer(
            self.work_db, self.broker, stream=stream, durable=self.name, subscriptions=subscriptions
        )
        self.consumed.append(stream)
        self.loop(f"consume {stream}", consumer.run)

    def publish_from(self, *streams: str) -> None:
        """Register the relay that publishes this service's outbox to the NATS streams `streams`."""
        relay = Relay(self.work_db, self.broker, source=self.name, streams=streams)
        self.loop("relay", relay.run)

    def share_by(self, quota_of: QuotaOf) -> None:
        """Use `quota_of(kind, name)` to get the `Quota` that limits a caller.

        If `quota_of` returns None, the default quota of the caller's kind applies.
        """
        self.quota_of = quota_of

    def do(self, kind: str, handler: WorkHandler, *, at_once: int | None = None) -> None:
        """Register the handler of a kind of scheduled work; it is called with the work's key.
        `at_once`, for heavy work: how many rows are done at once."""
        self.work[kind] = handler
        if at_once is not None:
            self.at_once[kind] = at_once

    def loop(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Register a coroutine function to run until the service stops.

        The function is called again if it ends or fails. `name` identifies the function in the log.
        """
        self.loops.append((name, run))


@dataclass(frozen=True)
class Service(Generic[S]):
    """The definition of a service, by which `main` serves it or migrates its schema."""

    name: str
    settings: type[S]
    build: Callable[[Chassis[S]], Awaitable[None]]
    schema: str = ""
    migrations: Path | None = None
    # Which scopes use the log-in for the desk, in a service that has one (`host.databases`).
    is_at_desk: IsAtDesk | None = None
    # Its ids that spans may carry, each with its shape: {"order": UUID_SHAPE}.
    ids: Mapping[str, str] = field(default_factory=dict)
    # What serves instead of gRPC, for the one service that is an HTTP edge.
    serve_http: Callable[[Chassis[S], asyncio.Event], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        register_ids(self.ids)


def main(service: Service[Any]) -> None:
    """Run the command in `sys.argv`: `serve` (the default), `migrate` or `rotate-keys`.

    Exits with the usage for any other command, and with a one-line message if `serve` cannot use a
    certificate, key or revocation list.
    """
    verb = sys.argv[1] if len(sys.argv) > 1 else "serve"
    settings = read(service.settings)
    move_clock(settings.clock_offset)
    if verb == "migrate" and service.migrations is not None:
        migrate(service.migrations, owner_url=settings.owner_database_url, schema=service.schema)
    elif verb == "rotate-keys" and service.schema:
        settle = float(sys.argv[2]) if len(sys.argv) > 2 else SETTLE_SECONDS
        uvloop.run(rotate_keys_of(service.name, settings, settle))
    elif verb == "serve":
        try:
            require_all_certificates(settings, serves_grpc=service.serve_http is None)
            uvloop.run(run(service, settings))
        except CertificateUnusable as error:
            raise SystemExit(f"{service.name}: {error}") from error
    else:
        sys.exit(f"usage: python -m {service.name.replace('-', '_')} serve | migrate | rotate-keys")


async def run(service: Service[S], settings: S) -> None:
    """Serve until SIGTERM or SIGINT, then stop the parts in order and return."""
    providers.set_up(service.name, settings)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    if offset := clock_offset():
        log.warning("the clock is moved by %s: it is %s here", offset, system_clock().isoformat())
    async with chassis_of(service, settings) as chassis:
        if settings.database_url and settings.erasures is not None:
            await _repeat_erasures(chassis, settings.erasures, stopping)
        await service.build(chassis)
        chassis.health = Health(_checks(chassis), chassis.needs)
        chassis.loop("health", chassis.health.run)
        seconds = chassis.settings.metric_export_interval / 1000
        chassis.loop(
            "measurements", lambda: keep_measuring(chassis.measures, export_seconds=seconds)
        )
        keep_pauses_short()
        if service.serve_http is not None:
            async with _looping(chassis):
                await service.serve_http(chassis, stopping)
        else:
            await _serve_grpc(chassis, stopping)
    providers.shut_down()
    log.info("stopped")


@contextlib.asynccontextmanager
async def chassis_of(service: Service[S], settings: S) -> AsyncIterator[Chassis[S]]:
    """Yield a `Chassis`, connected to the database if the service has a schema, and to the broker
    if `settings` has a broker's URL. All its connections are closed when the block ends."""
    async with contextlib.AsyncExitStack() as closing:
        channels = RenewingChannels(
            cert=settings.tls_cert, key=settings.tls_key, ca=settings.tls_ca
        )
        closing.push_async_callback(channels.close)
        databases = broker = None
        if service.schema:
            databases = Databases.connect(
                settings, service=service.name, is_at_desk=service.is_at_desk
            )
            closing.push_async_callback(databases.close)
        if settings.nats_url:
            authority = settings.nats_ca or settings.tls_ca
            tls = client_tls(settings.tls_cert, settings.tls_key, authority)
            broker = await Broker.connect(
                settings.nats_url, name=service.name, seed_file=settings.nats_seed_file, tls=tls
            )
            closing.push_async_callback(broker.close)
        chassis = Chassis(
            service.name,
            settings,
            system_clock,
            channels,
            TokenVerifier(settings.oidc_issuer),
            databases,
            broker,
        )
        if broker is not None:
            chassis.loop("broker key", broker.keep_key_current)
        try:
            yield chassis
        finally:
            for stop in reversed(chassis.on_stop):
                await stop()


async def _repeat_erasures(chassis: Chassis[Any], folder: Path, stopping: asyncio.Event) -> None:
    """Destroy again what was destroyed before a restore; register the work that lists erasures."""
    key = chassis.work_db.keyring.signing_key(AUDIT_KEY)
    erasures = ErasureList(folder, chassis.name, key, chassis.clock)
    chassis.do(LIST_ERASURE, erasures.append)
    await erasures.repeat_patiently(chassis.work_db, stopping)


async def _serve_grpc(chassis: Chassis[Any], stopping: asyncio.Event) -> None:
    _check_scopes(chassis)
    settings = chassis.settings
    authorities = Authorities.in_folder(settings.tls_client_authorities)
    revocations = Revocations(settings.tls_client_authorities)
    shares = Shares(chassis.quota_of)
    gate = Gate(chassis.policy, chassis.tokens, authorities, shares, revocations)
    server = GrpcServer(
        settings.grpc_address,
        gate,
        cert=settings.tls_cert,
        key=settings.tls_key,
        health=chassis.health,
    )
    for service, add, servicer in chassis.servicers:
        add(chassis.guard(service, servicer) if chassis.guard else servicer, server.server)
    databases = chassis.databases
    chassis.work.update(handlers_of(databases.work))
    scheduler = Scheduler(databases.work, chassis.clock, chassis.work, chassis.at_once)
    chassis.loop("scheduler", scheduler.run)
    async with _looping(chassis):
        await server.start(tuple(service.full_name for service, _, _ in chassis.servicers))
        log.info("serving on %s", settings.grpc_address)
        await stopping.wait()
        await server.stop(GRACE_SECONDS)


def _checks(chassis: Chassis[Any]) -> list[Check]:
    """The checks of a process: its parts, the peers that it needs, and what `build` added."""
    settings = chassis.settings
    checks = [certificate_check(settings.tls_cert, settings.tls_key), *chassis.checks]
    if settings.database_url:
        databases = chassis.databases
        checks.append(database_check(databases.calls))
        checks.append(database_check(databases.work, name="database for work"))
        checks.append(database_check(databases.seal, name="database for sealing"))
    if settings.nats_url:
        checks.append(broker_check(chassis.broker))
    if settings.database_url and settings.nats_url:
        checks.append(outbox_check(chassis.work_db))
    known = {check.name for check in chassis.checks}
    for peer in sorted({name for names in chassis.needs.values() for name in names} - known):
        address = getattr(settings, f"{peer.replace('-', '_')}_address")
        checks.append(peer_check(peer, chassis.channels.to(address, peer)))
    return checks


def _check_scopes(chassis: Chassis[Any]) -> None:
    """Raise RuntimeError if partners may call a method without a scope, or without a guard."""
    open_to_all = [
        method
        for method, rule in chassis.policy.items()
        if rule.partners and not (rule.scope and chassis.guard)
    ]
    if open_to_all:
        raise RuntimeError(f"methods for partners need a scope and a guard: {open_to_all}")


@contextlib.asynccontextmanager
async def _looping(chassis: Chassis[Any]) -> AsyncIterator[None]:
    """Run the registered loops while the block runs; cancel them when it ends."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_for_ever(name, loop)) for name, loop in chassis.loops]
        try:
            yield
        finally:
            await _cancelled(tasks)


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until all have ended. An `asyncio.wait_for`, as in the NATS client, loses a
    cancellation that comes in the moment of its result (Python before 3.12)."""
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)


async def _for_ever(name: str, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            await loop()
        except Exception as error:
            log.warning(
                "%s broke, again in %s s: %s",
                name,
                RESTART_SECONDS,
                type(error).__name__,
                exc_info=error,
            )
        await asyncio.sleep(RESTART_SECONDS)
