"""Duties by the clock, days that count as others, silences, drills, texts that were stopped."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _m() -> "sa.Column[int]":
    return sa.Column("m", sa.Integer, sa.ForeignKey("changes.m"), nullable=False)


def _text(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.String, nullable=False)


def _ms(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False)


def _key(name: str = "id") -> "sa.Column[str]":
    return sa.Column(name, sa.String, primary_key=True)


def upgrade() -> None:
    op.add_column("duties", sa.Column("shifts", sa.JSON, nullable=False, server_default="[]"))
    op.create_table("calendar", _key("day"), _text("counts_as"), _text("name"), _m())
    op.create_table(
        "texts_stopped",
        sa.Column("person", sa.String, sa.ForeignKey("people.id"), primary_key=True),
        _ms("at_ms"),
        _m(),
    )
    op.create_table(
        "silences",
        _key(),
        sa.Column("room", sa.String, sa.ForeignKey("rooms.id"), nullable=False),
        _text("code"),
        _text("reason"),
        _ms("from_ms"),
        _ms("to_ms"),
        _text("by"),
        _m(),
    )
    op.create_index("silences_by_end", "silences", ["to_ms"])
    op.create_table(
        "drills",
        _key(),
        sa.Column("site", sa.String, sa.ForeignKey("sites.id"), nullable=False),
        _ms("started_ms"),
        _text("started_by"),
        sa.Column("answered_ms", sa.BigInteger),
        _text("answered_by"),
        _text("channel"),
        _m(),
    )
    op.create_index("drills_by_start", "drills", ["started_ms"])
    op.create_table(
        "drill_plan",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("minute", sa.Integer, nullable=False),
        _m(),
    )
