"""`Retention`, the gRPC service for the command line about planned erasures and legal holds."""

import grpc
from chassis.call_context import current_caller
from chassis.clock import Clock, parse_id, to_timestamp
from chassis.fields import NO_ID, read_moment, read_new_id
from chassis.identity import Policy, allow
from chassis.refusals import checks
from law.report_retention import ReportRetention
from tartip.reports.v1 import retention_pb2 as pb
from tartip.reports.v1 import retention_pb2_grpc

from citizen_reports.grpc_api.apps import number_of
from citizen_reports.model.refusals import HoldNotFound
from citizen_reports.model.retention import Hold, HoldReason
from citizen_reports.usecases.retention import RetentionDesk

Context = grpc.aio.ServicerContext
_SERVICE, _BY_COMMAND = "/tartip.reports.v1.Retention/", allow(services=("tartip-cli",))
RETENTION_POLICY: Policy = {
    f"{_SERVICE}{method}": _BY_COMMAND for method in ("GetRetention", "PlaceHold", "LiftHold")
}
_REASONS = {reason.value: reason for reason in HoldReason}


class RetentionApi(retention_pb2_grpc.RetentionServicer):
    def __init__(self, desk: RetentionDesk, table: ReportRetention, clock: Clock) -> None:
        self._desk = desk
        self._table = table
        self._clock = clock

    async def GetRetention(
        self, request: pb.GetRetentionRequest, context: Context
    ) -> pb.GetRetentionResponse:
        until = self._clock()
        if request.HasField("until"):
            with checks() as check:
                until = read_moment(check, "until", request.until)
        planned = await self._desk.planned(until)
        return pb.GetRetentionResponse(
            table_version=self._table.version,
            terms=[
                pb.RetentionTerm(
                    report_class=term.report_class,
                    part=term.part,
                    days=term.days,
                    source=term.source,
                )
                for term in self._table.terms
            ],
            planned=[
                pb.PlannedErasure(
                    report_class=one.report_class,
                    part=one.part.value,
                    day=one.day.isoformat(),
                    reports=one.reports,
                    held=one.held,
                )
                for one in planned
            ],
        )

    async def PlaceHold(
        self, request: pb.PlaceHoldRequest, context: Context
    ) -> pb.PlaceHoldResponse:
        number, reason = number_of(request.number), _REASONS.get(request.reason)
        with checks() as check:
            hold_id = read_new_id(check, "hold_id", request.hold_id)
            listed = " or ".join(_REASONS)
            check.that(reason is not None, "reason", listed, code="HOLD_REASON_UNKNOWN")
            ends_at = read_moment(check, "ends_at", request.ends_at)
        assert reason is not None
        wanted = Hold(hold_id, NO_ID, reason, ends_at)
        placed = await self._desk.place_hold(wanted, number, current_caller())
        return pb.PlaceHoldResponse(hold=_hold_to_proto(placed))

    async def LiftHold(self, request: pb.LiftHoldRequest, context: Context) -> pb.LiftHoldResponse:
        hold_id = parse_id(request.hold_id)
        if hold_id is None:
            raise HoldNotFound
        lifted = await self._desk.lift_hold(hold_id, current_caller())
        return pb.LiftHoldResponse(hold=_hold_to_proto(lifted))


def _hold_to_proto(hold: Hold) -> pb.Hold:
    return pb.Hold(
        hold_id=str(hold.hold_id),
        reason=hold.reason.value,
        ends_at=to_timestamp(hold.ends_at),
        lifted_at=to_timestamp(hold.lifted_at),
    )
