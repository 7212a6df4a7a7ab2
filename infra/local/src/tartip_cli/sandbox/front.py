"""The address at which partners call the sandbox: all calls are passed on to citizen-reports, and
the faults that were asked for happen here.

A call goes on under the partner's own certificate, so that the service sees the partner who calls,
with its scopes and limits. Messages are passed on as bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
from chassis.authorities import Authorities
from chassis.channels import OPTIONS as CHANNEL_OPTIONS
from chassis.grpc_status import DETAILS_KEY, to_status
from chassis.refusals import NotAuthenticated, Refusal
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from host.certificates import CertificateFiles, CurrentCertificate
from host.channels import RenewedChannel
from host.server import OPTIONS as SERVER_OPTIONS
from tartip.reports.v1 import reports_pb2

from tartip_cli.provision.certificates import Certificates
from tartip_cli.sandbox.faults import Faults
from tartip_cli.sandbox.triggers import ANSWER_LATE
from tartip_cli.topology import CITIZEN_REPORTS

LATE_SECONDS = 10.0
_SERVICE = reports_pb2.DESCRIPTOR.services_by_name["CitizenReports"]
_WATCH: Final = f"/{_SERVICE.full_name}/WatchReports"
_REQUESTS: Final = {
    f"/{_SERVICE.full_name}/{method.name}": GetMessageClass(method.input_type)
    for method in _SERVICE.methods
}
_NOT_PASSED_ON = ("user-agent", "content-type", "te")
_LOST = "the connection was lost (by the sandbox)"


class Front(grpc.GenericRpcHandler):
    """Serves partners at `address` ("host:port"), and calls the service at `service_address`."""

    def __init__(
        self, address: str, service_address: str, certificates: Certificates, faults: Faults
    ) -> None:
        self._address = address
        self._service_address = service_address
        self._certificates = certificates
        self._authorities = Authorities.in_folder(certificates.client_authorities)
        self._faults = faults
        self._channels: dict[str, grpc.aio.Channel] = {}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve while the block runs. Raises OSError if the address is taken."""
        server = grpc.aio.server(options=SERVER_OPTIONS)
        server.add_generic_rpc_handlers((self,))
        pair = self._certificates.service(CITIZEN_REPORTS.name)
        credentials = grpc.ssl_server_credentials(
            [(pair.key.read_bytes(), pair.certificate.read_bytes())],
            (self._certificates.client_authorities / "partner.pem").read_bytes(),
            require_client_auth=True,
        )
        if server.add_secure_port(self._address, credentials) == 0:
            raise OSError(f"cannot listen on {self._address}")
        await server.start()
        try:
            yield
        finally:
            await server.stop(None)
            for channel in self._channels.values():
                await channel.close(None)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Return the handler of any method; on the wire a single message is a stream of one."""
        method = str(details.method)

        async def passed_on(
            requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext
        ) -> AsyncIterator[bytes]:
            try:
                async for answer in self._answers(method, requests, context):
                    yield answer
            except Refusal as refusal:
                status = to_status(refusal)
                await context.abort(
                    refusal.kind.grpc_status,
                    status.message,
                    ((DETAILS_KEY, status.SerializeToString()),),
                )
            except grpc.aio.AioRpcError as error:
                # abort() takes a tuple, not the Metadata that the error holds.
                trailers: Any = tuple(error.trailing_metadata() or ())
                await context.abort(error.code(), error.details() or "", trailers)

        return grpc.stream_stream_rpc_method_handler(passed_on)

    async def _answers(
        self, method: str, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        """Pass a call on and return its answers. Raises Refusal, or AioRpcError as the service
        raised it."""
        partner = self._partner(context)
        first = await anext(aiter(requests), None)
        request = _parsed(method, first)
        if request is not None and (refusal := self._faults.refusal(partner, request)):
            raise refusal

        async def all_requests() -> AsyncIterator[bytes]:
            if first is not None:
                yield first
                async for message in requests:
                    yield message

        call = self._channel(partner).stream_stream(method, None, None)(
            all_requests(), timeout=context.time_remaining(), metadata=_passed_on(context)
        )
        try:
            await context.send_initial_metadata(await call.initial_metadata())
            async for answer in call:
                if request is not None and method != _WATCH:
                    await self._perhaps_lose(partner, request, context)
                yield answer
                if method == _WATCH:
                    await self._perhaps_break(partner, answer, context)
        finally:
            call.cancel()

    async def _perhaps_lose(
        self, partner: str, request: Any, context: grpc.aio.ServicerContext
    ) -> None:
        fault = self._faults.lost_answer(partner, request)
        if fault == ANSWER_LATE:
            await asyncio.sleep(LATE_SECONDS)
        elif fault:
            await _lose(context)

    async def _perhaps_break(
        self, partner: str, answer: bytes, context: grpc.aio.ServicerContext
    ) -> None:
        change = reports_pb2.WatchReportsResponse.FromString(answer)
        if self._faults.stream_breaks(partner, change.report_id):
            await _lose(context)

    def _partner(self, context: grpc.aio.ServicerContext) -> str:
        """The name in the caller's certificate. Raises NotAuthenticated."""
        found = context.auth_context() or {}
        shown = (*found.get("x509_pem_cert", ()), *found.get("x509_pem_cert_chain", ()))
        kind, name = self._authorities.caller(b"\n".join(shown))
        if kind != "partner" or not self._certificates.partner(name).key.exists():
            raise NotAuthenticated
        return name

    def _channel(self, partner: str) -> grpc.aio.Channel:
        if partner not in self._channels:
            pair = self._certificates.partner(partner)
            current = CurrentCertificate(CertificateFiles(pair.certificate, pair.key))

            def opened() -> grpc.aio.Channel:
                pem = current.get()
                authority = self._certificates.authority.read_bytes()
                credentials = grpc.ssl_channel_credentials(authority, pem.key, pem.certificate)
                return grpc.aio.secure_channel(
                    self._service_address, credentials, options=CHANNEL_OPTIONS
                )

            self._channels[partner] = RenewedChannel(current, opened)
        return self._channels[partner]


def _lose(context: grpc.aio.ServicerContext) -> Awaitable[None]:
    """End the call as a broken connection does: without a reason."""
    return context.abort(grpc.StatusCode.UNAVAILABLE, _LOST)


def _passed_on(context: grpc.aio.ServicerContext) -> tuple[tuple[str, str | bytes], ...]:
    return tuple(
        (key, value)
        for key, value in context.invocation_metadata() or ()
        if key not in _NOT_PASSED_ON and not key.startswith("grpc-")
    )


def _parsed(method: str, content: bytes | None) -> Any:
    """The request of a method of `CitizenReports`; None of another method, or if it is no message,
    which the service says."""
    kind = _REQUESTS.get(method)
    if kind is None or content is None:
        return None
    try:
        return kind.FromString(content)
    except DecodeError:
        return None
