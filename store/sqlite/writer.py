"""The one writer of ``readings.db``: each ``write`` is one transaction and one fsync.

Readings go in with one INSERT OR IGNORE each and no question asked. Only when fewer rows
went in than were sent is the transaction begun again, and the rows compared with what is
there. Whatever the writer remembers between calls (series, newest readings, ledger) is
taken over after the commit and read again from the file when a commit fails.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import repeat
from pathlib import Path
from typing import IO

from disk.lock import lock
from disk.transaction import transaction
from domain.reading import NOT_VALID, Columns, GatewayId, Quality, Series
from store.errors import AlreadyOpen
from store.ports import AdmittedBatch, ArrivalNo, BatchId, Written
from store.settle import UNMARKED, add, known, standing
from store.sqlite import quarantine
from store.sqlite.ledger import Ledger
from store.sqlite.reader import SqliteReader
from store.sqlite.schema import HOUR_MS, LATER_TABLES, VERSION, create, open_writer, version
from store.sqlite.spans import pack
from store.sqlite.wal import WriteAheadLog

DAY_MS = 86_400_000
CLOSES_AFTER_MS = 10 * 60_000  # an hour stays open this long for its last readings

Row = tuple[int, int, int, int, int]  # hour, series, ts, count, quality

_INSERT = "INSERT OR IGNORE INTO reading VALUES(?, ?, ?, ?, ?)"
_ROLL_UP = (
    "INSERT OR REPLACE INTO rollup SELECT hour, series, count(*), "  # noqa: S608 - constants
    f"count(*) FILTER (WHERE quality & {int(NOT_VALID)} = 0), "
    f"min(count) FILTER (WHERE quality & {int(NOT_VALID)} = 0), "
    f"max(count) FILTER (WHERE quality & {int(NOT_VALID)} = 0), "
    f"ifnull(sum(count) FILTER (WHERE quality & {int(NOT_VALID)} = 0), 0), "
    f"count(*) FILTER (WHERE quality & {int(Quality.CONFLICT)}) FROM reading "
)
_ROLL_UP_ONE = _ROLL_UP + "WHERE hour = ? AND series = ? GROUP BY hour, series"
_ROLL_UP_HOURS = _ROLL_UP + "WHERE hour >= ? AND hour < ? GROUP BY hour, series"


class _Repeats(Exception):
    """Some of the rows are known already; nothing is kept of the attempt."""


class _Group:
    """What one ``write`` will change, until its commit."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.spans: dict[int, list[int]] = {}  # series id -> first, last, rows
        self.latest: dict[int, list[int]] = {}  # series id -> row of ``latest``
        self.late: set[tuple[int, int]] = set()  # (hour, series id) to roll up again
        self.new_series: dict[Series, int] = {}
        self.too_late: list[tuple[int, int, int, int]] = []
        self.counts: Counter[str] = Counter()
        self.accepted: list[AdmittedBatch] = []
        self.refused: list[tuple[BatchId, str]] = []
        self.dated: BatchId | None = None  # an undated batch whose readings these are


Put = Callable[[_Group, int], None]  # group, stored_at_ms


class SqliteStore(SqliteReader):
    """``floor_days``: readings measured longer before their storing are kept apart."""

    def __init__(
        self, path: Path, *, floor_days: int = 3_650, quarantine_bytes_per_source: int = 64 << 20
    ) -> None:
        self._lock = _lock(path)
        self._path = path
        self._floor_ms = floor_days * DAY_MS
        self._quarantine_bytes = quarantine_bytes_per_source
        db = open_writer(path)
        if version(db) == 0:
            create(db, secrets.token_hex(8))
        if version(db) != VERSION:
            raise ValueError(f"{path} is of version {version(db)}, this program writes {VERSION}")
        db.execute(LATER_TABLES)
        self._wal = WriteAheadLog(db, path)
        self._ledger = Ledger(db)
        self._set_up(db)
        self._remember()

    def close(self) -> None:
        super().close()
        self._lock.close()

    def _remember(self) -> None:
        """Everything the writer keeps in memory, from the file."""
        self._ids.clear()
        self._names.clear()
        self._learn_series()
        self._n = self.last_arrival()
        self._newest: dict[int, list[int]] = {
            row[0]: list(row[1:])
            for row in self._rows(
                "SELECT series, first_ts, ts, count, quality, stored_at FROM latest"
            )
        }
        self._ledger.load()
        self._closed_hour = self._closed()

    def _transaction(self) -> AbstractContextManager[None]:
        return transaction(self._db)

    # -- readings -------------------------------------------------------------------------

    def write(
        self, batches: Sequence[AdmittedBatch], stored_at_ms: int, *, backlog: bool = False
    ) -> Written:
        with self._one_at_a_time:
            try:
                group = self._sort_out(batches, stored_at_ms)
                try:
                    n = self._commit(group, stored_at_ms, backlog, self._insert)
                except _Repeats:
                    n = self._commit(group, stored_at_ms, backlog, self._merge)
            except BaseException:
                self._remember()
                raise
            return self._written(n, group)

    def holds(self, batch: BatchId, digest: bytes) -> bool:
        with self._one_at_a_time:
            return self._ledger.digest(batch) == digest

    def date(
        self, batch: BatchId, rows: Sequence[tuple[Series, Columns]], stored_at_ms: int
    ) -> Written:
        with self._one_at_a_time:
            group = _Group()
            try:
                if self._ledger.waits_for_date(batch):
                    for series, columns in rows:
                        self._take(group, series, columns, stored_at_ms - self._floor_ms)
                group.rows.sort()
                group.dated = batch
                n = self._commit(group, stored_at_ms, True, self._merge)
            except BaseException:
                self._remember()
                raise
            return self._written(n, group)

    def _written(self, n: ArrivalNo | None, group: _Group) -> Written:
        """What was committed is remembered from here on."""
        self._newest.update(group.latest)
        self._wal.tend()
        counts = group.counts
        return Written(
            n, counts["stored"], counts["duplicates"], counts["conflicts"], counts["too_late"],
            group.refused,
        )  # fmt: skip

    def _sort_out(self, batches: Sequence[AdmittedBatch], stored_at_ms: int) -> _Group:
        """Known names aside; the rest as rows in the table's order."""
        group = _Group()
        floor_ms = stored_at_ms - self._floor_ms
        in_group: dict[BatchId, bytes] = {}
        for batch in batches:
            digest = in_group.get(batch.id) or self._ledger.digest(batch.id)
            if digest is None:
                in_group[batch.id] = batch.digest
                group.accepted.append(batch)
                for series, columns in batch.rows:
                    self._take(group, series, columns, floor_ms)
            elif digest != batch.digest:
                group.refused.append((batch.id, "known name with other bytes"))
        group.rows.sort()
        return group

    def _take(self, group: _Group, series: Series, columns: Columns, floor_ms: int) -> None:
        at_ms = columns.at_ms
        if not at_ms:
            return
        id_ = self._ids.get(series)
        if id_ is None:
            id_ = len(self._ids) + 1
            self._ids[series] = id_
            self._names[id_] = series
            group.new_series[series] = id_
        quality: Iterable[int] = columns.quality
        if max(columns.quality) >= Quality.CONFLICT:
            quality = [bits & UNMARKED for bits in quality]
        if min(at_ms) >= floor_ms:
            group.rows.extend(
                zip([t // HOUR_MS for t in at_ms], repeat(id_), at_ms, columns.count, quality)
            )
            return
        for ts, count, bits in zip(at_ms, columns.count, quality, strict=True):
            if ts >= floor_ms:
                group.rows.append((ts // HOUR_MS, id_, ts, count, bits))
            else:
                group.too_late.append((id_, ts, count, bits))

    def _commit(
        self, group: _Group, stored_at_ms: int, backlog: bool, put: Put
    ) -> ArrivalNo | None:
        """One transaction. ``put`` stores the rows and notes what they changed."""
        group.counts.clear()
        with self._transaction():
            if group.rows:
                put(group, stored_at_ms)
            self._put_too_late(group, stored_at_ms)
            notes = [batch for batch in group.accepted if batch.kind != "readings"]
            n = ArrivalNo(self._n + 1) if group.spans or notes else None
            self._put_series(group)
            self._ledger.put(group.accepted)
            self._ledger.put_notes(notes, n)
            self._ledger.put_boots(group.accepted, stored_at_ms)
            if group.dated is not None:
                self._ledger.dated(group.dated)
            if n is not None:
                self._db.execute(
                    "INSERT INTO arrival VALUES(?, ?, ?, ?)",
                    (n, stored_at_ms, backlog, pack(group.spans)),
                )
            self._roll_up(group, stored_at_ms)
            group.counts["batches"] = len(group.accepted)
            self._count(group.counts)
        self._n = n or self._n
        return n

    def _insert(self, group: _Group, stored_at_ms: int) -> None:
        """The usual case: every row is new."""
        before = self._db.total_changes()
        self._db.executemany(_INSERT, group.rows)
        if self._db.total_changes() - before != len(group.rows):
            raise _Repeats
        group.counts["stored"] = len(group.rows)
        self._note_changed(group, group.rows, stored_at_ms)

    def _merge(self, group: _Group, stored_at_ms: int) -> None:
        """Some rows are known: compare each with what stands there."""
        fresh: dict[tuple[int, int, int], tuple[int, int]] = {}
        changed: dict[tuple[int, int, int], tuple[int, int]] = {}
        there: dict[int, tuple[int, int]] = {}
        place = (-1, -1)
        bounds = _bounds(group.rows)
        for hour, id_, ts, count, quality in group.rows:
            if (hour, id_) != place:
                place = (hour, id_)
                there = {
                    found[0]: (found[1], found[2])
                    for found in self._rows(
                        "SELECT ts, count, quality FROM reading "
                        "WHERE hour = ? AND series = ? AND ts BETWEEN ? AND ?",
                        (hour, id_, *bounds[place]),
                    )
                }
            key = (hour, id_, ts)
            stood = there.get(ts)
            if stood is None:
                there[ts] = fresh[key] = count, quality
                continue
            stands = self._settle(group, id_, ts, stood, count, quality)
            if stands is not None:
                there[ts] = stands
                (fresh if key in fresh else changed)[key] = stands
        group.counts["stored"] += len(fresh)
        rows = [(*key, *values) for key, values in fresh.items()]
        self._db.executemany(_INSERT, rows)
        self._db.executemany(
            "UPDATE reading SET count = ?, quality = ? WHERE hour = ? AND series = ? AND ts = ?",
            [(*values, *key) for key, values in changed.items()],
        )
        rows += [(*key, *values) for key, values in changed.items()]
        self._note_changed(group, sorted(rows), stored_at_ms)

    def _settle(
        self,
        group: _Group,
        id_: int,
        ts: int,
        stood: tuple[int, int],
        count: int,
        quality: int,
    ) -> tuple[int, int] | None:
        """The key's (count, quality) after one more message; None when it says nothing new."""
        if stood == (count, quality):
            group.counts["duplicates"] += 1
            return None
        losers = dict(
            self._rows("SELECT count, quality FROM conflict WHERE series = ? AND ts = ?", (id_, ts))
        )
        values = known(stood[1], stood[0], losers)
        new_value = count not in values
        group.counts["conflicts" if new_value else "duplicates"] += 1
        if not add(values, quality, count):
            return None
        stands_quality, stands_count = standing(values)
        self._db.execute("DELETE FROM conflict WHERE series = ? AND ts = ?", (id_, ts))
        self._db.executemany(
            "INSERT INTO conflict VALUES(?, ?, ?, ?)",
            [(id_, ts, c, bits) for c, bits in values.items() if c != stands_count],
        )
        return stands_count, stands_quality

    def _note_changed(self, group: _Group, rows: Sequence[Row], stored_at_ms: int) -> None:
        """Spans, newest readings and late hours of rows in the table's order."""
        spans, latest, late = group.spans, group.latest, group.late
        spans.clear()
        latest.clear()
        late.clear()
        closed = self._closed_hour
        at, total = 0, len(rows)
        while at < total:
            hour, id_ = rows[at][0], rows[at][1]
            first = rows[at]
            begin = at
            at += 1
            while at < total and rows[at][1] == id_ and rows[at][0] == hour:
                at += 1
            last = rows[at - 1]
            if hour < closed:
                late.add((hour, id_))
            span = spans.get(id_)
            if span is None:
                spans[id_] = [first[2], last[2], at - begin]
            else:
                span[1] = last[2]
                span[2] += at - begin
            newest = latest.get(id_) or self._newest.get(id_)
            if newest is None:
                latest[id_] = [first[2], *last[2:], stored_at_ms]
            elif last[2] >= newest[1]:
                latest[id_] = [min(first[2], newest[0]), *last[2:], stored_at_ms]
            elif first[2] < newest[0]:
                latest[id_] = [first[2], *newest[1:]]

    # -- the rest of the transaction ------------------------------------------------------

    def _put_series(self, group: _Group) -> None:
        self._db.executemany(
            "INSERT INTO series VALUES(?, ?, ?)",
            [(id_, series.probe, series.quantity) for series, id_ in group.new_series.items()],
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO latest VALUES(?, ?, ?, ?, ?, ?)",
            [(id_, *values) for id_, values in sorted(group.latest.items())],
        )

    def _put_too_late(self, group: _Group, stored_at_ms: int) -> None:
        before = self._db.total_changes()
        self._db.executemany(
            "INSERT OR IGNORE INTO too_late VALUES(?, ?, ?, ?, ?)",
            [(*row, stored_at_ms) for row in group.too_late],
        )
        added = self._db.total_changes() - before
        group.counts["too_late"] = added
        group.counts["duplicates"] += len(group.too_late) - added

    def _roll_up(self, group: _Group, stored_at_ms: int) -> None:
        """Hours that this commit closes, and closed ones that it touched."""
        closed, closes = self._closed_hour, (stored_at_ms - CLOSES_AFTER_MS) // HOUR_MS
        self._db.executemany(_ROLL_UP_ONE, sorted(group.late))
        if closes > closed:
            self._db.execute(_ROLL_UP_HOURS, (closed, closes))
            self._db.execute("INSERT OR REPLACE INTO meta VALUES('closed', ?)", (closes,))
            self._closed_hour = closes

    def _count(self, counts: Counter[str]) -> None:
        self._db.executemany(
            "INSERT INTO total VALUES(?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            [(name, more) for name, more in counts.items() if more],
        )

    # -- quarantine and statuses ----------------------------------------------------------

    def quarantine(
        self, source: str, topic: str, reason: str, payload: bytes, received_at_ms: int
    ) -> bool:
        with self._one_at_a_time, self._transaction():
            source = quarantine.account(self._db, source)
            if quarantine.known(self._db, source, payload):
                return False
            self._count(Counter(quarantined=1))
            return quarantine.keep(
                self._db,
                self._quarantine_bytes,
                source,
                topic,
                reason,
                payload,
                received_at_ms,
            )

    def quarantine_retried(self, id: int) -> None:
        with self._one_at_a_time, self._transaction():
            quarantine.retried(self._db, id)

    def put_status(self, gateway: GatewayId, body: bytes, received_at_ms: int) -> None:
        with self._one_at_a_time, self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO status VALUES(?, ?, ?)", (gateway, body, received_at_ms)
            )


def _bounds(rows: Sequence[Row]) -> dict[tuple[int, int], tuple[int, int]]:
    """First and last ts of each (hour, series)."""
    bounds: dict[tuple[int, int], tuple[int, int]] = {}
    for hour, id_, ts, _, _ in rows:
        first = bounds.get((hour, id_), (ts, ts))[0]
        bounds[hour, id_] = (first, ts)
    return bounds


def _lock(path: Path) -> IO[str]:
    """Two writers would undo each other's memory."""
    try:
        return lock(path.with_name(path.name + ".lock"))
    except BlockingIOError as error:
        raise AlreadyOpen(f"another process writes {path}") from error
