"""Both Python clients, called alike, and Tartip as the contract kit plays it.

The client without asyncio runs in threads, so that one test holds for both.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest_asyncio
from tartip.reports.v1 import reports_pb2 as pb
from tartip_partner import (
    AsyncReportsClient,
    Identity,
    ReportsClient,
    Retries,
)
from tartip_partner_contract.authority import Authority
from tartip_partner_contract.refusals import Refusal
from tartip_partner_contract.tartip import PlayedTartip, ReceivedCall

RETRIES = Retries(call_seconds=1.0, total_seconds=5.0, first_pause_seconds=0.05)
IMPATIENT = Retries(call_seconds=0.3, total_seconds=0.3)
PIECE = 512 * 1024
END = object()


@dataclass
class Driven:
    """A client of either kind, called alike."""

    client: Any

    async def call(self, method: str, *given: Any, **named: Any) -> Any:
        bound = getattr(self.client, method)
        if isinstance(self.client, AsyncReportsClient):
            return await bound(*given, **named)
        return await asyncio.to_thread(bound, *given, **named)

    async def each(self, method: str, *given: Any, **named: Any) -> AsyncIterator[Any]:
        found = getattr(self.client, method)(*given, **named)
        if isinstance(self.client, AsyncReportsClient):
            async for one in found:
                yield one
            return
        while (one := await asyncio.to_thread(next, found, END)) is not END:
            yield one

    async def first(self, count: int, *given: Any, **named: Any) -> list[pb.WatchReportsResponse]:
        """So many changes of `watch`, of which the last is being acted on."""
        found = []
        async for change in self.each("watch", *given, **named):
            found.append(change)
            if len(found) == count:
                break
        return found


@dataclass
class Played:
    tartip: PlayedTartip
    authority: Authority
    address: str

    def identity(self, **changes: Any) -> Identity:
        pair = self.authority.partner(**changes)
        return Identity(ca=self.authority.certificate, certificate=pair.certificate, key=pair.key)


@pytest_asyncio.fixture
async def played() -> AsyncIterator[Played]:
    authority = Authority()
    tartip = PlayedTartip(authority)
    yield Played(tartip, authority, await tartip.start())
    await tartip.stop()


Connect = Callable[..., Driven]


@pytest_asyncio.fixture(params=[ReportsClient, AsyncReportsClient], ids=["sync", "async"])
async def connect(request: Any, played: Played) -> AsyncIterator[Connect]:
    opened: list[Driven] = []

    def open_client(retries: Retries = RETRIES, identity: Identity | None = None) -> Driven:
        identity = identity or played.identity()
        opened.append(Driven(request.param(played.address, identity, retries=retries)))
        return opened[-1]

    yield open_client
    for driven in opened:
        await driven.call("close")


async def calm(_: ReceivedCall) -> None:
    """Disturbs nothing."""


def refusing(refusal: Refusal) -> Any:
    async def before(_: ReceivedCall) -> None:
        raise refusal

    return before
