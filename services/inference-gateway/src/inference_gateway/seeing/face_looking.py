"""Finds the faces of a picture and makes their templates, by two models.

Nothing is kept here. A template lives in the array that `templates` returns and nowhere else that
this service names: whoever asked for it overwrites it by `forget` once it has been compared.
"""

import asyncio
from typing import Final, Protocol

import numpy as np

from inference_gateway.seeing import faces
from inference_gateway.seeing.faces import Face, Found
from inference_gateway.seeing.geometry import Floats
from inference_gateway.seeing.pipeline import Picture

DETECTOR: Final = "face_detector"
EMBEDDER: Final = "face_embedder"
LOOK_SECONDS: Final = 20.0


class Models(Protocol):
    """What finding faces needs of the models; `triton.TritonModels` is the one that serves."""

    async def run(self, model: str, images: Picture, *, seconds: float) -> Floats: ...


class FaceLooker:
    def __init__(self, models: Models, *, seconds: float = LOOK_SECONDS) -> None:
        self._models = models
        self._seconds = seconds

    async def faces(self, picture: Picture) -> list[Face]:
        """Every face in a BGR picture, surest first; `ModelsAway` when the models do not answer."""
        async with asyncio.TaskGroup() as together:
            looks = [
                together.create_task(self._found(picture, side)) for side in faces.sides(picture)
            ]
        seen = faces.distinct([look.result() for look in looks])
        close = await asyncio.to_thread(lambda: faces.windows(picture, seen))
        if close is not None:
            cells = await self._models.run(DETECTOR, close.images, seconds=self._seconds)
            seen = faces.refined(cells, close, seen)
        return await asyncio.to_thread(lambda: [faces.judged(picture, face) for face in seen])

    async def templates(self, picture: Picture, chosen: list[Face]) -> Floats:
        """Templates float32 [n, 128] of faces of this picture, by one request for all.

        The array is the caller's own and writable; `forget` it. Raises `ModelsAway`.
        """
        if not chosen:
            return np.zeros((0, faces.TEMPLATE_LENGTH), np.float32)
        batch = await asyncio.to_thread(lambda: faces.chips(picture, chosen))
        answer = await self._models.run(EMBEDDER, batch, seconds=self._seconds)
        return answer.copy()

    async def _found(self, picture: Picture, side: int) -> list[Found]:
        shown = await asyncio.to_thread(lambda: faces.shown(picture, side=side))
        cells = await self._models.run(DETECTOR, shown.image, seconds=self._seconds)
        return await asyncio.to_thread(lambda: faces.found(cells[0], shown))


def forget(templates: Floats) -> None:
    """Overwrite templates in place."""
    templates.fill(0.0)
