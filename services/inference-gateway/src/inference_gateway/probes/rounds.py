"""Runs golden probes (pictures of known content) through the models in use; reports AI functions
that degraded or recovered.

A probe waits without a limit for an inference slot (the right to use the models). In the queue it
ranks like a frame that must be processed within 30 seconds. Its picture is neither stored nor
published, nor is anything detected in it. One instance of the service probes at a time.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chassis.clock import Clock, new_id
from chassis.db import Database
from chassis.transaction import SYSTEM, Tx
from host.leases import Lease, hold
from vision.faces.detector import FaceDetector, forget

from inference_gateway import metrics
from inference_gateway.admission import InferencePool
from inference_gateway.frames.model import open_picture
from inference_gateway.probes import storage
from inference_gateway.probes.events import function_degraded, function_recovered
from inference_gateway.probes.model import (
    Found,
    Function,
    LookedAt,
    Probe,
    Standing,
    found_in,
    until_due,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Times:
    """The times of probing, in seconds. `first_after` is the delay before the first round. The
    field `every` is the pause between rounds. `again_after` is the pause while a function is
    degraded or its last round was wrong. `slowest` is the longest allowed time for an answer."""

    # From the start of the service to the first round.
    first_after: float
    every: float
    # While something is wrong: to be sure of it, and to see it recover.
    again_after: float
    slowest: float


class Prober:
    def __init__(
        self,
        db: Database,
        pool: InferencePool,
        faces: FaceDetector,
        clock: Clock,
        probes: tuple[Probe, ...],
        times: Times,
    ) -> None:
        self._db = db
        self._pool = pool
        self._faces = faces
        self._clock = clock
        self._probes = probes
        self._times = times
        self._fingerprint = ""

    async def keep_probing(self) -> None:
        """Run a round of probes whenever one is due, in one instance of the service at a time;
        never returns."""
        await asyncio.sleep(self._times.first_after)
        async with hold(self._db, "golden probes") as lease:
            while True:
                wait = await self._until_due()
                if wait <= 0:
                    wait = self._pause(await self.round(lease))
                await asyncio.sleep(wait)

    async def _until_due(self) -> float:
        """Seconds until the next round; another instance may have run the last round."""
        async with self._db.begin(SYSTEM) as tx:
            last = await storage.last_round(tx)
            standings = [await storage.standing(tx, function) for function in Function]
        if last is None:
            return 0.0
        return until_due(self._pause(standings), last=last, now=self._clock())

    def _pause(self, standings: list[Standing]) -> float:
        sure = all(standing.is_sure for standing in standings)
        return self._times.every if sure else self._times.again_after

    async def round(self, lease: Lease) -> list[Standing]:
        """Send all probes once. In one transaction under the lease, store each AI function's new
        state and emit an event for each function that degraded or recovered. Returns the states."""
        looked = [await self._look(probe) for probe in self._probes]
        found = found_in(looked, slowest_allowed_seconds=self._times.slowest)
        for one in looked:
            if one.template is not None:
                forget(one.template)
        async with lease.begin(SYSTEM) as tx:
            standings = [await self._settle(tx, found[function]) for function in Function]
        _count(found, standings)
        return standings

    async def _look(self, probe: Probe) -> LookedAt:
        # Not of the least urgency: while others keep coming it would never be called.
        async with self._pool.slot(patient=True):
            started = time.perf_counter()
            looked = LookedAt(probe, 0.0)
            try:
                picture = await asyncio.to_thread(open_picture, probe.content)
                if probe.plate or probe.seen is not None:
                    sight, self._fingerprint = await self._pool.detect(picture)
                    looked = replace(looked, sight=sight)
                if probe.face is not None:
                    faces = await self._faces.detect(picture)
                    boxes = tuple(face.box for face in faces)
                    templates = await self._faces.templates(picture, faces[:1])
                    template = templates[0] if faces else None
                    looked = replace(looked, faces=boxes, template=template)
            except Exception as error:
                # No answer is a wrong answer, and so is one that nothing can be made of: it is
                # what the probe is there to find.
                log.info("probe %s: %s", probe.name, _kind_of(error))
            return replace(looked, seconds=time.perf_counter() - started)

    async def _settle(self, tx: Tx, found: Found) -> Standing:
        now, before = self._clock(), await storage.standing(tx, found.function)
        after = before.after(found, now, new_id())
        await storage.keep(tx, after, found, fingerprint=self._fingerprint, now=now)
        facts = {
            "probes": str(found.probes),
            "right": str(found.right),
            "slowest_ms": str(round(found.slowest_seconds * 1000)),
        }
        if after.degradation_id is not None and before.degradation_id is None:
            log.warning("%s degraded: %s", found.function, facts)
            tx.emit(function_degraded(after, found, self._fingerprint))
            tx.audit("degrade", f"degradation:{after.degradation_id}", facts=facts)
        if before.degradation_id is not None and after.degradation_id is None:
            log.warning("%s recovered: %s", found.function, facts)
            tx.emit(function_recovered(before, now, self._fingerprint))
            tx.audit("recover", f"degradation:{before.degradation_id}", facts=facts)
        return after


def _kind_of(error: BaseException) -> str:
    """The type of an error; for a group, of its first error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


def _count(found: Mapping[Function, Found], standings: list[Standing]) -> None:
    for standing in standings:
        label, round_ = {"function": standing.function.value.lower()}, found[standing.function]
        metrics.probes_answered.add(round_.right, {**label, "outcome": "right"})
        metrics.probes_answered.add(round_.probes - round_.right, {**label, "outcome": "wrong"})
        metrics.probes_slowest.set(round_.slowest_seconds, label)
        metrics.functions_degraded.set(int(standing.degradation_id is not None), label)
