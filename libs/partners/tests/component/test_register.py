"""The partners in memory: read again while the process runs, kept while the database is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from chassis.clock import new_id
from chassis.db import Database
from chassis.identity import Caller, Operator
from chassis.refusals import Refusal
from chassis.transaction import SYSTEM, Scope, Tx
from host.shares import Quota
from partners.model import PartnerScope, PartnerTerms, QuotaTerms
from partners.register import PartnerRegister
from partners.usecases import PartnerDesk
from sqlalchemy import text

PAYMENTS = PartnerScope.PAYMENTS
OFTEN_SECONDS = 0.05
ADMINISTRATOR = Caller(
    "service",
    "operator-gateway",
    Operator("partners-1", frozenset({"partner_administrator"}), ("*",)),
)


class Severed:
    """A database whose connection can be cut."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.is_away = False

    @asynccontextmanager
    async def begin(self, scope: Scope) -> AsyncIterator[Tx]:
        if self.is_away:
            raise ConnectionRefusedError
        async with self._db.begin(scope) as tx:
            yield tx


async def add(db: Database, name: str, *scopes: PartnerScope, **limits: Any) -> None:
    """As another process does: this one's register is not told."""
    terms = PartnerTerms(scopes, quota=QuotaTerms(**limits))
    await desk(db).add(new_id(), name, terms, content=b"", caller=ADMINISTRATOR)


async def revoke(db: Database, name: str) -> None:
    await desk(db).revoke(new_id(), name, reason="test", content=b"", caller=ADMINISTRATOR)


def desk(db: Database) -> PartnerDesk:
    async def nothing() -> None: ...

    return PartnerDesk(db, nothing)


def register_of(db: Any, *trial: str) -> PartnerRegister:
    return PartnerRegister(db, refresh_seconds=OFTEN_SECONDS, trial_partners=trial)


def reason(register: PartnerRegister, name: str) -> str:
    try:
        register.require(name, PAYMENTS)
    except Refusal as refusal:
        return refusal.reason
    return ""


async def until(register: PartnerRegister, name: str, wanted: str) -> None:
    async with asyncio.timeout(60):
        while reason(register, name) != wanted:
            await asyncio.sleep(OFTEN_SECONDS / 2)


async def test_changes_are_met_while_the_process_runs_and_rows_kept_while_the_database_is_away(
    db: Database,
) -> None:
    severed = Severed(db)
    register = register_of(severed)
    running = asyncio.ensure_future(register.run())
    await until(register, "bank", "PARTNER_UNKNOWN")
    await add(db, "bank", PAYMENTS, calls=3)
    await until(register, "bank", "")
    assert register.quota_of("partner", "bank") == Quota(calls=3)
    assert register.quota_of("service", "bank") is register.quota_of("partner", "other") is None

    severed.is_away = True
    await revoke(db, "bank")
    await asyncio.sleep(4 * OFTEN_SECONDS)
    assert reason(register, "bank") == "" and not running.done()
    severed.is_away = False
    await until(register, "bank", "PARTNER_REVOKED")
    running.cancel()


async def test_nobody_calls_before_the_partners_were_read(db: Database) -> None:
    severed = Severed(db)
    severed.is_away = True
    register = register_of(severed)
    with pytest.raises(ConnectionRefusedError):
        await register.read_once()
    severed.is_away = False
    await register.read_once()
    assert reason(register, "bank") == "PARTNER_UNKNOWN"


async def test_partners_of_a_trial_are_added_once_and_stay_revoked(db: Database) -> None:
    await register_of(db, "bank", "app").refresh()
    await revoke(db, "bank")
    register = register_of(db, "bank", "app")
    await register.refresh()
    assert (reason(register, "bank"), reason(register, "app")) == ("PARTNER_REVOKED", "")
    async with db.begin(SYSTEM) as tx:
        entries = text(
            "SELECT count(*) FROM audit"
            """ WHERE convert_from(canonical, 'UTF8')::jsonb->>'action' = 'add_partner'"""
        )
        assert await tx.scalar(entries) == 2


async def test_a_scope_of_a_newer_version_opens_nothing(db: Database) -> None:
    await add(db, "bank", PAYMENTS)
    async with db.begin(SYSTEM) as tx:
        await tx.execute(text("UPDATE partners SET scopes = ARRAY['payments', 'everything']"))
    register = register_of(db)
    await register.refresh()
    assert reason(register, "bank") == ""
