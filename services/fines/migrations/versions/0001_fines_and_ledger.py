"""Fines, payments and the ledger.

Entries and payments can be added and read, never changed: the runtime role has no other right. When
a transaction commits, a deferred trigger compares the receivable of every fine it touched with the
state of that fine.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, IS_OPERATOR, IS_PARTNER, grant, install_v1, protect_rows

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A bank sees the fines of the one key that it named in this transaction, and no others.
BY_EXACT_KEY = (
    "(current_setting('app.kind', true) = 'partner' AND current_setting('app.lookup', true) IN ("
    "'number:' || number, 'owner:' || encode(owner_index, 'hex'),"
    " 'plate:' || encode(plate_index, 'hex')))"
)
BY_NUMBER = (
    "(current_setting('app.kind', true) = 'partner'"
    " AND current_setting('app.lookup', true) = 'number:' || number)"
)
OPERATOR_OF_REGION = f"({IS_OPERATOR} AND {IN_REGION})"


def upgrade() -> None:
    role = runtime_role()
    install_v1(op, role)
    op.execute(FINES)
    op.execute("CREATE INDEX fines_owner ON fines (owner_index, issued_at DESC, number DESC)")
    op.execute("CREATE INDEX fines_plate ON fines (plate_index, issued_at DESC, number DESC)")
    op.execute("CREATE INDEX fines_listed ON fines (region, confirmed_at DESC, number DESC)")
    op.execute("CREATE INDEX fines_state ON fines (state, confirmed_at DESC, number DESC)")
    op.execute(ENTRIES)
    op.execute("CREATE INDEX entries_number ON entries (number, position)")
    op.execute("CREATE INDEX entries_posted ON entries (posted_at)")
    op.execute(PAYMENTS)
    grant(op, "fines", "SELECT, INSERT, UPDATE", role)
    grant(op, "entries", "SELECT, INSERT", role)
    grant(op, "payments", "SELECT, INSERT", role)
    protect_rows(op, "fines", visible=f"{OPERATOR_OF_REGION} OR {BY_EXACT_KEY}")
    protect_rows(op, "entries", visible=f"{OPERATOR_OF_REGION} OR {BY_NUMBER}")
    protect_rows(op, "payments", visible=f"{OPERATOR_OF_REGION} OR {IS_PARTNER}")
    op.execute(BALANCE)
    op.execute(f'GRANT EXECUTE ON FUNCTION check_receivable() TO "{role}"')
    for table in ("fines", "entries"):
        op.execute(
            f"CREATE CONSTRAINT TRIGGER {table}_balance AFTER INSERT OR UPDATE ON {table}"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_receivable()"
        )


def downgrade() -> None:
    raise NotImplementedError("the ledger is not taken down")


FINES = """
CREATE TABLE fines (
    number text PRIMARY KEY,
    violation_id text NOT NULL UNIQUE,
    report_id text NOT NULL,
    region text NOT NULL,
    story text NOT NULL,
    offence_code text NOT NULL,
    occurred_at timestamptz NOT NULL,
    confirmed_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('awaiting', 'issued', 'delivered', 'paid', 'cancelled',
        'appealed', 'in_force', 'overdue')),
    version bigint NOT NULL,
    hold_reason text NOT NULL,
    article text NOT NULL,
    amount_minor bigint CHECK (amount_minor > 0),
    discounted_minor bigint CHECK (discounted_minor > 0 AND discounted_minor <= amount_minor),
    base_value_minor bigint,
    base_values integer,
    tariff_version text,
    issued_at timestamptz,
    owner_key_id uuid,
    owner_index bytea,
    plate_index bytea,
    particulars bytea,
    delivered_at timestamptz,
    delivered_on date,
    discount_until date,
    considered_on date,
    appeal_until date,
    in_force_on date,
    voluntary_until date,
    enforcement_by date,
    day_count text,
    calendar_version text,
    cancel_key_id uuid,
    cancel_reason bytea,
    CHECK (state IN ('awaiting', 'cancelled') OR (amount_minor IS NOT NULL
        AND issued_at IS NOT NULL AND particulars IS NOT NULL AND owner_index IS NOT NULL)),
    CHECK (state IN ('awaiting', 'cancelled', 'issued') OR delivered_on IS NOT NULL)
)
"""

ENTRIES = """
CREATE TABLE entries (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_id uuid NOT NULL UNIQUE,
    number text NOT NULL REFERENCES fines (number),
    region text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('issue', 'payment', 'discount', 'cancellation', 'refund')),
    debit_account text NOT NULL,
    credit_account text NOT NULL CHECK (credit_account <> debit_account),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    posted_at timestamptz NOT NULL,
    reverses uuid UNIQUE REFERENCES entries (entry_id)
)
"""

PAYMENTS = """
CREATE TABLE payments (
    partner text NOT NULL,
    payment_id uuid NOT NULL,
    number text NOT NULL UNIQUE REFERENCES fines (number),
    region text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    bank_reference text NOT NULL,
    value_date date NOT NULL,
    posted_at timestamptz NOT NULL,
    entry_id uuid NOT NULL UNIQUE REFERENCES entries (entry_id),
    PRIMARY KEY (partner, payment_id),
    UNIQUE (partner, bank_reference)
)
"""

# Sums under the row security of whoever commits: rows it cannot see would only make it refuse.
BALANCE = """
CREATE FUNCTION check_receivable() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    account text := 'receivable:' || NEW.number;
    held bigint;
    owed bigint;
BEGIN
    SELECT coalesce(sum(CASE WHEN debit_account = account THEN amount_minor ELSE 0 END)
            - sum(CASE WHEN credit_account = account THEN amount_minor ELSE 0 END), 0)
        INTO held FROM entries WHERE number = NEW.number;
    SELECT CASE WHEN state IN ('issued', 'delivered', 'appealed', 'in_force', 'overdue')
            THEN amount_minor ELSE 0 END
        INTO owed FROM fines WHERE number = NEW.number;
    IF held IS DISTINCT FROM owed THEN
        RAISE EXCEPTION 'ledger does not balance: receivable %, owed %', held, owed
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""
