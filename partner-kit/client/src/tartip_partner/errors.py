"""The errors with which a call can end, read from the details of a gRPC status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import grpc
from google.rpc import error_details_pb2, status_pb2

if TYPE_CHECKING:
    from tartip.reports.v1 import reports_pb2 as pb

_DETAILS_KEY = "grpc-status-details-bin"


class TartipError(Exception):
    """Base of all errors of this package."""


@dataclass(frozen=True)
class WrongField:
    """A field of the request that was refused: its path, a stable reason and an English text."""

    field: str
    reason: str
    description: str


@dataclass(eq=False)
class Refused(TartipError):
    """The service refused the request.

    `reason` is stable and meant for programs, such as "ID_REUSED"; where the service gave none, it
    is the name of the gRPC status. `texts` are sentences for people by language ("kk", "ru", "en").
    `facts` are further values by name, such as the number of bytes received. `retry_after` is the
    delay in seconds after which the same request will be let through; None where none was given.
    """

    status: grpc.StatusCode
    reason: str
    fields: tuple[WrongField, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    is_named: bool = True

    def __str__(self) -> str:
        wrong = ", ".join(f"{one.field}: {one.reason}" for one in self.fields)
        text = self.texts.get("en", "")
        return " ".join(part for part in (self.reason, text, f"({wrong})" if wrong else "") if part)


@dataclass(eq=False)
class MediaRefused(TartipError):
    """The report of an emergency was handed in, but some of its media were refused, or could not be
    read.

    `receipt` is that of the report. `reasons` has an error for each refused file, by its position
    in `media`. For a day, the same call with the same report and media sends refused files again
    whose upload had begun. Other files can no longer be added.
    """

    receipt: pb.Receipt
    reasons: Mapping[int, Refused | OSError]

    def __str__(self) -> str:
        files = ", ".join(f"media[{at}]: {one}" for at, one in sorted(self.reasons.items()))
        return f"report {self.receipt.number} was handed in without some of its media ({files})"


@dataclass(eq=False)
class NoAnswer(TartipError):
    """No answer came within the overall limit; whether the request was carried out is unknown.

    Repeat it later with the same id: nothing will be done twice. `last` is the error of the last
    attempt.
    """

    attempts: int
    last: Refused

    def __str__(self) -> str:
        return f"no answer after {self.attempts} attempts; the last one: {self.last}"


class MessageTooLarge(TartipError):
    """The request is larger than gRPC lets through (9 MiB). Repeating it cannot help."""


@dataclass(eq=False)
class CertificateExpired(TartipError):
    """The client's certificate ended at `ended_at`; nothing was sent.

    Once the new certificate is in its files, or `Identity.replace` was called, the same call goes
    through.
    """

    ended_at: datetime

    def __str__(self) -> str:
        return f"the client's certificate ended at {self.ended_at.isoformat()}"


class ClientClosed(TartipError):
    """The client was closed before the call, or during it."""


def refusal_of(error: Any) -> Refused:
    """Convert a `grpc.RpcError` to a `Refused`, which is not raised here."""
    status: grpc.StatusCode = error.code()
    refused = Refused(status, status.name, is_named=False)
    fields: list[WrongField] = []
    texts: dict[str, str] = {}
    for packed in _details(error.trailing_metadata() or ()):
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        text = error_details_pb2.LocalizedMessage()
        if packed.Unpack(info):
            refused.reason, refused.facts = info.reason, dict(info.metadata)
            refused.is_named = True
        elif packed.Unpack(bad):
            fields += [WrongField(v.field, v.reason, v.description) for v in bad.field_violations]
        elif packed.Unpack(retry):
            refused.retry_after = retry.retry_delay.ToMilliseconds() / 1e3
        elif packed.Unpack(text):
            texts[text.locale] = text.message
    refused.fields, refused.texts = tuple(fields), texts
    return refused


def _details(metadata: Iterable[Any]) -> Iterable[Any]:
    for key, value in metadata:
        if key == _DETAILS_KEY:
            yield from status_pb2.Status.FromString(value).details
