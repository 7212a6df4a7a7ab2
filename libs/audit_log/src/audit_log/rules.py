"""The rules of a service's audit log: what auditors may read."""

from dataclasses import dataclass

from chassis.audit_entry import OPEN, AuditEntry


@dataclass(frozen=True)
class AuditRules:
    """What auditors may read in the log of one service. By default no type of object is hidden from
    them, and attempts to open confidential objects are not recorded."""

    # Types of objects whose entries without a class (older ones) are hidden from auditors.
    hidden_unclassified: frozenset[str] = frozenset()
    # Whether the service records attempts (its migrations made the index that lists them).
    records_attempts: bool = False

    def are_open(self, entry: AuditEntry) -> bool:
        """Whether an entry may be read by the auditors of its region."""
        if entry.audit_class:
            return entry.audit_class == OPEN
        return entry.object_type not in self.hidden_unclassified
