"""A stranger's NATS, with an authority of its own, serves the mesh from what the command prints."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from host.broker import Broker as ServiceBroker
from host.broker import client_tls
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Failure
from tartip_cli.provision.broker import Broker, connect
from tartip_cli.provision.certificates import Certificates
from tartip_cli.provision.keys import Keys
from tartip_cli.provision.streams import PROVISIONER, read_topology
from tartip_cli.settings import find_checkout, inherited_environment
from tartip_cli.topology import COMMAND_LINE
from tartip_testing.nats_cluster import NatsCluster, running_cluster

SUBJECT = "cameras.v1.registered"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    return DataDir(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def stranger(home: DataDir, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsCluster]:
    with running_cluster(tmp_path_factory.mktemp("stranger"), home.path, size=1) as found:
        yield found


@pytest.fixture
def broker(home: DataDir, stranger: NatsCluster) -> Broker:
    return Broker(
        url=f"tls://127.0.0.1:9,{stranger.url}",  # nobody listens at the first address
        certificates=Certificates(home.tls),
        keys=Keys(home.keys),
        topology=read_topology(find_checkout() / "infra" / "nats" / "streams.yaml"),
        authority=stranger.authority,
    )


@asynccontextmanager
async def as_service(broker: Broker, name: str) -> AsyncIterator[ServiceBroker]:
    """Just as the service of that name connects."""
    pair = broker.certificates.service(name)
    assert broker.authority is not None
    tls = client_tls(pair.certificate, pair.key, broker.authority)
    found = await ServiceBroker.connect(
        broker.url, name=name, seed_file=broker.keys.nats_seed(name), tls=tls
    )
    yield found
    await found.close()


async def test_an_event_travels_over_a_strangers_server(broker: Broker) -> None:
    assert await broker.answers()
    await broker.provision()
    async with (
        as_service(broker, "camera-registry") as producer,
        as_service(broker, "inference-gateway") as consumer,
    ):
        await producer.jetstream.publish(SUBJECT, b"a fact", timeout=5)
        bound = await consumer.jetstream.pull_subscribe_bind(
            consumer="inference-gateway", stream="CAMERAS", inbox_prefix=consumer.inbox_prefix
        )
        [message] = await bound.fetch(1, timeout=10)
        assert (message.subject, message.data) == (SUBJECT, b"a fact")
        await message.ack_sync()
        info = await bound.consumer_info()
        assert (info.num_pending, info.num_ack_pending) == (0, 0)


async def test_a_stranger_without_the_authority_is_not_trusted(broker: Broker) -> None:
    with pytest.raises(Exception, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
        await replace(broker, authority=None, url=broker.url.split(",")[1]).answers()


async def test_a_single_server_cannot_have_replicas_and_says_what_to_do(broker: Broker) -> None:
    wanted = replace(broker, topology=broker.topology.with_replicas(3))
    await broker.provision()
    with pytest.raises(Failure, match=r"3 replicas .* set TARTIP_NATS_REPLICAS to 1"):
        await wanted.provision()


async def test_what_the_operator_set_besides_stays(broker: Broker) -> None:
    await broker.provision()
    client = await connect(
        broker.url,
        user=PROVISIONER,
        seed=broker.keys.nats_seed(PROVISIONER),
        pair=broker.certificates.service(COMMAND_LINE),
        authority=broker.authority or Path(),
    )
    js = client.jetstream()
    known = (await js.stream_info("FINES")).config
    await js.update_stream(
        replace(known, description="our own", max_age=6000.0, max_msgs=7_000_000)
    )
    consumer = (await js.consumer_info("FINES", "citizen-reports")).config
    await js.add_consumer("FINES", replace(consumer, description="ours", max_ack_pending=1))
    await broker.provision()
    after, again = await js.stream_info("FINES"), await js.consumer_info("FINES", "citizen-reports")
    assert (after.config.description, after.config.max_msgs) == ("our own", 7_000_000)
    assert after.config.max_age == known.max_age
    assert (again.config.description, again.config.max_ack_pending) == ("ours", 64)
    await client.close()


def test_the_accounts_are_told_to_programs_too_without_any_secret(home: DataDir) -> None:
    environment = {**inherited_environment(), "TARTIP_HOME": str(home.path)}
    run = [sys.executable, "-m", "tartip_cli", "nats", "accounts", "--json", "--replicas", "3"]
    text = subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout
    told = json.loads(text)
    accounts: dict[str, Any] = {account["name"]: account for account in told["accounts"]}
    users = {user["name"]: user for account in accounts.values() for user in account["users"]}
    assert users["fines"]["nkey"] == Keys(home.keys).nats_public("fines")
    assert "fines.v1.issued" in users["fines"]["publish"]
    assert accounts["MESH"]["jetstream"]["max_file"] > 3 * 2**31
    assert "BEGIN CERTIFICATE" in told["tls"]["client_authorities_pem"]
    for seed in home.keys.glob("nats/*.nk"):
        assert seed.read_text() not in text
    assert "PRIVATE KEY" not in text


def test_both_addresses_are_used_until_one_answers(broker: Broker) -> None:
    """Of the provisioner and of a service: see `broker`; in any order."""
    turned = replace(broker, url=",".join(reversed(broker.url.split(","))))

    async def ask() -> None:
        assert await turned.answers()
        async with as_service(turned, "fines") as found:
            assert found.is_connected

    asyncio.run(ask())
