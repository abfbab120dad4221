"""The tables of ``notices.db``, as the newest migration leaves them. Times: whole ms UTC.

Primary, not derived: what was said cannot be worked out again. The state of each room's ladder
stands beside the notices that it gave, and both are written in one transaction.
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

VERSION = "0003"  # the migration that ends here; readers wait for it

metadata = MetaData()

about = Table(
    "about",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

states = Table(  # "" spans rooms: people's caps, the digest, power groups
    "states",
    metadata,
    Column("room", String, primary_key=True),
    Column("state", LargeBinary, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("key", String, nullable=False, unique=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("person", String, nullable=False),
    Column("phone", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("codes", JSON, nullable=False),
    Column("room", String, nullable=False),  # "" spans rooms
    Column("incident", Integer, nullable=False),
    Column("code", String, nullable=False),  # the four characters, "" for none
    Column("text", String, nullable=False),
    Column("facts", JSON, nullable=False),  # ids
    Column("body", LargeBinary, nullable=False),  # the notice as it was decided
    Column(
        "state", String, nullable=False
    ),  # waiting | sent | delivered | failed | dropped | told (by a gateway)
    Column("attempts", Integer, nullable=False),
    Column("next_try_ms", BigInteger, nullable=False),
    Column("provider_id", String),
    Column("sent_ms", BigInteger),
    # The channel that has it, since when, and how often it tried; "": not given to one yet.
    Column("via", String, nullable=False, server_default=""),
    Column("via_ms", BigInteger, nullable=False, server_default="0"),
    Column("via_tries", Integer, nullable=False, server_default="0"),
    Column("refused_by", JSON, nullable=False, server_default="[]"),  # channels
    Index("notices_waiting", "state", "next_try_ms"),
    Index("notices_by_via", "state", "via", "next_try_ms"),
    Index("notices_by_room", "room", "seq"),
    Index("notices_by_provider", "provider_id"),
)

sendings = Table(  # the send log: every attempt and every receipt
    "sendings",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("key", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("outcome", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("via", String, nullable=False, server_default=""),
    Column("provider_id", String),  # of what a channel took
    Index("sendings_by_key", "key"),
    Index("sendings_by_provider", "provider_id"),
)

usage = Table(  # what was carried and is charged for
    "usage",
    metadata,
    Column("month", String, primary_key=True),  # local, such as 2026-06
    Column("organisation", String, primary_key=True),  # "" for what spans rooms
    Column("via", String, primary_key=True),
    Column("messages", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
)

channels = Table(
    "channels",
    metadata,
    Column("name", String, primary_key=True),
    Column("ok_ms", BigInteger),  # it last took something, or answered its daily test
    Column("failing_ms", BigInteger),  # since when it takes nothing
    Column("error", String, nullable=False),
    Column("asked_ms", BigInteger),  # the last daily test
)

incidents = Table(
    "incidents",
    metadata,
    Column("room", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("code", String, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    Index("incidents_by_code", "code"),
)

replies = Table(
    "replies",
    metadata,
    Column("provider_id", String, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("phone", String, nullable=False),
    Column("text", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("understood", String, nullable=False),  # "" until looked at
    Column("person", String, nullable=False),
    Column("room", String, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("owed", Boolean, nullable=False),  # the api has yet to hear of it
    Column("next_try_ms", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Index("replies_owed", "owed", "next_try_ms"),
)

links = Table(
    "links",
    metadata,
    Column("probe", String, primary_key=True),
    Column("quantity", String, primary_key=True),
    Column("room", String, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("level", String, nullable=False),
)

system_alarms = Table(  # of the system itself, those that people were told of
    "system_alarms",
    metadata,
    Column("code", String, primary_key=True),
    Column("about", String, primary_key=True),
    Column("since_ms", BigInteger, nullable=False),
    Column("told_ms", BigInteger, nullable=False),
    Column("gone_ms", BigInteger),
)
