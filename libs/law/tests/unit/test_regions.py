"""The table of regions: whole, unambiguous, named in three languages."""

import pytest
from law.regions import REGIONS
from law.regions.kato import region_of_kato


def test_there_are_twenty_regions_with_the_digits_of_plates_from_01_to_20() -> None:
    assert sorted(region.plate for region in REGIONS.values()) == [f"{n:02d}" for n in range(1, 21)]


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
def test_every_region_has_a_name_of_its_own_in_each_language(language: str) -> None:
    names = {getattr(region, language) for region in REGIONS.values()}
    assert len(names - {""}) == len(REGIONS)


@pytest.mark.parametrize(
    ("code", "region"),
    [
        ("750000000", "KZ-75"),
        ("751110000", "KZ-75"),
        ("103220100", "KZ-10"),
        ("990000000", None),
        ("75", None),
        ("7500000000", None),
        ("75000000x", None),
        ("٧٥٠٠٠٠٠٠٠", None),
        ("", None),
    ],
)
def test_a_kato_code_names_its_region(code: str, region: str | None) -> None:
    assert region_of_kato(code) is (REGIONS[region] if region else None)
