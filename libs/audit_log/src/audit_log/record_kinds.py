"""Kinds of records about which audited decisions are made.

A service's model declares which fields of its rows a decision covers. `decisions` puts the hash of
these fields into the decision's audit entry. All functions are pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

DECIDED = "decided"
# The action of an entry that vouches for a record of before decisions carried hashes.
BASELINE = "baseline"


@dataclass(frozen=True)
class RecordKind:
    """A kind of record, and the names of its fields that decisions determine.

    An object ("fine:123") has at most one record of a kind. A field may be added later if it is
    None in all existing records, since fields that are None are not hashed.
    """

    name: str
    fields: tuple[str, ...]

    def fact_of(self, object_ref: str) -> str:
        """Return the name of the fact that has the record's hash, in an entry about `object_ref`.

        It is "decided" if the kind is the object's type ("fine" of "fine:123"), else
        "decided_<kind>".
        """
        own = object_ref.partition(":")[0] == self.name
        return DECIDED if own else f"{DECIDED}_{self.name}"


def kinds_in(object_ref: str, facts: Mapping[str, str]) -> dict[str, str]:
    """Return the record hashes among the facts of an entry about `object_ref`, by name of kind."""
    own, beside = object_ref.partition(":")[0], f"{DECIDED}_"
    found = {
        name.removeprefix(beside): value for name, value in facts.items() if name.startswith(beside)
    }
    return found | ({own: facts[DECIDED]} if DECIDED in facts else {})
