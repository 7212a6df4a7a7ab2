"""The interface of the face search, which compares the faces in a frame with the watch-list entries
in force in the camera's region.

`FaceFindings.keep` stores the candidates (faces that resemble an entry) in the transaction that
stores the frame. Nothing is stored of other faces. The answer to the frame has their boxes, and
their templates are overwritten after comparison. If the region has no entries, no face is compared.
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
    """The faces for the answer to a frame, and the events of the frame's new candidates. These
    events have already been emitted."""

    faces: tuple[SeenFace, ...]
    events: tuple[OutboundEvent, ...]


class FaceFindings(Protocol):
    """The result of the search for one frame's faces."""

    @property
    def faces(self) -> tuple[SeenFace, ...]:
        """The faces to put in the answer if the frame is not stored. If the frame is stored, use
        the faces that `keep` returns."""

    async def sealed(self) -> "FaceFindings":
        """Store the frame as evidence if it shows a new candidate, and return the findings with a
        reference to the evidence.

        Call it before `keep`, after the inference slot is free again. Raises EvidenceAway if the
        evidence cannot be stored now; the call may then be repeated.
        """

    @property
    def has_candidates(self) -> bool:
        """Whether `keep` has candidates to store. A frame with candidates is always stored."""

    async def keep(self, tx: Tx) -> StoredFaces:
        """Store candidates, their evidence and events, in the transaction that stores the frame.
        Return the faces and events for the answer.

        The scope of `tx` must include the camera's region. Nothing is stored for an entry that is
        no longer in force. A face that resembles an entry is not stored as a new candidate if one
        is already stored for that entry from the same camera, seen less than 60 s before or after
        this frame. The face then gets that candidate's id.
        """


class FaceSearch(Protocol):
    def require_ready(self) -> None:
        """Raise ListsAway if the watch-lists are not loaded yet. Call it before taking an inference
        slot (the right to use the models)."""

    async def search(
        self,
        picture: Picture,
        camera: Camera,
        captured_at: datetime,
        *,
        content: Callable[[], bytes],
        fingerprint: str,
    ) -> FaceFindings:
        """Detect the faces in a BGR picture and compare them with the entries of the camera's
        region. Raises ModelsAway or ListsAway.

        `content` returns the frame as JPEG, PNG or WebP; it is called in a thread, and only if
        there is a new candidate. `fingerprint` identifies the models, for the candidates' records.
        Call this method within an inference slot, outside any transaction.
        """
