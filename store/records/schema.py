"""The tables of ``records.db``, as the newest migration leaves them.

Every row carries ``m``, the change that made it (or last changed it), so that saying the
same thing twice can answer with the first change. Times are whole milliseconds UTC.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

VERSION = "0005"  # the migration that ends here; readers wait for it

metadata = MetaData()


def _m() -> Column[int]:
    return Column("m", Integer, ForeignKey("changes.m"), nullable=False)


about = Table(
    "about",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("m", Integer, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("rooms", JSON, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("recorded_at_ms", BigInteger, nullable=False),
    Column("by", String, nullable=False),
    Column("subject", String, nullable=False),
)

regions = Table(
    "regions",
    metadata,
    Column("id", String, primary_key=True),
    Column("parent", String, ForeignKey("regions.id")),
    Column("kind", String, nullable=False),
    Column("name_zh", String, nullable=False),
    Column("name_en", String, nullable=False),
    _m(),
)

sites = Table(
    "sites",
    metadata,
    Column("id", String, primary_key=True),
    Column("region", String, ForeignKey("regions.id"), nullable=False),
    Column("kind", String, nullable=False),
    Column("name_zh", String, nullable=False),
    Column("name_en", String, nullable=False),
    Column("gateway", String),
    Column("lat", Float),
    Column("lon", Float),
    _m(),
)

rooms = Table(
    "rooms",
    metadata,
    Column("id", String, primary_key=True),
    Column("site", String, ForeignKey("sites.id"), nullable=False),
    Column("kind", String, nullable=False),
    Column("name_zh", String, nullable=False),
    Column("name_en", String, nullable=False),
    Column("operator", String, nullable=False),
    Column("owner", String, nullable=False),
    _m(),
)

assignments = Table(
    "assignments",
    metadata,
    Column("m", Integer, ForeignKey("changes.m"), primary_key=True, autoincrement=False),
    Column("probe", String, nullable=False),
    Column("room", String, ForeignKey("rooms.id"), nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger),
    Column("ended_by_m", Integer, ForeignKey("changes.m")),
    Index("assignments_of_probe", "probe", "from_ms"),
    Index("assignments_of_room", "room", "from_ms"),
)

rules = Table(
    "rules",
    metadata,
    Column("m", Integer, ForeignKey("changes.m"), primary_key=True, autoincrement=False),
    Column("room", String, ForeignKey("rooms.id"), nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("profile", String, nullable=False),
    Column("commodities", JSON, nullable=False),
    Column("interval_s", Integer, nullable=False),
    Column("overrides", JSON, nullable=False),
    Column("recorded_at_ms", BigInteger, nullable=False),
    Column("by", String, nullable=False),
    Index("rules_of_room", "room", "from_ms"),
)

probe_papers = Table(
    "probe_papers",
    metadata,
    Column("m", Integer, ForeignKey("changes.m"), primary_key=True, autoincrement=False),
    Column("probe", String, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("serial", String, nullable=False),
    Column("certificate", String, nullable=False),
    Column("due_on", String),  # YYYY-MM-DD
    Column("offset_c", String, nullable=False),
    Column("lag_s", Integer, nullable=False),
    Index("papers_of_probe", "probe", "from_ms"),
)

probe_checks = Table(
    "probe_checks",
    metadata,
    Column("id", String, primary_key=True),
    Column("probe", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("shown", Integer, nullable=False),
    Column("reference", Integer, nullable=False),
    Column("by", String, nullable=False),
    Column("recorded_at_ms", BigInteger, nullable=False),
    _m(),
    Index("checks_of_probe", "probe", "at_ms"),
)

actions = Table(
    "actions",
    metadata,
    Column("id", String, primary_key=True),
    Column("room", String, ForeignKey("rooms.id"), nullable=False),
    Column("kind", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("by", String, nullable=False),
    Column("recorded_at_ms", BigInteger, nullable=False),
    Column("detail", JSON, nullable=False),
    _m(),
    Index("actions_of_room", "room", "at_ms", "m"),
)

people = Table(
    "people",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("phone", String, nullable=False),
    Column("lang", String, nullable=False),
    Column("quiet_hours", Boolean, nullable=False),
    Column("channels", JSON, nullable=False, server_default="[]"),  # names, best first
    _m(),
)

duties = Table(
    "duties",
    metadata,
    _m(),
    Column("person", String, ForeignKey("people.id"), primary_key=True),
    Column("role", String, primary_key=True),
    Column("scope_kind", String, primary_key=True),
    Column("scope", String, primary_key=True),
    Column("shifts", JSON, nullable=False, server_default="[]"),
)

calendar = Table(
    "calendar",
    metadata,
    Column("day", String, primary_key=True),
    Column("counts_as", String, nullable=False),
    Column("name", String, nullable=False),
    _m(),
)

texts_stopped = Table(
    "texts_stopped",
    metadata,
    Column("person", String, ForeignKey("people.id"), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    _m(),
)

silences = Table(
    "silences",
    metadata,
    Column("id", String, primary_key=True),
    Column("room", String, ForeignKey("rooms.id"), nullable=False),
    Column("code", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("by", String, nullable=False),
    _m(),
    Index("silences_by_end", "to_ms"),
)

drills = Table(
    "drills",
    metadata,
    Column("id", String, primary_key=True),
    Column("site", String, ForeignKey("sites.id"), nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("started_by", String, nullable=False),
    Column("answered_ms", BigInteger),
    Column("answered_by", String, nullable=False),
    Column("channel", String, nullable=False),
    _m(),
    Index("drills_by_start", "started_ms"),
)

drill_plan = Table(  # one row, or none
    "drill_plan",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("day", Integer, nullable=False),
    Column("minute", Integer, nullable=False),
    _m(),
)

lots = Table(
    "lots",
    metadata,
    Column("id", String, primary_key=True),
    Column("code", String, nullable=False, unique=True),
    Column("commodity", String, nullable=False),
    Column("name_zh", String, nullable=False),
    Column("name_en", String, nullable=False),
    Column("quantity_kg", String, nullable=False),
    Column("producer", String, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    _m(),
)

# An error declaration repeats the event's id (EPCIS 2.0, 7.4.1.2), hence the pair.
epcis_events = Table(
    "epcis_events",
    metadata,
    Column("m", Integer, ForeignKey("changes.m"), primary_key=True, autoincrement=False),
    Column("event_id", String, nullable=False),
    Column("in_error", Boolean, nullable=False),
    Column("event_time_ms", BigInteger, nullable=False),
    Column("record_time_ms", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
    UniqueConstraint("event_id", "in_error", name="epcis_event_once"),
)

epcis_objects = Table(
    "epcis_objects",
    metadata,
    Column("object", String, primary_key=True),
    Column("m", Integer, ForeignKey("epcis_events.m"), primary_key=True),
    Index("epcis_objects_of_event", "m"),
)

case_notes = Table(
    "case_notes",
    metadata,
    Column("m", Integer, ForeignKey("changes.m"), primary_key=True, autoincrement=False),
    Column("fact_id", String, nullable=False),  # what the alarm was called then
    Column("room", String, ForeignKey("rooms.id"), nullable=False),
    Column("code", String),  # these three name it; null in notes that are yet to be settled
    Column("from_ms", BigInteger),
    Column("to_ms", BigInteger),
    Column("said", JSON, nullable=False),
    Column("by", String, nullable=False),
    Column("recorded_at_ms", BigInteger, nullable=False),
    Index("case_notes_of_fact", "fact_id", "m"),
)
