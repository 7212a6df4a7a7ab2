"""Runs external NATS servers for tests: a single server, or several as a cluster.

The servers have a certificate authority of their own. They are configured with the output of
`tartip nats accounts`, as an operator outside the mesh would do.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tartip_cli.parts.nats import program
from tartip_cli.parts.part import launched
from tartip_cli.ports import LOOPBACK
from tartip_cli.provision.certificates import Authority, Certificates, KeyPair
from tartip_cli.settings import inherited_environment

from tartip_testing.mesh import wait_until

_READY_SECONDS = 60.0
_ACCOUNTS = "accounts.conf"
_STORED_BYTES = 8 * 1024**3


@dataclass
class NatsNode:
    """One NATS server. The field `ports` has its ports for clients, other servers (routes) and
    monitoring."""

    name: str
    folder: Path
    ports: tuple[int, int, int]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"tls://{LOOPBACK}:{self.ports[0]}"

    def start(self) -> None:
        with (self.folder / "nats.log").open("ab") as output:
            self.process = subprocess.Popen(
                launched(
                    (str(program()), "--config", str(self.folder / "nats.conf")),
                    user=None,
                    death_signal=signal.SIGKILL,
                ),
                env=inherited_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def kill(self) -> None:
        """Send the server SIGKILL and wait until it has ended. Its data stay on disk."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def is_healthy(self) -> bool:
        """Whether the server says that it is healthy: it has caught up with the rest of the
        cluster, and so have its streams and consumers."""
        try:
            with urllib.request.urlopen(
                f"http://{LOOPBACK}:{self.ports[2]}/healthz", timeout=2
            ) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


@dataclass(frozen=True)
class NatsCluster:
    nodes: tuple[NatsNode, ...]
    authority: Path

    @property
    def url(self) -> str:
        """The client addresses of all servers, separated by commas."""
        return ",".join(node.url for node in self.nodes)

    def node(self, name: str) -> NatsNode:
        return next(node for node in self.nodes if node.name == name)

    def wait_healthy(self) -> None:
        for node in self.nodes:
            wait_until(node.is_healthy, seconds=_READY_SECONDS)


@contextmanager
def running_cluster(folder: Path, home: Path, *, size: int) -> Iterator[NatsCluster]:
    """Run `size` healthy servers during the block, for the mesh with the data folder `home`.

    Yields the cluster; its files are in `folder`. The servers are killed at the end of the block.
    """
    printed = subprocess.run(
        [sys.executable, "-m", "tartip_cli", "nats", "accounts", "--replicas", str(size)],
        env={**inherited_environment(), "TARTIP_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    authority = Authority.open(folder, "stranger-ca")
    pair = KeyPair(folder / "server.pem", folder / "server.key")
    authority.issue(pair, common_name="stranger", uri="spiffe://stranger/nats", serves=True)
    ports = _free_ports(3 * size)
    nodes = tuple(
        NatsNode(f"n{number}", folder / f"n{number}", (ports.pop(), ports.pop(), ports.pop()))
        for number in range(size)
    )
    clients = Certificates(home / "tls").broker_clients
    with ExitStack() as stopping:
        for node in nodes:
            node.folder.mkdir()
            (node.folder / _ACCOUNTS).write_text(printed)
            peers = nodes if size > 1 else ()
            text = _configuration(node, peers, pair, authority.files.certificate, clients)
            (node.folder / "nats.conf").write_text(text)
            stopping.callback(node.kill)
            node.start()
        cluster = NatsCluster(nodes, authority.files.certificate)
        cluster.wait_healthy()
        yield cluster


def _configuration(
    node: NatsNode, peers: tuple[NatsNode, ...], pair: KeyPair, own: Path, clients: Path
) -> str:
    port, route, monitor = node.ports
    keys = f'cert_file: "{pair.certificate}", key_file: "{pair.key}"'
    routes = ", ".join(f'"tls://{LOOPBACK}:{peer.ports[1]}"' for peer in peers)
    cluster = (
        f'cluster {{ name: outside, listen: "{LOOPBACK}:{route}", routes: [{routes}],'
        f' tls {{ {keys}, ca_file: "{own}", verify: true }} }}'
    )
    return "\n".join(
        [
            f'listen: "{LOOPBACK}:{port}"',
            f'http: "{LOOPBACK}:{monitor}"',
            f'server_name: "{node.name}"',
            f'jetstream {{ store_dir: "{node.folder}/store", sync_interval: always,'
            f" max_file_store: {_STORED_BYTES} }}",
            f'tls {{ {keys}, ca_file: "{clients}", verify: true }}',
            *([cluster] if peers else []),
            f'include "./{_ACCOUNTS}"',
            "",
        ]
    )


def _free_ports(number: int) -> list[int]:
    with ExitStack() as closing:
        sockets = [closing.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]
