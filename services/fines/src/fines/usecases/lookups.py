"""The banks' use case of finding fines by owner, plate or number. The audit log records who asked,
and about whom.

An audit entry holds a keyed hash (blind index) of the requested value, never the value itself. So
all look-ups of one person can be found, but no entry reveals who the person is.
"""

from dataclasses import dataclass

from chassis.db import Database
from chassis.identity import Caller
from chassis.pages import PageSpec
from chassis.transaction import Scope

from fines.model.fine import Fine, is_number
from fines.storage import fines


@dataclass(frozen=True)
class Lookup:
    """What a bank asks for, and why. `kind` says what `value` is: "owner" (a valid identification
    number), "plate" (normalised) or "number" (the text given as a fine's number)."""

    kind: str
    value: str
    reason: str = ""
    # The bank's own id of its customer.
    customer_id: str = ""


class Lookups:
    """The use case of banks that look up a person's or a vehicle's payable fines."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(
        self, asked: Lookup, spec: PageSpec, caller: Caller
    ) -> tuple[list[Fine], list[tuple[str, ...]]]:
        """Return a page of payable fines. Also return each fine's key for keyset pagination. The
        look-up is audited, even if nothing is found."""
        index = _index(self._db, asked)
        key = asked.value if asked.kind == "number" else index
        scope = fines.scope_of_key(caller.scope, asked.kind, key)
        found, keys = await _payable(self._db, scope, asked, key, spec)
        async with self._db.begin(caller.scope, shared=True) as tx:
            why = {"reason": asked.reason, "customer": asked.customer_id}
            told = {name: value for name, value in why.items() if value}
            facts = {"key": asked.kind, "asked": index, "found": str(len(found)), **told}
            tx.audit("look_up", "fines", facts=facts)
            for fine in found:
                read = {"key": asked.kind}
                tx.audit("read", f"fine:{fine.number}", region=fine.region, facts=read)
        return found, keys

    async def note_refused(self, asked: Lookup, refusal: str, caller: Caller) -> None:
        """Record in the audit log that a look-up with a valid value was refused; `refusal` is the
        error code."""
        async with self._db.begin(caller.scope) as tx:
            facts = {"key": asked.kind, "asked": _index(self._db, asked), "refused": refusal}
            tx.audit("look_up", "fines", facts=facts)


def _index(db: Database, asked: Lookup) -> str:
    """The blind index of the value, in hex. For an owner or a plate it is the one stored with their
    fines."""
    key_class = fines.PLATE if asked.kind == "plate" else fines.PERSON
    return db.keyring.blind_index(key_class, asked.kind, asked.value).hex()


async def _payable(
    db: Database, scope: Scope, asked: Lookup, key: str, spec: PageSpec
) -> tuple[list[Fine], list[tuple[str, ...]]]:
    if asked.kind == "number" and not is_number(asked.value):
        return [], []
    return await fines.payable_page(db, scope, spec, kind=asked.kind, value=key)
