"""Finds faces and plates in photographs of the evidence store, for copies that are blurred."""

import asyncio

from chassis.transaction import Scope
from vision.bystanders import BystanderDetector, Bystanders, first_views, reduced

from inference_gateway.admission import InferencePool, Urgency
from inference_gateway.evidence.usecases import MOST_BYTES, EvidenceStore
from inference_gateway.frames.model import read_picture
from inference_gateway.watchlists.matcher import models_away_by_name


class EvidenceBystanders:
    def __init__(
        self, pool: InferencePool, evidence: EvidenceStore, detector: BystanderDetector
    ) -> None:
        self._pool = pool
        self._evidence = evidence
        self._detector = detector
        # One photograph is in memory at a time, beside those that hold a slot.
        self._one = asyncio.Lock()

    async def find(self, sha256: str, scope: Scope, *, confidential: bool) -> Bystanders:
        """Return where faces and plates are in a photograph, in pixels of the form that operators
        are shown, which is looked at. `sha256` (hex) is the hash of the original or of that form.
        The reading is audited first; `confidential` hides its entry from auditors. Nothing of the
        result is stored, and no face is compared with anybody.

        Each part of the photograph waits for a slot of its own, so that frames of cameras come in
        between. All of it is looked at, or this raises: what `EvidenceStore.read` raises, a refusal
        of `frames.model` if the picture cannot be used, ModelsAway, or Shed if more urgent frames
        are waiting.
        """
        async with self._one:
            shown = await self._evidence.read(sha256, scope, confidential=confidential)
            opened = await asyncio.to_thread(read_picture, shown.content, most_bytes=MOST_BYTES)
            picture, factor = await asyncio.to_thread(reduced, opened.picture)
            found, views = Bystanders(), first_views(picture)
            while views:
                view = views.pop()
                async with self._pool.slot(urgency=Urgency.LOW), models_away_by_name():
                    seen, more = await self._detector.look(view)
                found, views = found + seen, [*views, *more]
        return found.scaled(1 / factor)
