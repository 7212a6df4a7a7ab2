"""A partner's day: which moments it has, and what is counted on it."""

import hashlib
from datetime import UTC, date, datetime, timedelta

import pytest
from chassis.clock import new_id
from chassis.refusals import BadRequest
from citizen_reports.model.categories import Category
from citizen_reports.model.days import Day, DayReport, count_of, day_of
from citizen_reports.model.statuses import Status

NOW = datetime(2026, 11, 30, 19, 30, tzinfo=UTC)  # 00:30 of 1 December in Almaty


def test_a_day_goes_from_midnight_to_midnight_in_almaty() -> None:
    day = day_of("2026-12-01", NOW)
    assert day.start == datetime(2026, 11, 30, 19, tzinfo=UTC)
    assert day.end - day.start == timedelta(days=1)


def test_the_day_on_which_the_country_changed_its_zone_is_an_hour_longer() -> None:
    day = day_of("2024-02-29", NOW)
    assert day.end - day.start == timedelta(hours=25)


@pytest.mark.parametrize("text", ["", "2026-12-02", "2026-12-1", "20261201", "1999-01-01", "x"])
def test_what_is_no_day_or_has_not_begun_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        day_of(text, NOW)
    assert [(each.field, each.code) for each in refused.value.fields] == [("day", "DAY_WRONG")]


def a_report(category: Category, status: Status) -> DayReport:
    return DayReport(new_id(), "KZ75-2026-1234567", category, status)


def test_each_report_is_counted_once_as_it_stands_now() -> None:
    reports = [a_report(Category.INCIDENT, status) for status in Status if status != Status.OPEN]
    reports.append(a_report(Category.OTHER, Status.CLOSED))
    day = day_of("2026-12-01", NOW)
    count = count_of(day, reports, NOW)
    assert count.accepted == {Category.INCIDENT: 8, Category.OTHER: 1}
    told = [count.by_status[status] for status in (Status.ANSWERED, Status.DISPUTED)]
    ended = count.by_status[Status.CLOSED] + count.by_status[Status.WITHDRAWN]
    assert (count.open, told, ended) == (4, [1, 1], 3)
    assert not count.is_over and count_of(day, reports, day.end).is_over


def test_the_digest_is_that_of_the_sorted_ids() -> None:
    reports = [a_report(Category.INCIDENT, Status.ROUTED) for _ in range(3)]
    ids = sorted(str(report.report_id) for report in reports)
    day = Day(date(2026, 12, 1), NOW, NOW)
    digest = hashlib.sha256("".join(f"{one}\n" for one in ids).encode()).hexdigest()
    assert count_of(day, reports[::-1], NOW).ids_sha256 == digest
    assert count_of(day, [], NOW).ids_sha256 == hashlib.sha256(b"").hexdigest()
