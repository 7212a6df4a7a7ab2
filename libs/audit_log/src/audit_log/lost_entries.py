"""Watches that each audit entry which this process has committed gets into the sealed tree.

Until an entry is sealed, someone who may delete rows of the log could remove it without a trace,
unless an event names it. So the process that wrote the entry remembers the id until the entry has a
leaf. If the entry disappears before, a new entry with the action `lose_entry` records the loss, and
`tartip verify` reports it. An entry that is deleted while the process ends is not found.
"""

import asyncio
import logging
from collections.abc import Sequence
from uuid import UUID

from chassis.db import COMMITTED_MAX, Database
from chassis.tables import audit, audit_leaves
from chassis.transaction import SYSTEM, Tx
from sqlalchemy import ARRAY, Uuid, bindparam, func, select

LOSE_ENTRY = "lose_entry"
EVERY_SECONDS = 5.0
_IDS = (
    func.unnest(bindparam("ids", type_=ARRAY(Uuid)))
    .table_valued("entry_id", name="awaited")
    .render_derived()
)
_UNSEALED = (
    select(_IDS.c.entry_id, audit.c.entry_id.is_not(None).label("is_there"))
    .select_from(_IDS)
    .outerjoin(audit, audit.c.entry_id == _IDS.c.entry_id)
    .outerjoin(audit_leaves, audit_leaves.c.entry_id == _IDS.c.entry_id)
    .where(audit_leaves.c.entry_id.is_(None))
)
log = logging.getLogger(__name__)


class LostEntries:
    """A loop that looks for the entries that the transactions of `databases` have committed."""

    def __init__(self, databases: Sequence[Database]) -> None:
        """Entries are read, and lost ones recorded, through the first of `databases`."""
        self._databases = databases
        self._awaited: list[UUID] = []

    async def run(self) -> None:
        """Look every EVERY_SECONDS until cancelled. Raises database errors."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Forget entries that are sealed, and record the loss of unsealed entries that are gone.

        At most COMMITTED_MAX entries are remembered. If sealing stops for long, the newest entries
        are not remembered.
        """
        for db in self._databases:
            self._awaited += db.committed_entries()
        if not self._awaited:
            return
        del self._awaited[COMMITTED_MAX:]
        async with self._databases[0].begin(SYSTEM) as tx:
            unsealed = (await tx.execute(_UNSEALED, {"ids": self._awaited})).all()
            lost = [row.entry_id for row in unsealed if not row.is_there]
            _record(tx, lost)
        self._awaited = [row.entry_id for row in unsealed if row.is_there]


def _record(tx: Tx, lost: Sequence[UUID]) -> None:
    for entry_id in lost:
        log.error("the audit entry %s is gone, and it was not sealed", entry_id)
        tx.audit(LOSE_ENTRY, f"entry:{entry_id}")
