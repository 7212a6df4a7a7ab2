"""Finds scheduled work that was altered or deleted, and events that were wrongly marked as handled.

Each row of the tables `work` and `inbox` has a code that only the service can compute
(`vault.row_codes`). If anyone else changes the row through a log-in of the database, the code is
wrong. If a row of `work` was deleted, the records that wait for the work show it
(`AuditRules.awaited`).
"""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from chassis.tables import inbox, service_now, work
from chassis.transaction import Tx
from sqlalchemy import Select, select
from vault import row_codes
from vault.keyring import Keyring

from audit_log.records import Check, Checked, faults_of

# No worker leases work for longer: those of earlier releases lease it for a minute.
LEASE_MAX = timedelta(minutes=2)
_IS_HELD = (work.c.done_at.is_(None) & (work.c.leased_until > service_now + LEASE_MAX)).label(
    "is_held"
)


def work_check(keyring: Keyring) -> Check:
    """Return a check that the service scheduled, moved and ended its work itself (WORK_ALTERED),
    and that no work is leased for longer than LEASE_MAX (WORK_HELD)."""

    async def check_work(tx: Tx, after: str, limit: int) -> Checked:
        query = select(work, _IS_HELD).where(work.c.work_id > int(after or 0))
        rows = (await tx.execute(query.order_by(work.c.work_id).limit(limit))).all()
        altered = [row.work_id for row in rows if not row_codes.is_own_work(keyring, row)]
        held = [row.work_id for row in rows if row.is_held]
        faults = faults_of("WORK_ALTERED", "work", altered) + faults_of("WORK_HELD", "work", held)
        return Checked(faults, [], [str(row.work_id) for row in rows])

    return check_work


def inbox_check(keyring: Keyring) -> Check:
    """Return a check that the service itself marked each event as handled (EVENT_NOT_HANDLED)."""

    async def check_inbox(tx: Tx, after: str, limit: int) -> Checked:
        query = select(inbox).order_by(inbox.c.event_id).limit(limit)
        if after:
            query = query.where(inbox.c.event_id > UUID(after))
        rows = (await tx.execute(query)).all()
        false = [
            row.event_id
            for row in rows
            if (row.mac is not None or row.needs_mac)
            and row.mac != row_codes.of_handled(keyring, row.event_id, row.subject)
        ]
        faults = faults_of("EVENT_NOT_HANDLED", "event", false)
        return Checked(faults, [], [str(row.event_id) for row in rows])

    return check_inbox


def awaited_check(awaited: Mapping[str, Select[tuple[str]]]) -> Check:
    """Return a check that work is scheduled for each record that waits for it (WORK_MISSING).

    `awaited` selects, by kind of work, the keys of the work that records wait for. At most `limit`
    faults of a kind are reported; there are no further pages.
    """

    async def check_awaited(tx: Tx, after: str, limit: int) -> Checked:
        missing: list[str] = []
        for kind, keys in awaited.items():
            waiting = keys.subquery()
            [key] = waiting.c
            scheduled = select(work.c.work_id).where(
                work.c.kind == kind, work.c.key == key, work.c.done_at.is_(None)
            )
            query = select(key).where(~scheduled.exists()).limit(limit)
            missing += (f"{kind}:{key}" for key in (await tx.execute(query)).scalars())
        return Checked(faults_of("WORK_MISSING", "work", missing))

    return check_awaited
