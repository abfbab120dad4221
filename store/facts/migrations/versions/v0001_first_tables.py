"""The first tables: versions of facts, pauses, flags, rooms judged, arrivals of series, cases."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text(name: str, *, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String, primary_key=key, nullable=False)


def _ms(name: str, *, key: bool = False, null: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=null)


def upgrade() -> None:
    op.create_table(
        "facts",
        sa.Column("seq", sa.Integer, primary_key=True),
        _text("id"),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("newest", sa.Boolean, nullable=False),
        _text("room"),
        _text("code"),
        _text("level"),
        _ms("began_ms"),
        _ms("fired_ms"),
        _ms("cleared_ms", null=True),
        sa.Column("peak", sa.Integer),
        _ms("excess"),
        _ms("unknown_ms"),
        _text("rule"),
        sa.Column("withdrawn", sa.Boolean, nullable=False),
        _ms("n"),
        _ms("m"),
        _text("core"),
        sqlite_autoincrement=True,  # a follower's cursor must never see a number again
    )
    op.create_index("facts_by_id", "facts", ["id", "version"], unique=True)
    op.create_index("facts_by_room", "facts", ["room", "newest", "fired_ms"])
    op.create_table(
        "pauses",
        _text("room", key=True),
        _ms("from_ms", key=True),
        _text("cause", key=True),
        sa.Column("nth", sa.Integer, primary_key=True),
        _ms("to_ms", null=True),
    )
    op.create_table(
        "flags",
        _text("room", key=True),
        _ms("at_ms", key=True),
        _text("probe", key=True),
        _text("quantity", key=True),
        _text("reason", key=True),
    )
    op.create_table(
        "rooms",
        _text("room", key=True),
        _ms("n"),
        _ms("m"),
        _ms("horizon_ms"),
        sa.Column("checkpoints", sa.LargeBinary, nullable=False),
    )
    op.create_table("arrived", _text("probe", key=True), _text("quantity", key=True), _ms("at_ms"))
    op.create_table(
        "cursor",
        sa.Column("one", sa.Integer, primary_key=True),
        _text("readings_store"),
        _text("records_store"),
        _ms("n"),
        _ms("m"),
    )
    op.create_table(
        "cases",
        _text("fact", key=True),
        _text("room"),
        _text("code"),
        _ms("opened_ms"),
        sa.Column("withdrawn", sa.Boolean, nullable=False),
    )
