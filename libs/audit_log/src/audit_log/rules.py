"""The rules of a service's audit log: what auditors may read, and which data keys need no entry."""

from dataclasses import dataclass
from uuid import UUID

from chassis.audit_entry import OPEN, AuditEntry
from sqlalchemy import Select


@dataclass(frozen=True)
class AuditRules:
    """What auditors may read in the log of one service, and whether attempts are recorded.

    Auditors may read an entry of class OPEN, and an entry without a class unless the type of its
    object is in `hidden_unclassified`. `records_attempts` says whether the service records attempts
    to open records hidden from the caller. By default no type is hidden, and no attempt is
    recorded.
    """

    # Types of objects whose entries without a class (older ones) are hidden from auditors.
    hidden_unclassified: frozenset[str] = frozenset()
    # Whether the service records attempts (its migrations made the index that lists them).
    records_attempts: bool = False
    # Selects the ids of the data keys that are destroyed as a rule, without an audit entry each.
    unrecorded_keys: Select[tuple[UUID]] | None = None

    def are_open(self, entry: AuditEntry) -> bool:
        """Whether an entry may be read by the auditors of its region."""
        if entry.audit_class:
            return entry.audit_class == OPEN
        return entry.object_type not in self.hidden_unclassified
