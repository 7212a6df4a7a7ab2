"""Builds the mesh from the settings: decides which parts run, and in which order they start.

First the engines start (PostgreSQL, NATS, Triton), then the services with a database schema, then
the operator gateway. An engine with an external address is not started, only watched.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from dataclasses import dataclass

from tartip_cli.data_dir import DataDir, make_erasures_folder
from tartip_cli.failures import Exit, Failure
from tartip_cli.parts.health import ready_if
from tartip_cli.parts.nats import NatsServer
from tartip_cli.parts.part import OutsidePart, Part, launched
from tartip_cli.parts.postgres import Cluster
from tartip_cli.parts.services import Addresses, ServiceParts
from tartip_cli.parts.triton import Triton
from tartip_cli.ports import LOOPBACK, Ports, require_free
from tartip_cli.provision import vehicles
from tartip_cli.provision.broker import Broker
from tartip_cli.provision.certificates import LEAF_LIFE, Certificates
from tartip_cli.provision.keys import Keys
from tartip_cli.provision.roles import Database
from tartip_cli.provision.streams import Topology, read_topology
from tartip_cli.settings import Settings, inherited_environment
from tartip_cli.short_processes import finished
from tartip_cli.topology import COMMAND_LINE, SCHEMAS, SERVICES, service_named

# An index over millions of rows takes minutes. A migration waits for no lock longer than 5 s.
_MIGRATION_SECONDS = 1800

Stage = tuple[Part | OutsidePart, ...]


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """All parts of a mesh, grouped by the stages in which they start. Also the keys, certificates
    and database that must be prepared first."""

    settings: Settings
    home: DataDir
    ports: Ports
    certificates: Certificates
    keys: Keys
    streams: Topology
    database: Database
    services: ServiceParts
    stages: tuple[Stage, ...]

    @classmethod
    def build(cls, settings: Settings, *, without: frozenset[str] = frozenset()) -> Mesh:
        """Return the description of a mesh with these settings, and create its data folder. Nothing
        is started. `without` names parts to leave out."""
        return _Builder(settings).mesh(without)

    @property
    def oidc_issuer(self) -> str:
        return self.services.addresses.oidc

    @property
    def needed_first(self) -> frozenset[str]:
        """The names of the parts that must be ready before migrations and services start."""
        return frozenset({"postgres", "nats"})

    @property
    def parts(self) -> tuple[Part | OutsidePart, ...]:
        return tuple(part for stage in self.stages for part in stage)

    @property
    def migrated_services(self) -> tuple[str, ...]:
        """The names of this run's services that have a database schema."""
        present = {part.name for part in self.parts}
        return tuple(s.name for s in SERVICES if s.schema is not None and s.name in present)

    @property
    def nats_server(self) -> NatsServer | None:
        """The embedded NATS server; None if the broker runs elsewhere."""
        if self.settings.nats_url is not None:
            return None
        url = self.services.addresses.nats
        broker = Broker(
            url=url, certificates=self.certificates, keys=self.keys, topology=self.streams
        )
        return _nats_server(self.home, self.ports, broker)

    def prepare(self) -> None:
        """Create missing certificate authorities and NATS keys, and issue new certificates.

        Revoked holders, and partners whose private key is elsewhere, get no certificate. Generated
        vehicles in a register that an older version wrote get their missing dates of ownership.
        Raises Failure if a file of an authority or of the revocations is damaged.
        """
        self.certificates.renew()
        self.keys.provision(self.streams.user_names)
        vehicles.complete(self.home.path / "vehicles.json")

    def require_free_ports(self) -> None:
        for part in self.parts:
            if isinstance(part, Part):
                gateway = part.name == "operator-gateway"
                variable = "TARTIP_GATEWAY_PORT" if gateway else "TARTIP_PORT_BASE"
                require_free(int(part.address.rpartition(":")[2]), part.name, variable=variable)
                if part.name == "nats":
                    require_free(self.ports.nats_monitor, "NATS monitoring")
                if part.name == "triton":
                    require_free(self.ports.triton_metrics, "Triton metrics")
        require_free(self.ports.supervisor, "the supervisor")

    async def migrate(self, name: str) -> None:
        service = service_named(name)
        assert service.schema is not None
        environment = {
            **inherited_environment(),
            **self.services.environment(service),
            "TARTIP_OWNER_DATABASE_URL": self.database.owner_url(service.schema),
        }
        command = (sys.executable, "-m", service.package, "migrate")
        log = self.home.log_of(f"{name}.migrate")
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *launched(command, user=None, death_signal=signal.SIGTERM),
                env=environment,
                cwd=self.settings.checkout,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is handled by the supervisor
            )
            await finished(process, f"the migration of {name}", seconds=_MIGRATION_SECONDS)
        if process.returncode != 0:
            lines = log.read_text(errors="replace").strip().splitlines() or ["it wrote nothing"]
            raise Failure(
                f"the migration of {name} failed: {lines[-1][:300]} (log: {log})", Exit.PART_FAILED
            )


class _Builder:
    """The wiring, one method per kind of part."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._home = DataDir(settings.home)
        self._home.prepare()
        make_erasures_folder(settings.erasures_folder)
        self._ports = Ports(base=settings.port_base, gateway=settings.gateway_port)
        self._certificates = Certificates(self._home.tls, settings.leaf_life or LEAF_LIFE)
        self._keys = Keys(self._home.keys)
        topology = read_topology(settings.checkout / "infra" / "nats" / "streams.yaml")
        self._streams = topology.with_replicas(settings.nats_replicas)

    def mesh(self, without: frozenset[str]) -> Mesh:
        postgres, database = self._postgres()
        nats, nats_url = self._nats()
        triton, triton_url = self._triton(left_out="triton" in without)
        services = self._services(database, nats_url, triton_url)
        engines = [postgres, nats] if triton is None else [postgres, nats, triton]
        with_data = [services.part(service) for service in SERVICES if service.schema is not None]
        gateways = [services.part(service) for service in SERVICES if service.schema is None]
        stages = tuple(
            tuple(part for part in stage if part.name not in without)
            for stage in (engines, with_data, gateways)
        )
        return Mesh(
            settings=self._settings,
            home=self._home,
            ports=self._ports,
            certificates=self._certificates,
            keys=self._keys,
            streams=self._streams,
            database=database,
            services=services,
            stages=stages,
        )

    def _postgres(self) -> tuple[Part | OutsidePart, Database]:
        sql = self._settings.checkout / "infra" / "postgres"
        outside = self._settings.database_url
        if outside is not None:
            database = Database(outside, self._home, sql)
            address = _without_password(outside)
            part = OutsidePart(
                name="postgres",
                address=address,
                probe=ready_if(database.answers),
                provision=database.provision,
            )
            return part, database
        cluster = Cluster.embedded(
            self._home,
            self._ports.postgres,
            configuration=sql / "postgresql.conf",
            wal_archive=self._settings.wal_archive,
        )
        database = Database(cluster.url, self._home, sql)
        return cluster.part(provision=database.provision), database

    def _nats(self) -> tuple[Part | OutsidePart, str]:
        outside = self._settings.nats_url
        url = outside or f"tls://{LOOPBACK}:{self._ports.nats}"
        broker = Broker(
            url=url,
            certificates=self._certificates,
            keys=self._keys,
            topology=self._streams,
            authority=self._settings.nats_ca if outside else None,
        )
        if outside is not None:
            part = OutsidePart(
                name="nats",
                address=url,
                probe=ready_if(broker.answers),
                provision=broker.provision,
            )
            return part, url
        return _nats_server(self._home, self._ports, broker).part(), url

    def _triton(self, *, left_out: bool) -> tuple[Part | OutsidePart | None, str]:
        pair = self._certificates.triton_caller(COMMAND_LINE)
        outside = self._settings.triton_url
        url = outside or f"{LOOPBACK}:{self._ports.triton}"
        triton = Triton(
            folder=self._settings.checkout / ".triton",
            home=self._home,
            address=url,
            metrics_port=self._ports.triton_metrics,
            certificates=self._certificates,
            client=pair,
        )
        if left_out:
            return None, url
        if outside is not None:
            return OutsidePart(name="triton", address=url, probe=triton.health), url
        return triton.part(), url

    def _services(self, database: Database, nats_url: str, triton_url: str) -> ServiceParts:
        own = f"http://{LOOPBACK}:{self._ports.supervisor}"
        addresses = Addresses(
            nats=nats_url,
            triton=triton_url,
            evidence=self._settings.evidence_url or self._home.evidence.as_uri(),
            oidc=self._settings.oidc_issuer or f"{own}/oidc",
            otlp=self._settings.otlp_endpoint or own,
            databases={schema: database.log_ins(schema) for schema in SCHEMAS},
        )
        return ServiceParts(
            settings=self._settings,
            home=self._home,
            ports=self._ports,
            certificates=self._certificates,
            addresses=addresses,
        )


def _nats_server(home: DataDir, ports: Ports, broker: Broker) -> NatsServer:
    return NatsServer(home=home, port=ports.nats, monitor_port=ports.nats_monitor, broker=broker)


def _without_password(url: str) -> str:
    return url.rpartition("@")[2].split("?")[0]
