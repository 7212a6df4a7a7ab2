"""Kinds of records about which audited decisions are made.

A service's model declares which fields of its rows a decision covers. The module `decisions` puts
the hash of these fields into a fact of the decision's audit entry. The function `hashes_in` reads
the hash from the entry. All functions are pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# The fact with the hash of the record of the entry's own object, and how the names of facts begin
# that have its record of another kind, or all records of a batch.
DECIDED, DECIDED_BESIDE, DECIDED_EACH = "decided", "decided_", "each_decided_"
# The hexadecimal digits of a hash that the entry of a batch states, so that it stays small.
EACH_DIGITS = 32
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

        The name is "decided" if the kind is named like the type of the object ("fine" of
        "fine:123"). Otherwise it is "decided_<kind>".
        """
        own = object_ref.partition(":")[0] == self.name
        return DECIDED if own else f"{DECIDED_BESIDE}{self.name}"

    @property
    def fact_of_batch(self) -> str:
        """The fact, in the entry of a batch, that has the hashes of all records of this kind."""
        return f"{DECIDED_EACH}{self.name}"


def lines_of(hashes: Mapping[str, str]) -> str:
    """Return the text by which the entry of a batch states hashes (hex) of records of one kind.

    The keys of `hashes` are objects ("camera:123") without line breaks. The text has a line for
    each object, in order: the object, a space and the first 32 digits of the hash. These 128 bits
    are enough: to find another content with the same digits takes about 2**128 attempts. Nor can
    anyone prepare two contents with equal digits, since the random id of the entry is hashed too.
    """
    return "\n".join(f"{name} {hashes[name][:EACH_DIGITS]}" for name in sorted(hashes))


def hashes_in(object_ref: str, facts: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Return the record hashes (hex) that an entry about `object_ref` states in its facts.

    The keys are pairs of the record's object and the name of its kind, such as ("fine:123",
    "payment"). Hashes from the entry of a batch are shortened (`lines_of`).
    """
    own, found = object_ref.partition(":")[0], dict[tuple[str, str], str]()
    for name, value in facts.items():
        if name == DECIDED:
            found[object_ref, own] = value
        elif name.startswith(DECIDED_BESIDE):
            found[object_ref, name.removeprefix(DECIDED_BESIDE)] = value
        elif name.startswith(DECIDED_EACH):
            kind = name.removeprefix(DECIDED_EACH)
            lines = (line.rpartition(" ") for line in value.split("\n"))
            found |= {(each, kind): digits for each, _, digits in lines}
    return found
