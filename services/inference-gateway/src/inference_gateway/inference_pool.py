"""Inference through the models: how much at once, counted and timed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from chassis.refusals import Refusal
from chassis.telemetry import SpanKind, span
from vision.arrays import Picture
from vision.detector import DEFAULT_REQUEST, DetectionRequest, Detections

from inference_gateway import metrics
from inference_gateway.admission import (
    AdmissionQueue,
    Dropped,
    Shed,
    Urgency,
)

INFERENCES_AT_ONCE = 4
INFERENCES_WAITING_MAX = 24


class Detector(Protocol):
    """The models, through whatever serves them."""

    async def detect(self, picture: Picture, request: DetectionRequest) -> Detections:
        """Raises ModelsAway."""

    async def fingerprint(self) -> str:
        """Of the models that are served. Raises ModelsAway."""


class InferencePool:
    """Bounded inference, counted and timed."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._admission = AdmissionQueue(
            places=INFERENCES_AT_ONCE, waiting_max=INFERENCES_WAITING_MAX
        )

    @asynccontextmanager
    async def slot(
        self,
        *,
        urgency: Urgency = Urgency.NORMAL,
        deadline: float | None = None,
        patient: bool = False,
    ) -> AsyncIterator[None]:
        """A slot to decode and infer in, by `deadline` on the loop's clock; see `AdmissionQueue`.

        Raises Shed, which a caller gets as OVERLOADED; the `patient` wait instead.
        """
        inside = False
        try:
            async with self._admission.slot(urgency=urgency, deadline=deadline, patient=patient):
                inside = True
                yield
        except (Shed, asyncio.CancelledError) as gone:
            if not inside:
                why = gone.why if isinstance(gone, Shed) else Dropped.LEFT
                metrics.frames_dropped.add(1, {"reason": why.value})
            raise

    async def detect(
        self, picture: Picture, request: DetectionRequest = DEFAULT_REQUEST
    ) -> tuple[Detections, str]:
        """What the request finds, and the fingerprint of the models. Within a `slot`."""
        started = time.perf_counter()
        with span("look", kind=SpanKind.CLIENT, attributes={"peer.service": "triton"}):
            try:
                fingerprint = await self._detector.fingerprint()
                detections = await self._detector.detect(picture, request)
            except ExceptionGroup as group:
                raise _named(group) from group
        metrics.looking_duration.record((time.perf_counter() - started) * 1e3)
        metrics.frames_looked_at.add(1)
        return detections, fingerprint


def _named(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The refusal in a group of failures that were under way together."""
    for error in group.exceptions:
        if isinstance(error, Refusal):
            return error
        if isinstance(error, BaseExceptionGroup):
            return _named(error)
    return group
