"""An index of frames by their evidence: what a frame needs is not erased."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX frames_evidence ON frames (evidence_sha256) WHERE evidence_sha256 IS NOT NULL"
    )


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
