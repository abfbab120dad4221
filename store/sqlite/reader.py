"""Reading ``readings.db`` while another process writes it.

A long read transaction keeps the writer's log from being recycled, so every call is cut
into pages that each end their transaction; a page is bounded in rows and in hours.
"""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw

from disk.room import Full
from disk.transaction import NO_ROOM
from domain.reading import NOT_VALID, Columns, GatewayId, ProbeId, Series
from store.ports import (
    Arrival,
    ArrivalNo,
    BatchId,
    Bucket,
    Conflict,
    EpochLedger,
    Latest,
    Note,
    Quarantined,
    Span,
    Undated,
)
from store.ranges import ledger
from store.sqlite.schema import HOUR_MS, open_reader
from store.sqlite.spans import unpack

PAGE_ROWS = 50_000
PAGE_HOURS = 24 * 92
OVERVIEW_HOURS = 24 * 8  # of all series
_NEVER = 1 << 62
TOTALS = ("stored", "duplicates", "conflicts", "quarantined", "batches", "too_late")

_HOURS = "WITH RECURSIVE h(x) AS (VALUES(?1) UNION ALL SELECT x + 1 FROM h WHERE x < ?2) "
_BETWEEN = (
    _HOURS + "SELECT ts, count, quality FROM h CROSS JOIN reading r "  # noqa: S608 - constants
    "ON r.hour = h.x AND r.series = ?3 AND r.ts >= ?4 AND r.ts < ?5 LIMIT ?6"
)
_RAW_BUCKETS = (
    _HOURS + "SELECT (ts - ?6) / ?7, count(*), min(count), max(count), sum(count) "  # noqa: S608 - constants
    "FROM h CROSS JOIN reading r ON r.hour = h.x AND r.series = ?3 AND r.ts >= ?4 AND r.ts < ?5 "
    f"WHERE quality & {int(NOT_VALID)} = 0 GROUP BY 1 ORDER BY 1"
)
_ROLLED_BUCKETS = (
    _HOURS + f"SELECT (r.hour * {HOUR_MS} - ?4) / ?5, sum(n), min(low), max(high), sum(total) "  # noqa: S608 - constants
    "FROM h CROSS JOIN rollup r ON r.hour = h.x AND r.series = ?3 "
    "WHERE n > 0 GROUP BY 1 ORDER BY 1"
)
_ROLLED_OVERVIEW = (
    "SELECT series, sum(n), min(low), max(high), sum(total) FROM rollup "
    "WHERE hour >= ? AND hour < ? AND n > 0 GROUP BY series"
)
_RAW_OVERVIEW = (
    "SELECT series, count(*), min(count), max(count), sum(count) FROM reading "  # noqa: S608 - constants
    "WHERE hour >= ?1 / 3600000 AND hour <= (?2 - 1) / 3600000 AND ts >= ?1 AND ts < ?2 "
    f"AND quality & {int(NOT_VALID)} = 0 GROUP BY series"
)

_UNDATED = (
    "SELECT e.gateway, e.epoch, u.seq, u.boot, b.offset_ms, n.cut_at, u.stored_at, n.body "
    "FROM undated u JOIN epoch e ON e.id = u.epoch JOIN note n ON n.epoch = u.epoch AND n.seq = u.seq "
    "LEFT JOIN boot b ON b.gateway = e.gateway AND b.boot = u.boot ORDER BY n.n, e.id, u.seq"
)
_UNDATED_KNOWN = _UNDATED.replace("LEFT JOIN", "JOIN")


class SqliteReader:
    """Safe to share between threads: one query at a time."""

    def __init__(self, path: Path) -> None:
        self._set_up(open_reader(path))

    def _set_up(self, db: apsw.Connection) -> None:
        self._db = db
        self._one_at_a_time = threading.RLock()
        self._ids: dict[Series, int] = {}
        self._names: dict[int, Series] = {}
        self._store_id = str(self._rows("SELECT value FROM meta WHERE key = 'store_id'")[0][0])

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows at once, so that the read transaction ends with the call."""
        with self._one_at_a_time:
            try:
                return self._db.execute(sql, tuple(values)).fetchall()
            except NO_ROOM as error:
                raise Full(f"no room on the disk beside the readings: {error}") from error

    # -- series ---------------------------------------------------------------------------

    def _learn_series(self) -> None:
        newest = max(self._names, default=0)
        for id_, probe, quantity in self._rows(
            "SELECT id, probe, quantity FROM series WHERE id > ?", (newest,)
        ):
            series = Series(ProbeId(probe), quantity)
            self._names[id_] = series
            self._ids[series] = id_

    def _id(self, series: Series) -> int | None:
        if series not in self._ids:
            self._learn_series()
        return self._ids.get(series)

    def _name(self, id_: int) -> Series:
        if id_ not in self._names:
            self._learn_series()
        return self._names[id_]

    def series(self) -> list[Series]:
        self._learn_series()
        return sorted(self._ids)

    @property
    def store_id(self) -> str:
        return self._store_id

    # -- arrivals -------------------------------------------------------------------------

    def last_arrival(self) -> ArrivalNo:
        return ArrivalNo(self._rows("SELECT max(n) FROM arrival")[0][0] or 0)

    def arrivals(self, after: int, limit: int = 500) -> list[Arrival]:
        found = self._rows(
            "SELECT n, stored_at, backlog, spans FROM arrival WHERE n > ? ORDER BY n LIMIT ?",
            (after, limit),
        )
        return [
            Arrival(ArrivalNo(n), stored_at, self._spans(blob), bool(backlog))
            for n, stored_at, backlog, blob in found
        ]

    def _spans(self, blob: bytes) -> list[Span]:
        return [Span(self._name(id_), *span) for id_, *span in unpack(blob)]

    # -- readings -------------------------------------------------------------------------

    def _extent(self, id_: int, start_ms: int, end_ms: int) -> tuple[int, int]:
        """The asked span cut to what the series has; empty when start >= end."""
        found = self._rows("SELECT first_ts, ts FROM latest WHERE series = ?", (id_,))
        if not found:
            return 0, 0
        return max(start_ms, found[0][0]), min(end_ms, found[0][1] + 1)

    def between(
        self, series: Series, start_ms: int, end_ms: int, limit: int | None = None
    ) -> Columns:
        columns = Columns()
        id_ = self._id(series)
        if id_ is None:
            return columns
        start_ms, end_ms = self._extent(id_, start_ms, end_ms)
        while start_ms < end_ms and (limit is None or len(columns) < limit):
            first_hour = start_ms // HOUR_MS
            last_hour = min(first_hour + PAGE_HOURS, (end_ms - 1) // HOUR_MS)
            wanted = PAGE_ROWS if limit is None else min(PAGE_ROWS, limit - len(columns))
            page = self._rows(_BETWEEN, (first_hour, last_hour, id_, start_ms, end_ms, wanted))
            if page:
                at_ms, count, quality = zip(*page, strict=True)
                columns.at_ms.extend(at_ms)
                columns.count.extend(count)
                columns.quality.extend(quality)
            full = len(page) == wanted
            start_ms = page[-1][0] + 1 if full else (last_hour + 1) * HOUR_MS
        return columns

    def latest(self, series: Sequence[Series] | None = None) -> list[Latest]:
        if series is not None and len(series) <= 32:
            ids = [id_ for id_ in map(self._id, series) if id_ is not None]
            found = [
                row
                for id_ in ids
                for row in self._rows(
                    "SELECT series, ts, count, quality, stored_at FROM latest WHERE series = ?",
                    (id_,),
                )
            ]
        else:
            found = self._rows("SELECT series, ts, count, quality, stored_at FROM latest")
        if not self._names.keys() >= {row[0] for row in found}:
            self._learn_series()
        names = self._names
        rows = [Latest(names[id_], ts, n, bits, at) for id_, ts, n, bits, at in found]
        wanted = None if series is None else set(series)
        return rows if wanted is None else [row for row in rows if row.series in wanted]

    def buckets(self, series: Series, start_ms: int, end_ms: int, width_ms: int) -> list[Bucket]:
        id_ = self._id(series)
        if id_ is None:
            return []
        from_ms, to_ms = self._extent(id_, start_ms, end_ms)
        merged: dict[int, list[int]] = {}
        if from_ms < to_ms:
            aligned = start_ms % HOUR_MS == 0 and width_ms % HOUR_MS == 0
            for page_ms in range(from_ms // HOUR_MS * HOUR_MS, to_ms, PAGE_HOURS * HOUR_MS):
                span = max(from_ms, page_ms), min(to_ms, page_ms + PAGE_HOURS * HOUR_MS)
                for row in self._bucket_page(id_, start_ms, end_ms, span, width_ms, aligned):
                    _merge_bucket(merged, row)
        return [Bucket(start_ms + b * width_ms, *merged[b]) for b in sorted(merged)]

    def _bucket_page(
        self,
        id_: int,
        start_ms: int,
        end_ms: int,
        span: tuple[int, int],
        width_ms: int,
        aligned: bool,
    ) -> list[tuple[Any, ...]]:
        """One read transaction: whole closed hours from the rollup, the rest from readings."""
        from_ms, to_ms = span
        found: list[tuple[Any, ...]] = []
        with self._one_at_a_time, self._db:
            if aligned:
                first = from_ms // HOUR_MS
                beyond = min(self._closed(), end_ms // HOUR_MS, -(-to_ms // HOUR_MS))
                if first < beyond:
                    found += self._rows(
                        _ROLLED_BUCKETS, (first, beyond - 1, id_, start_ms, width_ms)
                    )
                    from_ms = beyond * HOUR_MS
            if from_ms < to_ms:
                found += self._rows(
                    _RAW_BUCKETS,
                    (
                        from_ms // HOUR_MS,
                        (to_ms - 1) // HOUR_MS,
                        id_,
                        from_ms,
                        to_ms,
                        start_ms,
                        width_ms,
                    ),
                )
        return found

    def overview(self, start_ms: int, end_ms: int) -> dict[Series, Bucket]:
        merged: dict[int, list[int]] = {}
        first_ms, last_ms = self._recorded(start_ms, end_ms)
        for page_ms in range(first_ms // HOUR_MS * HOUR_MS, last_ms, OVERVIEW_HOURS * HOUR_MS):
            from_ms = max(first_ms, page_ms)
            to_ms = min(last_ms, page_ms + OVERVIEW_HOURS * HOUR_MS)
            for row in self._overview_page(from_ms, to_ms):
                _merge_bucket(merged, row)
        return {self._name(id_): Bucket(start_ms, *row) for id_, row in merged.items()}

    def _recorded(self, start_ms: int, end_ms: int) -> tuple[int, int]:
        """The span cut to the hours that there are."""
        first, last = self._rows("SELECT min(first_ts), max(ts) FROM latest")[0]
        if first is None:
            return 0, 0
        return max(start_ms, first // HOUR_MS * HOUR_MS), min(end_ms, last + 1)

    def _overview_page(self, from_ms: int, to_ms: int) -> list[tuple[Any, ...]]:
        """One read transaction: whole closed hours from the rollup, what is beside them raw."""
        with self._one_at_a_time, self._db:
            first = -(-from_ms // HOUR_MS)
            beyond = max(first, min(self._closed(), to_ms // HOUR_MS))
            found = self._rows(_ROLLED_OVERVIEW, (first, beyond))
            for start_ms, end_ms in (
                (from_ms, min(first * HOUR_MS, to_ms)),
                (beyond * HOUR_MS, to_ms),
            ):
                if start_ms < end_ms:
                    found += self._rows(_RAW_OVERVIEW, (start_ms, end_ms))
        return found

    def _closed(self) -> int:
        """Hours before this one have their rollup."""
        found = self._rows("SELECT value FROM meta WHERE key = 'closed'")
        return int(found[0][0]) if found else 0

    def conflicts(self, series: Series, start_ms: int, end_ms: int) -> list[Conflict]:
        id_ = self._id(series)
        found = self._rows(
            "SELECT ts, count, quality FROM conflict WHERE series = ? AND ts >= ? AND ts < ? "
            "ORDER BY ts, count",
            (id_, start_ms, end_ms),
        )
        return [Conflict(series, *row) for row in found]

    # -- batches and gateways -------------------------------------------------------------

    def ledger(self, gateway: GatewayId) -> dict[str, EpochLedger]:
        found = self._rows(
            "SELECT e.epoch, l.first, l.last FROM epoch e JOIN ledger l ON l.epoch = e.id "
            "WHERE e.gateway = ? ORDER BY e.id, l.first",
            (gateway,),
        )
        pairs: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for epoch, first, last in found:
            pairs[epoch].append((first, last))
        return {epoch: ledger(ranges) for epoch, ranges in pairs.items()}

    def gateways(self) -> list[GatewayId]:
        found = self._rows(
            "SELECT gateway FROM epoch UNION SELECT gateway FROM status ORDER BY gateway"
        )
        return [GatewayId(row[0]) for row in found]

    def statuses(self) -> dict[GatewayId, tuple[bytes, int]]:
        found = self._rows("SELECT gateway, body, received_at FROM status")
        return {GatewayId(gateway): (body, at_ms) for gateway, body, at_ms in found}

    def notes(self, kind: str, after: int = 0, limit: int = 500) -> list[Note]:
        found = self._rows(
            "SELECT e.gateway, e.epoch, o.seq, o.kind, o.cut_at, o.n, o.body "
            "FROM note o JOIN epoch e ON e.id = o.epoch WHERE o.kind = ?1 AND o.n > ?2 AND o.n <= "
            "ifnull((SELECT n FROM note WHERE kind = ?1 AND n > ?2 ORDER BY n LIMIT 1 OFFSET ?3), "
            "?4) ORDER BY o.n, e.gateway, e.id, o.seq",
            (kind, after, limit - 1, _NEVER),
        )
        return [Note(BatchId(GatewayId(row[0]), *row[1:3]), *row[3:]) for row in found]

    def undated(self, *, known: bool = False) -> list[Undated]:
        try:
            found = self._rows(_UNDATED_KNOWN if known else _UNDATED)
        except apsw.SQLError:  # a file that its writer has not opened since there are any
            return []
        return [
            Undated(BatchId(GatewayId(gateway), epoch, seq), boot, offset, cut_at, stored_at, body)
            for gateway, epoch, seq, boot, offset, cut_at, stored_at, body in found
        ]

    def quarantined(self, after_id: int = 0, limit: int = 100) -> list[Quarantined]:
        found = self._rows(
            "SELECT id, source, topic, reason, payload, received_at, state FROM quarantine "
            "WHERE id > ? ORDER BY id LIMIT ?",
            (after_id, limit),
        )
        return [Quarantined(*row) for row in found]

    def totals(self) -> dict[str, int]:
        """``rows``: closed hours by their rollup, open ones by counting."""
        totals: Mapping[str, int]
        with self._one_at_a_time, self._db:
            totals = dict(self._rows("SELECT name, value FROM total"))
            rows = self._rows(
                "SELECT (SELECT ifnull(sum(rows), 0) FROM rollup WHERE hour < ?1) + "
                "(SELECT count(*) FROM reading WHERE hour >= ?1)",
                (self._closed(),),
            )[0][0]
        return {**{name: totals.get(name, 0) for name in TOTALS}, "rows": rows}

    def close(self) -> None:
        self._db.close()


def _merge_bucket(merged: dict[int, list[int]], row: tuple[Any, ...]) -> None:
    bucket, n, low, high, total = row
    into = merged.get(bucket)
    if into is None:
        merged[bucket] = [n, low, high, total]
    else:
        into[:] = [into[0] + n, min(into[1], low), max(into[2], high), into[3] + total]
