"""Where a scenario is played: Tartip as the kit plays it, and the adapter that calls it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from google.protobuf.timestamp_pb2 import Timestamp
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb

from tartip_partner_contract.adapter import Adapter, Answer, Setting
from tartip_partner_contract.authority import Authority
from tartip_partner_contract.reports import ReceivedReport
from tartip_partner_contract.tartip import PlayedTartip
from tartip_partner_contract.wrong import Wrong

_LOOK_SECONDS = 0.1
_OCCURRED_AGO = dt.timedelta(minutes=5)


@dataclass(frozen=True)
class Stage:
    adapter: Adapter
    tartip: PlayedTartip
    authority: Authority
    setting: Setting
    wait_seconds: float

    async def configure(self, *, follow: bool = False, webhook_secrets: Sequence[str] = ()) -> None:
        """Tell the adapter where Tartip is; it forgets what was before."""
        setting = replace(self.setting, webhook_secrets=tuple(webhook_secrets))
        await self.adapter.configure(setting, self.authority.partner(), follow=follow)

    async def handed_in(self, report: pb.OpenReportRequest, *media: bytes) -> ReceivedReport:
        """Let the adapter hand in a report, which must arrive once; returns it as it arrived."""
        answer = await self.adapter.submit(report, *media)
        return self.the_report(answer)

    def the_report(self, answer: Answer) -> ReceivedReport:
        """The one report that was submitted, with the number that the adapter answered."""
        if not answer.is_good:
            reason = answer.body.get("reason", "no reason")
            raise Wrong(f"the adapter gave up: it answered {answer.status} ({reason})")
        submitted = self.tartip.book.submitted
        if len(submitted) != 1:
            raise Wrong(f"{len(submitted)} reports were registered instead of one")
        (held,) = submitted
        number = held.report.receipt.number
        if answer.body.get("number") != number:
            raise Wrong(f"the adapter answered number {answer.body.get('number')}, not {number}")
        return held

    async def until(self, look: Callable[[], Awaitable[bool]], otherwise: str) -> None:
        """Wait until `look` is true. Raises Wrong(otherwise) after `wait_seconds`."""
        ends = time.monotonic() + self.wait_seconds
        while not await look():
            if time.monotonic() > ends:
                raise Wrong(f"{otherwise} within {self.wait_seconds:g} seconds")
            await asyncio.sleep(_LOOK_SECONDS)


@contextlib.asynccontextmanager
async def staged(adapter: Adapter, *, wait_seconds: float) -> AsyncIterator[Stage]:
    """A stage with a Tartip of its own, which ends with the block."""
    authority = Authority()
    tartip = PlayedTartip(authority)
    setting = Setting(await tartip.start(), authority.certificate)
    try:
        yield Stage(adapter, tartip, authority, setting, wait_seconds)
    finally:
        await tartip.stop()


def draft(report_id: str = "") -> pb.OpenReportRequest:
    """A right report; the adapter makes the id where there is none."""
    occurred = Timestamp()
    occurred.FromDatetime((dt.datetime.now(dt.UTC) - _OCCURRED_AGO).replace(microsecond=0))
    return pb.OpenReportRequest(
        report_id=report_id,
        category=pb.CATEGORY_INCIDENT,
        place=common_pb2.Place(latitude=43.2389, longitude=76.9286, region="KZ-75"),
        occurred_at=occurred,
        text="Жол шамы тротуарға құлап жатыр.",
        language="kk",
    )
