"""Two users of the broker."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from chassis.bus import Bus, client_tls


async def connected(nats: Any, user: str) -> Bus:
    """Just as the service of that name connects."""
    pair = nats.certificates.service(user)
    tls = client_tls(pair.certificate, pair.key, nats.certificates.authority)
    return await Bus.connect(nats.nats_url, name=user, seed_file=nats.keys.nats_seed(user), tls=tls)


@pytest.fixture
async def producer(nats: Any) -> AsyncIterator[Bus]:
    bus = await connected(nats, "camera-registry")
    yield bus
    await bus.close()


@pytest.fixture
async def consumer_bus(nats: Any) -> AsyncIterator[Bus]:
    bus = await connected(nats, "inference-gateway")
    yield bus
    await bus.close()
