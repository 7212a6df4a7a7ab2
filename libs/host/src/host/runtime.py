"""The life of a service process: wiring, start, serving and ordered stop.

    SERVICE = Service("fines", schema="fines", settings=FinesSettings, build=build, migrations=...)
    # python -m fines serve | migrate

`build` gets a `Chassis` and registers servicers with their policy, consumers, work and loops. On
SIGTERM the process accepts no new calls, finishes calls in flight for at most 20 s, cancels its
loops, closes broker and pool and flushes telemetry. The supervisor kills it after 45 s.
"""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import uvloop
from chassis import telemetry
from chassis.authorities import Authorities
from chassis.channels import Channels
from chassis.clock import Clock, clock_offset, move_clock, new_id, system_clock
from chassis.db import Database
from chassis.identity import Policy, TokenVerifier
from chassis.settings import Settings, read
from google.protobuf import descriptor
from vault.keyring import Keyring

from host.broker import Broker, client_tls
from host.consumer import Consumer, Subscription
from host.gate import Gate
from host.migrations import migrate
from host.outbox import Relay
from host.pauses import keep_pauses_short
from host.scheduler import Scheduler, WorkHandler
from host.server import GrpcServer
from host.shares import QuotaOf, Shares, no_quota

GRACE_SECONDS = 20.0
PING_SECONDS = 5.0
RESTART_SECONDS = 1.0
log = logging.getLogger(__name__)
S = TypeVar("S", bound=Settings)


@dataclass
class Chassis(Generic[S]):
    """What a service's function `build` gets: the service's settings, database, broker and so on.

    `build` registers servicers, handlers of events and work, and background loops here.
    """

    name: str
    settings: S
    clock: Clock
    channels: Channels
    tokens: TokenVerifier
    _db: Database | None
    _broker: Broker | None
    servicers: list[tuple[descriptor.ServiceDescriptor, Callable[..., None], Any]] = field(
        default_factory=list
    )
    policy: dict[str, Any] = field(default_factory=dict)
    loops: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = field(default_factory=list)
    work: dict[str, WorkHandler] = field(default_factory=dict)
    on_stop: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    quota_of: QuotaOf = no_quota
    # Returns a servicer whose methods for partners look the caller's scope up.
    guard: Callable[[descriptor.ServiceDescriptor, Any], Any] | None = None

    @property
    def db(self) -> Database:
        """The database. Raises LookupError in a service without a database."""
        if self._db is None:
            raise LookupError(f"{self.name} has no database")
        return self._db

    @property
    def broker(self) -> Broker:
        """The broker. Raises LookupError in a service that neither publishes nor consumes."""
        if self._broker is None:
            raise LookupError(f"{self.name} is not connected to the broker")
        return self._broker

    def serve(
        self,
        service: descriptor.ServiceDescriptor,
        add: Callable[..., None],
        servicer: Any,
        policy: Policy,
    ) -> None:
        """Register a gRPC servicer with the policy of its methods.

        `service` is the generated DESCRIPTOR.services_by_name[…], `add` the generated
        add_…_to_server.
        """
        self.servicers.append((service, add, servicer))
        self.policy.update(policy)

    def consume(self, stream: str, subscriptions: Mapping[str, Subscription]) -> None:
        """Register the handlers of the events of `stream`, by subject.

        The stream's durable consumer must have the name of this service.
        """
        consumer = Consumer(
            self.db, self.broker, stream=stream, durable=self.name, subscriptions=subscriptions
        )
        self.loop(f"consume {stream}", consumer.run)

    def publish_from(self, *streams: str) -> None:
        """Publish the events in this service's outbox, which are stored by these NATS streams."""
        relay = Relay(self.db, self.broker, source=self.name, streams=streams)
        self.loop("relay", relay.run)

    def share_by(self, quota_of: QuotaOf) -> None:
        """Limit each caller by the `Quota` that `quota_of(kind, name)` returns.

        None means the default quota of the caller's kind.
        """
        self.quota_of = quota_of

    def do(self, kind: str, handler: WorkHandler) -> None:
        """Register the handler of a kind of scheduled work; it is called with the work's key."""
        self.work[kind] = handler

    def loop(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Register a coroutine function to run until the service stops; it is restarted if it ends.

        `name` identifies it in the log.
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
    # Its ids that spans may carry, each with its shape: {"order": UUID_SHAPE}.
    ids: Mapping[str, str] = field(default_factory=dict)
    # What serves instead of gRPC, for the one service that is an HTTP edge.
    serve_http: Callable[[Chassis[S], asyncio.Event], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        telemetry.register_ids(self.ids)


def main(service: Service[Any]) -> None:
    """Run the command `serve` (the default) or `migrate`; exit with the usage for any other."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "serve"
    settings = read(service.settings)
    move_clock(settings.clock_offset)
    if verb == "migrate" and service.migrations is not None:
        migrate(service.migrations, owner_url=settings.owner_database_url, schema=service.schema)
    elif verb == "serve":
        uvloop.run(run(service, settings))
    else:
        sys.exit(f"usage: python -m {service.name.replace('-', '_')} serve | migrate")


async def run(service: Service[S], settings: S) -> None:
    """Serve until SIGTERM or SIGINT, then stop in order and return."""
    telemetry.set_up(service.name, endpoint=settings.otlp_endpoint, log_level=settings.log_level)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    if offset := clock_offset():
        log.warning("the clock is moved by %s: it is %s here", offset, system_clock().isoformat())
    async with chassis_of(service, settings) as chassis:
        await service.build(chassis)
        keep_pauses_short()
        if service.serve_http is not None:
            async with _looping(chassis):
                await service.serve_http(chassis, stopping)
        else:
            await _serve_grpc(chassis, stopping)
    telemetry.shut_down()
    log.info("stopped")


@contextlib.asynccontextmanager
async def chassis_of(service: Service[S], settings: S) -> AsyncIterator[Chassis[S]]:
    """Yield a `Chassis`, connected to a database and a broker if `settings` has their URLs.

    The connections and the gRPC channels are closed when the block ends.
    """
    async with contextlib.AsyncExitStack() as closing:
        channels = Channels(cert=settings.tls_cert, key=settings.tls_key, ca=settings.tls_ca)
        closing.push_async_callback(channels.close)
        db = broker = None
        if settings.database_url:
            db = Database(
                settings.database_url,
                service=service.name,
                keyring=Keyring(settings.keys_dir, new_id=new_id),
                clock=system_clock,
            )
            closing.push_async_callback(db.close)
        if settings.nats_url:
            tls = client_tls(settings.tls_cert, settings.tls_key, settings.tls_ca)
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
            db,
            broker,
        )
        try:
            yield chassis
        finally:
            for stop in reversed(chassis.on_stop):
                await stop()


async def _serve_grpc(chassis: Chassis[Any], stopping: asyncio.Event) -> None:
    _check_scopes(chassis)
    settings = chassis.settings
    authorities = Authorities.in_folder(settings.tls_client_authorities)
    gate = Gate(chassis.policy, chassis.tokens, authorities, Shares(chassis.quota_of))
    server = GrpcServer(settings.grpc_address, gate, cert=settings.tls_cert, key=settings.tls_key)
    for service, add, servicer in chassis.servicers:
        add(chassis.guard(service, servicer) if chassis.guard else servicer, server.server)
    chassis.loop("database clock", lambda: _keep_pinging(chassis.db))
    if chassis.work:
        chassis.loop("scheduler", Scheduler(chassis.db, chassis.clock, chassis.work).run)
    async with _looping(chassis):
        await server.start(tuple(service.full_name for service, _, _ in chassis.servicers))
        log.info("serving on %s", settings.grpc_address)
        await stopping.wait()
        await server.stop(GRACE_SECONDS)


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
            for task in tasks:
                task.cancel()


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


async def _keep_pinging(db: Database) -> None:
    while True:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(PING_SECONDS):
                await db.ping()
        await asyncio.sleep(PING_SECONDS)
