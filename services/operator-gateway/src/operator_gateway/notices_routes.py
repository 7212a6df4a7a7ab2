"""Notices over REST: warnings that users must know before they rely on a date or an amount.

The console shows them on each page. They contain no personal data, so they can be read without
signing in.
"""

from datetime import datetime

from chassis.clock import Clock, clock_offset
from fastapi import APIRouter
from fastapi import Request as HttpRequest
from law.notices import notices
from law.yearly import YearlyTables

from operator_gateway.schemas import Answer

router = APIRouter(prefix="/v1", tags=["notices"])


class Notice(Answer):
    """A notice in Kazakh, Russian and English. `code` is CLOCK_MOVED if the services' clock is set
    off from the real time. It is YEAR_ASSUMED or YEAR_MISSING if a year's working calendar or base
    value for fines is only assumed, or missing."""

    code: str
    kk: str
    ru: str
    en: str
    facts: dict[str, str]


class Notices(Answer):
    """The current notices. `now` is the services' time, from which ages and deadlines are
    computed."""

    now: datetime
    notices: list[Notice]


@router.get("/notices")
async def list_notices(request: HttpRequest) -> Notices:
    """The current notices. The list is empty if the services' clock shows the real time, and the
    working calendars and base values that are needed now are known."""
    clock: Clock = request.app.state.clock
    tables: YearlyTables = request.app.state.yearly_tables
    now = clock()
    return Notices(
        now=now,
        notices=[
            Notice(
                code=one.code,
                kk=one.message.kk,
                ru=one.message.ru,
                en=one.message.en,
                facts=dict(one.facts),
            )
            for one in notices(now, tables, clock_offset())
        ],
    )
