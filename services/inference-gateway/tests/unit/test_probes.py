"""What a round of golden probes comes to, and when a function's standing is told."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from chassis.db import Database
from inference_gateway.admission import InferencePool
from inference_gateway.frames.model import open_picture
from inference_gateway.probes.model import (
    Found,
    Function,
    LookedAt,
    Probe,
    Standing,
    found_in,
    knows_right,
    load,
    reads_right,
    sees_right,
    until_due,
)
from inference_gateway.probes.rounds import Prober, Times
from inference_gateway.triton import ModelsAway
from vault.keyring import Keyring
from vision.arrays import Floats, Picture
from vision.boxes import Box
from vision.detector import DetectionRequest, Detections
from vision.faces.detector import FaceDetector
from vision.objects import DetectedObject
from vision.plates.grammar import Owner
from vision.plates.reading import Plate

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID, OTHER = UUID(int=1), UUID(int=2)
PLACE, ASIDE = Box(10, 10, 100, 80), Box(80, 10, 100, 80)
GOOD = Found(Function.PLATES, probes=8, right=8, slowest_seconds=1, slowest_allowed_seconds=5)
FAIR = replace(GOOD, right=7)
BAD = replace(GOOD, right=6)
LATE = replace(GOOD, slowest_seconds=5.1)


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_a_share_of_the_probes_must_be_right_and_all_in_time() -> None:
    assert (GOOD.right_at_least, GOOD.holds, GOOD.is_whole) == (7, True, True)
    assert (FAIR.holds, FAIR.is_whole) == (True, False)
    assert not BAD.holds
    assert not LATE.holds


@pytest.mark.parametrize("wrong", [BAD, LATE])
def test_two_wrong_rounds_in_a_row_degrade_once_since_it_was_last_right(wrong: Found) -> None:
    standing = Standing(Function.PLATES).after(GOOD, at(0), ID)
    first = standing.after(wrong, at(60), ID)
    assert first.degradation_id is None and not first.is_sure
    second = first.after(wrong, at(61), ID)
    assert (second.degradation_id, second.since) == (ID, at(0))
    assert second.after(wrong, at(62), OTHER) == second


def test_a_single_wrong_round_is_forgotten() -> None:
    standing = Standing(Function.PLATES).after(BAD, at(0), ID).after(FAIR, at(1), ID)
    assert standing.is_sure
    assert standing.after(BAD, at(2), ID).degradation_id is None


def test_a_clock_that_was_set_back_leaves_no_doubt_in_the_future() -> None:
    ahead, first, second = at(24 * 60), at(60), at(61)
    jumped = Standing(Function.PLATES, right_at=ahead)
    degraded = jumped.after(BAD, first, ID).after(BAD, second, ID)
    assert degraded.since == first
    jumped = replace(jumped, wrong_since=ahead + timedelta(minutes=1))
    assert jumped.after(BAD, first, ID).since == first


def test_the_next_round_is_a_pause_away_at_most_whatever_the_clock_did() -> None:
    assert until_due(3600, last=at(0), now=at(20)) == 2400
    assert until_due(3600, last=at(0), now=at(70)) < 0
    # Another copy's clock is a little ahead; or it jumped a day ahead and was set right again.
    assert until_due(3600, last=at(1), now=at(0)) == 3600
    assert until_due(3600, last=at(24 * 60), now=at(0)) == 0


def test_only_a_whole_round_recovers() -> None:
    degraded = Standing(Function.PLATES).after(BAD, at(0), ID).after(BAD, at(1), ID)
    assert degraded.since == at(0)  # nothing was known to be right before
    assert degraded.after(FAIR, at(2), OTHER).degradation_id == ID
    recovered = degraded.after(GOOD, at(3), OTHER)
    assert recovered == Standing(Function.PLATES, right_at=at(3))


def plate(text: str, *, legible: bool = True) -> Plate:
    return Plate(
        text,
        0.9,
        (0.9,) * len(text),
        PLACE,
        (),
        0.9,
        "KZ",
        "car_person",
        Owner.PERSON,
        automatic_fine=True,
        agreed=True,
        legible=legible,
    )


def test_a_plate_is_right_when_it_alone_is_read() -> None:
    one = LookedAt(Probe("a", b"", plate="111AAA01"), 1.0)
    assert not reads_right(one)
    assert reads_right(
        replace(one, sight=Detections((plate("111AAA01"), plate("X", legible=False))))
    )
    assert not reads_right(replace(one, sight=Detections((plate("111AAA07"),))))
    assert not reads_right(replace(one, sight=Detections((plate("111AAA01"), plate("222BBB02")))))
    assert not reads_right(replace(one, sight=Detections((plate("111AAA01", legible=False),))))


def test_an_object_is_right_in_its_place_under_its_name() -> None:
    one = LookedAt(Probe("a", b"", label="vehicle", seen=PLACE), 1.0)
    assert not sees_right(one)
    assert sees_right(replace(one, sight=Detections((), (DetectedObject("truck", 0.5, PLACE),))))
    assert not sees_right(
        replace(one, sight=Detections((), (DetectedObject("person", 0.9, PLACE),)))
    )
    assert not sees_right(replace(one, sight=Detections((), (DetectedObject("car", 0.9, ASIDE),))))


def person(name: str, template: list[float], *faces: Box) -> LookedAt:
    values = np.array(template, np.float32)
    return LookedAt(Probe(name, b"", person=name, face=PLACE), 1.0, None, faces, values)


def test_a_face_is_right_when_its_template_tells_people_apart() -> None:
    everybody = [
        person("a", [0.0, 0.1], PLACE),
        person("a", [0.0, 0.0], PLACE),
        person("b", [1.0, 0.1], PLACE),
        person("b", [1.0, 0.0], PLACE),
    ]
    assert all(knows_right(one, everybody) for one in everybody)
    # A network that makes the same of everybody, zeroes say, knows nobody.
    blind = [replace(one, template=np.zeros(2, np.float32)) for one in everybody]
    assert not any(knows_right(one, blind) for one in blind)
    for faces in ((), (ASIDE,), (PLACE, ASIDE)):
        assert not knows_right(replace(everybody[0], faces=faces), everybody)


def test_a_round_without_answers_finds_everything_wrong() -> None:
    looked = [LookedAt(probe, 2.0) for probe in load()]
    found = found_in(looked, slowest_allowed_seconds=5)
    assert {function: (one.probes, one.right) for function, one in found.items()} == {
        Function.PLATES: (8, 0),
        Function.OBJECTS: (9, 0),
        Function.FACES: (4, 0),
    }


@dataclass
class Broken:
    """Models that answer with what nothing can be made of."""

    error: Exception

    async def fingerprint(self) -> str:
        return "sha256:broken"

    async def detect(self, picture: Picture, request: DetectionRequest) -> Detections:
        raise self.error

    async def run(self, model: str, images: Picture, *, seconds: float) -> Floats:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("of the picture"),
        IndexError("of the picture"),
        ModelsAway(),
        ExceptionGroup("looks", [KeyError("of the picture")]),
    ],
)
async def test_an_answer_that_nothing_can_be_made_of_is_a_wrong_one(
    error: Exception, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    broken, keyring = Broken(error), Keyring(tmp_path)
    db = Database("postgresql://nowhere", service="test", keyring=keyring, clock=lambda: NOON)
    prober = Prober(
        db, InferencePool(broken), FaceDetector(broken), lambda: NOON, load(), Times(0, 3600, 60, 5)
    )
    caplog.set_level("INFO")
    for probe in load():
        looked = await prober._look(probe)
        assert (looked.sight, looked.faces, looked.template) == (None, None, None)
        assert f"probe {probe.name}: " in caplog.text
    assert "of the picture" not in caplog.text


def test_every_probe_that_comes_with_the_package_is_a_picture() -> None:
    for probe in load():
        height, width = open_picture(probe.content).shape[:2]
        for box in (probe.seen, probe.face):
            if box is not None:
                assert box.iou(box.within(width=width, height=height)) > 0.99, probe.name
