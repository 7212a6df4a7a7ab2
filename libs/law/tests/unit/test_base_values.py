"""The base value of a day, and what happens where the law has not told it."""

import json
from datetime import date

import pytest
from law.assumed import assumed_years
from law.base_values import BaseValues
from law.refusals import TableYearMissing
from law.yearly import MissingTable, YearlyTables, read_yearly_tables

TABLES = read_yearly_tables()
TRIAL = read_yearly_tables(assume_years=True)
OWN = BaseValues.parse(
    json.dumps(
        {
            "version": "own.1",
            "values": [
                {"valid_from": "2025-01-01", "amount_minor": 100},
                {"valid_from": "2026-01-01", "amount_minor": 200},
            ],
            "valid_until": "2026-12-31",
        }
    ).encode()
)


@pytest.mark.parametrize(
    ("day", "value"),
    [
        ("2020-03-31", 2651_00),
        ("2020-04-01", 2778_00),
        ("2021-01-01", 2917_00),
        ("2022-12-31", 3063_00),
        ("2023-01-01", 3450_00),
        ("2024-06-01", 3692_00),
        ("2025-12-31", 3932_00),
        ("2026-01-01", 4325_00),
        ("2026-12-31", 4325_00),
    ],
)
def test_base_value_in_force_on_the_day(day: str, value: int) -> None:
    assert TABLES.base_values.on(date.fromisoformat(day)).amount_minor == value


@pytest.mark.parametrize("day", ["2027-01-01", "2024-12-31"])
def test_a_year_without_base_value_is_refused_by_name(day: str) -> None:
    with pytest.raises(TableYearMissing) as refused:
        OWN.on(date.fromisoformat(day))
    assert refused.value.facts == {"table": "base_values", "year": day[:4]}


def test_a_trial_takes_the_last_value_and_its_version_says_so() -> None:
    trial = OWN.assuming()
    known, assumed = trial.on(date(2026, 12, 31)), trial.on(date(2028, 2, 29))
    assert (known.amount_minor, assumed_years(known.version)) == (200, ())
    assert (assumed.amount_minor, assumed_years(assumed.version)) == (200, (2028,))
    assert not trial.holds(2027)
    with pytest.raises(TableYearMissing):
        trial.on(date(2024, 12, 31))


@pytest.mark.parametrize("values", [[(1, 5), (0, 6)], [(0, 0)]])
def test_values_out_of_order_or_of_nothing_are_refused(values: list[tuple[int, int]]) -> None:
    rows = [{"valid_from": f"202{year}-01-01", "amount_minor": value} for year, value in values]
    table = {"version": "x", "values": rows, "valid_until": "2026-12-31"}
    with pytest.raises(ValueError):
        BaseValues.parse(json.dumps(table).encode())


@pytest.mark.parametrize(
    ("today", "missing"),
    [
        ("2026-08-31", []),
        ("2026-11-30", []),  # the calendar of 2027 is there, its base value not awaited yet
        ("2026-12-01", [("base_values", 2027)]),
        ("2027-01-01", [("base_values", 2027)]),
        ("2027-08-31", [("base_values", 2027)]),
        ("2027-09-01", [("calendar", 2028), ("base_values", 2027)]),
        ("2027-12-01", [("calendar", 2028), ("base_values", 2027), ("base_values", 2028)]),
    ],
)
def test_a_table_of_the_next_year_is_missed_before_it_is_needed(
    today: str, missing: list[tuple[str, int]]
) -> None:
    """Of our own tables of 2026, whatever has come since."""
    calendar = TABLES.calendar
    known = YearlyTables(
        type(calendar)({year: calendar.years[year] for year in (2025, 2026, 2027)}), OWN
    )
    found = known.missing(date.fromisoformat(today))
    assert list(found) == [MissingTable(table, year) for table, year in missing]


def test_what_is_assumed_is_still_missing() -> None:
    for day in (date(2027, 1, 15), date(2028, 12, 1), date(2090, 12, 1)):
        assert TRIAL.missing(day) == TABLES.missing(day)
    assert MissingTable("calendar", 2091) in TRIAL.missing(date(2090, 12, 1))
