"""An entry of the audit log: its fields, its canonical form and whether auditors may read it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

# An auditor sees what is open; what is confidential is in the log and in the tree all the same.
OPEN, CONFIDENTIAL = "open", "confidential"
# Somebody was answered "not found"; see `attempts`.
OPEN_REFUSED = "open_refused"
HIDDEN, UNKNOWN = "hidden", "unknown"
_CANONICAL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


@dataclass(frozen=True)
class AuditEntry:
    """A record of what `actor` did, to which object ("type:id") and why.

    People and objects appear only as ids. No auditor may read entries of class CONFIDENTIAL.
    """

    entry_id: UUID
    at: datetime
    action: str
    object_ref: str
    actor: str
    purpose: str
    region: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    # "" for entries of before there were classes.
    audit_class: str = OPEN
    trace: str = ""
    # The ids of the events that were written with it; without any, they are left out of its form.
    events: tuple[str, ...] = ()

    @property
    def object_type(self) -> str:
        """The type of the entry's object: `fine` if its `object_ref` is `fine:<number>`."""
        return self.object_ref.partition(":")[0]

    def canonical(self) -> bytes:
        """Canonical JSON (RFC 8785) in UTF-8: the bytes that a leaf of the Merkle tree hashes.

        The standard JSON encoder is canonical here, since all values are strings or lists of
        strings, and all names are ASCII. Raises ValueError for a lone surrogate.
        """
        content: dict[str, object] = {"events": self.events} if self.events else {}
        content |= {
            "id": str(self.entry_id),
            "at": self.at.isoformat(),
            "action": self.action,
            "object": self.object_ref,
            "actor": self.actor,
            "purpose": self.purpose,
            "region": self.region,
            "class": self.audit_class,
            "facts": dict(self.facts),
            "trace": self.trace,
        }
        return _CANONICAL.encode(content).encode()


def read_entry(canonical: bytes) -> AuditEntry | None:
    """Parse the canonical form of an entry; None if the bytes are not an entry."""
    try:
        content = json.loads(canonical)
        return AuditEntry(
            UUID(content["id"]),
            datetime.fromisoformat(content["at"]),
            content["action"],
            content["object"],
            content["actor"],
            content["purpose"],
            content["region"],
            dict(content["facts"]),
            content.get("class", ""),
            content["trace"],
            tuple(content.get("events", ())),
        )
    except (ValueError, KeyError, TypeError):
        return None
