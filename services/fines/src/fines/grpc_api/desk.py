"""`tartip.fines.v1.Fines`: the gRPC service for operators."""

import re
from collections.abc import AsyncIterator
from datetime import date

import grpc
from chassis import telemetry
from chassis.call_context import current_caller
from chassis.fields import read_new_id
from chassis.identity import Policy, allow
from chassis.pages import Pages
from chassis.refusals import Checks, PageTokenWrong, checks
from law.zone import parse_day
from tartip.fines.v1 import fines_pb2, fines_pb2_grpc

from fines.grpc_api.messages import (
    entry_to_proto,
    fine_to_proto,
    rechecked_to_proto,
    redated_to_proto,
    revenue_to_proto,
    state_filter,
    total_to_proto,
)
from fines.model.fine import is_number, known_number
from fines.model.holds import Hold
from fines.storage.fines import FineFilter
from fines.usecases.desk import Desk
from fines.usecases.recheck import Recheck
from fines.usecases.redating import Redating

REASON_LENGTH_MAX = 500
REVENUE_DAYS_MAX = 366
_READERS = ("inspector", "supervisor", "auditor")
POLICY: Policy = {
    "/tartip.fines.v1.Fines/GetFine": allow(roles=_READERS, purpose=True),
    "/tartip.fines.v1.Fines/ListFines": allow(roles=_READERS),
    "/tartip.fines.v1.Fines/CancelFine": allow(roles=("supervisor",)),
    "/tartip.fines.v1.Fines/GetRevenue": allow(roles=("finance",)),
    "/tartip.fines.v1.Fines/RecheckIssuedFines": allow(
        roles=("supervisor", "auditor"), services=("tartip-cli",), purpose=True
    ),
    "/tartip.fines.v1.Fines/ListEntries": allow(roles=("finance", "auditor")),
    "/tartip.fines.v1.Fines/RedateFines": allow(services=("tartip-cli",)),
}


class FinesApi(fines_pb2_grpc.FinesServicer):
    def __init__(self, desk: Desk, recheck: Recheck, redating: Redating, pages: Pages) -> None:
        self._desk = desk
        self._recheck = recheck
        self._redating = redating
        self._pages = pages

    async def GetFine(
        self, request: fines_pb2.GetFineRequest, context: grpc.aio.ServicerContext
    ) -> fines_pb2.GetFineResponse:
        number = _number(request.number)
        fine, owner_masked = await self._desk.get(number, current_caller())
        telemetry.bind_story(fine.story)
        return fines_pb2.GetFineResponse(fine=fine_to_proto(fine, owner_masked=owner_masked))

    async def ListFines(
        self, request: fines_pb2.ListFinesRequest, context: grpc.aio.ServicerContext
    ) -> fines_pb2.ListFinesResponse:
        wanted = _filter(request)
        page = self._pages.read(request, current_caller())
        found, keys = await self._desk.page(page.spec, wanted, current_caller())
        return fines_pb2.ListFinesResponse(
            fines=[fine_to_proto(fine) for fine in found], next_page_token=page.next_token(keys)
        )

    async def CancelFine(
        self, request: fines_pb2.CancelFineRequest, context: grpc.aio.ServicerContext
    ) -> fines_pb2.CancelFineResponse:
        reason = request.reason.strip()
        with checks() as check:
            cancellation_id = read_new_id(check, "cancellation_id", request.cancellation_id)
            check.that(bool(reason), "reason", "must say why", code="REASON_REQUIRED")
            check.that(
                len(reason) <= REASON_LENGTH_MAX,
                "reason",
                f"at most {REASON_LENGTH_MAX} characters",
            )
        fine = await self._desk.cancel(
            _number(request.number),
            cancellation_id=cancellation_id,
            reason=reason,
            caller=current_caller(),
        )
        telemetry.bind_story(fine.story)
        return fines_pb2.CancelFineResponse(fine=fine_to_proto(fine))

    async def GetRevenue(
        self, request: fines_pb2.GetRevenueRequest, context: grpc.aio.ServicerContext
    ) -> fines_pb2.GetRevenueResponse:
        first, last = _days(request)
        report = await self._desk.revenue(first, last, request.region, current_caller())
        return fines_pb2.GetRevenueResponse(
            total=total_to_proto(report.rows, request.region),
            rows=[revenue_to_proto(row) for row in report.rows],
            imbalance_minor=report.imbalance_minor,
        )

    async def ListEntries(
        self, request: fines_pb2.ListEntriesRequest, context: grpc.aio.ServicerContext
    ) -> fines_pb2.ListEntriesResponse:
        entries = await self._desk.entries(_number(request.number), current_caller())
        return fines_pb2.ListEntriesResponse(entries=[entry_to_proto(entry) for entry in entries])

    async def RecheckIssuedFines(
        self, request: fines_pb2.RecheckIssuedFinesRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[fines_pb2.RecheckIssuedFinesResponse]:
        caller = current_caller()
        with checks() as check:
            _check_region(check, request.region)
        after = _resumed(request.resume_token)
        async for found in self._recheck.issued(request.region, after, caller):
            yield rechecked_to_proto(found)

    async def RedateFines(
        self, request: fines_pb2.RedateFinesRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[fines_pb2.RedateFinesResponse]:
        after, dry_run = _resumed(request.resume_token), request.dry_run
        async for found in self._redating.run(after, current_caller(), dry_run=dry_run):
            yield redated_to_proto(found)


def _number(text: str) -> str:
    """Return a valid fine number and annotate the span with it. Raises FineNotFound where `text`
    cannot be a fine number."""
    number = known_number(text)
    telemetry.annotate(fine=number)
    return number


def _resumed(token: str) -> str:
    """Return the number of the fine after which the run resumes, "" for a new run. Raises
    PageTokenWrong."""
    if token and not is_number(token):
        raise PageTokenWrong
    return token


def _filter(request: fines_pb2.ListFinesRequest) -> FineFilter:
    with checks() as check:
        known = request.state in fines_pb2.FineState.values()
        check.that(known, "state", "must be a state of fines, or none")
        _check_region(check, request.region)
        is_id = re.fullmatch(r"[0-9a-f-]{36}", request.violation_id) is not None
        check.that(is_id or not request.violation_id, "violation_id", "must be an id, or none")
        is_hold = request.hold_reason in {hold.value for hold in Hold}
        check.that(is_hold, "hold_reason", "must be a hold reason of fines, or none")
    return FineFilter(
        state=state_filter(request.state),
        region=request.region,
        violation_id=request.violation_id,
        held=request.held,
        hold_reason=request.hold_reason,
    )


def _check_region(check: Checks, region: str) -> None:
    is_region = re.fullmatch(r"KZ-[0-9]{2}", region) is not None
    check.that(is_region or not region, "region", "must be a region such as KZ-75, or none")


def _days(request: fines_pb2.GetRevenueRequest) -> tuple[date, date]:
    first, last = parse_day(request.from_day), parse_day(request.until_day)
    with checks() as check:
        _check_region(check, request.region)
        check.that(first is not None, "from_day", "must be YYYY-MM-DD")
        if check.that(last is not None, "until_day", "must be YYYY-MM-DD") and first and last:
            check.that(
                0 <= (last - first).days < REVENUE_DAYS_MAX,
                "until_day",
                f"must not be before from_day, and at most {REVENUE_DAYS_MAX} days after it",
            )
    assert first and last
    return first, last
