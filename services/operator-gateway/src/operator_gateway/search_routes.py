"""Finding reports by the words of their texts. What is sought comes in a body: the addresses of
requests are logged by proxies and kept by browsers."""

from fastapi import APIRouter
from pydantic import Field
from tartip.reports.v1 import reports_pb2

from operator_gateway.mapping import to_message
from operator_gateway.operator_context import AsOperator
from operator_gateway.reports_routes import DeskReportPage
from operator_gateway.schemas import PAGE_SIZE_MAX, Region, Request

router = APIRouter(prefix="/v1/reports", tags=["reports"])


class SearchReports(Request):
    words: str = Field(max_length=1000, description="All must stand in the text, in any form.")
    region: Region = ""
    page_size: int = Field(0, ge=0, le=PAGE_SIZE_MAX, description="0 means 50.")
    page_token: str = Field(
        "", max_length=1024, description="`next_page_token` of the page before."
    )


@router.post("/search")
async def search_reports(body: SearchReports, context: AsOperator) -> DeskReportPage:
    """The reports whose texts have all of these words, the newest first, also closed ones. Reports
    of domestic violence, about children and complaints are not found by their text. The search and
    its purpose are recorded in the audit log, without the words."""
    page = {"size": body.page_size, "token": body.page_token}
    values = {"words": body.words, "region": body.region, "page": page}
    request = to_message(values, reports_pb2.SearchReportsRequest)
    return DeskReportPage.of(await context.call(context.peers.reports.SearchReports, request))
