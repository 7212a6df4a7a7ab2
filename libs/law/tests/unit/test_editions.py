"""Which edition of a table is in force."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest
from law.editions import EditionMissing, Editions


@dataclass(frozen=True)
class Table:
    name: str
    valid_from: date
    valid_until: date | None


OLD = Table("old", date(2025, 1, 1), date(2025, 12, 31))
NEW = Table("new", date(2026, 1, 1), date(2026, 6, 30))
MENDED = Table("mended", date(2026, 6, 1), date(2026, 6, 15))


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2025, 1, 1), "old"),
        (date(2025, 12, 31), "old"),
        (date(2026, 1, 1), "new"),
        (date(2026, 5, 31), "new"),
        (date(2026, 6, 1), "mended"),  # two hold: the newer one
        (date(2026, 6, 15), "mended"),
        (date(2026, 6, 16), "new"),
        (date(2026, 6, 30), "new"),
    ],
)
@pytest.mark.parametrize("order", [(OLD, NEW, MENDED), (MENDED, NEW, OLD), (NEW, OLD, MENDED)])
def test_the_newest_edition_that_holds_on_the_day_is_in_force(
    order: tuple[Table, ...], day: date, name: str
) -> None:
    assert Editions(order).on(day).name == name


@pytest.mark.parametrize("day", [date(2024, 12, 31), date(2026, 7, 1)])
def test_a_day_without_an_edition_is_refused_by_name(day: date) -> None:
    with pytest.raises(EditionMissing) as caught:
        Editions([OLD, NEW]).on(day)
    assert caught.value.args == (day.isoformat(),)


def test_the_day_is_that_of_almaty() -> None:
    editions = Editions([OLD, NEW])
    assert editions.at(datetime(2025, 12, 31, 18, 59, tzinfo=UTC)) is OLD
    assert editions.at(datetime(2025, 12, 31, 19, 0, tzinfo=UTC)) is NEW
