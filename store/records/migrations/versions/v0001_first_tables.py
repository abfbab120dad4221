"""The first tables: places, probes' rooms, rules, actions, people, lots, events, cases."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _m() -> "sa.Column[int]":
    return sa.Column("m", sa.Integer, sa.ForeignKey("changes.m"), nullable=False)


def _m_key() -> "sa.Column[int]":
    return sa.Column(
        "m", sa.Integer, sa.ForeignKey("changes.m"), primary_key=True, autoincrement=False
    )


def _text(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.String, nullable=False)


def _ms(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False)


def _room() -> "sa.Column[str]":
    return sa.Column("room", sa.String, sa.ForeignKey("rooms.id"), nullable=False)


def _key(name: str = "id") -> "sa.Column[str]":
    return sa.Column(name, sa.String, primary_key=True)


def upgrade() -> None:
    about = op.create_table("about", _key("key"), _text("value"))
    op.bulk_insert(about, [{"key": "store_id", "value": secrets.token_hex(8)}])
    op.create_table(
        "changes",
        sa.Column("m", sa.Integer, primary_key=True, autoincrement=False),
        _text("kind"),
        sa.Column("rooms", sa.JSON, nullable=False),
        _ms("from_ms"),
        _ms("recorded_at_ms"),
        _text("by"),
        _text("subject"),
    )
    op.create_table(
        "regions",
        _key(),
        sa.Column("parent", sa.String, sa.ForeignKey("regions.id")),
        _text("kind"),
        _text("name_zh"),
        _text("name_en"),
        _m(),
    )
    op.create_table(
        "sites",
        _key(),
        sa.Column("region", sa.String, sa.ForeignKey("regions.id"), nullable=False),
        _text("kind"),
        _text("name_zh"),
        _text("name_en"),
        sa.Column("gateway", sa.String),
        sa.Column("lat", sa.Float),
        sa.Column("lon", sa.Float),
        _m(),
    )
    op.create_table(
        "rooms",
        _key(),
        sa.Column("site", sa.String, sa.ForeignKey("sites.id"), nullable=False),
        _text("kind"),
        _text("name_zh"),
        _text("name_en"),
        _text("operator"),
        _text("owner"),
        _m(),
    )
    op.create_table(
        "assignments",
        _m_key(),
        _text("probe"),
        _room(),
        _ms("from_ms"),
        sa.Column("to_ms", sa.BigInteger),
        sa.Column("ended_by_m", sa.Integer, sa.ForeignKey("changes.m")),
    )
    op.create_index("assignments_of_probe", "assignments", ["probe", "from_ms"])
    op.create_index("assignments_of_room", "assignments", ["room", "from_ms"])
    op.create_table(
        "rules",
        _m_key(),
        _room(),
        _ms("from_ms"),
        _text("profile"),
        sa.Column("commodities", sa.JSON, nullable=False),
        sa.Column("interval_s", sa.Integer, nullable=False),
        sa.Column("overrides", sa.JSON, nullable=False),
        _ms("recorded_at_ms"),
        _text("by"),
    )
    op.create_index("rules_of_room", "rules", ["room", "from_ms"])
    op.create_table(
        "actions",
        _key(),
        _room(),
        _text("kind"),
        _ms("at_ms"),
        _text("by"),
        _ms("recorded_at_ms"),
        sa.Column("detail", sa.JSON, nullable=False),
        _m(),
    )
    op.create_index("actions_of_room", "actions", ["room", "at_ms", "m"])
    op.create_table(
        "people",
        _key(),
        _text("name"),
        _text("phone"),
        _text("lang"),
        sa.Column("quiet_hours", sa.Boolean, nullable=False),
        _m(),
    )
    op.create_table(
        "duties",
        _m(),
        sa.Column("person", sa.String, sa.ForeignKey("people.id"), primary_key=True),
        _key("role"),
        _key("scope_kind"),
        _key("scope"),
    )
    op.create_table(
        "lots",
        _key(),
        sa.Column("code", sa.String, nullable=False, unique=True),
        _text("commodity"),
        _text("name_zh"),
        _text("name_en"),
        _text("quantity_kg"),
        _text("producer"),
        _ms("created_at_ms"),
        _m(),
    )
    op.create_table(
        "epcis_events",
        _m_key(),
        _text("event_id"),
        sa.Column("in_error", sa.Boolean, nullable=False),
        _ms("event_time_ms"),
        _ms("record_time_ms"),
        sa.Column("body", sa.JSON, nullable=False),
        sa.UniqueConstraint("event_id", "in_error", name="epcis_event_once"),
    )
    op.create_table(
        "epcis_objects",
        _key("object"),
        sa.Column("m", sa.Integer, sa.ForeignKey("epcis_events.m"), primary_key=True),
    )
    op.create_index("epcis_objects_of_event", "epcis_objects", ["m"])
    op.create_table(
        "case_notes",
        _m_key(),
        _text("fact_id"),
        _room(),
        sa.Column("said", sa.JSON, nullable=False),
        _text("by"),
        _ms("recorded_at_ms"),
    )
    op.create_index("case_notes_of_fact", "case_notes", ["fact_id", "m"])
