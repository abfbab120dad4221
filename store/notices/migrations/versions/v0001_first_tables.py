"""The first tables: ladder states, notices and their send log, incidents, replies, links."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text(name: str, *, key: bool = False, null: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String, primary_key=key, nullable=null)


def _whole(name: str, *, key: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer, primary_key=key, nullable=False)


def _ms(name: str, *, null: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=null)


def _json(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.JSON, nullable=False)


def upgrade() -> None:
    op.create_table("about", _text("key", key=True), _text("value"))
    op.create_table(
        "states", _text("room", key=True), sa.Column("state", sa.LargeBinary, nullable=False)
    )
    op.create_table(
        "notices",
        _whole("seq", key=True),
        sa.Column("key", sa.String, nullable=False, unique=True),
        _ms("at_ms"),
        _text("person"),
        _text("phone"),
        _text("channel"),
        _text("kind"),
        _json("codes"),
        _text("room"),
        _whole("incident"),
        _text("code"),
        _text("text"),
        _json("facts"),
        sa.Column("body", sa.LargeBinary, nullable=False),
        _text("state"),
        _whole("attempts"),
        _ms("next_try_ms"),
        _text("provider_id", null=True),
        _ms("sent_ms", null=True),
    )
    op.create_index("notices_waiting", "notices", ["state", "next_try_ms"])
    op.create_index("notices_by_room", "notices", ["room", "seq"])
    op.create_index("notices_by_provider", "notices", ["provider_id"])
    op.create_table(
        "sendings",
        _whole("seq", key=True),
        _text("key"),
        _ms("at_ms"),
        _text("outcome"),
        _text("detail"),
    )
    op.create_index("sendings_by_key", "sendings", ["key"])
    op.create_table(
        "incidents",
        _text("room", key=True),
        _whole("number", key=True),
        _text("code"),
        _ms("opened_ms"),
        _ms("closed_ms", null=True),
    )
    op.create_index("incidents_by_code", "incidents", ["code"])
    op.create_table(
        "replies",
        _text("provider_id", key=True),
        _whole("seq"),
        _text("phone"),
        _text("text"),
        _ms("at_ms"),
        _text("understood"),
        _text("person"),
        _text("room"),
        _json("detail"),
        sa.Column("owed", sa.Boolean, nullable=False),
        _ms("next_try_ms"),
        _whole("attempts"),
    )
    op.create_index("replies_owed", "replies", ["owed", "next_try_ms"])
    op.create_table(
        "links",
        _text("probe", key=True),
        _text("quantity", key=True),
        _text("room"),
        _ms("since_ms"),
        _text("level"),
    )
