"""Two users of the broker, and the metrics of this process."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from host.broker import Broker, client_tls
from host.telemetry.exposition import Exposition, own_metrics
from nats.js.api import DeliverPolicy
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client.parser import text_string_to_metric_families

Measured = Callable[..., dict[tuple[str, ...], float]]


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


@pytest.fixture(scope="session")
def exposition() -> Exposition:
    """The metrics of this process; instruments write to one provider for as long as it lives."""
    reader, read = own_metrics()
    metrics.set_meter_provider(MeterProvider([reader], shutdown_on_exit=False))
    return Exposition(read)


@pytest.fixture
def measured(exposition: Exposition) -> Measured:
    """`measured(name, *labels)`: the values of a metric by the values of these labels."""

    def read(name: str, *labels: str) -> dict[tuple[str, ...], float]:
        return {
            tuple(sample.labels.get(label, "") for label in labels): sample.value
            for family in text_string_to_metric_families(exposition.text().decode())
            for sample in family.samples
            if sample.name == name
        }

    return read
