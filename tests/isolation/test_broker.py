"""A service's NATS credentials are refused on the others' subjects, streams and inboxes."""

from __future__ import annotations

import asyncio
import json
import ssl

import nats as nats_library
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError, TimeoutError
from nats.js.api import ConsumerConfig
from nats.js.errors import APIError
from tartip_cli.provision.streams import User
from tartip_testing.mesh import RunningTestMesh

NO_ANSWER = (TimeoutError, NoRespondersError, APIError)
QUICKLY = 0.3


class Refusals:
    """What the server says on the side: permission violations come as asynchronous errors."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def hear(self, error: Exception) -> None:
        self.told.append(str(error).lower())

    async def assert_one_about(self, client: Client, verb: str, subject: str) -> None:
        # The server answers in order: after this round trip the refusal has arrived.
        await client.flush()
        await asyncio.sleep(0)
        expected = f'permissions violation for {verb} to "{subject.lower()}"'
        for _ in range(20):
            if any(expected in line for line in self.told):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{verb} to {subject} was not refused; refusals: {self.told}")


def users(mesh: RunningTestMesh) -> list[User]:
    return list(mesh.description.streams.users)


def subjects_of(user: User) -> set[str]:
    listed = [*user.publishes_core, *(s for each in user.publishes.values() for s in each)]
    return {subject.replace(">", "x").replace("*", "x") for subject in listed}


async def test_no_user_publishes_what_another_owns(nats: RunningTestMesh) -> None:
    everybody = users(nats)
    for user in everybody:
        refusals = Refusals()
        client = await nats.nats_client(user.name, error_cb=refusals.hear)
        foreign = {s for other in everybody for s in subjects_of(other)} - subjects_of(user)
        for subject in sorted(foreign):
            await client.publish(subject, b"forged")
            await refusals.assert_one_about(client, "publish", subject)
        await client.close()


async def test_no_user_subscribes_to_events_or_to_another_inbox(nats: RunningTestMesh) -> None:
    everybody = users(nats)
    for user in everybody:
        refusals = Refusals()
        client = await nats.nats_client(user.name, error_cb=refusals.hear)
        others = [f"_INBOX_{other.name}.>" for other in everybody if other is not user]
        for subject in [">", "violations.v1.>", "complaints.v1.>", "_INBOX.>", "$JS.>", *others]:
            await client.subscribe(subject)
            await refusals.assert_one_about(client, "subscription", subject)
        await client.close()


async def test_no_user_reads_a_stream_that_it_does_not_consume(nats: RunningTestMesh) -> None:
    streams = [stream.name or "" for stream in nats.description.streams.streams]
    for user in users(nats):
        refusals = Refusals()
        client = await nats.nats_client(user.name, error_cb=refusals.hear)
        for stream in streams:
            asked = [f"$JS.API.STREAM.MSG.GET.{stream}", f"$JS.API.DIRECT.GET.{stream}"]
            asked += [f"$JS.API.STREAM.DELETE.{stream}", f"$JS.API.STREAM.PURGE.{stream}"]
            asked += [f"$JS.API.STREAM.UPDATE.{stream}"]
            if stream not in user.consumes:
                asked.append(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{user.name}")
            if stream not in user.follows:
                asked.append(f"$JS.API.CONSUMER.CREATE.{stream}")
            asked.append(f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{user.name}")
            asked.append(f"$JS.API.CONSUMER.CREATE.{stream}.{user.name}")
            for subject in asked:
                await client.publish(subject, b'{"seq": 1}', reply=client.new_inbox())
                await refusals.assert_one_about(client, "publish", subject)
        await client.close()


async def test_the_live_feed_changes_and_injects_nothing(nats: RunningTestMesh) -> None:
    """It may make consumers, but in an account where there is nothing of anybody else's."""
    reader = await nats.nats_client("citizen-reports")
    before = await reader.jetstream().consumer_info("FINES", "citizen-reports")
    events = (await reader.jetstream().stream_info("VIOLATIONS")).state.messages
    publisher = await nats.nats_client("fines")
    await publisher.jetstream().publish("fines.v1.issued", b"issued")
    gateway = await nats.nats_client("operator-gateway")
    for config in (
        {"name": "citizen-reports", "ack_policy": "explicit", "max_deliver": 1},
        {"durable_name": "citizen-reports", "ack_policy": "explicit", "max_deliver": 1},
        {"ack_policy": "none", "deliver_subject": "violations.v1.confirmed"},
        {"ack_policy": "none", "deliver_subject": "_INBOX_citizen-reports.x"},
    ):
        request = {"stream_name": "FINES", "config": config}
        await gateway.request(
            "$JS.API.CONSUMER.CREATE.FINES", json.dumps(request).encode(), timeout=2
        )
    await asyncio.sleep(QUICKLY)
    after = await reader.jetstream().consumer_info("FINES", "citizen-reports")
    assert after.config == before.config
    assert (await reader.jetstream().stream_info("VIOLATIONS")).state.messages == events
    for client in (reader, publisher, gateway):
        await client.close()


async def test_the_live_feed_has_neither_plates_nor_complaints(nats: RunningTestMesh) -> None:
    gateway = await nats.nats_client("operator-gateway")
    for stream in ("INFERENCE", "COMPLAINTS", "DEAD_LETTERS"):
        with pytest.raises(NO_ANSWER):
            await gateway.jetstream(timeout=QUICKLY).stream_info(stream)
    feed = {subject for s in nats.description.streams.feed_streams for subject in s.subjects or []}
    assert not any("plate_read" in subject or "complaints" in subject for subject in feed)
    assert "inference.v1.>" not in feed
    await gateway.close()


async def test_a_certificate_without_credentials_is_nobody(nats: RunningTestMesh) -> None:
    pair = nats.certificates.service("fines")
    context = ssl.create_default_context(cafile=str(nats.certificates.authority))
    context.load_cert_chain(str(pair.certificate), str(pair.key))
    with pytest.raises(NatsError):
        await nats_library.connect(
            nats.nats_url, tls=context, allow_reconnect=False, connect_timeout=2, error_cb=ignore
        )


async def test_an_edge_box_publishes_heartbeats_under_its_own_certificate(
    nats: RunningTestMesh,
) -> None:
    register = await nats.nats_client("camera-registry")
    heard = await register.subscribe("cameras.heartbeats.*")
    await register.flush()
    pair = nats.certificates.device("edge-1")
    context = ssl.create_default_context(cafile=str(nats.certificates.authority))
    context.load_cert_chain(str(pair.certificate), str(pair.key))
    box = await nats_library.connect(
        nats.nats_url, tls=context, nkeys_seed=str(nats.keys.nats_seed("edge-1")), error_cb=ignore
    )
    await box.publish("cameras.heartbeats.hub-1", b"alive")
    assert (await heard.next_msg(timeout=10)).data == b"alive"
    await box.close()


@pytest.mark.parametrize(("kind", "name"), [("partner", "kaspi"), ("officer", "inspector-almaty")])
async def test_credentials_under_a_certificate_that_is_not_for_the_broker_are_refused(
    nats: RunningTestMesh, kind: str, name: str
) -> None:
    pair = getattr(nats.certificates, kind)(name)
    context = ssl.create_default_context(cafile=str(nats.certificates.authority))
    context.load_cert_chain(str(pair.certificate), str(pair.key))
    with pytest.raises((NatsError, OSError)):
        await nats_library.connect(
            nats.nats_url,
            tls=context,
            nkeys_seed=str(nats.keys.nats_seed("edge-1")),
            allow_reconnect=False,
            connect_timeout=2,
            error_cb=ignore,
        )


async def ignore(_: Exception) -> None:
    """connect() raises it as well."""


async def test_a_service_publishes_and_another_fetches_its_own(nats: RunningTestMesh) -> None:
    publisher = await nats.nats_client("violations")
    answer = await publisher.jetstream().publish(
        "violations.v1.confirmed", b"fact", headers={"Nats-Msg-Id": "one"}
    )
    assert answer.stream == "VIOLATIONS"
    reader = await nats.nats_client("fines")
    bound = await reader.jetstream().pull_subscribe_bind(consumer="fines", stream="VIOLATIONS")
    # Other tests of this session may have left facts before ours.
    [message] = await bound.fetch(1, timeout=5)
    while message.data != b"fact":
        await message.ack_sync()
        [message] = await bound.fetch(1, timeout=5)
    await message.ack_sync()
    info = await reader.jetstream().consumer_info("VIOLATIONS", "fines")
    assert info.config.max_deliver == -1
    with pytest.raises(NO_ANSWER):
        await reader.jetstream(timeout=QUICKLY).add_consumer(
            "VIOLATIONS", ConsumerConfig(durable_name="fines", max_deliver=100)
        )
    await publisher.close()
    await reader.close()


async def test_the_live_feed_follows_without_owning(nats: RunningTestMesh) -> None:
    publisher = await nats.nats_client("fines")
    await publisher.jetstream().publish("fines.v1.paid", b"paid")
    gateway = await nats.nats_client("operator-gateway")
    feed = await gateway.jetstream().subscribe("fines.v1.>", stream="FINES", ordered_consumer=True)
    while (await feed.next_msg(timeout=5)).data != b"paid":
        pass
    await gateway.close()
    await publisher.close()


async def test_a_lost_store_is_made_anew_with_its_streams(nats: RunningTestMesh) -> None:
    nats.delete_jetstream()
    for user, stream in (("violations", "VIOLATIONS"), ("operator-gateway", "FINES")):
        client = await nats.nats_client(user)
        info = await client.jetstream().stream_info(stream)
        assert info.state.messages == 0
        await client.close()
