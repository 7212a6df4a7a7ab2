"""How a process answers about its health: by name, to whom, and about its peers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from chassis.channels import Channels
from chassis.clock import real_clock
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2
from host.checks import certificate_check, peer_check
from host.health import DEGRADED, LIVE, Check, Effect, Health, Reasons
from tartip_cli.provision.certificates import KeyPair

from .health_clients import NOT_SERVING, OFTEN_SECONDS, SERVING, answering, free_address

OWN = "tartip.own.v1.Own"
SOON = timedelta(seconds=5)


class Part:
    """Something that a test lets go wrong."""

    def __init__(self, name: str, effect: Effect) -> None:
        self.wrong: Reasons = {}
        self.check = Check(name, effect, self._look)

    async def _look(self) -> Reasons:
        return self.wrong


@pytest.fixture
async def channels(postgres: Any) -> AsyncIterator[Channels]:
    """As a service opens them to its peers."""
    pair = postgres.certificates.service("violations")
    opened = Channels(cert=pair.certificate, key=pair.key, ca=postgres.certificates.authority)
    yield opened
    await opened.close()


async def test_each_name_has_its_own_meaning(postgres: Any) -> None:
    unready, degraded = Part("disk", Effect.UNREADY), Part("broker", Effect.DEGRADED)
    checks = (unready.check, degraded.check)
    health = Health(checks, {OWN: ()}, every_seconds=OFTEN_SECONDS)
    async with answering(postgres, health) as asked:
        await asked.until(SERVING, OWN)
        degraded.wrong = {"broker": "is not connected"}
        await asked.until(NOT_SERVING, DEGRADED)
        assert await asked.check() == (SERVING, {"broker": "is not connected"})
        unready.wrong = {"disk": "is full"}
        await asked.until(NOT_SERVING, OWN)
        assert await asked.check() == (NOT_SERVING, {**degraded.wrong, **unready.wrong})
        listed = (await asked.stub.List(health_pb2.HealthListRequest())).statuses
        statuses = {name: answer.status for name, answer in listed.items()}
        assert statuses == dict.fromkeys(("", OWN, DEGRADED), NOT_SERVING) | {LIVE: SERVING}


async def test_nothing_is_ready_before_it_was_looked_at(postgres: Any) -> None:
    may_answer = asyncio.Event()

    async def look() -> Reasons:
        await may_answer.wait()
        return {}

    async with answering(postgres, Health((Check("disk", Effect.UNREADY, look),))) as asked:
        assert await asked.check() == (NOT_SERVING, {"disk": "was not looked at yet"})
        may_answer.set()
        await asked.until(SERVING)


async def test_what_is_wrong_is_for_services_alone(postgres: Any) -> None:
    part = Part("disk", Effect.UNREADY)
    part.wrong = {"disk": "is full"}
    bank = postgres.certificates.partner("kaspi")
    async with answering(postgres, Health((part.check,)), client=bank) as asked:
        assert await asked.check() == (NOT_SERVING, {})


async def test_a_name_that_nobody_serves_is_unknown(postgres: Any) -> None:
    async with answering(postgres, Health()) as asked:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await asked.check("tartip.other.v1.Other")
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        unknown = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        await asked.until(unknown, "tartip.other.v1.Other")


async def test_who_watches_learns_of_the_stop_and_does_not_delay_it(postgres: Any) -> None:
    async with answering(postgres, Health()) as asked:
        watching = asked.stub.Watch(health_pb2.HealthCheckRequest())
        statuses: list[int] = []
        async with asyncio.timeout(60):
            async for answer in watching:
                if not statuses:
                    await asked.server.stop(60)
                statuses.append(answer.status)
    assert statuses == [SERVING, NOT_SERVING]


async def test_a_peer_that_is_away_stops_the_services_that_need_it_alone(
    postgres: Any, channels: Channels
) -> None:
    async with answering(postgres, Health(every_seconds=OFTEN_SECONDS)) as peer:
        check = peer_check("peer", channels.to(peer.address, "peer"))
        needs = {OWN: ("peer",), "tartip.own.v1.Alone": ()}
        health = Health((check,), needs, every_seconds=OFTEN_SECONDS)
        async with answering(postgres, health) as asked:
            await asked.until(SERVING, OWN)
            peer.server.health.stop()
            await asked.until(NOT_SERVING, OWN)
            said = {"peer": "is not ready: process is stopping"}
            assert await asked.check(OWN) == (NOT_SERVING, said)
            await peer.server.stop(0)
            assert await asked.check("") == (SERVING, {})
            assert await asked.check("tartip.own.v1.Alone") == (SERVING, {})
            assert (await asked.check(OWN))[0] == NOT_SERVING


async def test_two_that_need_each_other_become_ready(postgres: Any, channels: Channels) -> None:
    """They ask for the process, and so there is no circle."""
    addresses = (free_address(), free_address())
    one, other = (
        Health(
            (peer_check("other", channels.to(address, "other")),),
            {OWN: ("other",)},
            every_seconds=OFTEN_SECONDS,
        )
        for address in addresses
    )
    async with (
        answering(postgres, one, address=addresses[1]) as first,
        answering(postgres, other, address=addresses[0]) as second,
    ):
        await first.until(SERVING, OWN)
        await second.until(SERVING, OWN)


def test_a_service_needs_only_what_is_looked_at() -> None:
    with pytest.raises(ValueError, match="nothing looks at it: \\['peer'\\]"):
        Health((), {OWN: ("peer",)})


async def test_an_expired_certificate_ends_readiness(postgres: Any, tmp_path: Path) -> None:
    """Who is connected hears of it; new connections fail in the handshake."""
    pair = valid_until_soon(postgres, tmp_path)
    check = certificate_check(pair.certificate, pair.key)
    health = Health((check,), every_seconds=OFTEN_SECONDS)
    async with answering(postgres, health, pair=pair) as asked:
        await asked.until(SERVING)
        await asked.until(NOT_SERVING)
        assert (await asked.check())[1]["certificate"].startswith("expired at ")


def valid_until_soon(engines: Any, folder: Path) -> KeyPair:
    """The certificate of a service once more, which ends in a moment."""
    known = engines.certificates.service("fines")
    leaf = x509.load_pem_x509_certificate(known.certificate.read_bytes())
    signer_key = (engines.certificates.client_authorities / "service.key").read_bytes()
    signer = serialization.load_pem_private_key(signer_key, password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    builder = x509.CertificateBuilder(
        issuer_name=leaf.issuer,
        subject_name=leaf.subject,
        public_key=leaf.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=leaf.not_valid_before_utc,
        not_valid_after=real_clock() + SOON,
        extensions=list(leaf.extensions),
    )
    pair = KeyPair(folder / "soon.pem", known.key)
    made = builder.sign(signer, hashes.SHA256())
    pair.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return pair
