"""Several channels: which one has a notice, what each has carried, and how each fares."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("notices") as notices:
        notices.add_column(sa.Column("via", sa.String, nullable=False, server_default=""))
        notices.add_column(sa.Column("via_ms", sa.BigInteger, nullable=False, server_default="0"))
        notices.add_column(sa.Column("via_tries", sa.Integer, nullable=False, server_default="0"))
        notices.add_column(sa.Column("refused_by", sa.JSON, nullable=False, server_default="[]"))
        notices.create_index("notices_by_via", ["state", "via", "next_try_ms"])
    with op.batch_alter_table("sendings") as sendings:
        sendings.add_column(sa.Column("via", sa.String, nullable=False, server_default=""))
        sendings.add_column(sa.Column("provider_id", sa.String))
        sendings.create_index("sendings_by_provider", ["provider_id"])
    op.create_table(
        "usage",
        sa.Column("month", sa.String, primary_key=True),
        sa.Column("organisation", sa.String, primary_key=True),
        sa.Column("via", sa.String, primary_key=True),
        sa.Column("messages", sa.Integer, nullable=False),
        sa.Column("parts", sa.Integer, nullable=False),
    )
    op.create_table(
        "channels",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("ok_ms", sa.BigInteger),
        sa.Column("failing_ms", sa.BigInteger),
        sa.Column("error", sa.String, nullable=False),
        sa.Column("asked_ms", sa.BigInteger),
    )
