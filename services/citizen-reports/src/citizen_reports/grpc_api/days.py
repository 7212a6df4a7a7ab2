"""The RPCs of `CitizenReports` with which a partner reconciles a day."""

from typing import Any

from chassis.call_context import current_caller
from chassis.pages import Pages
from tartip.reports.v1 import reports_pb2

from citizen_reports.events import CATEGORIES, STATUSES
from citizen_reports.model.days import DayCount, DayReport
from citizen_reports.model.statuses import Status
from citizen_reports.usecases.days import Days


class DayRpcs:
    """A part of the servicer of `CitizenReports`, which sets the two attributes."""

    _days: Days
    _pages: Pages

    async def CountDay(
        self, request: reports_pb2.CountDayRequest, context: Any
    ) -> reports_pb2.CountDayResponse:
        count = await self._days.count(request.day, current_caller())
        return reports_pb2.CountDayResponse(count=_count_to_proto(count))

    async def ListDay(
        self, request: reports_pb2.ListDayRequest, context: Any
    ) -> reports_pb2.ListDayResponse:
        page = self._pages.read(request, current_caller())
        found, keys = await self._days.page(request.day, page.spec, current_caller())
        return reports_pb2.ListDayResponse(
            reports=[_report_to_proto(report) for report in found],
            next_page_token=page.next_token(keys),
        )


def _count_to_proto(count: DayCount) -> reports_pb2.DayCount:
    return reports_pb2.DayCount(
        day=count.day.date.isoformat(),
        is_over=count.is_over,
        accepted=sum(count.accepted.values()),
        kinds=[
            reports_pb2.KindCount(category=CATEGORIES[category], accepted=accepted)
            for category, accepted in count.accepted.items()
        ],
        open=count.open,
        answered=count.by_status[Status.ANSWERED],
        disputed=count.by_status[Status.DISPUTED],
        closed=count.by_status[Status.CLOSED],
        withdrawn=count.by_status[Status.WITHDRAWN],
        ids_sha256=count.ids_sha256,
    )


def _report_to_proto(report: DayReport) -> reports_pb2.DayReport:
    return reports_pb2.DayReport(
        report_id=str(report.report_id),
        number=report.number,
        category=CATEGORIES[report.category],
        status=STATUSES[report.status],
    )
