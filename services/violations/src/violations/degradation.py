"""Degradations: periods in which plate reading is unreliable, so that reads are held, not assessed.

In a degradation the probes of the inference gateway (pictures with known plates) are misread or
answered late. The gateway publishes the start (the time of the last correct probe) and the end.
Held reads are assessed afterwards, and the violations that result have a caution, which the officer
sees and signs. Violations in review that were detected since the start get this caution when the
start is stored.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database
from chassis.telemetry import meter
from chassis.transaction import SYSTEM, Tx

from violations.model import Caution
from violations.storage import degradation

BATCH = 500
held_reads = meter.create_gauge("tartip.violations.reads.held", unit="{read}")


@dataclass(frozen=True)
class Degradation:
    """A period, beginning at `since`, in which plate reads are unreliable."""

    degradation_id: UUID
    since: datetime


@dataclass(frozen=True)
class Pause:
    """How many plate reads are held, and since when plate reading is unreliable (None if it is
    not)."""

    since: datetime | None
    held: int


class Degradations:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def begin(self, tx: Tx, started: Degradation) -> None:
        """Store a degradation, and set the caution on violations detected since it began. `tx` is
        the transaction in which the event is consumed.

        Does nothing if the degradation is already stored, for instance because the event of its end
        arrived first.
        """
        await degradation.lock_exclusive(tx)
        if not await degradation.add_degradation(
            tx, started.degradation_id, since=started.since, now=self._clock()
        ):
            return
        cautioned = await degradation.caution_since(tx, started.since, Caution.READ_WHILE_DEGRADED)
        facts = {"cautioned": str(cautioned)}
        tx.audit("pause", f"degradation:{started.degradation_id}", facts=facts)

    async def end(self, tx: Tx, started: Degradation, recovered_at: datetime) -> None:
        """Store the end of a degradation and schedule the release of held reads. If the degradation
        is not stored yet, store it first, as `begin` does. `tx` is as in `begin`."""
        await self.begin(tx, started)
        await degradation.end_degradation(tx, started.degradation_id, recovered_at)
        tx.audit("resume", f"degradation:{started.degradation_id}")
        await tx.schedule("put_forward", str(started.degradation_id), due_at=self._clock())

    async def release_held_reads(self, key: str) -> None:
        """Scheduled work `put_forward`: schedule the assessment of all held reads. Stops if another
        degradation is in progress. `key` is the id of the degradation that ended."""
        after: UUID | None = None
        while True:
            async with self._db.begin(SYSTEM) as tx:
                if await degradation.open_degradation(tx) is not None:
                    return
                held = await degradation.held_reads(tx, after=after, limit=BATCH)
                for read_id in held:
                    # A read may be held again: the key of its work is new each time.
                    await tx.schedule("assess_held", f"{key}:{read_id}", due_at=self._clock())
            if len(held) < BATCH:
                return
            after = held[-1]

    async def now(self) -> Pause:
        """Return how many reads are held now, and since when plate reading is unreliable. Also
        updates the metric of the number of held reads."""
        async with self._db.begin(SYSTEM) as tx:
            pause = Pause(await degradation.paused_since(tx), await degradation.count_held(tx))
        held_reads.set(pause.held)
        return pause
