"""Access to the mesh for external callers: operators by REST with a token, partners and devices by
gRPC with a certificate.

`Outside` has addresses and credentials and uses public interfaces only. A refusal, by REST or gRPC,
is raised as a `chassis.refusals.Refusal` with its reason.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import httpx
from chassis import telemetry
from chassis.refusals import FieldError, Kind, RemoteRefusal
from chassis.texts import Message
from host.certificates import CertificateUnusable
from host.channels import RenewingChannels

from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure
from tartip_cli.ports import LOOPBACK, Ports
from tartip_cli.provision.certificates import Certificates, KeyPair
from tartip_cli.settings import Settings
from tartip_cli.supervisor.lock import running_mesh
from tartip_cli.topology import COMMAND_LINE, Service

_SECONDS = 15.0
# A server closes connections that are idle, the gateway after five seconds. A request that is sent
# at that moment is lost, so ours are given up earlier.
_IDLE_SECONDS = 2.0
_TOKEN_SPARE_SECONDS = 60.0
_KINDS = {kind.http_status: kind for kind in reversed(Kind)} | {
    HTTPStatus.PRECONDITION_FAILED: Kind.CONFLICT,
    HTTPStatus.PRECONDITION_REQUIRED: Kind.INVALID,
}


@dataclass(frozen=True)
class Answer:
    """The body of a response of the operator gateway, and the trace id of the request."""

    body: Any
    trace_id: str


class Outside:
    """Connections of an external caller to one running mesh. The caller is an operator, a partner,
    a device or the command line. `async with` closes the connections."""

    def __init__(
        self,
        *,
        home: DataDir,
        ports: Ports,
        oidc_issuer: str,
        nats_url: str | None = None,
        nats_ca: Path | None = None,
    ) -> None:
        self.home = home
        self.certificates = Certificates(home.tls)
        self.nats_url = nats_url or f"tls://{LOOPBACK}:{ports.nats}"
        self.nats_authority = (nats_ca if nats_url else None) or self.certificates.authority
        self._ports = ports
        self._oidc_issuer = oidc_issuer
        self._channels: dict[KeyPair, RenewingChannels] = {}
        self._http = http_client()
        self._desks: dict[str, Desk] = {}

    @classmethod
    def of_running(cls, settings: Settings) -> Outside:
        """Return connections to the mesh that runs from the data folder of `settings`. If the mesh
        runs on another day (`--today`), the clock of this process is moved by the same offset.
        Raises Failure if no mesh runs."""
        home = DataDir(settings.home)
        mesh = running_mesh(home)
        if mesh is None:
            raise Failure(
                f"no mesh runs from {home.path}: start it with `tartip up` (or `make run`)",
                Exit.NOT_RUNNING,
            )
        mesh.share_clock()
        ports = Ports(base=mesh.port_base, gateway=mesh.gateway_port)
        issuer = settings.oidc_issuer or f"http://{LOOPBACK}:{ports.supervisor}/oidc"
        return cls(
            home=home,
            ports=ports,
            oidc_issuer=issuer,
            nats_url=settings.nats_url,
            nats_ca=settings.nats_ca,
        )

    @property
    def gateway_url(self) -> str:
        return f"http://{LOOPBACK}:{self._ports.gateway}"

    @property
    def otlp_endpoint(self) -> str:
        """The URL of the mesh's embedded OTLP receiver, to which traces are sent."""
        return f"http://{LOOPBACK}:{self._ports.supervisor}"

    async def __aenter__(self) -> Outside:
        return self

    async def __aexit__(self, *_: object) -> None:
        for channels in self._channels.values():
            await channels.close()
        await self._http.aclose()

    def as_partner(self, name: str, service: Service) -> grpc.aio.Channel:
        return self.channel(self.certificates.partner(name), service)

    def as_device(self, name: str, service: Service) -> grpc.aio.Channel:
        return self.channel(self.certificates.device(name), service)

    def as_command_line(self, service: Service) -> grpc.aio.Channel:
        return self.channel(self.certificates.service(COMMAND_LINE), service)

    def channel(self, pair: KeyPair, service: Service) -> grpc.aio.Channel:
        if pair not in self._channels:
            try:
                self._channels[pair] = RenewingChannels(
                    cert=pair.certificate, key=pair.key, ca=self.certificates.authority
                )
            except CertificateUnusable as error:
                raise Failure(str(error), Exit.FINDINGS) from error
        return self._channels[pair].to(self._ports.address(service), service.name)

    def address_of(self, service: Service) -> str:
        return self._ports.address(service)

    def as_operator(self, operator_id: str) -> Desk:
        """Return the REST client that calls as this operator. The token of the client is renewed
        before it expires."""
        if operator_id not in self._desks:
            self._desks[operator_id] = Desk(
                self._http,
                f"http://{LOOPBACK}:{self._ports.gateway}",
                self._oidc_issuer,
                operator_id,
            )
        return self._desks[operator_id]


def http_client() -> httpx.AsyncClient:
    """Return an HTTP client that closes an idle connection before the server does. A request is
    therefore never sent over a connection that the server is closing."""
    limits = httpx.Limits(keepalive_expiry=_IDLE_SECONDS)
    return httpx.AsyncClient(timeout=_SECONDS, trust_env=False, limits=limits)


class Desk:
    """The REST client of one operator. It sends requests to the operator gateway with the
    operator's token. Refusals are raised as Refusal."""

    def __init__(self, http: httpx.AsyncClient, gateway: str, issuer: str, operator: str) -> None:
        self._http = http
        self._gateway = gateway
        self._issuer = issuer
        self._operator = operator
        self._token = ""
        self._renew_at = 0.0

    async def get(self, path: str, *, purpose: str = "", **query: object) -> Answer:
        return await self._ask("GET", path, purpose=purpose, params=query)

    async def post(
        self, path: str, body: object = None, *, purpose: str = "", if_match: str = ""
    ) -> Answer:
        return await self._ask("POST", path, purpose=purpose, if_match=if_match, json=body or {})

    async def put(
        self, path: str, body: object, *, purpose: str = "", if_match: str = ""
    ) -> Answer:
        return await self._ask("PUT", path, purpose=purpose, if_match=if_match, json=body)

    async def _ask(
        self, method: str, path: str, *, purpose: str, if_match: str = "", **request: Any
    ) -> Answer:
        headers = {"authorization": f"Bearer {await self._fresh_token()}"}
        if if_match:
            headers["if-match"] = if_match
        if purpose:
            headers["tartip-purpose"] = quote(purpose, safe=" ")
        with telemetry.span(
            f"{method} gateway",
            kind=telemetry.SpanKind.CLIENT,
            attributes={"http.request.method": method, "peer.service": "operator-gateway"},
        ) as span:
            try:
                answer = await self._http.request(
                    method, self._gateway + path, headers=headers, **request
                )
            except httpx.TransportError as error:
                raise _away("operator gateway", error) from error
            telemetry.set_attribute(span, "http.response.status_code", answer.status_code)
        if answer.is_error:
            raise _refusal(answer)
        return Answer(answer.json(), answer.headers.get("tartip-trace", ""))

    async def _fresh_token(self) -> str:
        if time.monotonic() >= self._renew_at:
            form = {"operator": self._operator}
            try:
                answer = await self._http.post(f"{self._issuer}/token", data=form)
            except httpx.TransportError as error:
                raise _away("token issuer", error) from error
            answer.raise_for_status()
            given = answer.json()
            self._token = str(given["access_token"])
            self._renew_at = time.monotonic() + float(given["expires_in"]) - _TOKEN_SPARE_SECONDS
        return self._token


@asynccontextmanager
async def outside(settings: Settings) -> AsyncIterator[Outside]:
    async with Outside.of_running(settings) as found:
        yield found


def _refusal(answer: httpx.Response) -> RemoteRefusal:
    """The refusal in a response with problem+json (RFC 9457)."""
    try:
        problem: dict[str, Any] = answer.json()
    except ValueError:
        problem = {}
    title = str(problem.get("title", f"HTTP {answer.status_code}"))
    fields = tuple(
        FieldError(str(wrong["field"]), str(wrong["code"]), str(wrong["description"]))
        for wrong in problem.get("errors", [])
    )
    kind = _KINDS.get(answer.status_code, Kind.INTERNAL)
    reason = str(problem.get("reason", f"HTTP_{answer.status_code}"))
    return RemoteRefusal(
        kind, reason, Message(title, title, title), fields, problem.get("facts", {})
    )


def _away(peer: str, error: Exception) -> RemoteRefusal:
    says = f"the {peer} does not answer ({type(error).__name__})"
    return RemoteRefusal(Kind.UNAVAILABLE, "UNAVAILABLE", Message(says, says, says), (), {})
