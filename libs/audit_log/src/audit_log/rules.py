"""The rules of a service's audit log: what auditors may read."""

from dataclasses import dataclass

from chassis.audit_entry import OPEN, AuditEntry


@dataclass(frozen=True)
class AuditRules:
    """What auditors may read in the log of one service, and whether attempts are recorded.

    Auditors may read an entry of class OPEN, and an entry without a class unless its type of object
    is in `hidden_unclassified`. `records_attempts` says whether the service records attempts to
    open records hidden from the caller. By default no type is hidden, and no attempt is
    recorded.
    """

    # Types of objects whose entries without a class (older ones) are hidden from auditors.
    hidden_unclassified: frozenset[str] = frozenset()
    # Whether the service records attempts (its migrations made the index that lists them).
    records_attempts: bool = False

    def are_open(self, entry: AuditEntry) -> bool:
        """Whether an entry may be read by the auditors of its region."""
        if entry.audit_class:
            return entry.audit_class == OPEN
        return entry.object_type not in self.hidden_unclassified
