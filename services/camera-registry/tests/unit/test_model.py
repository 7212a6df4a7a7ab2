"""The rules of a camera's description and life."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from camera_registry.model.area import Circle
from camera_registry.model.camera import Camera, CameraChangedMeanwhile, CameraRetired, CameraStatus
from camera_registry.model.description import CameraKind, Description, Place, check_description
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
    changed = camera.change(replace(DESCRIPTION, name="Dostyk"), from_version=1)
    assert (changed.version, changed.description.name) == (2, "Dostyk")
    with pytest.raises(CameraChangedMeanwhile):
        changed.change(DESCRIPTION, from_version=1)


def test_the_same_description_makes_no_new_version() -> None:
    camera = Camera.register(new_id(), DESCRIPTION, NOW)
    assert camera.change(replace(DESCRIPTION), from_version=1) is camera
    with pytest.raises(CameraChangedMeanwhile):
        camera.change(DESCRIPTION, from_version=2)


def test_retiring_is_final_and_repeatable() -> None:
    camera = Camera.register(new_id(), DESCRIPTION, NOW)
    retired = camera.retire(NOW)
    assert (retired.status, retired.retired_at) == (CameraStatus.RETIRED, NOW)
    assert retired.retire(NOW + timedelta(days=1)) is retired
    with pytest.raises(CameraRetired):
        retired.change(DESCRIPTION, from_version=2)


@pytest.mark.parametrize(
    ("circle", "box"),
    [
        (Circle(0, 0, 11_119.5), (-0.1, -0.1, 0.1, 0.1)),
        (Circle(89.99, 10, 50_000), None),  # around the pole: all longitudes
        (Circle(43, 179.99, 50_000), None),  # over the date line: all longitudes
    ],
)
def test_the_box_of_a_circle_contains_it(
    circle: Circle, box: tuple[float, float, float, float] | None
) -> None:
    if box is None:
        assert (circle.box[1], circle.box[3]) == (-180.0, 180.0)
    else:
        assert circle.box == pytest.approx(box, abs=1e-3)
