"""What must be known before a date or an amount is trusted; the console shows it on each page.

Open to all, also before signing in: it is about no person.
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
    """`code` is CLOCK_MOVED, YEAR_ASSUMED or YEAR_MISSING; the text in all three languages."""

    code: str
    kk: str
    ru: str
    en: str
    facts: dict[str, str]


class Notices(Answer):
    """`now` is the time that the services live in; ages and deadlines are computed against it."""

    now: datetime
    notices: list[Notice]


@router.get("/notices")
async def list_notices(request: HttpRequest) -> Notices:
    """Empty in production, unless a yearly table of the law has to be added."""
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
