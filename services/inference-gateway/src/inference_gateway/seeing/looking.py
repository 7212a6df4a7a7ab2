"""Looks at one picture: asks the models in turn and puts their answers together.

Work on pixels runs in threads, so that the loop stays free; each model gets one request for all
crops of the picture.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from inference_gateway.analytics import people
from inference_gateway.analytics.people import Look
from inference_gateway.seeing import pipeline, plates, shots
from inference_gateway.seeing.geometry import Box, Floats
from inference_gateway.seeing.pipeline import Candidate, Picture, Scaled, SeenObject
from inference_gateway.seeing.plates import Plate
from inference_gateway.seeing.shots import Shown, Texts, Views

LOOK_SECONDS: Final = 20.0

Result = TypeVar("Result")


class Models(Protocol):
    """What looking needs of the models; `triton.TritonModels` is the one that serves."""

    async def run(self, model: str, images: Picture, *, seconds: float) -> Floats: ...

    async def fingerprint(self) -> str: ...

    async def object_models(self) -> Mapping[str, "Labelled"]: ...


class Labelled(Protocol):
    """An outside object model, as far as its answers need it."""

    @property
    def labels(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a look is to find; objects are seen wherever plates are read.

    `looks` are further sizes for the object detector, whose faint boxes are given too. Faces are
    looked for by the search in the watch-lists, not here.
    """

    plates: bool = False
    objects: bool = False
    faces: bool = False
    looks: frozenset[Look] = frozenset()
    outside_models: tuple[str, ...] = ()

    def __or__(self, other: "Wanted") -> "Wanted":
        return Wanted(
            self.plates or other.plates,
            self.objects or other.objects,
            self.faces or other.faces,
            self.looks | other.looks,
            tuple(dict.fromkeys(self.outside_models + other.outside_models)),
        )


NOTHING: Final = Wanted()
STILL: Final = Wanted(plates=True, objects=True)
"""What a camera without a configuration is looked at for."""
FILM_LOOK: Final = Look(640, mirrored=False)
"""The one look a frame that functions over time are content with."""
KINDS: Final = (people.PEOPLE, pipeline.VEHICLES, pipeline.THINGS)
"""Of two boxes in one place the stronger stays, within each of these."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen in one picture."""

    plates: tuple[Plate, ...] = ()
    objects: tuple[SeenObject, ...] = ()
    looked: Mapping[Look, tuple[SeenObject, ...]] = field(default_factory=dict)
    """By look, with faint boxes; people only where the look knows their size."""
    outside: tuple[SeenObject, ...] = ()
    """By outside models, with faint boxes."""


class Looker:
    def __init__(self, models: Models, *, seconds: float = LOOK_SECONDS) -> None:
        self._models = models
        self._seconds = seconds

    async def look(self, picture: Picture, wanted: Wanted = STILL) -> Sight:
        """What is wanted of a picture; `ModelsAway` when the models do not answer in time."""
        until = asyncio.get_running_loop().time() + self._seconds
        whole_wanted = wanted.plates or wanted.objects
        small = await _threaded(lambda: pipeline.shrunk(picture)) if whole_wanted else picture
        async with asyncio.TaskGroup() as together:
            whole = [
                together.create_task(self._plates_in_whole(picture, small, side, until))
                for side in (pipeline.PLATE_SIDES if wanted.plates else ())
            ]
            looking = {
                look: together.create_task(self._in_look(picture, look, until))
                for look in wanted.looks
            }
            outside = [
                together.create_task(self._outside(picture, name, until))
                for name in wanted.outside_models
            ]
            seeing = None
            if whole_wanted and FILM_LOOK not in wanted.looks:
                seeing = together.create_task(self._objects(picture, small, until))
        looked = {look: task.result() for look, task in looking.items()}
        objects = seeing.result() if seeing else pipeline.certain(looked.get(FILM_LOOK, ()))
        found = [candidate for task in whole for candidate in task.result()]
        read = await self._plates(picture, objects, found, until) if wanted.plates else []
        others = tuple(one for task in outside for one in task.result())
        objects = [*objects, *pipeline.certain(others)]
        return Sight(tuple(read), tuple(objects), looked=looked, outside=others)

    async def _plates(
        self,
        picture: Picture,
        objects: list[SeenObject],
        found: list[Candidate],
        until: float,
    ) -> list[Plate]:
        """Looks into the vehicles too, looks again at every candidate, and reads."""
        crops = await _threaded(lambda: pipeline.vehicle_crops(picture, objects))
        if crops is not None:
            found += await self._candidates(crops, until)
        candidates = await self._refined(picture, pipeline.distinct(found), until)
        candidates += pipeline.whole_as_plate(picture)
        return await self._read(picture, candidates, until)

    async def fingerprint(self) -> str:
        """Of the models that look; `ModelsAway` when they do not answer."""
        return await self._models.fingerprint()

    async def _objects(self, picture: Picture, small: Picture, until: float) -> list[SeenObject]:
        scaled = await _threaded(lambda: pipeline.for_objects(picture, small))
        anchors = await self._ask("object_detector", scaled.images, until)
        return await _threaded(lambda: pipeline.objects_seen(anchors[0], scaled))

    async def _in_look(self, picture: Picture, look: Look, until: float) -> tuple[SeenObject, ...]:
        shown = await _threaded(lambda: people.shown(picture, look))
        anchors = (await self._ask("object_detector", shown[None], until))[0]
        return await _threaded(lambda: _seen_in_look(anchors, picture, look))

    async def _outside(self, picture: Picture, name: str, until: float) -> list[SeenObject]:
        """One that is not served any more sees nothing, and the others go on."""
        known = (await self._models.object_models()).get(name)
        if known is None:
            return []
        shown = await _threaded(lambda: people.shown(picture, FILM_LOOK))
        rows = (await self._ask(name, shown[None], until))[0]
        return _outside_seen(rows, known.labels, FILM_LOOK.side / max(picture.shape[:2]))

    async def _plates_in_whole(
        self, picture: Picture, small: Picture, side: int, until: float
    ) -> list[Candidate]:
        scaled = await _threaded(lambda: pipeline.for_plates(picture, small, side=side))
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
        """One view of every candidate, then more of what looks like text and is not settled."""
        if not candidates:
            return []
        shown = await _threaded(lambda: shots.of(picture, candidates))
        first = await self._shots(picture, shown, shots.FIRST, until)
        again = plates.worth_reading_again([one.all for one in first])
        again = again[: len(shots.affordable([shown[place] for place in again]))]
        if not again:
            return []
        candidates = [shown[place].candidate for place in again]
        second = await self._second_voter(picture, candidates, until)
        votes = dict(zip(again, map(plates.characters, second), strict=True))
        unsettled = [
            place
            for place in again
            if not plates.settled(shown[place].candidate, first[place].all, votes[place])
        ]
        more = await self._shots(picture, [shown[place] for place in unsettled], shots.MORE, until)
        seen = dict(enumerate(first))
        for place, views in zip(unsettled, more, strict=True):
            seen[place] = first[place].with_more(views)
        found = [
            plates.read(shown[place].candidate, seen[place].line, votes[place], seen[place].rows)
            for place in again
        ]
        return plates.ranked([plate for plate in found if plate is not None])

    async def _shots(
        self,
        picture: Picture,
        shown: list[Shown],
        views: Views,
        until: float,
    ) -> list[Texts]:
        if not shown:
            return []
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


def _seen_in_look(anchors: Floats, picture: Picture, look: Look) -> tuple[SeenObject, ...]:
    _, *others = KINDS
    found = people.people_in_look(anchors, picture, look)
    for labels in others:
        found += people.objects_in_look(anchors, picture, look, labels=labels)
    return tuple(found)


def _outside_seen(rows: Floats, labels: tuple[str, ...], scale: float) -> list[SeenObject]:
    found = []
    for left, top, right, bottom, score, code in rows.tolist():
        if score > people.ASK_FROM and 0 <= int(code) < len(labels):
            box = Box(left / scale, top / scale, (right - left) / scale, (bottom - top) / scale)
            found.append(SeenObject(labels[int(code)], score, box))
    return found


async def _threaded(work: Callable[[], Result]) -> Result:
    return await asyncio.to_thread(work)
