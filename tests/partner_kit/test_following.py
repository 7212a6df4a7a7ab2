"""Both Python clients follow changes, renew their certificate, and are closed."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from tartip.reports.v1 import reports_pb2 as pb
from tartip_partner import (
    CertificateExpired,
    ClientClosed,
    FileTokenStore,
    Identity,
    Refused,
    Retries,
)
from tartip_partner_contract.authority import Pair
from tartip_partner_contract.stage import draft
from tartip_partner_contract.tartip import ReceivedCall

from .conftest import RETRIES, Connect, Played


async def test_a_watch_gives_each_change_once_over_breaks_and_repetitions(
    connect: Connect, played: Played
) -> None:
    played.tartip.echoes = True
    client, report = connect(), draft()
    await client.call("hand_in", report)
    found = []
    async for change in client.each("watch"):
        found.append(change.resume_token)
        if change.resume_token == "2":
            played.tartip.relay.cut()
            for _ in range(3):
                played.tartip.book.change(report.report_id, pb.REPORT_STATUS_IN_WORK)
        if change.resume_token == "5":
            break
    assert found == ["1", "2", "3", "4", "5"]


async def test_a_token_is_kept_once_its_change_was_acted_on(
    connect: Connect, tmp_path: Path
) -> None:
    client, store = connect(), FileTokenStore(tmp_path / "token")
    await client.call("hand_in", draft())
    assert [one.resume_token for one in await client.first(2, store=store)] == ["1", "2"]
    assert store.load() == "1"  # the second was given, but never done with
    (again,) = await client.first(1, store=store)
    assert again.resume_token == "2"


async def test_a_watch_ends_after_the_change_that_a_webhook_names(
    connect: Connect, tmp_path: Path
) -> None:
    client, store, report = connect(), FileTokenStore(tmp_path / "token"), draft()
    await client.call("hand_in", report)

    async def tokens() -> list[str]:
        watch = client.each("watch", store=store, until="2")
        return [change.resume_token async for change in watch]

    assert await asyncio.wait_for(tokens(), 5) == ["1", "2"]
    assert store.load() == "2"
    assert await asyncio.wait_for(tokens(), 5) == []  # the webhook came again


async def test_a_watch_that_is_refused_raises(connect: Connect, played: Played) -> None:
    with pytest.raises(Refused) as caught:
        await asyncio.wait_for(connect().first(1, "999"), 5)
    assert caught.value.reason == "RESUME_TOKEN_WRONG"
    assert len(played.tartip.calls_of("WatchReports")) == 1


async def test_closing_the_client_ends_a_watch(connect: Connect, played: Played) -> None:
    client = connect()

    async def all_changes() -> list[Any]:
        return [change async for change in client.each("watch")]

    watching = asyncio.ensure_future(all_changes())
    while not played.tartip.calls_of("WatchReports"):
        await asyncio.sleep(0.02)
    await client.call("close")
    assert await asyncio.wait_for(watching, 5) == []


async def test_closing_the_client_ends_a_call_and_refuses_the_next(
    connect: Connect, played: Played
) -> None:
    client = connect(Retries(call_seconds=30.0))
    waiting = asyncio.Event()

    async def before(_: ReceivedCall) -> None:
        waiting.set()
        await asyncio.sleep(30)

    played.tartip.before = before
    handing_in = asyncio.ensure_future(client.call("hand_in", draft()))
    await waiting.wait()
    await client.call("close")
    with pytest.raises(ClientClosed):
        await asyncio.wait_for(handing_in, 5)
    with pytest.raises(ClientClosed):
        await client.call("hand_in", draft())


async def test_an_expired_certificate_is_told_without_a_connection(
    connect: Connect, played: Played
) -> None:
    identity = played.identity(ends_in=-dt.timedelta(minutes=1))
    client = connect(RETRIES, identity)
    for _ in range(3):
        with pytest.raises(CertificateExpired):
            await client.call("hand_in", draft())
    with pytest.raises(CertificateExpired):
        await client.first(1)
    assert played.tartip.relay.connections == 0
    fresh = played.authority.partner()
    identity.replace(certificate=fresh.certificate, key=fresh.key)
    assert (await client.call("hand_in", draft())).number


async def test_a_renewed_certificate_is_used_while_a_stream_goes_on(
    connect: Connect, played: Played, tmp_path: Path
) -> None:
    pair = played.authority.partner()
    identity = _written(tmp_path, played.authority.certificate, pair)
    client = connect(RETRIES, identity)
    watching = asyncio.ensure_future(client.first(4))
    await client.call("hand_in", draft())
    assert played.tartip.relay.connections == 1
    _written(tmp_path, played.authority.certificate, played.authority.partner())
    await client.call("hand_in", draft())
    assert played.tartip.relay.connections == 2
    assert len(await asyncio.wait_for(watching, 5)) == 4
    assert len(played.tartip.calls_of("WatchReports")) == 1


def _written(folder: Path, ca: bytes, pair: Pair) -> Identity:
    paths = {name: folder / name for name in ("ca", "certificate", "key")}
    for name, content in (("ca", ca), ("certificate", pair.certificate), ("key", pair.key)):
        paths[name].write_bytes(content)
    return Identity(**paths)
