"""The tables of ``trace.db``, as the newest migration leaves them.

Events, stays, exposures and what is due are derived and could be folded again from
records and readings; issued certificates are kept for good, version after version.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

VERSION = "0001"  # the migration that ends here; readers wait for it

metadata = MetaData()

# How far the journals have been read: store ids with their positions.
cursor = Table(
    "cursor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("readings_store", String, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("records_store", String, nullable=False),
    Column("m", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("m", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", String, nullable=False),
    Column("record_time_ms", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
)

objects = Table(
    "objects",
    metadata,
    Column("object", String, primary_key=True),
    Column("m", BigInteger, primary_key=True, autoincrement=False),
    Index("objects_of_event", "m"),
)

stays = Table(
    "stays",
    metadata,
    Column("object", String, primary_key=True),
    Column("from_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("room", String, primary_key=True),
    Column("to_ms", BigInteger),
    Column("came_by", String, nullable=False),
    Column("left_by", String),
    Index("stays_in_room", "room", "from_ms"),
)

misfits = Table(
    "misfits",
    metadata,
    Column("event_id", String, primary_key=True),
    Column("object", String, primary_key=True),
    Column("reason", String, primary_key=True),
)

# Lots whose record has to be made again, and not before when.
due = Table(
    "due",
    metadata,
    Column("lot", String, primary_key=True),
    Column("since_ms", BigInteger, nullable=False),
    Column("not_before_ms", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("m", BigInteger, nullable=False),
)

exposures = Table(
    "exposures",
    metadata,
    Column("lot", String, primary_key=True),
    Column("code", String, nullable=False, index=True),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("verdict", String, nullable=False),
    Column("body", JSON, nullable=False),
)

certificates = Table(
    "certificates",
    metadata,
    Column("lot", String, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("issued_at_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("verdict", String, nullable=False),
    Column("because", String, nullable=False),
    Column("content_sha256", String, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
)
