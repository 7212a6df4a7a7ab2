"""One passage is one fine: over all cameras, on evidence of its own, where it can have been."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from chassis.clock import new_id
from chassis.refusals import Refusal
from tartip_cli.clients.journeys import FrameToTenge, wait_for
from tartip_cli.clients.partner import Outside
from tartip_cli.clients.readings import Device
from tartip_cli.clients.samples import ADMINISTRATOR, SampleCamera

pytestmark = pytest.mark.mesh
LAST_ENTRIES = 200
METRE = 1 / 111_195  # degrees of latitude
SPEEDING = {"speed_kmh": 88.0, "speed_limit_kmh": 60.0}
ASTANA = {"latitude": 51.0909, "longitude": 71.4187, "region": "KZ-71", "address": "Astana, 900"}
NewCamera = Callable[..., Awaitable[SampleCamera]]


@pytest.fixture
def new_camera(outside: Outside, sample_cameras: list[SampleCamera]) -> NewCamera:
    """A camera like the sample for speed, but for its place and kind."""

    async def register(*, kind: str = "speed_point", **place: Any) -> SampleCamera:
        like = sample_cameras[0]
        serial = f"TT-PASSAGE-{new_id().hex[-12:].upper()}"
        device = Device.open(outside.home.path / "demo" / "devices", serial)
        described = like.body["description"]
        body = {
            "camera_id": str(new_id()),
            "description": described
            | {
                "place": described["place"] | place,
                "kind": kind,
                "serial": serial,
                "device_key": base64.b64encode(device.public_key).decode(),
            },
        }
        await outside.as_operator(ADMINISTRATOR).post("/v1/cameras", body)
        region = body["description"]["place"]["region"]
        return dataclasses.replace(
            like, camera_id=body["camera_id"], device=device, body=body, region=region
        )

    return register


@pytest.fixture
def seen_by(retaken: Callable[[bytes], bytes]) -> Callable[..., FrameToTenge]:
    """The same drive before another camera, so many seconds later, in a picture of its own."""

    def see(
        journey: FrameToTenge,
        camera: SampleCamera,
        *,
        after: float,
        picture: bytes = b"",
        **measured: float,
    ) -> FrameToTenge:
        moment = journey.signed.readings.device_time.ToDatetime(tzinfo=dt.UTC)
        taken = picture or retaken(journey.picture)
        later = moment + dt.timedelta(seconds=after)
        return dataclasses.replace(
            journey,
            camera_id=camera.camera_id,
            picture=taken,
            signed=camera.device.sign(taken, later, **SPEEDING | measured),
            inspector="inspector-almaty" if camera.region == "KZ-75" else "inspector-astana",
            frame_id=str(new_id()),
            decision_id=str(new_id()),
            _signed={},
        )

    return see


async def in_review(journey: FrameToTenge) -> dict[str, Any]:
    """Sends the frame; the violation that comes of it."""
    result = await journey.send_frame()
    found = await wait_for("the violation", lambda: journey.find_in_queue(result.evidence_sha256))
    return dict(found.body)


async def decided(new_frame: Any) -> None:
    """What was sent before has been assessed: what came later has."""
    later, _ = new_frame()
    await in_review(later)


async def test_two_cameras_a_metre_apart_give_one_violation_and_one_fine(
    new_frame: Any,
    new_camera: NewCamera,
    sample_cameras: list[SampleCamera],
    seen_by: Any,
) -> None:
    north = sample_cameras[0].body["description"]["place"]["latitude"] + METRE
    beside = await new_camera(latitude=north)
    journey, vehicle = new_frame()
    violation = await in_review(journey)
    again = seen_by(journey, beside, after=1)
    result = await again.send_frame()
    assert [plate.text for plate in result.plates] == [vehicle.plate]
    await decided(new_frame)
    assert await again.violations_of(result.evidence_sha256) == []
    await journey.decide(violation["violation_id"])
    fine = await wait_for("the fine", lambda: journey.find_fine(violation["violation_id"]))
    assert fine.body["hold_reason"] == ""
    assert [one.number for one in await journey.look_up(vehicle.owner.number)] == [
        fine.body["number"]
    ]


async def test_a_picture_that_is_signed_twice_gives_one_violation(
    new_frame: Any,
    new_camera: NewCamera,
    sample_cameras: list[SampleCamera],
    seen_by: Any,
) -> None:
    journey, _ = new_frame()
    violation = await in_review(journey)
    again = seen_by(journey, sample_cameras[0], after=2, picture=journey.picture, speed_kmh=121.0)
    with pytest.raises(Refusal, match="PICTURE_SIGNED_BEFORE"):
        await again.send_frame()
    # Another device may send the same picture; it is evidence of one violation all the same.
    elsewhere = seen_by(journey, await new_camera(latitude=43.35), after=2, picture=journey.picture)
    result = await elsewhere.send_frame()
    await decided(new_frame)
    named = await journey.violations_of(result.evidence_sha256)
    assert [one.body["violation_id"] for one in named] == [violation["violation_id"]]


@pytest.mark.nightly
async def test_the_log_names_the_camera_that_sent_a_picture_again(
    new_frame: Any, new_camera: NewCamera, seen_by: Any, outside: Outside
) -> None:
    """As the runbook says; the entry is sealed within a minute."""
    journey, _ = new_frame()
    violation = await in_review(journey)
    elsewhere = seen_by(journey, await new_camera(latitude=43.35), after=2, picture=journey.picture)
    await elsewhere.send_frame()
    for refused in await entries_of(outside, violation["violation_id"], "refuse_evidence"):
        assert refused["facts"]["camera"] == elsewhere.camera_id and refused["facts"]["read"]


async def test_a_case_that_contradicts_a_confirmed_one_is_told_and_shown_with_it(
    new_frame: Any, new_camera: NewCamera, seen_by: Any, outside: Outside
) -> None:
    """As the runbook says: the supervisor of its region looks at both."""
    astana = await new_camera(**ASTANA)
    journey, _ = new_frame()
    here = (await in_review(journey))["violation_id"]
    await journey.decide(here)
    there = (await in_review(seen_by(journey, astana, after=2)))["violation_id"]
    desk = outside.as_operator("supervisor-almaty")
    confirmed = (await desk.get(f"/v1/violations/{here}", purpose="test")).body["violation"]
    assert confirmed["conflicting_violation_ids"] == [there]
    other = (await desk.get(f"/v1/violations/{there}", purpose="test")).body["violation"]
    assert (other["state"], other["hold_reason"]) == ("review", "IMPOSSIBLE_JOURNEY")


async def entries_of(outside: Outside, violation_id: str, action: str) -> list[dict[str, Any]]:
    """Of the last entries in the audit log of violations, those about a violation, once sealed."""
    log, auditor = "/v1/audit/violations", outside.as_operator("auditor-1")

    async def look() -> list[dict[str, Any]] | None:
        newest = (await auditor.get(f"{log}/head", purpose="test")).body["head"]["tree_size"]
        first = max(0, newest - LAST_ENTRIES)
        page = await auditor.get(
            f"{log}/entries", purpose="test", page_size=LAST_ENTRIES, from_index=first
        )
        read = [json.loads(base64.b64decode(one["canonical"])) for one in page.body["entries"]]
        about = (action, f"violation:{violation_id}")
        return [one for one in read if (one["action"], one["object"]) == about] or None

    return await wait_for(f"the entry of {action}", look)


async def test_two_cities_two_seconds_apart_hold_both_by_name(
    new_frame: Any, new_camera: NewCamera, seen_by: Any, outside: Outside
) -> None:
    astana = await new_camera(**ASTANA)
    journey, _ = new_frame()
    here = await in_review(journey)
    assert here["hold_reason"] == ""
    there = await in_review(seen_by(journey, astana, after=2))
    assert there["hold_reason"] == "IMPOSSIBLE_JOURNEY"
    found = (await journey.violation(here["violation_id"])).body["violation"]
    assert (found["hold_reason"], found["version"]) == ("IMPOSSIBLE_JOURNEY", here["version"] + 1)
    with pytest.raises(Refusal, match="NOT_AUTOMATIC"):
        await journey.decide(here["violation_id"])
    # Both are shown to the officer of either, and stand in what he signs.
    assert (await journey.violation(there["violation_id"])).body["violation"]["place"]
    prepared = await outside.as_operator("inspector-almaty").post(
        f"/v1/violations/{here['violation_id']}/decision/prepare",
        {"verdict": "reject", "reason": "a copied plate"},
        purpose="test",
    )
    signed = json.loads(base64.b64decode(prepared.body["canonical"]))
    assert signed["conflicting_violation_ids"] == [there["violation_id"]]


@pytest.mark.parametrize(
    ("measured", "hold"),
    [
        ({"speed_kmh": 71.0, "speed_limit_kmh": 0.0}, "SPEED_LIMIT_IMPLAUSIBLE"),
        ({"speed_kmh": 999.0, "speed_limit_kmh": 60.0}, "SPEED_IMPLAUSIBLE"),
    ],
)
async def test_impossible_readings_are_held_by_name(
    new_frame: Any, measured: dict[str, float], hold: str
) -> None:
    journey, _ = new_frame(measured)
    violation = await in_review(journey)
    assert violation["hold_reason"] == hold
    with pytest.raises(Refusal, match="NOT_AUTOMATIC"):
        await journey.decide(violation["violation_id"])


async def test_a_device_that_is_more_than_a_day_behind_is_held_by_name(
    new_frame: Any, sample_cameras: list[SampleCamera], seen_by: Any
) -> None:
    journey, _ = new_frame()
    seen = seen_by(journey, sample_cameras[0], after=-dt.timedelta(hours=25).total_seconds())
    violation = await in_review(seen)
    assert violation["hold_reason"] == "DEVICE_CLOCK_BEHIND"
    with pytest.raises(Refusal, match="NOT_AUTOMATIC"):
        await seen.decide(violation["violation_id"])


async def test_an_overview_camera_finds_nothing(
    new_frame: Any, new_camera: NewCamera, seen_by: Any
) -> None:
    journey, _ = new_frame()
    seen = seen_by(journey, await new_camera(kind="overview"), after=0.5)
    result = await seen.send_frame()
    assert result.plates
    await decided(new_frame)
    assert await seen.violations_of(result.evidence_sha256) == []
