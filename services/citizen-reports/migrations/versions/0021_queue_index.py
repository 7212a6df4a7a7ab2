"""Indexes for the queue, the board and the figures of units, among all reports of many years."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The statuses of `model.statuses.QUEUE`, as they are now.
    op.execute(
        "CREATE INDEX reports_in_queue ON reports (region, category) WHERE status IN"
        " ('registered', 'routed', 'in_work', 'waits_for_reporter', 'disputed')"
    )
    op.execute("CREATE INDEX reports_registered ON reports (region, registered_at)")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
