"""A person has one key, whoever reports first, and none after being erased."""

import asyncio
from typing import Any

import pytest
from chassis.db import Database
from chassis.transaction import SYSTEM
from citizen_reports.storage import contents
from citizen_reports.storage.contents import PERSON
from sqlalchemy import text

from .inside import EURASIAN, intake_on, new_person, opened, until_a_lock_is_waited_for


async def test_two_first_reports_of_a_person_at_once_both_stand_under_one_key(
    db: Database,
) -> None:
    intake, reporter = await intake_on(db), new_person()
    made = await asyncio.gather(*(opened(intake, reporter=reporter) for _ in range(4)))
    async with db.begin(SYSTEM) as tx:
        written = [await contents.written_of(tx, report_id) for report_id in made]
    assert [each.reporter for each in written] == [reporter] * 4
    assert await _keys_of(db, made) == 1


async def test_a_first_report_waits_for_the_key_that_another_makes_and_takes_it(
    db: Database,
) -> None:
    intake, reporter = await intake_on(db), new_person()
    async with db.begin(SYSTEM) as tx:
        key = await tx.keys.of_person(PERSON, reporter.iin)
        opening = asyncio.ensure_future(opened(intake, reporter=reporter))
        await until_a_lock_is_waited_for(db)
    report_id = await opening
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT key_id FROM reporters WHERE report_id = :r")
        assert await tx.scalar(query.bindparams(r=report_id)) == key.key_id
        counts = "SELECT (SELECT count(*) FROM work WHERE key = :r), (SELECT count(*)"
        counts += " FROM audit WHERE position(convert_to(:r, 'UTF8') in canonical) > 0)"
        rows = await tx.execute(text(counts).bindparams(r=str(report_id)))
        assert tuple(rows.one()) == (1, 1), "nothing of the first try is left"
    assert (await intake.submit(report_id, EURASIAN)).number


async def test_nothing_more_is_stored_about_a_person_who_was_erased(db: Database) -> None:
    intake, reporter = await intake_on(db), new_person()
    async with db.begin(SYSTEM) as tx:
        await tx.keys.destroy((await tx.keys.of_person(PERSON, reporter.iin)).key_id)
        before = await tx.scalar(text("SELECT count(*) FROM reports"))
    with pytest.raises(KeyError):
        await opened(intake, reporter=reporter)
    async with db.begin(SYSTEM) as tx:
        assert await tx.scalar(text("SELECT count(*) FROM reports")) == before


async def _keys_of(db: Database, report_ids: list[Any]) -> int:
    query = text("SELECT count(DISTINCT key_id) FROM reporters WHERE report_id = ANY(:r)")
    async with db.begin(SYSTEM) as tx:
        return int(await tx.scalar(query.bindparams(r=report_ids)))
