"""The accounts of NATS with their users, permissions and limits, written as configuration of a NATS
server.

The embedded server uses this configuration. For an external server, `tartip nats accounts` prints
it. Users are identified by the public keys of their nkeys.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tartip_cli.provision.streams import (
    FEED_PROVISIONER,
    PROVISIONER,
    Permissions,
    Topology,
    User,
    inbox_of,
)

MAX_PAYLOAD_BYTES = 262_144
SPARE_BYTES = 64 * 1024 * 1024
UNLIMITED = -1
_MESH = "MESH"

# The public keys of a user: the current one, and during a rotation the next one as well.
PublicKeys = Callable[[str], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a NATS account in JetStream: bytes on disk and in memory, and numbers of
    streams and consumers. UNLIMITED means no limit."""

    max_file: int
    max_mem: int = SPARE_BYTES
    max_streams: int
    max_consumers: int = UNLIMITED


@dataclass(frozen=True, kw_only=True)
class Account:
    """A NATS account. It has limits, and the permissions of each user by name. It exports some
    subjects, and imports others from the account MESH."""

    name: str
    users: dict[str, Permissions]
    limits: Limits
    exports: tuple[str, ...] = ()
    imports: tuple[str, ...] = field(default=())

    def lines(self, publics: PublicKeys, *, with_limits: bool) -> list[str]:
        """Return the lines of this account's block in the server's configuration. `publics` is a
        function that returns the public keys of a user. Without `with_limits`, only the limits of
        the whole server apply."""
        limits = ", ".join(f"{name}: {value}" for name, value in vars(self.limits).items())
        users = [
            _user(public, rights) for name, rights in self.users.items() for public in publics(name)
        ]
        exported = [f"{{ stream: {json.dumps(name)} }}" for name in self.exports]
        imported = [
            f"{{ stream: {{ account: {_MESH}, subject: {json.dumps(name)} }} }}"
            for name in self.imports
        ]
        return [
            f"  {self.name} {{",
            f"    jetstream: {{ {limits} }}" if with_limits else "    jetstream: enabled",
            *_block("exports", exported),
            *_block("imports", imported),
            *_block("users", users),
            "  }",
        ]

    def as_json(self, publics: PublicKeys) -> dict[str, Any]:
        users = [
            {
                "name": name,
                "nkey": publics(name)[0],
                "publish": list(rights.publish),
                "subscribe": list(rights.subscribe),
            }
            for name, rights in self.users.items()
        ]
        return {
            "name": self.name,
            "jetstream": vars(self.limits),
            "exports": list(self.exports),
            "imports": [{"account": _MESH, "subject": name} for name in self.imports],
            "users": users,
        }


def accounts_of(topology: Topology, replicas: int = 1) -> tuple[Account, ...]:
    """Return the two accounts of NATS: one for the mesh, and one for the live feed (copies of
    events for the operator gateway). The limit of bytes on disk grows with `replicas`, the number
    of replicas of each stream."""
    consumers = sum(len(found) for found in topology.consumers.values())
    mesh = Account(
        name=_MESH,
        users=_rights(PROVISIONER, topology.mesh_users),
        limits=Limits(
            max_file=replicas * _stored(topology.streams) + SPARE_BYTES,
            max_streams=len(topology.streams),
            max_consumers=consumers,
        ),
        exports=topology.feed_subjects,
    )
    feed = Account(
        name="FEED",
        users=_rights(FEED_PROVISIONER, topology.feed_users),
        limits=Limits(
            max_file=replicas * _stored(topology.feed_streams) + SPARE_BYTES,
            max_streams=len(topology.feed_streams),
        ),
        imports=topology.feed_subjects,
    )
    return mesh, feed


def account_lines(
    topology: Topology, publics: PublicKeys, replicas: int | None = None
) -> list[str]:
    """Return the lines of the block `accounts` in a server's configuration. The accounts have
    limits for this number of replicas. If `replicas` is None, the accounts have no limits."""
    found = accounts_of(topology, replicas or 1)
    blocks = [account.lines(publics, with_limits=replicas is not None) for account in found]
    return ["accounts {", *(line for block in blocks for line in block), "}"]


def _stored(streams: tuple[Any, ...]) -> int:
    return sum(stream.max_bytes or 0 for stream in streams)


def _rights(provisioner: str, users: tuple[User, ...]) -> dict[str, Permissions]:
    everything = Permissions(("$JS.API.>",), (inbox_of(provisioner),))
    return {provisioner: everything} | {user.name: user.permissions() for user in users}


def _user(public: str, permissions: Permissions) -> str:
    rights = {
        "publish": {"allow": list(permissions.publish)},
        "subscribe": {"allow": list(permissions.subscribe)},
    }
    return f"{{ nkey: {public}, permissions: {json.dumps(rights)} }}"


def _block(name: str, items: list[str]) -> list[str]:
    if not items:
        return []
    return [f"    {name}: [", *(f"      {item}" for item in items), "    ]"]
