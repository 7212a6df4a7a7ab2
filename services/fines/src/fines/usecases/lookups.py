"""Banks look fines up by owner, plate or number; the audit log keeps who asked, and for whom.

An audit entry holds a keyed hash (blind index) of the requested value, never the value: all
look-ups of one person can be found, and no entry reveals who that is.
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
    """What a bank asks for, and why. `value` is a valid owner's number, a normalised plate, or the
    text given as the number of a fine; `kind` says which."""

    kind: str
    value: str
    reason: str = ""
    # The bank's own id of its customer.
    customer_id: str = ""


class Lookups:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(
        self, asked: Lookup, spec: PageSpec, caller: Caller
    ) -> tuple[list[Fine], list[tuple[str, ...]]]:
        """Return a page of payable fines with each row's page key. Audited, also if it is empty."""
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
        """Audit a look-up that was refused with the code `refusal`, though its value was valid."""
        async with self._db.begin(caller.scope) as tx:
            facts = {"key": asked.kind, "asked": _index(self._db, asked), "refused": refusal}
            tx.audit("look_up", "fines", facts=facts)


def _index(db: Database, asked: Lookup) -> str:
    """The blind index of the value, in hex; of owner and plate the one stored with their fines."""
    key_class = fines.PLATE if asked.kind == "plate" else fines.PERSON
    return db.keyring.blind_index(key_class, asked.kind, asked.value).hex()


async def _payable(
    db: Database, scope: Scope, asked: Lookup, key: str, spec: PageSpec
) -> tuple[list[Fine], list[tuple[str, ...]]]:
    if asked.kind == "number" and not is_number(asked.value):
        return [], []
    return await fines.payable_page(db, scope, spec, kind=asked.kind, value=key)
