"""What papers say of a probe, and the readings taken beside it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "probe_papers",
        sa.Column(
            "m", sa.Integer, sa.ForeignKey("changes.m"), primary_key=True, autoincrement=False
        ),
        sa.Column("probe", sa.String, nullable=False),
        sa.Column("from_ms", sa.BigInteger, nullable=False),
        sa.Column("serial", sa.String, nullable=False),
        sa.Column("certificate", sa.String, nullable=False),
        sa.Column("due_on", sa.String),
        sa.Column("offset_c", sa.String, nullable=False),
        sa.Column("lag_s", sa.Integer, nullable=False),
    )
    op.create_index("papers_of_probe", "probe_papers", ["probe", "from_ms"])
    op.create_table(
        "probe_checks",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("probe", sa.String, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("shown", sa.Integer, nullable=False),
        sa.Column("reference", sa.Integer, nullable=False),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("recorded_at_ms", sa.BigInteger, nullable=False),
        sa.Column("m", sa.Integer, sa.ForeignKey("changes.m"), nullable=False),
    )
    op.create_index("checks_of_probe", "probe_checks", ["probe", "at_ms"])
