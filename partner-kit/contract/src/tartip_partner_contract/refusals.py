"""Refusals as Tartip answers them: google.rpc.Status with error details."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

_DOMAIN = "tartip"
_TEXTS = {
    "kk": "Сұрау қабылданбады.",
    "ru": "Запрос не принят.",
    "en": "The request was refused.",
}


@dataclass(eq=False)
class Refusal(Exception):
    """Raised by what the kit plays; the adapter gets it as a gRPC status.

    `fields` are reasons by the path of a wrong field. A refusal without `reason` is gRPC's own,
    without details.
    """

    status: grpc.StatusCode
    reason: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    retry_seconds: float | None = None

    async def answer(self, context: grpc.aio.ServicerContext) -> NoReturn:
        if self.reason:
            details = (("grpc-status-details-bin", self._details().SerializeToString()),)
            context.set_trailing_metadata(details)
        await context.abort(self.status, _TEXTS["en"])

    def _details(self) -> status_pb2.Status:
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=_DOMAIN, metadata=self.facts)
        messages: list[Message] = [info]
        if self.fields:
            bad = error_details_pb2.BadRequest()
            for name, reason in self.fields.items():
                bad.field_violations.add(field=name, reason=reason, description=reason)
            messages.append(bad)
        if self.retry_seconds is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromMilliseconds(round(self.retry_seconds * 1e3))
            messages.append(retry)
        for locale, text in _TEXTS.items():
            messages.append(error_details_pb2.LocalizedMessage(locale=locale, message=text))
        code: int = self.status.value[0]
        return status_pb2.Status(code=code, message=_TEXTS["en"], details=map(_packed, messages))


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def invalid(reason: str, fields: dict[str, str]) -> Refusal:
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, reason, fields)


def too_soon(reason: str, **facts: str) -> Refusal:
    """FAILED_PRECONDITION, with facts."""
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, reason, facts=facts)
