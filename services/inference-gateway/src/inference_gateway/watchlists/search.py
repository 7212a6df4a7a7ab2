"""The interface of the face search among the entries in force for the camera's region.

`FaceFindings.keep` stores candidates, in the transaction of their frame. Of any other face the
answer has a box and nothing else is stored: its template is overwritten after comparison. No face
is compared if the region has no entries.
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
    """The faces for the answer to a frame, and the candidates' events, already emitted."""

    faces: tuple[SeenFace, ...]
    events: tuple[OutboundEvent, ...]


class FaceFindings(Protocol):
    """The result of the search for one frame's faces."""

    @property
    def faces(self) -> tuple[SeenFace, ...]:
        """The faces for an answer about a frame that is not stored."""

    async def sealed(self) -> "FaceFindings":
        """The findings with the frame of a new candidate stored as evidence, if there is one.

        Call it after the inference slot, before `keep`. After EvidenceAway it may be called again.
        """

    @property
    def has_candidates(self) -> bool:
        """Whether `keep` has anything to store; a frame with candidates is always stored."""

    async def keep(self, tx: Tx) -> StoredFaces:
        """Store candidates, their evidence and events, in the transaction that stores the frame.

        The scope of `tx` must include the camera's region. A person whom the same camera saw within
        60 s is no new candidate: the face gets the id of the existing candidate.
        """


class FaceSearch(Protocol):
    def require_ready(self) -> None:
        """Raise ListsAway if the watch-lists are not loaded yet. Call it before taking an inference
        slot."""

    async def search(
        self,
        picture: Picture,
        camera: Camera,
        captured_at: datetime,
        *,
        content: Callable[[], bytes],
        fingerprint: str,
    ) -> FaceFindings:
        """Detect and search the faces of a BGR picture; raises ModelsAway or ListsAway.

        `content` returns the frame as JPEG, PNG or WebP; it is called in a thread, only if there is
        a new candidate. `fingerprint` is that of the models used. Call it within an inference slot,
        outside any transaction.
        """
