"""What a service says of its audit log: what auditors see of it."""

from dataclasses import dataclass

from chassis.audit_entry import OPEN, AuditEntry


@dataclass(frozen=True)
class AuditRules:
    """What a service says of its log; the defaults hide nothing by type and list no attempts."""

    # Types of objects whose entries of before there were classes auditors do not see.
    hidden_unclassified: frozenset[str] = frozenset()
    # Whether it records attempts (its migrations made the index that lists them).
    records_attempts: bool = False

    def are_open(self, entry: AuditEntry) -> bool:
        """Whether auditors of its region see this entry."""
        if entry.audit_class:
            return entry.audit_class == OPEN
        return entry.object_type not in self.hidden_unclassified
