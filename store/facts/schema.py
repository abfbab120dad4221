"""The tables of ``facts.db``, as the newest migration leaves them. Times: whole ms UTC.

``facts`` is the journal of versions; ``newest`` marks the last of each id. Peaks are counts of
0.01 degC, ``excess`` is counts times ms: what people see is rounded on the way out.
"""

from sqlalchemy import (
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

facts = Table(
    "facts",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("newest", Boolean, nullable=False),
    Column("room", String, nullable=False),
    Column("code", String, nullable=False),
    Column("level", String, nullable=False),
    Column("began_ms", BigInteger, nullable=False),
    Column("fired_ms", BigInteger, nullable=False),
    Column("cleared_ms", BigInteger),
    Column("peak", Integer),
    Column("excess", BigInteger, nullable=False),
    Column("unknown_ms", BigInteger, nullable=False),
    Column("rule", String, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("m", BigInteger, nullable=False),
    Column("core", String, nullable=False),
    Index("facts_by_id", "id", "version", unique=True),
    Index("facts_by_room", "room", "newest", "fired_ms"),
)

pauses = Table(
    "pauses",
    metadata,
    Column("room", String, primary_key=True),
    Column("from_ms", BigInteger, primary_key=True),
    Column("cause", String, primary_key=True),
    Column("nth", Integer, primary_key=True),  # two probes may give the same pause
    Column("to_ms", BigInteger),
)

flags = Table(
    "flags",
    metadata,
    Column("room", String, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True),
    Column("probe", String, primary_key=True),
    Column("quantity", String, primary_key=True),
    Column("reason", String, primary_key=True),
)

rooms = Table(
    "rooms",
    metadata,
    Column("room", String, primary_key=True),
    Column("n", BigInteger, nullable=False),
    Column("m", BigInteger, nullable=False),
    Column("horizon_ms", BigInteger, nullable=False),
    Column("checkpoints", LargeBinary, nullable=False),
)

arrived = Table(  # when something of a series last arrived: what link alarms count from
    "arrived",
    metadata,
    Column("probe", String, primary_key=True),
    Column("quantity", String, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
)

cursor = Table(
    "cursor",
    metadata,
    Column("one", Integer, primary_key=True),
    Column("readings_store", String, nullable=False),
    Column("records_store", String, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("m", BigInteger, nullable=False),
)

cases = Table(  # each critical fact opens one; what people say of it is in the records
    "cases",
    metadata,
    Column("fact", String, primary_key=True),
    Column("room", String, nullable=False),
    Column("code", String, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
)
