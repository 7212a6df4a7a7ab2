"""The manifest of a backup. It lists the members, and states what a restored database must agree
with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tartip_cli.backup.refusals import damaged

NAME = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Head:
    """The newest signed head of a service's audit log: the number of entries, and the root of their
    Merkle tree. The fields `root` and `public_key` are in hex."""

    tree_size: int
    root: str
    public_key: str


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Totals of the ledger of fines: the number and sum of its entries, the number and sum of all
    payments (sums in tiyn), and the SHA-256 of the balances of all accounts."""

    entries: int = 0
    amount_minor: int = 0
    payments: int = 0
    paid_minor: int = 0
    balances_sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Member:
    """The size in bytes and the SHA-256 (hex) of one member of the backup's archive: a file, or a
    piece of the database dump."""

    size: int
    sha256: str


@dataclass(kw_only=True)
class Manifest:
    """The description of a backup: its origin, its members, and the state of the database in it.
    The manifest is the last member of the backup."""

    version: str
    """The version of Tartip that made the backup."""
    made_at: str
    """The time of the database's snapshot in ISO 8601, by the clock of the services."""
    heads: dict[str, Head]
    """The newest head of each audit log, by service. Services whose log has no head yet are left
    out."""
    ledger: Ledger
    erasures: dict[str, int]
    """The number of the newest line in each service's list of erasures, read before the
    snapshot."""
    evidence_is_outside: bool = False
    """Whether the evidence is in an external object store, and therefore not in the backup."""
    missing_evidence: list[str] = field(default_factory=list)
    """Paths of objects that the database names but that were missing in the evidence store."""
    members: dict[str, Member] = field(default_factory=dict)

    def as_json(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    def summary(self) -> dict[str, Any]:
        """Return the manifest as a dictionary for output. It has the number of files and their
        total size in bytes, but not the list of members."""
        short = {each.name: getattr(self, each.name) for each in fields(self)}
        members = short.pop("members")
        short["ledger"] = asdict(self.ledger)
        short["heads"] = {service: asdict(head) for service, head in self.heads.items()}
        size = sum(member.size for member in members.values())
        return {**short, "files": len(members), "bytes": size}


def read_manifest(content: bytes) -> Manifest:
    """Parse the JSON of a manifest. Raises BackupRefused if the JSON is malformed, or if its fields
    differ from those of this version."""
    try:
        given = json.loads(content)
        given["heads"] = {name: Head(**head) for name, head in given["heads"].items()}
        given["members"] = {name: Member(**member) for name, member in given["members"].items()}
        return Manifest(**{**given, "ledger": Ledger(**given["ledger"])})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise damaged("its manifest is not readable by this version") from None
