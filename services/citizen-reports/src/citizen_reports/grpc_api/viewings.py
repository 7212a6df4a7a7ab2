"""The RPC of `CitizenReports` by which a reporter asks who looked at a report."""

from typing import Any

from chassis.call_context import current_caller
from chassis.clock import parse_id, to_timestamp
from chassis.pages import Pages
from chassis.refusals import PageTokenWrong
from tartip.reports.v1 import reports_pb2

from citizen_reports.model.refusals import ReportNotFound
from citizen_reports.model.viewings import Viewing
from citizen_reports.usecases.viewings import Viewings


class ViewingRpcs:
    """A part of the servicer of `CitizenReports`, which sets the two attributes."""

    _viewings: Viewings
    _pages: Pages

    async def ListViewings(
        self, request: reports_pb2.ListViewingsRequest, context: Any
    ) -> reports_pb2.ListViewingsResponse:
        caller, report_id = current_caller(), parse_id(request.report_id)
        if report_id is None:
            raise ReportNotFound
        page = self._pages.read(request, caller)
        after, size = _position_after(page.spec.after), page.spec.size
        found, places = await self._viewings.of_report(
            report_id, after=after, size=size, caller=caller
        )
        return reports_pb2.ListViewingsResponse(
            viewings=map(_viewing_to_proto, found),
            next_page_token=page.next_token([(str(place),) for place in places]),
        )


def _position_after(after: tuple[str, ...]) -> int:
    """Return the position in the audit log in a page token, 0 for the first page. Raises
    PageTokenWrong."""
    if not after:
        return 0
    if not after[0].isdecimal():
        raise PageTokenWrong
    return int(after[0])


def _viewing_to_proto(viewing: Viewing) -> reports_pb2.Viewing:
    return reports_pb2.Viewing(
        viewed_at=to_timestamp(viewing.viewed_at),
        capacity=viewing.capacity.value,
        unit=viewing.unit,
        purpose=viewing.purpose.value,
        seen=[part.value for part in viewing.seen],
    )
