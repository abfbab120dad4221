"""The tables of ``readings.db`` and how a connection to it is set up.

``reading`` is keyed (hour, series, ts): a live commit touches few pages (866 bytes to disk
a row, against 8,263 with the series first), one series' day is 24 short ranges, and late
data is nothing special. ``rollup`` holds an hour from ``closed`` on backwards; younger
hours are counted from their readings.
"""

from pathlib import Path

import apsw

HOUR_MS = 3_600_000
VERSION = 1
BUSY_MS = 5_000
LONGEST_READ_MS = 250  # readers promise 200

TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE total(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE series(
    id INTEGER PRIMARY KEY, probe TEXT NOT NULL, quantity TEXT NOT NULL,
    UNIQUE(probe, quantity));
CREATE TABLE reading(
    hour INTEGER NOT NULL, series INTEGER NOT NULL, ts INTEGER NOT NULL,
    count INTEGER NOT NULL, quality INTEGER NOT NULL,
    PRIMARY KEY(hour, series, ts)) WITHOUT ROWID;
CREATE TABLE latest(
    series INTEGER PRIMARY KEY, first_ts INTEGER NOT NULL, ts INTEGER NOT NULL,
    count INTEGER NOT NULL, quality INTEGER NOT NULL, stored_at INTEGER NOT NULL);
CREATE TABLE rollup(
    hour INTEGER NOT NULL, series INTEGER NOT NULL, rows INTEGER NOT NULL,
    n INTEGER NOT NULL, low INTEGER, high INTEGER, total INTEGER NOT NULL,
    conflicts INTEGER NOT NULL, PRIMARY KEY(hour, series)) WITHOUT ROWID;
CREATE TABLE conflict(
    series INTEGER NOT NULL, ts INTEGER NOT NULL, count INTEGER NOT NULL,
    quality INTEGER NOT NULL, PRIMARY KEY(series, ts, count)) WITHOUT ROWID;
CREATE TABLE too_late(
    series INTEGER NOT NULL, ts INTEGER NOT NULL, count INTEGER NOT NULL,
    quality INTEGER NOT NULL, stored_at INTEGER NOT NULL,
    PRIMARY KEY(series, ts, count, quality)) WITHOUT ROWID;
CREATE TABLE epoch(
    id INTEGER PRIMARY KEY, gateway TEXT NOT NULL, epoch TEXT NOT NULL,
    UNIQUE(gateway, epoch));
CREATE TABLE ledger(
    epoch INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY(epoch, first)) WITHOUT ROWID;
CREATE TABLE batch(
    epoch INTEGER NOT NULL, seq INTEGER NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY(epoch, seq)) WITHOUT ROWID;
CREATE TABLE note(
    epoch INTEGER NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL,
    cut_at INTEGER NOT NULL, n INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY(epoch, seq)) WITHOUT ROWID;
CREATE TABLE arrival(
    n INTEGER PRIMARY KEY, stored_at INTEGER NOT NULL, backlog INTEGER NOT NULL,
    spans BLOB NOT NULL);
CREATE TABLE quarantine(
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, digest BLOB NOT NULL, topic TEXT NOT NULL,
    reason TEXT NOT NULL, payload BLOB NOT NULL, received_at INTEGER NOT NULL,
    state TEXT NOT NULL, UNIQUE(source, digest));
CREATE TABLE quarantine_source(
    source TEXT PRIMARY KEY, bytes INTEGER NOT NULL, turned_away INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE status(
    gateway TEXT PRIMARY KEY, body BLOB NOT NULL, received_at INTEGER NOT NULL)
    WITHOUT ROWID;
"""

# Made beside the others where they are missing: a file of before has none of what they hold.
LATER_TABLES = """
CREATE TABLE IF NOT EXISTS boot(
    gateway TEXT NOT NULL, boot TEXT NOT NULL, offset_ms INTEGER NOT NULL,
    PRIMARY KEY(gateway, boot)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS undated(
    epoch INTEGER NOT NULL, seq INTEGER NOT NULL, boot TEXT NOT NULL, stored_at INTEGER NOT NULL,
    PRIMARY KEY(epoch, seq)) WITHOUT ROWID;
"""


def open_writer(path: Path) -> apsw.Connection:
    """WAL and FULL: a commit that returned survives a power cut."""
    db = apsw.Connection(str(path))
    db.set_busy_timeout(BUSY_MS)
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", "full")
    db.pragma("temp_store", "memory")
    db.pragma("cache_size", -65_536)
    return db


def open_reader(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    db.set_busy_timeout(BUSY_MS)
    return db


def version(db: apsw.Connection) -> int:
    """0 for a file that nobody has set up."""
    found = db.pragma("user_version")
    return found if isinstance(found, int) else 0


def create(db: apsw.Connection, store_id: str) -> None:
    with db:
        db.execute(TABLES)
        db.execute("INSERT INTO meta VALUES('store_id', ?)", (store_id,))
        db.pragma("user_version", VERSION)
