"""The roots of the audit log's subtrees, so that proofs need not read every leaf."""

from alembic import op
from audit_log.subtrees import install_nodes
from host.migrations import runtime_role

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    install_nodes(op, runtime_role())
