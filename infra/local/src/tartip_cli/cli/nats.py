"""`tartip nats accounts`: prints the configuration with which an external NATS can serve this
mesh."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tartip_cli.cli.console import App, AsJson, print_json
from tartip_cli.data_dir import DataDir
from tartip_cli.provision.accounts import MAX_PAYLOAD_BYTES, account_lines, accounts_of
from tartip_cli.provision.certificates import Certificates
from tartip_cli.provision.keys import Keys
from tartip_cli.provision.streams import Topology, read_topology
from tartip_cli.settings import read_settings

_HEAD = """\
# What Tartip needs of an external NATS with JetStream: include this file in the configuration of
# each server of the cluster (include "./tartip-accounts.conf"). It holds public keys only.
#
# TLS   Clients have certificates of the authorities in the file below; copy it to each server:
#         tls {{ cert_file: …, key_file: …, ca_file: {ca_file}, verify: true }}
#       The servers' own certificates name the hosts in TARTIP_NATS_URL. If another authority signed
#       them, put its certificate in a file and set TARTIP_NATS_CA to it.
# Store Nothing acknowledged may be lost, and plate reads are encrypted at rest:
#         jetstream {{ store_dir: …, sync_interval: always, cipher: chachapoly, key: …,
#                     max_file_store: {per_server} }}
# Then  TARTIP_NATS_URL=tls://HOST:4222,tls://HOST:4222,tls://HOST:4222
#       TARTIP_NATS_REPLICAS={replicas}
"""


def register(app: App) -> None:
    group = typer.Typer(help="An external NATS for this mesh.", no_args_is_help=True)

    @group.callback()
    def options() -> None:
        """Keep `accounts` a command of its own, although it is the only one."""

    group.command()(accounts)
    app.add_typer(group, name="nats")


def accounts(
    replicas: Annotated[
        int,
        typer.Option(
            "--replicas", min=1, max=5, help="For how many replicas; default TARTIP_NATS_REPLICAS."
        ),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Print the configuration of an external NATS: accounts with users, permissions and limits.
    Creates keys and certificates that do not exist yet."""
    settings = read_settings()
    number = replicas or settings.nats_replicas
    home = DataDir(settings.home)
    home.prepare()
    topology = read_topology(settings.checkout / "infra" / "nats" / "streams.yaml")
    keys, certificates = Keys(home.keys), Certificates(home.tls)
    keys.provision(topology.user_names)
    if not certificates.broker_clients.exists():
        certificates.renew()
    if as_json:
        print_json(_shape(topology, keys, certificates, number))
        return
    per_server = topology.stored_bytes
    head = _HEAD.format(
        ca_file=f'"{certificates.broker_clients}"', per_server=per_server, replicas=number
    )
    lines = account_lines(topology, keys.nats_publics, number)
    typer.echo("\n".join([head + f"max_payload: {MAX_PAYLOAD_BYTES}", *lines]))


def _shape(
    topology: Topology, keys: Keys, certificates: Certificates, replicas: int
) -> dict[str, Any]:
    """What the configuration says, in the form that --json prints."""
    found = accounts_of(topology, replicas)
    return {
        "max_payload": MAX_PAYLOAD_BYTES,
        "replicas": replicas,
        "jetstream": {"sync_interval": "always", "max_file_store": topology.stored_bytes},
        "tls": {
            "verify": True,
            "client_authorities": str(certificates.broker_clients),
            "client_authorities_pem": certificates.broker_clients.read_text(),
        },
        "accounts": [account.as_json(keys.nats_publics) for account in found],
    }
