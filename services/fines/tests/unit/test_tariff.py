"""Amounts: article and base value by their dates, brackets, and the odd tiyn."""

from dataclasses import replace
from datetime import date

import pytest
from fines.model.law import Law, read_law
from law.editions import EditionMissing
from law.refusals import TableYearMissing

LAW = read_law()
JUNE = date(2026, 6, 3)
ARTICLES = LAW.articles.on(JUNE).by_code


def law_until_2026(*, assume_years: bool = False) -> Law:
    """The law as it was known in November 2026, without tables that were added since."""
    read = read_law(assume_years=assume_years)
    base_values = replace(read.yearly.base_values, until=date(2026, 12, 31))
    return replace(read, yearly=replace(read.yearly, base_values=base_values))


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
    row = ARTICLES[code]
    amount = LAW.amount(row, JUNE)
    assert row.article == article
    assert (amount.full_minor, amount.discounted_minor) == (full, discounted)


def test_a_year_without_base_value_is_refused_by_name() -> None:
    until = law_until_2026()
    with pytest.raises(TableYearMissing) as refused:
        until.amount(ARTICLES["RED_LIGHT"], date(2027, 1, 1))
    assert (refused.value.table, refused.value.year) == ("base_values", 2027)


def test_an_assumed_base_value_stands_in_the_amount_for_ever() -> None:
    trial = law_until_2026(assume_years=True)
    row = ARTICLES["RED_LIGHT"]
    amount = trial.amount(row, date(2028, 2, 29))
    assert (amount.full_minor, amount.assumed_years) == (43_250_00, (2028,))
    assert LAW.amount(row, JUNE).assumed_years == ()


def test_an_offence_of_december_sent_in_january_costs_the_new_base_value() -> None:
    row = LAW.articles.on(date(2025, 12, 30)).by_code["RED_LIGHT"]
    assert LAW.amount(row, date(2025, 12, 31)).full_minor == 39_320_00
    assert LAW.amount(row, date(2026, 1, 1)).full_minor == 43_250_00


def test_an_article_without_discount_costs_the_same_from_the_first_day() -> None:
    row = replace(ARTICLES["RED_LIGHT"], discount=False)
    amount = LAW.amount(row, JUNE)
    assert amount.discounted_minor == amount.full_minor


def test_the_version_names_both_tables_and_their_digests() -> None:
    version = LAW.amount(ARTICLES["RED_LIGHT"], JUNE).tariff_version
    assert "koap-2026-03-12.2@sha256:" in version and "mci-2026.1@sha256:" in version


def test_nobody_knows_the_articles_before_they_were_written() -> None:
    with pytest.raises(EditionMissing):
        LAW.articles.on(date(2024, 12, 3))
