"""How much callers are told to be there: of a report that is hidden, nothing changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from chassis.clock import system_clock, to_timestamp
from tartip.reports.v1 import reports_pb2 as pb

from .asking import Asking
from .callers import Caller
from .planted import ALMATY
from .world import DESK

Counts = tuple[int, int, int]


async def counted(asking: Asking, callers: Iterable[Caller]) -> dict[str, Counts]:
    """The open reports on the board, the registered ones in the figures and the rows of the queue,
    of one region, as each caller is told them."""
    return {caller.name: await _counts_of(asking, caller) for caller in callers}


async def _counts_of(asking: Asking, caller: Caller) -> Counts:
    now = system_clock()
    board = await asking.answer(caller, f"{DESK}/GetBoard", pb.GetBoardRequest(region=ALMATY))
    asked = pb.GetUnitFiguresRequest(
        region=ALMATY,
        registered_from=to_timestamp(now - timedelta(days=30)),
        registered_until=to_timestamp(now + timedelta(days=1)),
    )
    figures = await asking.answer(caller, f"{DESK}/GetUnitFigures", asked)
    listing, rows = pb.ReportDeskListReportsRequest(region=ALMATY), 0
    listing.page.size = 200
    while True:
        page = await asking.answer(caller, f"{DESK}/ListReports", listing)
        rows += len(page.reports)
        listing.page.token = page.next_page_token
        if not page.next_page_token:
            break
    return sum(u.open for u in board.units), sum(u.registered for u in figures.units), rows
