"""Looking through the models: how much at once, counted and timed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from chassis.refusals import Refusal
from chassis.telemetry import SpanKind, span
from vision.arrays import Picture
from vision.detector import DEFAULT_REQUEST, DetectionRequest, Detections

from inference_gateway import measures
from inference_gateway.limits import Dropped, Shed, Turnstile, Urgency

LOOKS_AT_ONCE = 4
LOOKS_WAITING_MAX = 24


class Looker(Protocol):
    """The models, through whatever serves them."""

    async def detect(self, picture: Picture, request: DetectionRequest) -> Detections:
        """Raises ModelsAway."""

    async def fingerprint(self) -> str:
        """Of the models that look. Raises ModelsAway."""


class Eyes:
    """Bounded looking, counted and timed."""

    def __init__(self, looker: Looker) -> None:
        self._looker = looker
        self._turnstile = Turnstile(places=LOOKS_AT_ONCE, waiting_max=LOOKS_WAITING_MAX)

    @asynccontextmanager
    async def turn(
        self,
        *,
        urgency: Urgency = Urgency.NORMAL,
        deadline: float | None = None,
        patient: bool = False,
    ) -> AsyncIterator[None]:
        """A place to decode and look in, by `deadline` on the loop's clock; see `Turnstile`.

        Raises Shed, which a caller is told as OVERLOADED; the `patient` wait instead.
        """
        inside = False
        try:
            async with self._turnstile.turn(urgency=urgency, deadline=deadline, patient=patient):
                inside = True
                yield
        except (Shed, asyncio.CancelledError) as gone:
            if not inside:
                why = gone.why if isinstance(gone, Shed) else Dropped.LEFT
                measures.frames_dropped.add(1, {"reason": why.value})
            raise

    async def detect(
        self, picture: Picture, request: DetectionRequest = DEFAULT_REQUEST
    ) -> tuple[Detections, str]:
        """What the request finds, and the fingerprint of the models. Within a `turn`."""
        started = time.perf_counter()
        with span("look", kind=SpanKind.CLIENT, attributes={"peer.service": "triton"}):
            try:
                fingerprint = await self._looker.fingerprint()
                sight = await self._looker.detect(picture, request)
            except ExceptionGroup as group:
                raise _named(group) from group
        measures.looking_duration.record((time.perf_counter() - started) * 1e3)
        measures.frames_looked_at.add(1)
        return sight, fingerprint


def _named(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The refusal in a group of failures that were under way together."""
    for error in group.exceptions:
        if isinstance(error, Refusal):
            return error
        if isinstance(error, BaseExceptionGroup):
            return _named(error)
    return group
