"""An older data folder: what was paid, refunded and issued before is in the new tables."""

import asyncio
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import fines
from alembic import command
from alembic.config import Config
from partners.model import PartnerScope
from tartip_testing.mesh import RunningTestMesh

FOLDER = Path(fines.__file__).parents[2] / "migrations"
SCHEMA = "fines_before"
PAID, AWAITING = "100000000000009", "200000000000008"
ROWS = """
SELECT set_config('app.kind', 'system', false);
INSERT INTO fines (number, violation_id, report_id, region, story, offence_code, occurred_at,
    confirmed_at, state, version, hold_reason, article, amount_minor, discounted_minor, issued_at,
    particulars, owner_index, delivered_on)
VALUES ('100000000000009', 'v1', '', 'KZ-75', repeat('0', 32), 'RED_LIGHT', now(), now(),
    'cancelled', 5, '', '599(1)', 200, 100, now(), 'x', 'o', '2026-06-03'),
    ('200000000000008', 'v2', '', 'KZ-75', repeat('0', 32), 'RED_LIGHT', now(), now(),
    'awaiting', 0, 'OWNER_NOT_FOUND', '', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO entries (entry_id, number, region, kind, debit_account, credit_account, amount_minor,
    posted_at, reverses)
SELECT ('00000000-0000-7000-8000-00000000000' || place)::uuid, '100000000000009', 'KZ-75', kind,
    debit, credit, amount, '2026-06-09T12:00:00Z',
    ('00000000-0000-7000-8000-00000000000' || reverses)::uuid
FROM (VALUES (1, 'issue', 'receivable:100000000000009', 'treasury:KZ-75', 200, NULL),
    (2, 'payment', 'clearing:kaspi', 'receivable:100000000000009', 100, NULL),
    (3, 'discount', 'discounts', 'receivable:100000000000009', 100, NULL),
    (4, 'discount', 'receivable:100000000000009', 'discounts', 100, 3),
    (5, 'refund', 'receivable:100000000000009', 'clearing:kaspi', 100, 2),
    (6, 'cancellation', 'cancellations', 'receivable:100000000000009', 200, 1))
    AS posted (place, kind, debit, credit, amount, reverses);
INSERT INTO payments VALUES ('kaspi', '00000000-0000-7000-8000-0000000000aa', '100000000000009',
    'KZ-75', 100, 'RRN123456', '2026-06-05', '2026-06-05T12:00:00Z',
    '00000000-0000-7000-8000-000000000002');
INSERT INTO requests (caller, request_id, fingerprint) VALUES
    ('partner/kaspi', '00000000-0000-7000-8000-0000000000aa', 'x'),
    ('partner/halyk', '00000000-0000-7000-8000-0000000000bb', 'x'),
    ('operator/finance-1', '00000000-0000-7000-8000-0000000000cc', 'x');
INSERT INTO audit (entry_id, canonical) VALUES
    ('00000000-0000-7000-8000-0000000000dd', '{"action":"read","actor":"partner/eurasian"}'),
    ('00000000-0000-7000-8000-0000000000ee', '{"action":"read","actor":"operator/finance-1"}');
"""
SEEN_PARTNERS = "SELECT * FROM partners ORDER BY name"


async def test_a_data_folder_from_before_brings_its_refunds_and_frames_along(
    engines: RunningTestMesh, database: Any
) -> None:
    owner = await a_schema_of_its_own(engines, database)
    await asyncio.to_thread(command.upgrade, configured(owner), "0001")
    connection = await asyncpg.connect(owner)  # as its owner, whom row security holds too
    await connection.execute(f"SET search_path = {SCHEMA}")
    await connection.execute(ROWS)
    await asyncio.to_thread(command.upgrade, configured(owner), "head")
    refund = await connection.fetchrow("SELECT * FROM refunds")
    entry = await connection.fetchrow("SELECT * FROM entries WHERE kind = 'refund'")
    assert (refund["partner"], refund["refund_id"]) == ("kaspi", entry["entry_id"])
    assert (refund["amount_minor"], refund["refunded_at"]) == (100, entry["posted_at"])
    assert refund["reason"] == "FINE_CANCELLED"
    partners = await connection.fetch(SEEN_PARTNERS)
    assert [row["name"] for row in partners] == ["eurasian", "halyk", "kaspi"]
    assert {row["changed_by"] for row in partners} == {"system/migration"}
    assert all(set(row["scopes"]) == set(PartnerScope) and not row["kinds"] for row in partners)
    work = await connection.fetch("SELECT key FROM work WHERE kind = 'record_evidence'")
    assert [row["key"] for row in work] == [PAID]
    held = await connection.fetchrow("SELECT * FROM fines WHERE number = $1", AWAITING)
    assert (held["hold_reason"], held["conflicts"]) == ("OWNER_NOT_FOUND", [])
    await connection.close()


async def a_schema_of_its_own(engines: RunningTestMesh, database: Any) -> str:
    """The schema's address for its owner, who is not a superuser."""
    parts, password = urlsplit(engines.database.url), secrets.token_hex(16)
    await database.execute(
        f"CREATE ROLE {SCHEMA}_runtime; CREATE ROLE {SCHEMA}_work; CREATE ROLE {SCHEMA}_seal;"
        f"CREATE ROLE {SCHEMA}_owner LOGIN PASSWORD '{password}';"
        f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {SCHEMA}_owner;"
        f'GRANT CONNECT ON DATABASE "{parts.path[1:]}" TO {SCHEMA}_owner'
    )
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{SCHEMA}_owner:{password}@{host}"))


def configured(owner_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes.update(owner_url=owner_url, schema=SCHEMA)
    return config
