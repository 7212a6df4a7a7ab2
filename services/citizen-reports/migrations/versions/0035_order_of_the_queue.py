"""Indexes in the order of the queue: its first page reads the reports that it shows, however many
wait. Later ones pass over those before them: under row-level security PostgreSQL looks nothing up
by an expression that calls functions.

The expressions are those of `storage.queue` as they are now. If they change there, pages stay right
and become slow, which `test_many_reports` shows.
"""

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_BEFORE_ANSWER = "status IN ('disputed', 'in_work', 'registered', 'routed')"
_OPEN = "status IN ('disputed', 'in_work', 'registered', 'routed', 'waits_for_reporter')"
_RANK = (
    "CASE WHEN ((category IN ('domestic_violence', 'incident_with_child', 'road_accident')"
    f" OR urgency IN ('confirmed', 'proposed')) AND {_OPEN} AND arrived_at IS NULL)"
    " THEN 0 ELSE 1 END"
)
_DUE_AT = (
    f"least(CASE WHEN ({_BEFORE_ANSWER}) THEN due_at END,"
    f" CASE WHEN ({_OPEN} AND response_ended_at IS NULL) THEN response_due_at END)"
)
_LOOK_AT = (
    "CASE WHEN (urgency IN ('proposed')) THEN"
    " timezone('UTC', timezone('UTC', registered_at) + interval '300 seconds') END"
)
_PLACE = f"({_RANK}), (coalesce(least({_DUE_AT}, {_LOOK_AT}), timestamptz 'infinity')), report_id"


def upgrade() -> None:
    waiting = f"WHERE {_OPEN} AND parent IS NULL"
    op.execute(f"CREATE INDEX reports_by_region_and_place ON reports (region, {_PLACE}) {waiting}")
    # For those who see several regions.
    op.execute(f"CREATE INDEX reports_by_place ON reports ({_PLACE}) {waiting}")
    # For the look for duplicates (`storage.nearby`), which reads a few of the many at one crossing.
    op.execute("CREATE INDEX reports_at_place ON reports (cell, category, region, registered_at)")
    op.execute("DROP INDEX reports_cell")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
