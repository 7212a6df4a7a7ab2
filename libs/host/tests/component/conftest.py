"""Two users of the broker."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from host.broker import Broker, client_tls
from nats.js.api import DeliverPolicy


async def connected(nats: Any, user: str) -> Broker:
    """Just as the service of that name connects."""
    pair = nats.certificates.service(user)
    tls = client_tls(pair.certificate, pair.key, nats.certificates.authority)
    return await Broker.connect(
        nats.nats_url, name=user, seed_file=nats.keys.nats_seed(user), tls=tls
    )


@pytest.fixture
async def producer(nats: Any) -> AsyncIterator[Broker]:
    broker = await connected(nats, "camera-registry")
    yield broker
    await broker.close()


@pytest.fixture
async def consumer_broker(nats: Any) -> AsyncIterator[Broker]:
    await begun_anew(nats)
    broker = await connected(nats, "inference-gateway")
    yield broker
    await broker.close()


async def begun_anew(nats: Any) -> None:
    """The consumer of the inference gateway, which its own tests may have left with much to do."""
    client = await nats.nats_client("provisioner")
    stream = client.jetstream()
    known = (await stream.consumer_info("CAMERAS", "inference-gateway")).config
    await stream.delete_consumer("CAMERAS", "inference-gateway")
    await stream.add_consumer("CAMERAS", replace(known, deliver_policy=DeliverPolicy.NEW))
    await client.close()
