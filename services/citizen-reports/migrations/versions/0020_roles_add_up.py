"""Roles add up and give nothing more: who sees a report as an inspector does not see who reported
it because he has the role internal_security too, which shows him reporters of complaints alone.
"""

from alembic import op
from host.schema import IS_OPERATOR, IS_PARTNER, IS_SYSTEM, has_role

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TABLES = ("reporters", "media_taken")


def upgrade() -> None:
    for table in TABLES:
        visible = f"{IS_SYSTEM} OR {IS_PARTNER} OR ({IS_OPERATOR} AND {_may_know(table)})"
        op.execute(
            f"ALTER POLICY {table}_scope ON {table} USING ({visible}) WITH CHECK ({visible})"
        )


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")


def _may_know(table: str) -> str:
    """Whether the operator may see who reported, which the report's own policy narrows further."""
    of_the_desk = f"{has_role('dispatcher')} OR {has_role('supervisor')}"
    return (
        f"EXISTS (SELECT FROM reports WHERE reports.report_id = {table}.report_id"
        f" AND CASE WHEN complaint THEN {has_role('internal_security')} ELSE {of_the_desk} END)"
    )
