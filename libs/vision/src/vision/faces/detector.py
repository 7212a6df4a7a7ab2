"""Detects the faces in a picture and computes their templates, with two models.

A template is an embedding of a face, by which faces are compared. Nothing is stored here: a
template exists only in the array that `templates` returns, which the caller overwrites with
`forget` after the comparison.
"""

import asyncio
from typing import Final, Protocol

import numpy as np

from vision.arrays import Floats, Picture
from vision.faces import recognition
from vision.faces.recognition import DetectedFace, Face

DETECTOR: Final = "face_detector"
EMBEDDER: Final = "face_embedder"
DETECTION_SECONDS: Final = 20.0


class Models(Protocol):
    """The methods of the model server that face detection needs.

    Errors they raise are passed on; `FaceDetector.detect` may raise them in an ExceptionGroup.
    """

    async def run(self, model: str, images: Picture, *, seconds: float) -> Floats:
        """Run a model on a batch of BGR pictures [n, h, w, 3] within `seconds` and return its
        output, whose shape depends on the model."""


class FaceDetector:
    """Detects faces and computes templates; each request to a model may take `seconds`."""

    def __init__(self, models: Models, *, seconds: float = DETECTION_SECONDS) -> None:
        self._models = models
        self._seconds = seconds

    async def detect(self, picture: Picture) -> list[Face]:
        """Return the faces in a BGR picture, highest score first, at most 32.

        Raises the errors of `Models.run`, alone or in an ExceptionGroup.
        """
        async with asyncio.TaskGroup() as together:
            looks = [
                together.create_task(self._found(picture, side))
                for side in recognition.sides(picture)
            ]
        faces = recognition.distinct([look.result() for look in looks])
        close = await asyncio.to_thread(lambda: recognition.windows(picture, faces))
        if close is not None:
            cells = await self._models.run(DETECTOR, close.images, seconds=self._seconds)
            faces = recognition.refined(cells, close, faces)
        return await asyncio.to_thread(
            lambda: [recognition.with_quality(picture, face) for face in faces]
        )

    async def templates(self, picture: Picture, chosen: list[Face]) -> Floats:
        """The templates (embeddings) of the `chosen` faces in a picture: float32 [n, 128].

        They are in the order of `chosen`. One request to the model computes them all. The caller
        must overwrite the returned array with `forget` after use. Raises the errors of
        `Models.run`.
        """
        if not chosen:
            return np.zeros((0, recognition.TEMPLATE_LENGTH), np.float32)
        batch = await asyncio.to_thread(lambda: recognition.chips(picture, chosen))
        answer = await self._models.run(EMBEDDER, batch, seconds=self._seconds)
        return answer.copy()

    async def _found(self, picture: Picture, side: int) -> list[DetectedFace]:
        shown = await asyncio.to_thread(lambda: recognition.for_detector(picture, side=side))
        cells = await self._models.run(DETECTOR, shown.image, seconds=self._seconds)
        return await asyncio.to_thread(lambda: recognition.detected_faces(cells[0], shown))


def forget(templates: Floats) -> None:
    """Overwrite face templates in place with zeros."""
    templates.fill(0.0)
