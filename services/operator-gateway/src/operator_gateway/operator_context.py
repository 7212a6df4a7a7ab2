"""Passes an operator's request on to the service that owns the data (the peer).

The gateway and the peer both verify the operator's bearer token. The token is sent to the peer as
gRPC metadata, together with the purpose (why personal data is read). Each call has a deadline. If
the peer refuses a call, the refusal is raised here with the peer's reason.
"""

import base64
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Concatenate, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

from chassis.channels import Channels, peers_refusals, refusals_of
from chassis.identity import Operator
from chassis.purpose import LENGTH_MAX, PurposeWrong, checked_purpose, purpose_metadata
from chassis.refusals import NotAuthenticated
from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from tartip.audit.v1 import audit_pb2_grpc
from tartip.cameras.v1 import cameras_pb2_grpc
from tartip.fines.v1 import fines_pb2_grpc
from tartip.inference.v1 import inference_pb2_grpc
from tartip.reports.v1 import (
    answers_pb2_grpc,
    personnel_pb2_grpc,
    reports_pb2_grpc,
    routing_pb2_grpc,
)
from tartip.violations.v1 import violations_pb2_grpc

from operator_gateway.settings import GatewaySettings
from operator_gateway.shares import place_of

CALL_SECONDS = 5.0
STREAM_SECONDS = 30.0
TOKEN_LENGTH_MAX = 8192
# Of the header: at most four bytes a character, each written with three characters.
PURPOSE_HEADER_MAX = LENGTH_MAX * 4 * 3
_TOKEN = re.compile(r"[A-Za-z0-9_=-]+(\.[A-Za-z0-9_=-]+){2}")
_VISIBLE = re.compile(r"([\x20-\x24\x26-\x7e]|%[0-9A-Fa-f]{2})*")
Q = TypeVar("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Verifies(Protocol):
    """Verifies that an access token was issued by the trusted token issuer."""

    async def verify(self, token: str) -> Operator:
        """Return the operator of a token. Raises NotAuthenticated or TokenExpired."""


class Replies(Protocol[R_co]):
    """A peer's stream of replies, which the caller can cancel."""

    def __aiter__(self) -> AsyncIterator[R_co]: ...

    def cancel(self) -> bool: ...


@dataclass(frozen=True)
class Peers:
    """The gRPC stubs of the services that own the data."""

    cameras: "cameras_pb2_grpc.CameraRegistryAsyncStub"
    inference: "inference_pb2_grpc.InferenceAsyncStub"
    violations: "violations_pb2_grpc.ViolationsAsyncStub"
    fines: "fines_pb2_grpc.FinesAsyncStub"
    reports: "reports_pb2_grpc.ReportDeskAsyncStub"
    complaints: "personnel_pb2_grpc.ComplaintsAsyncStub"
    routing: "routing_pb2_grpc.RoutingAsyncStub"
    answers: "answers_pb2_grpc.AnswersAsyncStub"
    # By name, of each service that has data.
    audits: "dict[str, audit_pb2_grpc.AuditAsyncStub]"

    @classmethod
    def over(cls, channels: Channels, settings: GatewaySettings) -> "Peers":
        """Return the stubs of all peers, on gRPC channels to the addresses in the settings."""
        to = {name: channels.to(address, name) for name, address in settings.peer_addresses.items()}
        return cls(
            cameras=cameras_pb2_grpc.CameraRegistryStub(to["camera-registry"]),
            inference=inference_pb2_grpc.InferenceStub(to["inference-gateway"]),
            violations=violations_pb2_grpc.ViolationsStub(to["violations"]),
            fines=fines_pb2_grpc.FinesStub(to["fines"]),
            reports=reports_pb2_grpc.ReportDeskStub(to["citizen-reports"]),
            complaints=personnel_pb2_grpc.ComplaintsStub(to["citizen-reports"]),
            routing=routing_pb2_grpc.RoutingStub(to["citizen-reports"]),
            answers=answers_pb2_grpc.AnswersStub(to["citizen-reports"]),
            audits={name: audit_pb2_grpc.AuditStub(channel) for name, channel in to.items()},
        )


@dataclass(frozen=True)
class OperatorContext:
    """An operator's request: who the operator is, for which purpose data is read, and the peers
    that can be called with the operator's token."""

    operator: Operator
    name: str
    token_expires_at: float
    purpose: str
    token: str
    peers: Peers

    @property
    def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """The gRPC metadata of each call: the operator's token and purpose."""
        return (("authorization", f"Bearer {self.token}"), *purpose_metadata(self.purpose))

    async def call(self, method: Callable[Concatenate[Q, ...], Awaitable[R]], request: Q) -> R:
        """Call a peer's gRPC method with the operator's token and purpose, and return the reply.

        The deadline is CALL_SECONDS. Raises the peer's refusal as a `RemoteRefusal`.
        """
        with peers_refusals():
            return await method(request, metadata=self.metadata, timeout=CALL_SECONDS)

    async def stream(
        self, method: Callable[Concatenate[Q, ...], Replies[R]], request: Q
    ) -> AsyncGenerator[R, None]:
        """Call a peer's streaming gRPC method with the operator's token and purpose, and yield its
        messages. Closing the generator cancels the call.

        The deadline is STREAM_SECONDS. Raises the peer's refusal as a `RemoteRefusal`.
        """
        call = method(request, metadata=self.metadata, timeout=STREAM_SECONDS)
        try:
            async for message in refusals_of(call):
                yield message
        finally:
            call.cancel()


bearer = HTTPBearer(auto_error=False, description="An OIDC access token with audience `tartip`.")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
Purpose = Annotated[
    str,
    Header(
        alias="Tartip-Purpose",
        description="Why personal data is looked at, at most 200 characters in any script, as "
        "percent-encoded UTF-8 (RFC 3986); it is written to the owner's audit log.",
    ),
]


async def operator_context(
    request: Request, credentials: Bearer, purpose: Purpose = ""
) -> AsyncIterator[OperatorContext]:
    """FastAPI dependency: yields the context of an operator's request. Until the request is
    answered, it counts against the limits of concurrent requests. Raises ShareExceeded if the
    operator's limit is reached, Overloaded if the limit of this process is reached.

    Also raises the errors of `signed_in`.
    """
    context = await signed_in(request, credentials, purpose)
    with place_of(request, context.operator, stream=False):
        yield context


async def signed_in(
    request: Request, credentials: HTTPAuthorizationCredentials | None, purpose: str = ""
) -> OperatorContext:
    """Verify the bearer token of a request, and return the request's context. `purpose` is the
    header Tartip-Purpose. Raises NotAuthenticated, TokenExpired or PurposeWrong."""
    if credentials is None:
        raise NotAuthenticated
    said, state = decoded_purpose(purpose), request.app.state
    return await sign_in(state.tokens, credentials.credentials, purpose=said, peers=state.peers)


def decoded_purpose(header: str) -> str:
    """Return the purpose in a header Tartip-Purpose, decoded from percent-encoded UTF-8. ASCII
    without a percent sign is unchanged.

    Raises PurposeWrong if the header cannot be decoded, or the purpose is too long or has more than
    one line.
    """
    if len(header) > PURPOSE_HEADER_MAX or not _VISIBLE.fullmatch(header):
        raise PurposeWrong
    try:
        return checked_purpose(unquote_to_bytes(header).decode())
    except UnicodeDecodeError as error:
        raise PurposeWrong from error


async def sign_in(tokens: Verifies, token: str, *, purpose: str, peers: Peers) -> OperatorContext:
    """Verify a bearer token, and return a context for the operator that it identifies. `purpose`
    must already be decoded. Raises NotAuthenticated or TokenExpired."""
    if len(token) > TOKEN_LENGTH_MAX or not _TOKEN.fullmatch(token):
        raise NotAuthenticated
    operator = await tokens.verify(token)
    claims = _claims(token)
    return OperatorContext(
        operator,
        str(claims.get("name", operator.operator_id)),
        float(claims["exp"]),
        purpose,
        token,
        peers,
    )


def _claims(verified_token: str) -> dict[str, Any]:
    payload = verified_token.split(".")[1]
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return claims


AsOperator = Annotated[OperatorContext, Depends(operator_context)]
