"""Conversion of refusals (`chassis.refusals`) to and from google.rpc.Status with error details."""

import logging
import math
from typing import cast

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chassis.clock import new_id
from chassis.db import storage_is_away
from chassis.refusals import (
    FieldError,
    InternalError,
    Kind,
    Overloaded,
    Refusal,
    RemoteRefusal,
    StorageAway,
)
from chassis.texts import Message, message_of

log = logging.getLogger(__name__)
DETAILS_KEY = "grpc-status-details-bin"
DOMAIN = "tartip"
# Trailers are safe up to 8 KiB, in base64, with all that stands around the fields.
FIELDS_BYTES_MAX = 4096
# What is said where a peer could not say it: gRPC's own text names addresses and types.
_PLAIN = {Kind.UNAVAILABLE: "PEER_AWAY", Kind.TIMEOUT: "PEER_LATE"}
_PLAIN_OTHERWISE = "PEER_REFUSED"
_KINDS = {kind.grpc_status: kind for kind in reversed(Kind)}


def _bad_request(fields: tuple[FieldError, ...]) -> error_details_pb2.BadRequest:
    """The fields as an error detail, cut to FIELDS_BYTES_MAX: clients drop a larger trailer."""
    bad = error_details_pb2.BadRequest()
    for sent, error in enumerate(fields):
        bad.field_violations.add(
            field=error.field, description=error.description, reason=error.code
        )
        if bad.ByteSize() > FIELDS_BYTES_MAX:
            left = len(fields) - sent
            bad.field_violations[-1].CopyFrom(
                error_details_pb2.BadRequest.FieldViolation(
                    field="…", description=f"{left} more", reason=error.code
                )
            )
            break
    return bad


def to_status(refusal: Refusal) -> status_pb2.Status:
    """Convert a refusal to a google.rpc.Status with its English message.

    The details are reason, facts, wrong fields, retry delay and the messages in all languages.
    """
    details: list[any_pb2.Any] = []

    def add(message: object) -> None:
        packed = any_pb2.Any()
        packed.Pack(message)  # type: ignore[arg-type]
        details.append(packed)

    add(error_details_pb2.ErrorInfo(reason=refusal.reason, domain=DOMAIN, metadata=refusal.facts))
    if refusal.fields:
        add(_bad_request(refusal.fields))
    if refusal.retry_seconds is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(math.ceil(refusal.retry_seconds * 1e3))
        add(retry)
    for locale in ("kk", "ru", "en"):
        add(
            error_details_pb2.LocalizedMessage(
                locale=locale, message=getattr(refusal.message, locale)
            )
        )
    code: int = refusal.kind.grpc_status.value[0]
    return status_pb2.Status(code=code, message=refusal.message.en, details=details)


def from_error(error: grpc.aio.AioRpcError) -> Refusal:
    """Convert a peer's gRPC error to a `RemoteRefusal`, from the details that `to_status` writes.

    Without such details, the refusal's code is the name of the gRPC status, such as UNAVAILABLE.
    """
    kind = _KINDS.get(error.code(), Kind.INTERNAL)
    if error.code() is grpc.StatusCode.CANCELLED:
        kind = Kind.UNAVAILABLE
    code, facts = error.code().name, dict[str, str]()
    fields: list[FieldError] = []
    retry_seconds: float | None = None
    plain = message_of("chassis", _PLAIN.get(kind, _PLAIN_OTHERWISE))
    says = {"en": plain.en, "ru": plain.ru, "kk": plain.kk}
    for item in error.trailing_metadata() or ():
        key, value = cast(tuple[str, str | bytes], item)
        if key != DETAILS_KEY or not isinstance(value, bytes):
            continue
        for packed in status_pb2.Status.FromString(value).details:
            info = error_details_pb2.ErrorInfo()
            bad = error_details_pb2.BadRequest()
            retry = error_details_pb2.RetryInfo()
            local = error_details_pb2.LocalizedMessage()
            if packed.Unpack(info):
                code, facts = info.reason, dict(info.metadata)
            elif packed.Unpack(bad):
                fields = [
                    FieldError(v.field, v.reason or "BAD_REQUEST", v.description)
                    for v in bad.field_violations
                ]
            elif packed.Unpack(retry):
                retry_seconds = retry.retry_delay.ToMilliseconds() / 1e3
            elif packed.Unpack(local):
                says[local.locale] = local.message
    said = Message(says["en"], says["ru"], says["kk"])
    refusal = RemoteRefusal(kind, code, said, tuple(fields), facts)
    refusal.retry_seconds = retry_seconds
    return refusal


def as_refusal(error: Exception) -> Refusal:
    """Convert any error to the refusal that the caller gets; a refusal is returned unchanged.

    Any other error becomes Overloaded if no database connection became free in time, StorageAway if
    the database is unavailable, and InternalError with a new error id in all other cases.
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, PoolTimeout):  # more calls than connections, for too long
        return Overloaded()
    if storage_is_away(error):
        log.warning("storage away: %s", type(error).__name__)
        return StorageAway()
    return InternalError(facts={"error_id": str(new_id())})
