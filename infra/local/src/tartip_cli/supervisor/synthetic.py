"""Makes synthetic calls once a minute: one over gRPC and one over REST, as outsiders make them.

The calls change nothing and leave no audit entry. Over gRPC, a partner asks for a payment that does
not exist; the expected answer is "not found". Over REST, an operator lists one camera.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import grpc
import httpx
from chassis.clock import new_id
from host.telemetry.calls import SECONDS
from opentelemetry.metrics import Meter
from tartip.fines.v1 import fines_pb2, fines_pb2_grpc

from tartip_cli.parts.mesh import Mesh
from tartip_cli.parts.probes import secure_channel
from tartip_cli.supervisor.oidc import Issuer
from tartip_cli.topology import (
    CAMERA_REGISTRY,
    FINES,
    OPERATOR_GATEWAY,
    PARTNERS,
    operator_with,
)

EVERY_SECONDS = 60.0
CALL_SECONDS = 5.0
OPERATOR = "cameras-1"
OK, REFUSED, FAILED = "ok", "refused", "failed"
# What a service answers when it could not decide.
_FAULTS = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.CANCELLED,
    }
)
log = logging.getLogger(__name__)
Call = Callable[[], Awaitable[str]]


class SyntheticCalls:
    """Calls the services of a mesh as outsiders do. Success and duration are recorded with the
    OpenTelemetry `meter`."""

    def __init__(self, mesh: Mesh, meter: Meter) -> None:
        self._mesh = mesh
        self._issuer: Issuer | None = None
        if mesh.settings.oidc_issuer is None:
            self._issuer = Issuer.open(mesh.home.oidc, mesh.oidc_issuer)
        self._channel: grpc.aio.Channel | None = None
        self._success = meter.create_gauge("tartip.synthetic.success", unit="{probe}")
        self._duration = meter.create_histogram(
            "tartip.synthetic.duration", unit="s", explicit_bucket_boundaries_advisory=SECONDS
        )
        parts = {part.name for part in mesh.parts}
        self._calls: dict[str, Call] = {}
        if FINES.name in parts:
            self._calls["rpc"] = self._rpc
        if {OPERATOR_GATEWAY.name, CAMERA_REGISTRY.name} <= parts:
            self._calls["rest"] = self._rest

    async def keep(self, ready: asyncio.Event) -> None:
        """Wait until `ready` is set, then make the calls once a minute until cancelled."""
        await ready.wait()
        try:
            while True:
                for name, call in self._calls.items():
                    await self._measure(name, call)
                await asyncio.sleep(EVERY_SECONDS)
        finally:
            if self._channel is not None:
                await self._channel.close(None)

    async def _measure(self, name: str, call: Call) -> None:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(CALL_SECONDS):
                outcome = await call()
        except Exception as error:  # whatever it is, a caller would have had no answer
            log.info("synthetic call %s: %s", name, type(error).__name__)
            outcome = FAILED
        labels = {"probe": name, "outcome": outcome}
        self._duration.record(time.perf_counter() - began, labels)
        self._success.set(int(outcome == OK), {"probe": name})

    async def _rpc(self) -> str:
        if self._channel is None:
            certificates = self._mesh.certificates
            partner = certificates.partner(PARTNERS[0])
            address = self._mesh.ports.address(FINES)
            self._channel = secure_channel(address, partner, certificates.authority)
        stub = fines_pb2_grpc.FinePaymentsStub(self._channel)
        unknown = fines_pb2.GetPaymentRequest(payment_id=str(new_id()))
        try:
            await stub.GetPayment(unknown, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return OK
            log.info("synthetic call rpc: %s", error.code().name)
            return FAILED if error.code() in _FAULTS else REFUSED
        return FAILED  # nobody has made such a payment

    async def _rest(self) -> str:
        gateway = f"http://{self._mesh.ports.address(OPERATOR_GATEWAY)}"
        async with httpx.AsyncClient(trust_env=False, timeout=CALL_SECONDS) as client:
            if self._issuer is None:  # an external issuer's tokens are not ours to make
                answer = await client.get(f"{gateway}/readyz")
            else:
                operator = operator_with(OPERATOR)
                assert operator is not None
                token = {"authorization": f"Bearer {self._issuer.token(operator)}"}
                answer = await client.get(f"{gateway}/v1/cameras?page_size=1", headers=token)
        if answer.is_success:
            return OK
        log.info("synthetic call rest: %s", answer.status_code)
        return FAILED if answer.is_server_error else REFUSED
