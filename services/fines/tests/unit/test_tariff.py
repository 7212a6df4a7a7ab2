"""Amounts: article and base value by their dates, brackets, and the odd tiyn."""

from dataclasses import replace
from datetime import date

import pytest
from fines.lawbooks import read_lawbooks
from fines.model.tariff import half, speed_code
from law.refusals import TableYearMissing

TARIFF = read_lawbooks().tariff
JUNE = date(2026, 6, 3)


@pytest.mark.parametrize(
    ("code", "article", "full", "discounted"),
    [
        ("SPEED_10_20", "592(1)", 21_625_00, 10_812_50),
        ("SPEED_20_40", "592(2)", 43_250_00, 21_625_00),
        ("SPEED_40_60", "592(3)", 86_500_00, 43_250_00),
        ("SPEED_60_PLUS", "592(3-1)", 173_000_00, 86_500_00),
        ("RED_LIGHT", "599(1)", 43_250_00, 21_625_00),
        ("SIGN_MARKING", "601(1)", 12_975_00, 6_487_50),
        ("PARK_GENERAL", "597(1)", 21_625_00, 10_812_50),
        ("PARK_UNPAID", "597(4-1)", 4_325_00, 2_162_50),
        ("LANE_POSITION", "596(2)", 64_875_00, 32_437_50),
        ("PHONE", "591(1)", 21_625_00, 10_812_50),
        ("EMERGENCY_YIELD", "598(1)", 86_500_00, 43_250_00),
        ("PED_OFFENCE", "615(1)", 8_650_00, 4_325_00),
    ],
)
def test_amounts_of_2026(code: str, article: str, full: int, discounted: int) -> None:
    row = TARIFF.articles[code]
    amount = TARIFF.amount(row, JUNE)
    assert row.article == article
    assert (amount.full_minor, amount.discounted_minor) == (full, discounted)


def test_a_year_without_base_value_is_refused_by_name() -> None:
    until = replace(TARIFF.base_values, until=date(2026, 12, 31))
    with pytest.raises(TableYearMissing) as refused:
        replace(TARIFF, base_values=until).amount(TARIFF.articles["RED_LIGHT"], date(2027, 1, 1))
    assert (refused.value.table, refused.value.year) == ("base_values", 2027)


def test_an_assumed_base_value_stands_in_the_amount_for_ever() -> None:
    until = replace(TARIFF.base_values, until=date(2026, 12, 31)).assuming()
    row = TARIFF.articles["RED_LIGHT"]
    amount = replace(TARIFF, base_values=until).amount(row, date(2028, 2, 29))
    assert (amount.full_minor, amount.assumed_years) == (43_250_00, (2028,))
    assert TARIFF.amount(row, JUNE).assumed_years == ()


def test_an_offence_of_december_sent_in_january_costs_the_new_base_value() -> None:
    row = TARIFF.article_on("RED_LIGHT", date(2025, 12, 30))
    assert row is not None
    assert TARIFF.amount(row, date(2025, 12, 31)).full_minor == 39_320_00
    assert TARIFF.amount(row, date(2026, 1, 1)).full_minor == 43_250_00


@pytest.mark.parametrize(
    ("over", "code"),
    [
        (9.99, ""),
        (10, "SPEED_10_20"),
        (20, "SPEED_10_20"),
        (20.01, "SPEED_20_40"),
        (40, "SPEED_20_40"),
        (40.01, "SPEED_40_60"),
        (59.99, "SPEED_40_60"),
        (60, "SPEED_60_PLUS"),
        (140, "SPEED_60_PLUS"),
    ],
)
def test_a_speed_on_the_border_falls_to_the_drivers_side(over: float, code: str) -> None:
    assert speed_code(over) == code


@pytest.mark.parametrize(
    ("full", "expected"), [(0, 0), (1, 0), (2, 1), (3, 1), (1_297_501, 648_750), (999, 499)]
)
def test_half_a_tiyn_falls_to_the_payer(full: int, expected: int) -> None:
    assert half(full) == expected
    assert half(full) <= full - half(full)


def test_an_article_without_discount_costs_the_same_from_the_first_day() -> None:
    row = replace(TARIFF.articles["RED_LIGHT"], discount=False)
    amount = TARIFF.amount(row, JUNE)
    assert amount.discounted_minor == amount.full_minor


def test_phone_and_belt_became_automatic_in_march_2026_and_courts_articles_never() -> None:
    automatic = {code: row.automatic_from for code, row in TARIFF.articles.items()}
    assert automatic["PHONE"] == automatic["SEATBELT"] == date(2026, 3, 12)
    assert automatic["ONCOMING"] is automatic["FAKE_PLATE"] is automatic["LIGHTS_DAY"] is None


def test_the_version_names_both_tables_and_their_digests() -> None:
    version = TARIFF.amount(TARIFF.articles["RED_LIGHT"], JUNE).tariff_version
    assert "koap-2026-03-12@sha256:" in version and "mci-2026.1@sha256:" in version


def test_nobody_knows_the_articles_before_they_were_written() -> None:
    assert TARIFF.article_on("SPEED_60_PLUS", date(2024, 12, 3)) is None
