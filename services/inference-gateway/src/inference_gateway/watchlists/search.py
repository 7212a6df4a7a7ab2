"""Searches the faces of a frame in the entries that are in force for the camera's region.

What is found near an entry is kept by `FaceFindings.keep`, in the transaction of its frame. Of any
other face there is a box in the answer, and nothing else anywhere: its template is overwritten as
soon as it has been compared, and no face is compared where nobody is searched for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chassis.transaction import Tx
from vision.arrays import Picture

from inference_gateway.cameras.model import Camera
from inference_gateway.frames.events import OutboundEvent
from inference_gateway.frames.model import SeenFace


@dataclass(frozen=True)
class StoredFaces:
    """The faces as the answer is to give them, and the events (emitted already)."""

    faces: tuple[SeenFace, ...]
    events: tuple[OutboundEvent, ...]


class FaceFindings(Protocol):
    """The result of the search for one frame's faces."""

    @property
    def faces(self) -> tuple[SeenFace, ...]:
        """The faces, for the answer about a frame of which nothing is stored."""

    async def sealed(self) -> "FaceFindings":
        """The same with the frame of a new candidate sealed; without one, nothing is written.

        To be called after the inference slot, before `keep`. Raises EvidenceAway: call it again.
        """

    @property
    def has_candidates(self) -> bool:
        """Whether `keep` has anything to do; a frame with candidates is never merely passing."""

    async def keep(self, tx: Tx) -> StoredFaces:
        """Candidates, their evidence and events, within the transaction that keeps the frame.

        The scope of `tx` must see the camera's region. A person who is still before the same
        camera (60 s) is no new candidate: the face then carries the id of the one there is.
        """


class FaceSearch(Protocol):
    def require_ready(self) -> None:
        """Raises ListsAway: to be asked before an inference slot, so that none is held in vain."""

    async def search(
        self,
        picture: Picture,
        camera: Camera,
        captured_at: datetime,
        *,
        content: Callable[[], bytes],
        fingerprint: str,
    ) -> FaceFindings:
        """Finds and searches the faces of a BGR picture; raises ModelsAway or ListsAway.

        `content` gives the frame as JPEG, PNG or WebP; it is asked for (in a thread) only where
        there is a new candidate, which `FaceFindings.sealed` seals. `fingerprint` is of the models
        that looked. To be called within an inference slot, outside of any transaction.
        """
