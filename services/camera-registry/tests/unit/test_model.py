"""The rules of a camera's description and life."""

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import h3.api.basic_int as h3
import pytest
from camera_registry.model.area import Circle
from camera_registry.model.camera import Camera, CameraChangedMeanwhile, CameraRetired
from camera_registry.model.cover import cover
from camera_registry.model.description import (
    CameraKind,
    Description,
    Place,
    Verification,
    check_description,
)
from camera_registry.model.imports import completed
from camera_registry.model.status import CameraStatus
from chassis.clock import new_id
from chassis.refusals import Checks
from law.guards import load

NOW = datetime(2026, 6, 3, tzinfo=UTC)
KINDS = load().at(NOW).camera_kinds
DESCRIPTION = Description(
    name="Abai",
    place=Place(43.24, 76.95, "KZ-75", ""),
    kind=CameraKind.ANPR,
    serial="1",
    make="",
    model="",
    azimuth_degrees=0,
    owner_bin="100140000003",
    connected=True,
    functions=(),
    verifications=(),
    device_key=b"",
    certificate_number="",
    speed_tolerance_kmh=2.0,
    dedupe_seconds=600,
)


@pytest.mark.parametrize(
    ("number", "right"),
    [
        ("100140000003", True),  # the sample of the registers' own documentation
        ("100140000004", False),  # check digit
        ("900101300017", False),  # an IIN: its fifth digit says so
        ("10014000000", False),
        ("１00140000003", False),  # a full-width digit
        ("", False),
    ],
)
def test_a_bin_has_twelve_digits_a_mark_and_a_check_digit(number: str, right: bool) -> None:
    check = Checks()
    check_description(check, replace(DESCRIPTION, owner_bin=number), KINDS)
    assert [error.field for error in check.errors] == ["description.owner_bin"] * (not right)


def test_a_right_description_has_no_wrong_field() -> None:
    check = Checks()
    check_description(check, DESCRIPTION, KINDS)
    assert not check.errors


def test_a_change_counts_the_version() -> None:
    camera = Camera.register(new_id(), DESCRIPTION, NOW)
    changed = camera.change(replace(DESCRIPTION, name="Dostyk"), NOW, from_version=1)
    assert (changed.version, changed.description.name) == (2, "Dostyk")
    with pytest.raises(CameraChangedMeanwhile):
        changed.change(DESCRIPTION, NOW, from_version=1)


def test_the_same_description_makes_no_new_version() -> None:
    camera = Camera.register(new_id(), DESCRIPTION, NOW)
    assert camera.change(replace(DESCRIPTION), NOW, from_version=1) is camera
    with pytest.raises(CameraChangedMeanwhile):
        camera.change(DESCRIPTION, NOW, from_version=2)


def test_a_camera_with_another_hub_is_unknown_until_that_one_reports() -> None:
    later = NOW + timedelta(days=1)
    online = replace(Camera.register(new_id(), DESCRIPTION, NOW), status=CameraStatus.ONLINE)
    moved = online.change(replace(DESCRIPTION, hub_id=new_id()), later, from_version=1)
    assert (moved.status, moved.status_as_of) == (CameraStatus.UNKNOWN, later)
    assert moved.status_version == online.status_version + 1
    renamed = online.change(replace(DESCRIPTION, name="Dostyk"), later, from_version=1)
    assert (renamed.status, renamed.status_version) == (CameraStatus.ONLINE, 0)


def test_retiring_is_final_and_repeatable() -> None:
    camera = Camera.register(new_id(), DESCRIPTION, NOW)
    retired = camera.retire(NOW)
    assert (retired.status, retired.retired_at) == (CameraStatus.RETIRED, NOW)
    assert retired.retire(NOW + timedelta(days=1)) is retired
    with pytest.raises(CameraRetired):
        retired.change(DESCRIPTION, NOW, from_version=2)


@pytest.mark.parametrize("centre", [(43.24, 76.95), (55.2, 69.1), (0.0, 0.0), (43.0, 179.99)])
@pytest.mark.parametrize("radius_metres", [20.0, 500.0, 5_000.0, 50_000.0])
def test_the_cells_of_a_circle_hold_every_place_in_it(
    centre: tuple[float, float], radius_metres: float
) -> None:
    draw = random.Random(f"{centre} {radius_metres}")
    latitude, longitude = centre
    ranges = cover(Circle(latitude, longitude, radius_metres), 9)
    assert all(before.last < after.first for before, after in pairwise(ranges))
    for _ in range(2000):
        # Half of the places are at the very edge.
        metres = radius_metres * draw.choice((1.0, math.sqrt(draw.random())))
        bearing = draw.uniform(0, 2 * math.pi)
        north = metres * math.cos(bearing) / 111_195
        east = metres * math.sin(bearing) / 111_195 / math.cos(math.radians(latitude + north))
        east_of = (longitude + east + 180) % 360 - 180
        cell = h3.latlng_to_cell(latitude + north, east_of, 9)
        assert any(each.first <= cell <= each.last for each in ranges)


def test_a_row_that_names_one_known_verification_changes_nothing() -> None:
    first, second, third = (
        Verification(number, NOW, NOW + timedelta(days=700)) for number in ("V-1", "V-2", "V-3")
    )
    known = replace(DESCRIPTION, verifications=(first, second))
    for named in (first, second):
        assert completed(replace(known, verifications=(named,)), known) == known
    changed = completed(replace(known, verifications=(third, first)), known)
    assert changed.verifications == (first, second, third)
