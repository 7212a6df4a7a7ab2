"""Signing in, and the identity of the operator who is signed in.

The development issuer of access tokens lists operators, from whom the user chooses one. It exists
only in the embedded run (all services on one machine). It identifies itself in its OIDC discovery
document. With any other issuer the console asks the user for an access token.
"""

from typing import Annotated, Any

import httpx
from chassis.refusals import Kind, Refusal
from fastapi import APIRouter, Request
from pydantic import Field

from operator_gateway.operator_context import AsOperator
from operator_gateway.schemas import Answer
from operator_gateway.schemas import Request as Body

router = APIRouter(prefix="/v1", tags=["sign-in"])

ISSUER_SECONDS = 2.0
OPERATORS_CLAIM = "tartip_development_operators"


class IssuerAway(Refusal):
    kind = Kind.UNAVAILABLE
    code = "ISSUER_AWAY"


class NotDevelopment(Refusal):
    kind = Kind.FORBIDDEN
    code = "ISSUER_NOT_DEVELOPMENT"


class OperatorUnknown(Refusal):
    kind = Kind.NOT_FOUND
    code = "OPERATOR_UNKNOWN"


class KnownOperator(Answer):
    id: str
    name: str
    roles: list[str]
    regions: list[str]


class SignIn(Answer):
    issuer: str
    development: bool
    operators: list[KnownOperator]


class DevelopmentSignIn(Body):
    operator: Annotated[str, Field(max_length=64)]


class Token(Answer):
    access_token: str
    expires_in: int


class Me(Answer):
    operator: str
    name: str
    roles: list[str]
    regions: list[str]
    token_expires_at: float


@router.get("/me")
async def me(context: AsOperator) -> Me:
    """The operator whom the bearer token identifies, with roles, regions and the token's expiry."""
    operator = context.operator
    return Me(
        operator=operator.operator_id,
        name=context.name,
        roles=sorted(operator.roles),
        regions=list(operator.regions),
        token_expires_at=context.token_expires_at,
    )


@router.get("/sign-in")
async def ways_in(request: Request) -> SignIn:
    issuer: str = request.app.state.issuer
    discovery = await _discovery(issuer)
    known = discovery.get(OPERATORS_CLAIM)
    return SignIn(issuer=issuer, development=known is not None, operators=known or [])


@router.post("/sign-in/development")
async def development_token(request: Request, body: DevelopmentSignIn) -> Token:
    """Returns an access token of the development issuer for an operator, without a password.
    Refused if another issuer is configured."""
    discovery = await _discovery(request.app.state.issuer)
    if OPERATORS_CLAIM not in discovery:
        raise NotDevelopment
    answer = await _ask("POST", str(discovery["token_endpoint"]), {"operator": body.operator})
    if answer.status_code == httpx.codes.BAD_REQUEST:
        raise OperatorUnknown
    if answer.is_error:
        raise IssuerAway
    return Token.model_validate(answer.json())


async def _discovery(issuer: str) -> dict[str, Any]:
    answer = await _ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration", None)
    if answer.is_error:
        raise IssuerAway
    found: dict[str, Any] = answer.json()
    return found


async def _ask(method: str, url: str, form: dict[str, str] | None) -> httpx.Response:
    try:
        async with httpx.AsyncClient(timeout=ISSUER_SECONDS, trust_env=False) as client:
            return await client.request(method, url, data=form)
    except httpx.HTTPError as error:
        raise IssuerAway from error
