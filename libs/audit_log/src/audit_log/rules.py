"""The rules of a service's audit log: what auditors may read, which data keys may be destroyed
without an audit entry, and for which scheduled work its records wait."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from chassis.audit_entry import OPEN, AuditEntry
from chassis.transaction import Scope
from sqlalchemy import Select


@dataclass(frozen=True)
class AuditRules:
    """What auditors may read in the log of one service, and what the service records in it.

    Auditors may read entries of class OPEN. They may also read entries without a class, except
    those whose type of object is in `hidden_unclassified`. `records_attempts` says whether the
    service records attempts to open records hidden from the caller. `unrecorded_keys` selects the
    data keys that may be destroyed without an audit entry. By default no type is hidden, no attempt
    is recorded, and each destroyed key needs an entry. `awaited` selects, by kind of scheduled
    work, the keys of the work that records wait for; by default none. `hides` returns, of objects
    that others tried to open, those that the caller must not learn of; by default none.
    `confidential` returns, of objects, those whose entries are hidden from auditors, whatever class
    the entries have; by default none.
    """

    # Types of objects whose entries without a class (older ones) are hidden from auditors.
    hidden_unclassified: frozenset[str] = frozenset()
    # Whether the service records attempts (its migrations made the index that lists them).
    records_attempts: bool = False
    # Selects the ids of the data keys that are destroyed as a rule, without an audit entry each.
    unrecorded_keys: Select[tuple[UUID]] | None = None
    # By kind of scheduled work: selects the keys of what must be scheduled and not done yet.
    awaited: Mapping[str, Select[tuple[str]]] = field(default_factory=dict)

    hides: Callable[[Scope, Collection[str]], Awaitable[Collection[str]]] | None = None
    # Of objects, those that have become confidential: auditors see no entry of them any more.
    confidential: Callable[[Collection[str]], Awaitable[Collection[str]]] | None = None

    def are_open(self, entry: AuditEntry) -> bool:
        """Whether an entry may be read by the auditors of its region."""
        if entry.audit_class:
            return entry.audit_class == OPEN
        return entry.object_type not in self.hidden_unclassified
