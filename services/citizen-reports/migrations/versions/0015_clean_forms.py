"""Clean forms of files, when and where files were taken, why files were refused, and which files
the app took back.

A process of the release before knows none of this: a file that it stores meanwhile gets its shown
form from the evidence store, as before.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import IS_OPERATOR, IS_PARTNER, grant, has_role, protect_rows

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# As of `reporters`: who may see who reported.
MAY_KNOW = (
    f"{has_role('dispatcher')} OR {has_role('supervisor')} OR {has_role('internal_security')}"
)


def upgrade() -> None:
    runtime = runtime_role()
    op.execute(
        "ALTER TABLE media ADD COLUMN refused_reason text NOT NULL DEFAULT '',"
        " ADD COLUMN clean_sha256 text NOT NULL DEFAULT '',"
        " ADD COLUMN clean_bytes integer NOT NULL DEFAULT 0,"
        " ADD COLUMN clean_type text NOT NULL DEFAULT ''"
    )
    op.execute("SELECT set_config('app.kind', 'system', true)")
    op.execute("UPDATE media SET refused_reason = 'MEDIA_NOT_A_PICTURE' WHERE state = 'refused'")
    op.execute("SELECT set_config('app.kind', '', true)")
    op.execute(
        """
        CREATE TABLE clean_chunks (
            report_id uuid NOT NULL,
            media_id uuid NOT NULL,
            start integer NOT NULL,
            sealed bytea NOT NULL,
            PRIMARY KEY (report_id, media_id, start),
            -- The release before deletes drafts without knowing of this table.
            FOREIGN KEY (report_id, media_id) REFERENCES media ON DELETE CASCADE
        )
        """
    )
    op.execute("ALTER TABLE clean_chunks ALTER COLUMN sealed SET STORAGE EXTERNAL")
    grant(op, "clean_chunks", "SELECT, INSERT, DELETE", runtime)
    protect_rows(op, "clean_chunks", visible=_report_of("clean_chunks"))
    op.execute(
        """
        CREATE TABLE media_taken (
            report_id uuid NOT NULL,
            media_id uuid NOT NULL,
            partner text NOT NULL,
            sealed bytea NOT NULL,
            PRIMARY KEY (report_id, media_id),
            FOREIGN KEY (report_id, media_id) REFERENCES media ON DELETE CASCADE
        )
        """
    )
    grant(op, "media_taken", "SELECT, INSERT, DELETE", runtime)
    is_for_reader = f"({IS_OPERATOR} AND ({MAY_KNOW}) AND {_report_of('media_taken')})"
    protect_rows(op, "media_taken", visible=f"{IS_PARTNER} OR {is_for_reader}")
    op.execute(
        """
        CREATE TABLE dropped_media (
            report_id uuid NOT NULL REFERENCES reports ON DELETE CASCADE,
            media_id uuid NOT NULL,
            PRIMARY KEY (report_id, media_id)
        )
        """
    )
    grant(op, "dropped_media", "SELECT, INSERT, DELETE", runtime)
    protect_rows(op, "dropped_media", visible=_report_of("dropped_media"))


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")


def _report_of(table: str) -> str:
    return f"EXISTS (SELECT FROM reports WHERE reports.report_id = {table}.report_id)"
