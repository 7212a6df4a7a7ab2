"""Looks at one picture: asks the models in turn and puts their answers together.

Work on pixels runs in threads, so that the loop stays free; each model gets one request for all
crops of the picture.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from inference_gateway import pipeline, plates
from inference_gateway.geometry import Floats
from inference_gateway.pipeline import Candidate, Picture, Scaled, SeenObject, View
from inference_gateway.plates import Plate

LOOK_SECONDS: Final = 20.0

Result = TypeVar("Result")


class Models(Protocol):
    """What looking needs of the models; `triton.TritonModels` is the one that serves."""

    async def run(self, model: str, images: Picture, *, seconds: float) -> Floats: ...

    async def fingerprint(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen in one picture."""

    plates: tuple[Plate, ...]
    objects: tuple[SeenObject, ...]


class Looker:
    def __init__(self, models: Models, *, seconds: float = LOOK_SECONDS) -> None:
        self._models = models
        self._seconds = seconds

    async def look(self, picture: Picture) -> Sight:
        """Objects and plates in a picture; `ModelsAway` when the models do not answer in time."""
        until = asyncio.get_running_loop().time() + self._seconds
        async with asyncio.TaskGroup() as together:
            whole = [
                together.create_task(self._plates_in_whole(picture, side, until))
                for side in pipeline.PLATE_SIDES
            ]
            seeing = together.create_task(self._objects(picture, until))
        objects = seeing.result()
        found = [candidate for task in whole for candidate in task.result()]
        crops = await _threaded(lambda: pipeline.vehicle_crops(picture, objects))
        if crops is not None:
            found += await self._candidates(crops, until)
        candidates = await self._refined(picture, pipeline.distinct(found), until)
        return Sight(tuple(await self._read(picture, candidates, until)), tuple(objects))

    async def fingerprint(self) -> str:
        """Of the models that look; `ModelsAway` when they do not answer."""
        return await self._models.fingerprint()

    async def _objects(self, picture: Picture, until: float) -> list[SeenObject]:
        scaled = await _threaded(lambda: pipeline.for_objects(picture))
        anchors = await self._ask("object_detector", scaled.images, until)
        return await _threaded(lambda: pipeline.objects_seen(anchors[0], scaled))

    async def _plates_in_whole(self, picture: Picture, side: int, until: float) -> list[Candidate]:
        scaled = await _threaded(lambda: pipeline.for_plates(picture, side=side))
        return await self._candidates(scaled, until)

    async def _candidates(self, scaled: Scaled, until: float) -> list[Candidate]:
        cells = await self._ask("plate_detector", scaled.images, until)
        return await _threaded(lambda: pipeline.plate_candidates(cells, scaled))

    async def _refined(
        self, picture: Picture, candidates: list[Candidate], until: float
    ) -> list[Candidate]:
        if not candidates:
            return []
        windows = await _threaded(lambda: pipeline.refining(picture, candidates))
        cells = await self._ask("plate_detector", windows.images, until)
        return await _threaded(lambda: pipeline.refined(cells, windows, candidates))

    async def _read(
        self, picture: Picture, candidates: list[Candidate], until: float
    ) -> list[Plate]:
        """One view of every candidate, then more views of those that look like text."""
        if not candidates:
            return []
        first = await self._views(picture, candidates, (pipeline.WHOLE,), until)
        again = plates.worth_reading_again(first)
        if not again:
            return []
        chosen = [candidates[place] for place in again]
        async with asyncio.TaskGroup() as together:
            more = together.create_task(self._views(picture, chosen, pipeline.MORE_VIEWS, until))
            second = together.create_task(self._second_voter(picture, chosen, until))
        return _plates(chosen, first[again], more.result(), second.result())

    async def _views(
        self,
        picture: Picture,
        candidates: list[Candidate],
        views: tuple[View, ...],
        until: float,
    ) -> Floats:
        batch = await _threaded(
            lambda: pipeline.for_reader(
                [
                    pipeline.rectified(picture, seen.corners, view)
                    for seen in candidates
                    for view in views
                ]
            )
        )
        return await self._ask("plate_reader", batch, until)

    async def _second_voter(
        self, picture: Picture, candidates: list[Candidate], until: float
    ) -> Floats:
        batch = await _threaded(
            lambda: pipeline.for_kazakh_reader(
                [pipeline.rectified(picture, seen.corners) for seen in candidates]
            )
        )
        return await self._ask("plate_reader_kz", batch, until)

    async def _ask(self, model: str, images: Picture, until: float) -> Floats:
        left = until - asyncio.get_running_loop().time()
        return await self._models.run(model, images, seconds=left)


def _plates(
    candidates: list[Candidate], first: Floats, more: Floats, second: Floats
) -> list[Plate]:
    each = len(pipeline.MORE_VIEWS)
    found = []
    for place, candidate in enumerate(candidates):
        views = [first[place], *more[place * each : (place + 1) * each]]
        texts = [plates.characters(view) for view in views]
        plate = plates.read(candidate, texts, plates.characters(second[place]))
        if plate is not None:
            found.append(plate)
    return plates.ranked(found)


async def _threaded(work: Callable[[], Result]) -> Result:
    return await asyncio.to_thread(work)
