"""Working days: the tables against a second opinion, years that are missing, and assumed ones."""

import json
from datetime import date, timedelta
from importlib import resources

import holidays
import pytest
from law.assumed import assumed_years
from law.calendar import Calendar, CalendarYear, Holidays
from law.refusals import TableYearMissing
from law.yearly import read_yearly_tables

TABLES = read_yearly_tables().calendar
TRIAL = read_yearly_tables(assume_years=True).calendar
WEEKENDS = CalendarYear(frozenset(), frozenset(), "weekends")

# Where the table differs from the package `holidays`, on purpose: day → why.
DIFFERENCES: dict[date, str] = {}


def day(text: str) -> date:
    return date.fromisoformat(text)


def days_of(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days)]


@pytest.mark.parametrize("year", sorted(TABLES.years))
def test_the_table_agrees_with_a_second_opinion(year: int) -> None:
    """The package `holidays` is no source; where it says something else, one of us is wrong."""
    opinion = holidays.country_holidays("KZ", years=year, language="en_US")
    differ = {one for one in days_of(year) if TABLES.is_working(one) != opinion.is_working_day(one)}
    assert differ == {one for one in DIFFERENCES if one.year == year}


@pytest.mark.parametrize("year", range(2027, 2041))
def test_an_assumed_year_has_all_that_is_not_decreed_year_by_year(year: int) -> None:
    """Kurban Ait is announced each year; everything else follows from the law."""
    table = Holidays.parse(_table("holidays.json")).assumed_year(year)
    opinion = holidays.country_holidays("KZ", years=year, language="en_US")
    differ = [one for one in days_of(year) if table.is_working(one) != opinion.is_working_day(one)]
    kurban_ait = {one for one in differ if "Eid al-Adha" in opinion.get(one, "")}
    assert set(differ) == kurban_ait


def test_the_constitution_of_2026_moved_its_day_from_august_to_march() -> None:
    assert not TABLES.is_working(day("2025-09-01"))  # for Saturday 30 August 2025
    assert TABLES.is_working(day("2026-08-31"))  # 30 August 2026 is a Sunday like any other
    assert TABLES.is_working(day("2027-08-30"))
    assert not TABLES.is_working(day("2027-03-15"))


def test_a_day_that_an_order_moved_is_off_and_its_sunday_is_worked() -> None:
    assert not TABLES.is_working(day("2025-01-03"))
    assert TABLES.is_working(day("2025-01-05"))
    assert TABLES.after(day("2025-01-02"), 1) == day("2025-01-05")
    assert TABLES.after(day("2025-01-05"), 1) == day("2025-01-06")


def test_terms_skip_days_off_and_never_count_their_first_day() -> None:
    calendar = Calendar({2022: WEEKENDS})
    assert calendar.after(day("2022-08-01"), 7) == day("2022-08-10")
    assert calendar.after(day("2022-08-06"), 1) == day("2022-08-08")
    assert TABLES.after(day("2026-03-20"), 1) == day("2026-03-26")
    assert TABLES.next_working(day("2026-03-21")) == day("2026-03-26")
    assert TABLES.next_working(day("2026-03-20")) == day("2026-03-20")


@pytest.mark.parametrize("year", [2024, 2028])
def test_a_year_without_a_table_is_refused_by_name(year: int) -> None:
    with pytest.raises(TableYearMissing) as refused:
        TABLES.is_working(date(year, 6, 1))
    assert refused.value.facts == {"table": "calendar", "year": str(year)}
    with pytest.raises(TableYearMissing):
        TABLES.version_of(date(2025, 1, 1), date(2028, 1, 1))


def test_a_trial_assumes_later_years_alone_and_its_versions_say_so() -> None:
    assert not TRIAL.is_working(day("2028-03-15")) and TRIAL.is_working(day("2028-02-29"))
    version = TRIAL.version_of(day("2027-12-01"), day("2028-02-01"))
    assert "kz-2027.2 sha256:" in version and "assumed:2028" in version
    assert assumed_years(version, "", "assumed:2027 x") == (2027, 2028)
    assert not TRIAL.holds(2028)
    with pytest.raises(TableYearMissing):
        TRIAL.is_working(day("2024-06-03"))


def test_what_the_law_has_told_is_never_assumed() -> None:
    for year in TABLES.years:
        version = TRIAL.version_of(date(year, 1, 1), date(year, 12, 31))
        assert version == TABLES.version_of(date(year, 1, 1), date(year, 12, 31))
        assert assumed_years(version) == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"days_off": {"2026-01-01": "x"}},  # another year's
        {"days_off": {"2027-01-02": "x"}},  # a Saturday is off by itself
        {"working_days": {"2027-01-06": "x"}},  # a Wednesday is worked by itself
        {"working_days": {"2028-01-01": "x"}},
    ],
)
def test_a_table_with_a_day_that_does_not_belong_is_refused(changed: dict[str, object]) -> None:
    table = json.loads(_table("calendar-2027.json")) | changed
    with pytest.raises(ValueError):
        CalendarYear.parse(json.dumps(table).encode())


@pytest.mark.parametrize("year", sorted(TABLES.years))
def test_a_version_names_its_table_and_its_hash(year: int) -> None:
    raw = _table(f"calendar-{year}.json")
    assert json.loads(raw)["source"]
    other = CalendarYear.parse(raw.replace(b"New Year", b"New year"))[1]
    assert other.version != TABLES.years[year].version
    assert other.days_off == TABLES.years[year].days_off


def _table(name: str) -> bytes:
    return (resources.files("law") / "tables" / name).read_bytes()
