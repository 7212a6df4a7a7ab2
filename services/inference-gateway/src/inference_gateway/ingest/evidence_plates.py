"""Reads plates in photographs of the evidence store, as proposals for a person."""

import asyncio

from chassis.transaction import Scope
from vision.detector import DetectionRequest

from inference_gateway.admission import InferencePool, Urgency
from inference_gateway.evidence.usecases import EvidenceStore
from inference_gateway.frames.model import ReadPlate, plates_of, read_picture


class EvidencePlates:
    def __init__(self, pool: InferencePool, evidence: EvidenceStore) -> None:
        self._pool = pool
        self._evidence = evidence

    async def read(self, sha256: str, scope: Scope) -> tuple[ReadPlate, ...]:
        """Return the plates in a photograph, legible or not. `sha256` (hex) is the hash of the
        original. It is read in the form that operators are shown, which is audited first; nothing
        of the result is stored.

        Raises what `EvidenceStore.read` raises, a refusal of `frames.model` if the picture cannot
        be used, ModelsAway, or Shed if more urgent frames are waiting.
        """
        shown = await self._evidence.read(sha256, scope, confidential=False)
        async with self._pool.slot(urgency=Urgency.LOW):
            opened = await asyncio.to_thread(read_picture, shown.content)
            detections, _ = await self._pool.detect(opened.picture, DetectionRequest(plates=True))
        return plates_of(detections)
