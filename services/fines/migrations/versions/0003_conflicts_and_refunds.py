"""What one fine holds against another, and what became of payments.

`evidence` names every frame that a fine was issued on: no frame carries a second one. Fines issued
before are entered by the work `record_evidence`, which opens what is sealed. `refunds` says of a
payment when it was given back and why, where its bank can see it.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, IS_OPERATOR, IS_PARTNER, IS_SERVICE, grant, protect_rows

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    role = runtime_role()
    # Row security holds the owner too: what is there already is seen by the system alone.
    op.execute("SELECT set_config('app.kind', 'system', true)")
    op.execute("ALTER TABLE fines ADD COLUMN conflicts text[] NOT NULL DEFAULT '{}'")
    op.execute("CREATE INDEX fines_passages ON fines (plate_index, occurred_at)")
    op.execute(
        "CREATE INDEX fines_held ON fines (region, confirmed_at DESC, number DESC)"
        " WHERE hold_reason <> ''"
    )
    op.execute(EVIDENCE)
    grant(op, "evidence", "SELECT, INSERT", role)
    protect_rows(op, "evidence", visible="false")
    op.execute(REFUNDS)
    op.execute(REFUNDS_SO_FAR)
    grant(op, "refunds", "SELECT, INSERT", role)
    protect_rows(op, "refunds", visible=f"({IS_OPERATOR} AND {IN_REGION}) OR {IS_PARTNER}")
    op.execute(
        "CREATE INDEX payments_listed ON payments (partner, posted_at DESC, payment_id DESC)"
    )
    op.execute(EVIDENCE_SO_FAR)
    op.execute(
        f"CREATE POLICY fines_command_line ON fines FOR SELECT USING ({IS_SERVICE}"
        " AND current_setting('app.name', true) = 'tartip-cli')"
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is not taken down")


EVIDENCE = """
CREATE TABLE evidence (
    sha256 text PRIMARY KEY,
    number text NOT NULL REFERENCES fines (number)
)
"""

REFUNDS = """
CREATE TABLE refunds (
    partner text NOT NULL,
    payment_id uuid NOT NULL,
    region text NOT NULL,
    refund_id uuid NOT NULL UNIQUE REFERENCES entries (entry_id),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    refunded_at timestamptz NOT NULL,
    reason text NOT NULL CHECK (reason IN ('VIOLATION_ANNULLED', 'FINE_CANCELLED')),
    PRIMARY KEY (partner, payment_id),
    FOREIGN KEY (partner, payment_id) REFERENCES payments (partner, payment_id)
)
"""

# The cause was not kept beside the entry: that the fine was cancelled is true of all of them.
REFUNDS_SO_FAR = """
INSERT INTO refunds
SELECT p.partner, p.payment_id, p.region, e.entry_id, e.amount_minor, e.posted_at, 'FINE_CANCELLED'
FROM entries AS e JOIN payments AS p ON p.entry_id = e.reverses
WHERE e.kind = 'refund'
"""

EVIDENCE_SO_FAR = """
INSERT INTO work (kind, key, due_at, traceparent, story)
SELECT 'record_evidence', number, issued_at, '', story FROM fines WHERE particulars IS NOT NULL
"""
