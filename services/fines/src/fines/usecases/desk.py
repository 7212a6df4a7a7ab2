"""The operators' use cases: read and cancel fines, read the ledger and the revenue."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from audit_log.attempts import Attempts, Record
from chassis.clock import Clock
from chassis.db import Database, canonical_json
from chassis.identity import Caller
from chassis.pages import PageSpec
from chassis.transaction import Tx

from fines.events import access_refused
from fines.model.fine import Fine
from fines.model.ledger import Entry
from fines.model.refusals import FineNotFound
from fines.storage import fines, ledger, revenue
from fines.usecases.cancelling import Cancellation, cancel_in


@dataclass(frozen=True)
class RevenueReport:
    """The rows of a report of revenue, and by how much, in tiyn, the ledger differs from the
    states of the fines: 0 if the books balance."""

    rows: list[revenue.RevenueRow]
    imbalance_minor: int


class Desk:
    """The use cases of operators who read and cancel fines."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._openings = Openings(db, clock)

    async def get(self, number: str, caller: Caller) -> tuple[Fine, str]:
        """Return the fine and the owner's masked IIN or BIN. The masked number is "" if the fine
        was never issued or the owner's data were erased. Raises FineNotFound."""
        async with self._openings.begin(number, caller) as tx:
            fine = await fines.get(tx, number)
            particulars = await fines.open_particulars(tx, fine)
            tx.audit("read", f"fine:{number}", region=fine.region)
        return fine, particulars.owner_masked if particulars else ""

    async def page(
        self, spec: PageSpec, wanted: fines.FineFilter, caller: Caller
    ) -> tuple[list[Fine], list[tuple[str, ...]]]:
        """Return a page of the fines that meet `wanted`, without personal data. Also return each
        fine's key for keyset pagination."""
        async with self._db.begin(caller.scope) as tx:
            found, keys = await fines.page(tx, spec, wanted)
            tx.audit("list", "fines", region=wanted.region, facts={"found": str(len(found))})
        return found, keys

    async def cancel(
        self, number: str, *, cancellation_id: UUID, reason: str, caller: Caller
    ) -> Fine:
        """Cancel the fine and return it. A repeated call with the same `cancellation_id` has no
        further effect. Raises FineNotFound, FineAlreadyCancelled, or IdReused if `cancellation_id`
        was used with other arguments."""
        content = canonical_json({"number": number, "reason": reason, "rpc": "CancelFine"})
        async with self._openings.begin(number, caller) as tx:
            if not await tx.once(caller.key, cancellation_id, content):
                return await fines.get(tx, number)
            fine = await fines.get_for_update(tx, number)
            words = await fines.seal_cancel_reason(tx, number, reason)
            return await cancel_in(tx, fine, self._clock(), Cancellation("supervisor", words=words))

    async def revenue(self, first: date, last: date, region: str, caller: Caller) -> RevenueReport:
        """Return the revenue of each day in Almaty from `first` to `last`, both included. Also
        return the present difference in tiyn between the ledger and the fines. A region of "" means
        all regions that the caller may read."""
        async with self._db.begin(caller.scope) as tx:
            rows = await revenue.revenue_by_day(tx, first, last, region)
            imbalance = await revenue.imbalance(tx)
            tx.audit("revenue", "ledger", region=region)
        return RevenueReport(rows, imbalance)

    async def entries(self, number: str, caller: Caller) -> tuple[Entry, ...]:
        """Return the ledger entries of a fine. Raises FineNotFound."""
        async with self._openings.begin(number, caller) as tx:
            fine = await fines.get(tx, number)
            tx.audit("entries", f"fine:{number}", region=fine.region)
            return await ledger.entries_of(tx, number)


class Openings:
    """Begins transactions in which an operator reads or changes one fine.

    If the fine is of another region, the operator gets FineNotFound. The attempt is recorded, and
    internal security is notified.
    """

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._attempts = Attempts(db, clock, access_refused)

    @asynccontextmanager
    async def begin(self, number: str, caller: Caller) -> AsyncIterator[Tx]:
        """Begin a transaction in the caller's scope. If the block raises FineNotFound, the attempt
        is recorded and the error is raised again."""

        async def find(tx: Tx) -> Record | None:
            region = await fines.region_of(tx, number)
            return None if region is None else Record(asked, region)

        asked = f"fine:{number}"
        async with (
            self._attempts.recorded(caller, asked, find, FineNotFound),
            self._db.begin(caller.scope) as tx,
        ):
            yield tx
