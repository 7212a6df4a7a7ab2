"""`python -m tartip_bench.fairness.flood ADDRESS AUTHORITY KEY CERTIFICATE NUMBER`: floods
citizen-reports with the calls of one partner, until SIGTERM.

The program keeps 300 streams open, and 320 look-ups of the report NUMBER waiting for an answer.
When one of them ends, it is replaced immediately. The program also sends look-ups as fast as it
can, without waiting.

Prints two counts as JSON: look-ups by outcome ("answered" or the reason of the refusal), and
refused streams by reason.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import uvloop
from chassis.channels import peers_refusals
from chassis.refusals import Refusal
from tartip.reports.v1 import reports_pb2 as pb
from tartip.reports.v1.reports_pb2_grpc import CitizenReportsStub

if TYPE_CHECKING:
    from tartip.reports.v1.reports_pb2_grpc import CitizenReportsAsyncStub

CONNECTIONS = 1
# Without it channels with the same options share a connection.
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)
STREAMS = 300
OUTSTANDING = 320
UNPACED_OUTSTANDING_MAX = 2000
CALL_SECONDS = 10.0
ANSWERED = "answered"


class Flood:
    """Sends the flood and counts its outcomes. The field `calls` counts the look-ups by outcome
    (ANSWERED or the reason of the refusal). The field `streams` counts the refused streams by
    reason."""

    def __init__(self, stubs: Sequence[CitizenReportsAsyncStub], number: str) -> None:
        self._stubs = itertools.cycle(stubs)
        self._request = pb.GetReportRequest(number=number)
        self._unpaced: set[asyncio.Task[None]] = set()
        self.calls: Counter[str] = Counter()
        self.streams: Counter[str] = Counter()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(STREAMS):
                group.create_task(again_and_again(self._stream))
            for _ in range(OUTSTANDING):
                group.create_task(again_and_again(self._look_up))
            group.create_task(self._without_waiting())

    async def _stream(self) -> None:
        stream = next(self._stubs).WatchReports(pb.WatchReportsRequest(resume_token=""))
        try:
            with peers_refusals():
                async for _ in stream:
                    pass
        except Refusal as refusal:
            self.streams[refusal.reason] += 1

    async def _look_up(self) -> None:
        try:
            with peers_refusals():
                await next(self._stubs).GetReport(self._request, timeout=CALL_SECONDS)
        except Refusal as refusal:
            self.calls[refusal.reason] += 1
        else:
            self.calls[ANSWERED] += 1

    async def _without_waiting(self) -> None:
        """Send as fast as this process can; what is outstanding is bounded for its memory alone."""
        while True:
            if len(self._unpaced) < UNPACED_OUTSTANDING_MAX:
                task = asyncio.ensure_future(self._look_up())
                self._unpaced.add(task)
                task.add_done_callback(self._unpaced.discard)
            await asyncio.sleep(0)


async def again_and_again(attempt: Callable[[], Awaitable[None]]) -> None:
    while True:
        await attempt()


async def main(address: str, credentials: grpc.ChannelCredentials, number: str) -> None:
    async with AsyncExitStack() as opened:
        stubs = []
        for _ in range(CONNECTIONS):
            channel = grpc.aio.secure_channel(address, credentials, options=OWN_CONNECTION)
            stubs.append(CitizenReportsStub(await opened.enter_async_context(channel)))
        flood = Flood(stubs, number)
        running = asyncio.ensure_future(flood.run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        await asyncio.wait([running])
        print(json.dumps({"calls": flood.calls, "streams": flood.streams}))
        sys.stdout.flush()
        os._exit(0)  # thousands of calls are under way, and nobody waits for them


if __name__ == "__main__":
    # The flood stands for another machine's: it takes what the server and the measuring leave.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    given = sys.argv[1:]
    shown = grpc.ssl_channel_credentials(*(Path(file).read_bytes() for file in given[1:4]))
    uvloop.run(main(given[0], shown, given[4]))
