"""Two clocks of a report, response and answer; who handled it and with which outcome.

All columns are empty in reports of before, so that their hashes in the audit log stay valid.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

COLUMNS = (
    "response_due_at timestamptz",
    "response_rule text",
    "response_ended_at timestamptz",
    "arrived_at timestamptz",
    "response_step integer",
    "position text",
    "taken_at timestamptz",
    "answered_by text",
    "closing_outcome text",
    "extended_at timestamptz",
    "questions integer",
    "reminders integer",
    "waits_until timestamptz",
    "waited_seconds bigint",
    "warned_number integer",
)


def upgrade() -> None:
    op.execute(f"ALTER TABLE reports {', '.join(f'ADD COLUMN {each}' for each in COLUMNS)}")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
