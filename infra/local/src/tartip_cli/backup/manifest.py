"""The manifest of a backup: what is in it, and what the database said of itself at its moment."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tartip_cli.backup.refusals import damaged

NAME = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Head:
    """The newest signed head of a service's audit log; `root` and `public_key` in hex."""

    tree_size: int
    root: str
    public_key: str


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The ledger of fines: number of entries, sum of all amounts and of all payments in tiyn, and
    the SHA-256 over the balances of all accounts."""

    entries: int = 0
    amount_minor: int = 0
    payments: int = 0
    paid_minor: int = 0
    balances_sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file of the backup. The pieces of the dump are members too."""

    size: int
    sha256: str


@dataclass(kw_only=True)
class Manifest:
    """The last member of a backup; it lists all others."""

    version: str
    """The version of Tartip that made the backup."""
    made_at: str
    """The moment of the database's snapshot, ISO 8601, by the clock of the services."""
    heads: dict[str, Head]
    """By service; services that have sealed nothing are left out."""
    ledger: Ledger
    erasures: dict[str, int]
    """The number of the newest line in each service's list of erasures, before the snapshot."""
    evidence_is_outside: bool = False
    """Whether evidence is in an external object store, and not in the backup."""
    missing_evidence: list[str] = field(default_factory=list)
    """Paths of objects that the database names and that were not there."""
    members: dict[str, Member] = field(default_factory=dict)

    def as_json(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    def summary(self) -> dict[str, Any]:
        """The manifest without its list of members, for people and programs."""
        short = {each.name: getattr(self, each.name) for each in fields(self)}
        members = short.pop("members")
        short["ledger"] = asdict(self.ledger)
        short["heads"] = {service: asdict(head) for service, head in self.heads.items()}
        size = sum(member.size for member in members.values())
        return {**short, "files": len(members), "bytes": size}


def read_manifest(content: bytes) -> Manifest:
    """Raises BackupRefused if the content is no manifest of this version's form."""
    try:
        given = json.loads(content)
        given["heads"] = {name: Head(**head) for name, head in given["heads"].items()}
        given["members"] = {name: Member(**member) for name, member in given["members"].items()}
        return Manifest(**{**given, "ledger": Ledger(**given["ledger"])})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise damaged("its manifest is not readable by this version") from None
