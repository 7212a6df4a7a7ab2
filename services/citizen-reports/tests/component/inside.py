"""Intake in the tests' own process on the service's database, for what no call shows."""

import asyncio
import random
import secrets
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.transaction import SYSTEM
from citizen_reports.model.categories import Category
from citizen_reports.model.draft import Draft, Place, Reporter
from citizen_reports.model.law import Law, read_law
from citizen_reports.storage.app_views import AppView
from citizen_reports.usecases.intake import Intake
from citizen_reports.usecases.openings import Openings
from citizen_reports.usecases.recording import ReportRecorder
from partners.register import PartnerRegister
from sqlalchemy import text
from tartip_cli.provision.vehicles import synthetic_iin

EURASIAN = Caller("partner", "eurasian")
KARAZHAL = Place(48.0106, 70.7925, "KZ-62", "Abai 44")


async def intake_on(
    db: Database, draw: Callable[[int], int] = secrets.randbelow, *, law: Law | None = None
) -> Intake:
    law = law or read_law()
    partners = PartnerRegister(db, refresh_seconds=60)
    await partners.refresh()
    recorder = ReportRecorder(law.deadlines, draw=draw)
    return Intake(db, system_clock, law, recorder, Openings(db, system_clock), partners=partners)


def new_person() -> Reporter:
    """A person who has never reported."""
    return Reporter(synthetic_iin(random.Random(new_id().int)), "Test Person", "+77010000000")


async def opened(
    intake: Intake, *, reporter: Reporter | None = None, caller: Caller = EURASIAN
) -> UUID:
    """A draft of the partner; without `reporter`, of a person who has never reported."""
    report_id = new_id()
    await intake.open(report_id, a_draft(reporter or new_person()), report_id.bytes, caller)
    return report_id


async def handed_in(intake: Intake, *, reporter: Reporter | None = None) -> AppView:
    """A report of EURASIAN in one call; without `reporter`, of a person who has never reported."""
    report_id = new_id()
    given = a_draft(reporter or new_person())
    return await intake.hand_in(report_id, given, report_id.bytes, EURASIAN)


def a_draft(reporter: Reporter) -> Draft:
    return Draft(
        category=Category.TRAFFIC_VIOLATION,
        place=KARAZHAL,
        occurred_at=system_clock() - timedelta(minutes=2),
        text="drove through the red light",
        reporter=reporter,
        language="ru",
        officer="",
    )


async def until_a_lock_is_waited_for(db: Database) -> None:
    """Wait until a transaction of this process waits for another."""
    query = "SELECT count(*) FROM pg_stat_activity"
    query += " WHERE wait_event_type = 'Lock' AND application_name = 'test'"
    async with asyncio.timeout(60):
        while True:
            async with db.begin(SYSTEM) as tx:
                if await tx.scalar(text(query)):
                    return
            await asyncio.sleep(0.05)
