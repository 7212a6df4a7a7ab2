"""The played Tartip: `CitizenReports` over mutual TLS, behind a relay that can cut connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from tartip.reports.v1 import reports_pb2 as pb
from tartip.reports.v1 import reports_pb2_grpc

from tartip_partner_contract.authority import HOST, Authority
from tartip_partner_contract.refusals import Refusal, invalid
from tartip_partner_contract.relay import Relay
from tartip_partner_contract.reports import ReportBook

Answered = TypeVar("Answered", bound=Message)
_LOOK_SECONDS = 0.05
_OPTIONS = [
    ("grpc.max_receive_message_length", 9 * 1024 * 1024),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.keepalive_permit_without_calls", 1),
]


@dataclass(frozen=True)
class ReceivedCall:
    """A call as it arrived: when (monotonic seconds), and its deadline in seconds, if any."""

    method: str
    request: Any
    at: float
    deadline_seconds: float | None


Hook = Callable[[ReceivedCall], Awaitable[None]]


async def _nothing(_: ReceivedCall) -> None:
    """The hook that changes nothing."""


class PlayedTartip(reports_pb2_grpc.CitizenReportsServicer):
    """Answers by the rules of `ReportBook`, records every call, and lets a scenario disturb it.

    `before` is called before a call is carried out, `after` between that and its answer; either may
    raise a Refusal, wait, or cut the connections. With `echoes`, streams send changes again, after
    later ones.
    """

    def __init__(self, authority: Authority) -> None:
        self.book = ReportBook()
        self.calls: list[ReceivedCall] = []
        self.before: Hook = _nothing
        self.after: Hook = _nothing
        self.echoes = False
        self._server = grpc.aio.server(options=_OPTIONS)
        reports_pb2_grpc.add_CitizenReportsServicer_to_server(self, self._server)
        pair = authority.server()
        credentials = grpc.ssl_server_credentials(
            [(pair.key, pair.certificate)], authority.certificate, require_client_auth=True
        )
        self.relay = Relay(self._server.add_secure_port(f"{HOST}:0", credentials))

    async def start(self) -> str:
        """Begin to serve; returns the address ("host:port")."""
        await self._server.start()
        return await self.relay.start()

    async def stop(self) -> None:
        await self.relay.stop()
        await self._server.stop(None)

    def calls_of(self, method: str) -> list[ReceivedCall]:
        return [call for call in self.calls if call.method == method]

    async def OpenReport(self, request: Any, context: Any) -> pb.OpenReportResponse:
        return await self._answer("OpenReport", request, context, self.book.open)

    async def HandInReport(self, request: Any, context: Any) -> pb.HandInReportResponse:
        return await self._answer("HandInReport", request, context, self.book.hand_in)

    async def PutMedia(self, request: Any, context: Any) -> pb.PutMediaResponse:
        return await self._answer("PutMedia", request, context, self.book.put)

    async def SubmitReport(self, request: Any, context: Any) -> pb.SubmitReportResponse:
        return await self._answer("SubmitReport", request, context, self.book.submit)

    async def GetReport(self, request: Any, context: Any) -> pb.GetReportResponse:
        return await self._answer("GetReport", request, context, self.book.get)

    async def ListReports(self, request: Any, context: Any) -> pb.ListReportsResponse:
        return await self._answer("ListReports", request, context, self.book.list)

    async def ReplyToQuestion(self, request: Any, context: Any) -> pb.ReplyToQuestionResponse:
        return await self._answer("ReplyToQuestion", request, context, self.book.reply)

    async def DisputeAnswer(self, request: Any, context: Any) -> pb.DisputeAnswerResponse:
        return await self._answer("DisputeAnswer", request, context, self.book.dispute)

    async def WatchReports(
        self, request: Any, context: Any
    ) -> AsyncIterator[pb.WatchReportsResponse]:
        self._record("WatchReports", request, context)
        changes, token = self.book.changes, request.resume_token
        if token and not (token.isdecimal() and int(token) <= len(changes)):
            await invalid("RESUME_TOKEN_WRONG", {}).answer(context)
        sent = int(token) if token else len(changes)
        while True:
            for change in changes[sent:]:
                sent += 1
                yield change
                if self.echoes:
                    yield changes[0]
                    yield change
            await asyncio.sleep(_LOOK_SECONDS)

    def _record(self, method: str, request: Any, context: Any) -> ReceivedCall:
        call = ReceivedCall(method, request, time.monotonic(), context.time_remaining())
        self.calls.append(call)
        return call

    async def _answer(
        self, method: str, request: Any, context: Any, act: Callable[[Any], Answered]
    ) -> Answered:
        call = self._record(method, request, context)
        try:
            await self.before(call)
            answer = act(request)
            await self.after(call)
        except Refusal as refusal:
            await refusal.answer(context)
        return answer
