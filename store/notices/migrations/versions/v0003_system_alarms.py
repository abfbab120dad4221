"""Alarms of the system itself: which ones people know of."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "system_alarms",
        sa.Column("code", sa.String, primary_key=True),
        sa.Column("about", sa.String, primary_key=True),
        sa.Column("since_ms", sa.BigInteger, nullable=False),
        sa.Column("told_ms", sa.BigInteger, nullable=False),
        sa.Column("gone_ms", sa.BigInteger),
    )
