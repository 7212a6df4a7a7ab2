"""A log-in for the desk beside that for calls: each scope uses its own, and both are counted."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import system_clock
from chassis.db import Database
from chassis.refusals import ClockUnsure
from chassis.settings import Settings
from chassis.transaction import SYSTEM, Scope
from host.databases import Databases, DividedCalls
from sqlalchemy import func, select
from statements.reads import Read

DISPATCHER = Scope("operator", "dispatcher-almaty", ("KZ-75",), ("dispatcher",))


def is_operator(scope: Scope) -> bool:
    return scope.kind == "operator"


@pytest.fixture
async def divided(db: Database) -> AsyncIterator[DividedCalls]:
    """Two pools of the scratch schema, told apart by the name that their sessions have."""
    url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    given: dict[str, Any] = {"keyring": db.keyring, "clock": system_clock}
    desk = Database(url, service="desk", **given)
    divided = DividedCalls(url, desk, is_operator, service="calls", **given)
    yield divided
    await divided.close()


@pytest.mark.parametrize(("scope", "name"), [(DISPATCHER, "desk"), (SYSTEM, "calls")])
async def test_a_scope_uses_its_log_in_whether_it_writes_or_reads(
    divided: DividedCalls, scope: Scope, name: str
) -> None:
    session = func.current_setting("application_name").label("name")
    async with divided.begin(scope) as tx:
        assert await tx.scalar(select(session)) == name
    [row] = await divided.read(scope, Read(select(session)))
    assert row.name == name


async def test_entries_of_both_log_ins_are_awaited_in_the_sealed_log(divided: DividedCalls) -> None:
    made = []
    for scope in (DISPATCHER, SYSTEM):
        async with divided.begin(scope) as tx:
            made.append(tx.audit("look", "camera:1").entry_id)
    assert sorted(divided.committed_entries()) == sorted(made)
    assert divided.committed_entries() == []


async def test_by_a_wrong_clock_neither_log_in_decides(divided: DividedCalls) -> None:
    await divided.ping()
    assert divided.clock_skew_seconds < 1 and divided.desk.clock_skew_seconds < 1
    for each in (divided, divided.desk):
        each._clock = lambda: system_clock() + timedelta(minutes=10)
    with pytest.raises(ClockUnsure):
        await divided.ping()
    for scope in (DISPATCHER, SYSTEM):
        with pytest.raises(ClockUnsure):
            async with divided.begin(scope):
                raise AssertionError("it was begun")


def test_a_service_with_a_desk_names_the_variable_of_its_missing_log_in() -> None:
    url = "postgresql://x"
    settings = Settings(database_url=url, work_database_url=url, seal_database_url=url)
    with pytest.raises(SystemExit, match=r"^TARTIP_DESK_DATABASE_URL: each log-in of reports"):
        Databases.connect(settings, service="reports", is_at_desk=is_operator)
