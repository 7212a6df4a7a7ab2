"""Descriptions and ids that are formally right, and that no camera can have."""

import pytest

from .test_register import Describe, Register, place, refused


@pytest.mark.parametrize(
    "camera_id",
    ["03bb2cc3-d800-7c27-89c5-2ebe821e365e", "00000000-0001-7c27-89c5-2ebe821e365e"],
    ids=["2100", "1970"],
)
async def test_an_id_of_another_age_is_refused(
    register: Register, describe: Describe, camera_id: str
) -> None:
    refusal = await refused(register(describe(), camera_id))
    assert [error.field for error in refusal.fields] == ["camera_id"]


async def test_latitude_and_longitude_that_are_swapped_are_told_so(
    register: Register, describe: Describe
) -> None:
    swapped = describe(place=place(latitude=76.95, longitude=43.24))
    refusal = await refused(register(swapped))
    assert [(each.field, each.code) for each in refusal.fields] == [
        ("description.place", "PLACE_SWAPPED")
    ]
