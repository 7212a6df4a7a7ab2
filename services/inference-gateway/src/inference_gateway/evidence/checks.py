"""Reads all stored evidence again and again, and finds what is damaged, missing or unreadable.

A round reads all evidence once, in the order of the hashes, spread evenly over a period. Which
evidence is due follows from the time alone, so an interrupted round catches up. One instance of the
service checks at a time. While the object store is unavailable or empty, nothing counts as damaged.
Damaged evidence is read again every five minutes until it is repaired.
"""

import asyncio
import logging
import time
from dataclasses import replace
from datetime import datetime, timedelta

from chassis.db import Database
from chassis.transaction import SYSTEM
from host.leases import Lease, hold

from inference_gateway import metrics
from inference_gateway.evidence.damage import storage
from inference_gateway.evidence.model import Damage, EvidenceDamaged, Round
from inference_gateway.evidence.storage import EvidenceAway, EvidencePlace, StoredEvidence
from inference_gateway.evidence.usecases import EvidenceStore

BATCH = 50
# An object that could not be read so often, while the store had others, is unreadable.
READS = 3
PAUSE_SECONDS = 10.0
AGAIN_SECONDS = 300.0
POLL_SECONDS_MAX = 60.0
log = logging.getLogger(__name__)
_Found = list[tuple[StoredEvidence, EvidencePlace, Damage]]


class EvidenceCheck:
    def __init__(
        self,
        db: Database,
        evidence_store: EvidenceStore,
        period: timedelta,
        bytes_per_second: int,
        *,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._db = db
        self._evidence = evidence_store
        self._period = period
        self._bytes_per_second = bytes_per_second
        self._pause_seconds = pause_seconds
        self._looked_again_at = 0.0

    async def keep_checking(self) -> None:
        """Wait until no other instance of the service checks evidence. Then check the evidence that
        is due, again and again, until cancelled. Raises LeaseLost."""
        poll = min(POLL_SECONDS_MAX, self._period.total_seconds() / 200)
        async with hold(self._db, "evidence check") as lease:
            try:
                while True:
                    await self._check_and_wait(lease, poll)
            finally:  # another instance measures now
                for damage in Damage:
                    metrics.evidence_damaged.set(0, {"damage": damage.value})
                metrics.evidence_check_behind.set(0)

    async def _check_and_wait(self, lease: Lease, poll_seconds: float) -> None:
        try:
            is_done = await self.check(lease)
        except EvidenceAway:
            log.warning("the store of evidence is unavailable or empty: not checked")
            await asyncio.sleep(self._pause_seconds)
            return
        await asyncio.sleep(poll_seconds if is_done else 0)

    async def check(self, lease: Lease) -> bool:
        """Read a batch of the evidence that is due, and record damage. Return True if no more
        evidence is due now.

        Raises EvidenceAway if the object store is unavailable or empty, or LeaseLost.
        """
        if time.monotonic() - self._looked_again_at >= AGAIN_SECONDS:
            await self._look_again()
            self._looked_again_at = time.monotonic()
        async with lease.begin(SYSTEM) as tx:
            now = await tx.now()
            current = _continued(await storage.current_round(tx), now)
            due = max(current.read_until, current.due_until(now, self._period))
            batch, read_until = await storage.evidence_between(tx, current.read_until, due, BATCH)
        self._measure(current, now)  # also if the store is unavailable and nothing can be read
        found: _Found = []
        for stored, place in batch:
            damage = await self._damage_of(stored)
            if damage is not None:
                found.append((stored, place, damage))
            await asyncio.sleep(stored.size_bytes / self._bytes_per_second)
        read = replace(current, read_until=read_until, objects=current.objects + len(batch))
        await self._settle(lease, read, found)
        metrics.evidence_checked.add(len(batch))
        self._measure(read, now)
        return read_until == due

    def _measure(self, current: Round, now: datetime) -> None:
        metrics.evidence_check_behind.set(current.behind(now, self._period).total_seconds())

    async def _look_again(self) -> None:
        after = ""
        while True:
            after = await self._evidence.look_again(after=after, size=BATCH)
            if not after:
                return

    async def _settle(self, lease: Lease, read: Round, found: _Found) -> None:
        async with lease.begin(SYSTEM) as tx:
            for stored, place, damage in found:
                await self._evidence.note_damage(tx, stored, place, damage)
            await storage.keep_round(tx, read)
            numbers = await storage.count_damaged(tx)
        for damage, number in numbers.items():
            metrics.evidence_damaged.set(number, {"damage": damage.value})

    async def _damage_of(self, stored: StoredEvidence) -> Damage | None:
        for read in range(READS):
            try:
                await self._evidence.content_of(stored)
                return None
            except EvidenceDamaged as error:
                return error.damage
            except EvidenceAway:
                if not await self._evidence.has_objects():
                    raise
            if read + 1 < READS:
                await asyncio.sleep(self._pause_seconds)
        return Damage.UNREADABLE


def _continued(last: Round | None, now: datetime) -> Round:
    """The round that goes on, or a new one after the last: also where the clock went back."""
    if last is None:
        return Round(now)
    if last.has_ended:
        return Round(now, ended_at=now)
    return last if last.began_at <= now else replace(last, began_at=now)
