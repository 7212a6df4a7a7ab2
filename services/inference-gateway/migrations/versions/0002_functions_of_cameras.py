"""functions_of_cameras: being written."""

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    del op, runtime_role, IN_REGION, grant, protect_rows
