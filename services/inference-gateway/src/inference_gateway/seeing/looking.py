"""Looks at one picture: asks the models in turn and puts their answers together.

Work on pixels runs in threads, so that the loop stays free; each model gets one request for all
crops of the picture.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from inference_gateway.seeing import pipeline, plates, shots
from inference_gateway.seeing.geometry import Floats
from inference_gateway.seeing.pipeline import Candidate, Picture, Scaled, SeenObject
from inference_gateway.seeing.plates import Plate
from inference_gateway.seeing.shots import Shown, Texts, Views

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
        shown = await _threaded(lambda: shots.of(picture, candidates))
        first = await self._shots(picture, shown, shots.FIRST, until)
        again = plates.worth_reading_again([one.all for one in first])
        if not again:
            return []
        chosen = shots.affordable([shown[place] for place in again])
        async with asyncio.TaskGroup() as together:
            more = together.create_task(self._shots(picture, chosen, shots.MORE, until))
            second = together.create_task(
                self._second_voter(picture, [one.candidate for one in chosen], until)
            )
        found = [
            plates.read(
                one.candidate,
                first[place].line + views.line,
                plates.characters(vote),
                views.rows_with(first[place]),
            )
            for one, place, views, vote in zip(
                chosen, again, more.result(), second.result(), strict=False
            )
        ]
        return plates.ranked([plate for plate in found if plate is not None])

    async def _shots(
        self,
        picture: Picture,
        shown: list[Shown],
        views: Views,
        until: float,
    ) -> list[Texts]:
        batch = await _threaded(
            lambda: pipeline.for_reader(
                [crop for one in shown for crop in shots.crops(picture, one, views)]
            )
        )
        answers = await self._ask("plate_reader", batch, until)
        return shots.texts([plates.characters(answer) for answer in answers], shown, views)

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


async def _threaded(work: Callable[[], Result]) -> Result:
    return await asyncio.to_thread(work)
