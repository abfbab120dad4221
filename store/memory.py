"""The readings' home for tests: dicts, and the same promises but the disk's."""

import copy
from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from domain.ranges import Ranges
from domain.reading import NOT_VALID, Columns, GatewayId, Series
from store.ports import (
    AdmittedBatch,
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
    Written,
)
from store.ranges import ledger
from store.settle import UNMARKED, Values, add, standing

DAY_MS = 86_400_000


class MemoryStore:
    def __init__(
        self,
        *,
        floor_days: int = 3_650,
        quarantine_bytes_per_source: int = 64 << 20,
        store_id: str = "memory",
    ) -> None:
        self.store_id = store_id
        self._floor_ms = floor_days * DAY_MS
        self._quarantine_bytes = quarantine_bytes_per_source
        self._values: dict[Series, dict[int, Values]] = defaultdict(dict)
        self._stored_at: dict[Series, int] = {}
        self._too_late: set[tuple[Series, int, int, int]] = set()
        self._digests: dict[BatchId, bytes] = {}
        self._notes: list[Note] = []
        self._undated: dict[BatchId, Undated] = {}
        self._offsets: dict[tuple[str, str], int] = {}
        self._ranges: dict[tuple[str, str], Ranges] = defaultdict(Ranges)
        self._arrivals: list[Arrival] = []
        self._quarantined: list[Quarantined] = []
        self._statuses: dict[GatewayId, tuple[bytes, int]] = {}
        self._totals: Counter[str] = Counter()

    # -- the writer's side ----------------------------------------------------------------

    def write(
        self, batches: Sequence[AdmittedBatch], stored_at_ms: int, *, backlog: bool = False
    ) -> Written:
        counts: Counter[str] = Counter()
        touched: dict[Series, set[int]] = defaultdict(set)
        refused: list[tuple[BatchId, str]] = []
        noted: list[AdmittedBatch] = []
        for batch in batches:
            digest = self._digests.get(batch.id)
            if digest == batch.digest:
                continue
            if digest is not None:
                refused.append((batch.id, "known name with other bytes"))
            else:
                self._digests[batch.id] = batch.digest
                seen = self._ranges[batch.id.gateway, batch.id.epoch]
                seen.add(batch.id.seq, batch.id.seq)
                counts["batches"] += 1
                if batch.kind != "readings":
                    noted.append(batch)
                if batch.offset_ms is not None:
                    self._offsets.setdefault((batch.id.gateway, batch.boot), batch.offset_ms)
                if batch.undated:
                    self._undated[batch.id] = Undated(
                        batch.id, batch.undated, None, batch.cut_at_ms, stored_at_ms, batch.note
                    )
                for series, columns in batch.rows:
                    for ts, count, quality in columns:
                        what = self._take(series, ts, count, quality, stored_at_ms, touched)
                        counts[what] += 1
        spans = [_span(series, times) for series, times in touched.items()]
        n: ArrivalNo | None = None
        if spans or noted:
            n = ArrivalNo(len(self._arrivals) + 1)
            self._arrivals.append(Arrival(n, stored_at_ms, spans, backlog))
            self._notes += [Note(b.id, b.kind, b.cut_at_ms, n, b.note) for b in noted]
        return self._written(n, counts, refused)

    def holds(self, batch: BatchId, digest: bytes) -> bool:
        return self._digests.get(batch) == digest

    def date(
        self, batch: BatchId, rows: Sequence[tuple[Series, Columns]], stored_at_ms: int
    ) -> Written:
        counts: Counter[str] = Counter()
        touched: dict[Series, set[int]] = defaultdict(set)
        for series, columns in rows if batch in self._undated else ():
            for ts, count, quality in columns:
                counts[self._take(series, ts, count, quality, stored_at_ms, touched)] += 1
        self._undated.pop(batch, None)
        spans = [_span(series, times) for series, times in touched.items()]
        n: ArrivalNo | None = None
        if spans:
            n = ArrivalNo(len(self._arrivals) + 1)
            self._arrivals.append(Arrival(n, stored_at_ms, spans, True))
        return self._written(n, counts, [])

    def _written(
        self, n: ArrivalNo | None, counts: Counter[str], refused: Sequence[tuple[BatchId, str]]
    ) -> Written:
        self._totals.update(counts)
        return Written(
            n, counts["stored"], counts["duplicates"], counts["conflicts"], counts["too_late"],
            refused,
        )  # fmt: skip

    def undated(self, *, known: bool = False) -> list[Undated]:
        found = [
            replace(one, offset_ms=self._offsets.get((one.batch.gateway, one.boot)))
            for one in self._undated.values()
        ]
        return [one for one in found if not known or one.offset_ms is not None]

    def _take(
        self,
        series: Series,
        ts: int,
        count: int,
        quality: int,
        stored_at_ms: int,
        touched: dict[Series, set[int]],
    ) -> str:
        """Which total the reading counts towards."""
        if ts < stored_at_ms - self._floor_ms:
            row = (series, ts, count, quality & UNMARKED)
            if row in self._too_late:
                return "duplicates"
            self._too_late.add(row)
            return "too_late"
        values = self._values[series].setdefault(ts, {})
        what = "duplicates" if count in values else "conflicts" if values else "stored"
        if add(values, quality, count):
            touched[series].add(ts)
            if ts == max(self._values[series]):
                self._stored_at[series] = stored_at_ms
        return what

    def quarantine(
        self, source: str, topic: str, reason: str, payload: bytes, received_at_ms: int
    ) -> bool:
        of_source = [q for q in self._quarantined if q.source == source]
        if any(q.payload == payload for q in of_source):
            return False
        self._totals["quarantined"] += 1
        held = sum(len(q.payload) for q in of_source if q.state == "held")
        if held + len(payload) > self._quarantine_bytes:
            return False
        id_ = len(self._quarantined) + 1
        self._quarantined.append(
            Quarantined(id_, source, topic, reason, payload, received_at_ms, "held")
        )
        return True

    def quarantine_retried(self, id: int) -> None:
        old = self._quarantined[id - 1]
        self._quarantined[id - 1] = Quarantined(
            old.id, old.source, old.topic, old.reason, old.payload, old.received_at_ms, "retried"
        )

    def put_status(self, gateway: GatewayId, body: bytes, received_at_ms: int) -> None:
        self._statuses[gateway] = (body, received_at_ms)

    # -- the reader's side ----------------------------------------------------------------

    def last_arrival(self) -> ArrivalNo:
        return ArrivalNo(len(self._arrivals))

    def arrivals(self, after: int, limit: int = 500) -> list[Arrival]:
        return self._arrivals[after : after + limit]

    def series(self) -> list[Series]:
        known = {series for series, _, _, _ in self._too_late}
        return sorted(known | {series for series, values in self._values.items() if values})

    def between(
        self, series: Series, start_ms: int, end_ms: int, limit: int | None = None
    ) -> Columns:
        found = self._values.get(series, {})
        times = sorted(ts for ts in found if start_ms <= ts < end_ms)[:limit]
        standings = [standing(found[ts]) for ts in times]
        return Columns(
            array("q", times),
            array("q", [count for _, count in standings]),
            array("H", [quality for quality, _ in standings]),
        )

    def latest(self, series: Sequence[Series] | None = None) -> list[Latest]:
        rows = []
        for one in sorted(self._values) if series is None else series:
            values = self._values.get(one)
            if values:
                ts = max(values)
                quality, count = standing(values[ts])
                rows.append(Latest(one, ts, count, quality, self._stored_at[one]))
        return rows

    def buckets(self, series: Series, start_ms: int, end_ms: int, width_ms: int) -> list[Bucket]:
        counts: dict[int, list[int]] = defaultdict(list)
        for ts, count, quality in self.between(series, start_ms, end_ms):
            if not quality & NOT_VALID:
                counts[(ts - start_ms) // width_ms].append(count)
        return [
            Bucket(start_ms + b * width_ms, len(c), min(c), max(c), sum(c))
            for b, c in sorted(counts.items())
        ]

    def overview(self, start_ms: int, end_ms: int) -> dict[Series, Bucket]:
        return {
            series: bucket
            for series in self.series()
            for bucket in self.buckets(series, start_ms, end_ms, max(end_ms - start_ms, 1))
        }

    def conflicts(self, series: Series, start_ms: int, end_ms: int) -> list[Conflict]:
        rows = []
        for ts, values in sorted(self._values.get(series, {}).items()):
            if start_ms <= ts < end_ms:
                _, stands = standing(values)
                rows += [
                    Conflict(series, ts, count, quality)
                    for count, quality in sorted(values.items())
                    if count != stands
                ]
        return rows

    def ledger(self, gateway: GatewayId) -> dict[str, EpochLedger]:
        return {
            epoch: ledger(list(ranges))
            for (of, epoch), ranges in self._ranges.items()
            if of == gateway
        }

    def gateways(self) -> list[GatewayId]:
        return sorted({GatewayId(of) for of, _ in self._ranges} | set(self._statuses))

    def notes(self, kind: str, after: int = 0, limit: int = 500) -> list[Note]:
        found = [note for note in self._notes if note.kind == kind and note.n > after]
        last = found[limit - 1].n if len(found) > limit else None
        return [note for note in found if last is None or note.n <= last]

    def quarantined(self, after_id: int = 0, limit: int = 100) -> list[Quarantined]:
        return [q for q in self._quarantined if q.id > after_id][:limit]

    def statuses(self) -> dict[GatewayId, tuple[bytes, int]]:
        return copy.copy(self._statuses)

    def totals(self) -> dict[str, int]:
        names = ("stored", "duplicates", "conflicts", "quarantined", "batches", "too_late")
        rows = sum(len(values) for values in self._values.values())
        return {**{name: self._totals[name] for name in names}, "rows": rows}

    def close(self) -> None:
        """Nothing to let go of."""


def _span(series: Series, times: set[int]) -> Span:
    return Span(series, min(times), max(times), len(times))
