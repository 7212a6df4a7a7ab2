"""Kinds of records about which decisions are recorded; pure, for the models of services.

A service's model declares, beside what it decides about, which fields of its rows a decision
covers. `records` puts their hash into the audit entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass

DECIDED = "decided"
# The action of an entry that vouches for a record of before decisions carried hashes.
BASELINE = "baseline"


@dataclass(frozen=True)
class RecordKind:
    """A kind of record, and the names of the fields that a decision about such a record decides.

    An object ("fine:123") has at most one record of a kind. Fields may be added later if they are
    None in the records of before, since a field that is None is not part of the hash.
    """

    name: str
    fields: tuple[str, ...]

    def fact_of(self, object_ref: str) -> str:
        """The name of the fact that holds the hash, in an entry about `object_ref`: "decided" for
        a record of the object's own type, else "decided_" and the kind."""
        own = object_ref.partition(":")[0] == self.name
        return DECIDED if own else f"{DECIDED}_{self.name}"


def kinds_in(object_ref: str, facts: Mapping[str, str]) -> dict[str, str]:
    """The hashes in the facts of an entry about `object_ref`, by the name of the record's kind."""
    own, beside = object_ref.partition(":")[0], f"{DECIDED}_"
    found = {
        name.removeprefix(beside): value for name, value in facts.items() if name.startswith(beside)
    }
    return found | ({own: facts[DECIDED]} if DECIDED in facts else {})
