"""The first tables: cursor, events and stays, what is due, exposures, certificates."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.String, nullable=False)


def _whole(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False)


def _key(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.String, primary_key=True)


def _whole_key(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, primary_key=True, autoincrement=False)


def upgrade() -> None:
    op.create_table(
        "cursor",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        _text("readings_store"),
        _whole("n"),
        _text("records_store"),
        _whole("m"),
    )
    op.create_table(
        "events",
        _whole_key("m"),
        _text("event_id"),
        _whole("record_time_ms"),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table("objects", _key("object"), _whole_key("m"))
    op.create_index("objects_of_event", "objects", ["m"])
    op.create_table(
        "stays",
        _key("object"),
        _whole_key("from_ms"),
        _key("room"),
        sa.Column("to_ms", sa.BigInteger),
        _text("came_by"),
        sa.Column("left_by", sa.String),
    )
    op.create_index("stays_in_room", "stays", ["room", "from_ms"])
    op.create_table("misfits", _key("event_id"), _key("object"), _key("reason"))
    op.create_table(
        "due",
        _key("lot"),
        _whole("since_ms"),
        _whole("not_before_ms"),
        _whole("n"),
        _whole("m"),
    )
    op.create_table(
        "exposures",
        _key("lot"),
        _text("code"),
        _whole("made_at_ms"),
        _whole("until_ms"),
        sa.Column("open", sa.Boolean, nullable=False),
        _text("verdict"),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("ix_exposures_code", "exposures", ["code"])
    op.create_table(
        "certificates",
        _key("lot"),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        _whole("issued_at_ms"),
        _whole("until_ms"),
        _text("verdict"),
        _text("because"),
        _text("content_sha256"),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
    )
