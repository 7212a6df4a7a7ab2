"""Runs the models on one picture and combines their outputs.

The caller provides the model server: see `Models`. Work on pixels runs in threads, so that the
event loop is not blocked. Crops are sent to a model together in one request, not one by one.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from vision.arrays import Floats, Picture
from vision.boxes import Box
from vision.objects import THINGS, VEHICLES, DetectedObject, certain, for_objects, objects_of
from vision.people import detection
from vision.people.detection import InferenceScale
from vision.plates import crops, reading
from vision.plates.candidates import (
    PLATE_SIDES,
    PlateCandidate,
    distinct,
    for_plates,
    plate_candidates,
    refined,
    refining,
    vehicle_crops,
    whole_as_plate,
)
from vision.plates.crops import PlateLayout, Texts, Views
from vision.plates.reading import Plate
from vision.plates.views import for_kazakh_reader, for_reader, rectified
from vision.scaling import Scaled, shrunk

DETECTION_SECONDS: Final = 20.0

Result = TypeVar("Result")


class Models(Protocol):
    """The methods of the model server that detection needs. Errors they raise are passed on."""

    async def run(self, model: str, images: Picture, *, seconds: float) -> Floats:
        """Run a model on a batch of pictures [n, h, w, channels] within `seconds` and return its
        output, whose shape depends on the model."""

    async def fingerprint(self) -> str:
        """Return a hash of the models that are served now. Results with the same fingerprint are
        comparable."""

    async def object_models(self) -> Mapping[str, "Labelled"]:
        """Return the external object models that are served now, by name."""


class Labelled(Protocol):
    """An external object model; only its labels are needed here, to interpret its outputs."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the model's classes. A class code is an index into them."""


@dataclass(frozen=True, slots=True)
class DetectionRequest:
    """What to detect in a picture. Reading plates includes detecting objects.

    The object detector also runs at each of `scales`. The objects detected at these scales, also
    those with low scores, are returned in `Detections.by_scale`. The field `outside_models` has the
    names of external object models, which an installation adds to the project's own. The field
    `faces` has no effect here, because the watch-list search detects faces.
    """

    plates: bool = False
    objects: bool = False
    faces: bool = False
    scales: frozenset[InferenceScale] = frozenset()
    outside_models: tuple[str, ...] = ()

    def __or__(self, other: "DetectionRequest") -> "DetectionRequest":
        return DetectionRequest(
            self.plates or other.plates,
            self.objects or other.objects,
            self.faces or other.faces,
            self.scales | other.scales,
            tuple(dict.fromkeys(self.outside_models + other.outside_models)),
        )


EMPTY_REQUEST: Final = DetectionRequest()
DEFAULT_REQUEST: Final = DetectionRequest(plates=True, objects=True)
"""What is detected for a camera without a configuration."""
VIDEO_SCALE: Final = InferenceScale(640, mirrored=False)
"""The scale for everything that follows objects over several frames (zones, counts, crowds)."""
KINDS: Final = (detection.PEOPLE, VEHICLES, THINGS)
"""Non-maximum suppression runs within each of these groups of labels."""


@dataclass(frozen=True, slots=True)
class Detections:
    """The detections in one picture. Boxes are in pixels of the picture."""

    plates: tuple[Plate, ...] = ()
    objects: tuple[DetectedObject, ...] = ()
    by_scale: Mapping[InferenceScale, tuple[DetectedObject, ...]] = field(default_factory=dict)
    """Objects by inference scale, low-score boxes included. A person is listed only at scales at
    which the object detector recognises people of that size."""
    outside: tuple[DetectedObject, ...] = ()
    """Objects detected by external models, low-score boxes included."""


class Detector:
    """Detects plates and objects in single pictures. All requests to models for one picture must be
    answered within `seconds`."""

    def __init__(self, models: Models, *, seconds: float = DETECTION_SECONDS) -> None:
        self._models = models
        self._seconds = seconds

    async def detect(
        self, picture: Picture, request: DetectionRequest = DEFAULT_REQUEST
    ) -> Detections:
        """Return the plates and objects that were found in a BGR picture; `request` says what is
        sought.

        Errors of the models, timeouts included, are raised alone or in an ExceptionGroup.
        """
        until = asyncio.get_running_loop().time() + self._seconds
        is_whole = request.plates or request.objects
        small = await _threaded(lambda: shrunk(picture)) if is_whole else picture
        async with asyncio.TaskGroup() as together:
            whole = [
                together.create_task(self._plates_in_whole(picture, small, side, until))
                for side in (PLATE_SIDES if request.plates else ())
            ]
            scaled = {
                scale: together.create_task(self._at_scale(picture, scale, until))
                for scale in request.scales
            }
            outside = [
                together.create_task(self._outside(picture, name, until))
                for name in request.outside_models
            ]
            detecting = None
            if is_whole and VIDEO_SCALE not in request.scales:
                detecting = together.create_task(self._objects(picture, small, until))
        by_scale = {scale: task.result() for scale, task in scaled.items()}
        objects = detecting.result() if detecting else certain(by_scale.get(VIDEO_SCALE, ()))
        found = [candidate for task in whole for candidate in task.result()]
        read = await self._plates(picture, objects, found, until) if request.plates else []
        others = tuple(detected for task in outside for detected in task.result())
        objects = [*objects, *certain(others)]
        return Detections(tuple(read), tuple(objects), by_scale=by_scale, outside=others)

    async def plate_candidates(self, picture: Picture) -> list[PlateCandidate]:
        """Return where plates may be in a BGR picture, at most `MOST_CANDIDATES`. None is read:
        what nobody can read is among them, and some things that are no plate.

        Errors of the models, timeouts included, are raised alone or in an ExceptionGroup.
        """
        until = asyncio.get_running_loop().time() + self._seconds
        small = await _threaded(lambda: shrunk(picture))
        async with asyncio.TaskGroup() as together:
            whole = [
                together.create_task(self._plates_in_whole(picture, small, side, until))
                for side in PLATE_SIDES
            ]
            detecting = together.create_task(self._objects(picture, small, until))
        found = [candidate for task in whole for candidate in task.result()]
        return await self._located(picture, detecting.result(), found, until)

    async def _plates(
        self,
        picture: Picture,
        objects: list[DetectedObject],
        found: list[PlateCandidate],
        until: float,
    ) -> list[Plate]:
        """Return the plates: locate the candidates, then read each of them."""
        candidates = await self._located(picture, objects, found, until)
        candidates += whole_as_plate(picture)
        return await self._read(picture, candidates, until)

    async def _located(
        self,
        picture: Picture,
        objects: list[DetectedObject],
        found: list[PlateCandidate],
        until: float,
    ) -> list[PlateCandidate]:
        """Return the candidates: search the vehicles as well, then refine each."""
        crops = await _threaded(lambda: vehicle_crops(picture, objects))
        if crops is not None:
            found += await self._candidates(crops, until)
        return await self._refined(picture, distinct(found), until)

    async def fingerprint(self) -> str:
        """Return a hash of the models that are served now; see `Models.fingerprint`."""
        return await self._models.fingerprint()

    async def _objects(
        self, picture: Picture, small: Picture, until: float
    ) -> list[DetectedObject]:
        scaled = await _threaded(lambda: for_objects(picture, small))
        anchors = await self._ask("object_detector", scaled.images, until)
        return await _threaded(lambda: objects_of(anchors[0], scaled))

    async def _at_scale(
        self, picture: Picture, scale: InferenceScale, until: float
    ) -> tuple[DetectedObject, ...]:
        shown = await _threaded(lambda: detection.for_detector(picture, scale))
        anchors = (await self._ask("object_detector", shown[None], until))[0]
        return await _threaded(lambda: _objects_at_scale(anchors, picture, scale))

    async def _outside(self, picture: Picture, name: str, until: float) -> list[DetectedObject]:
        """Return the detections of an external model, none if the model is no longer served."""
        known = (await self._models.object_models()).get(name)
        if known is None:
            return []
        shown = await _threaded(lambda: detection.for_detector(picture, VIDEO_SCALE))
        rows = (await self._ask(name, shown[None], until))[0]
        return _outside_objects(rows, known.labels, VIDEO_SCALE.side / max(picture.shape[:2]))

    async def _plates_in_whole(
        self, picture: Picture, small: Picture, side: int, until: float
    ) -> list[PlateCandidate]:
        scaled = await _threaded(lambda: for_plates(picture, small, side=side))
        return await self._candidates(scaled, until)

    async def _candidates(self, scaled: Scaled, until: float) -> list[PlateCandidate]:
        cells = await self._ask("plate_detector", scaled.images, until)
        return await _threaded(lambda: plate_candidates(cells, scaled))

    async def _refined(
        self, picture: Picture, candidates: list[PlateCandidate], until: float
    ) -> list[PlateCandidate]:
        if not candidates:
            return []
        windows = await _threaded(lambda: refining(picture, candidates))
        cells = await self._ask("plate_detector", windows.images, until)
        return await _threaded(lambda: refined(cells, windows, candidates))

    async def _read(
        self, picture: Picture, candidates: list[PlateCandidate], until: float
    ) -> list[Plate]:
        """Read one view of every candidate, then further views of those that are still
        uncertain."""
        if not candidates:
            return []
        shown = await _threaded(lambda: crops.of(picture, candidates))
        first = await self._shots(picture, shown, crops.FIRST, until)
        again = reading.worth_reading_again([texts.all for texts in first])
        again = again[: len(crops.affordable([shown[place] for place in again]))]
        if not again:
            return []
        candidates = [shown[place].candidate for place in again]
        second = await self._second_voter(picture, candidates, until)
        votes = dict(zip(again, map(reading.characters, second), strict=True))
        unsettled = [
            place
            for place in again
            if not reading.settled(shown[place].candidate, first[place].all, votes[place])
        ]
        more = await self._shots(picture, [shown[place] for place in unsettled], crops.MORE, until)
        readings = dict(enumerate(first))
        for place, views in zip(unsettled, more, strict=True):
            readings[place] = first[place].with_more(views)
        found = [
            reading.read(
                shown[place].candidate, readings[place].line, votes[place], readings[place].rows
            )
            for place in again
        ]
        return reading.ranked([plate for plate in found if plate is not None])

    async def _shots(
        self,
        picture: Picture,
        shown: list[PlateLayout],
        views: Views,
        until: float,
    ) -> list[Texts]:
        if not shown:
            return []
        batch = await _threaded(
            lambda: for_reader(
                [crop for layout in shown for crop in crops.crops(picture, layout, views)]
            )
        )
        answers = await self._ask("plate_reader", batch, until)
        return crops.texts([reading.characters(answer) for answer in answers], shown, views)

    async def _second_voter(
        self, picture: Picture, candidates: list[PlateCandidate], until: float
    ) -> Floats:
        batch = await _threaded(
            lambda: for_kazakh_reader(
                [rectified(picture, candidate.corners) for candidate in candidates]
            )
        )
        return await self._ask("plate_reader_kz", batch, until)

    async def _ask(self, model: str, images: Picture, until: float) -> Floats:
        left = until - asyncio.get_running_loop().time()
        return await self._models.run(model, images, seconds=left)


def _objects_at_scale(
    anchors: Floats, picture: Picture, scale: InferenceScale
) -> tuple[DetectedObject, ...]:
    _, *others = KINDS
    found = detection.people_at_scale(anchors, picture, scale)
    for labels in others:
        found += detection.objects_at_scale(anchors, picture, scale, labels=labels)
    return tuple(found)


def _outside_objects(rows: Floats, labels: tuple[str, ...], scale: float) -> list[DetectedObject]:
    found = []
    for left, top, right, bottom, score, code in rows.tolist():
        if score > detection.ASK_FROM and 0 <= int(code) < len(labels):
            box = Box(left / scale, top / scale, (right - left) / scale, (bottom - top) / scale)
            found.append(DetectedObject(labels[int(code)], score, box))
    return found


async def _threaded(work: Callable[[], Result]) -> Result:
    return await asyncio.to_thread(work)
