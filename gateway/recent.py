"""The newest readings of a gateway, in memory: what its rooms are judged from.

Bounded twice: by ``KEEP_MS`` behind the clock, and by rows. What is older than ``floor_ms`` is
not here and cannot come in any more; the outbox and the server have it.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable

from domain.reading import Columns, ProbeId, Series, winner
from gateway.outbox import Row

KEEP_MS = 48 * 3_600_000
MOST_ROWS = 200_000  # some 4 MB


class Recent:
    def __init__(self, *, keep_ms: int = KEEP_MS, most_rows: int = MOST_ROWS) -> None:
        self.keep_ms, self._most_rows = keep_ms, most_rows
        self._series: dict[Series, Columns] = {}
        self._of_probe: dict[ProbeId, list[Series]] = {}
        self._rows = 0
        self.floor_ms = 0

    def __len__(self) -> int:
        return self._rows

    def add(self, rows: Iterable[Row], now_ms: int) -> dict[Series, tuple[int, int]]:
        """The span of each series that changed, ends inside. What is there already changes
        nothing; another value for the same instant leaves the one that the store would keep."""
        touched: dict[Series, tuple[int, int]] = {}
        self.floor_ms = min(self.floor_ms, now_ms)  # a clock that was ahead is right now
        for row in rows:
            if row.at_ms >= self.floor_ms and self._put(row):
                first, last = touched.get(row.series, (row.at_ms, row.at_ms))
                touched[row.series] = (min(first, row.at_ms), max(last, row.at_ms))
        self._trim(now_ms)
        return touched

    def series_of(self, probe: ProbeId) -> list[Series]:
        return self._of_probe.get(probe, [])

    def between(self, series: Series, from_ms: int, to_ms: int) -> Columns:
        """Readings with from <= measured_at < to, oldest first."""
        held = self._series.get(series)
        if held is None:
            return Columns()
        i, j = bisect_left(held.at_ms, from_ms), bisect_left(held.at_ms, to_ms)
        return Columns(held.at_ms[i:j], held.count[i:j], held.quality[i:j])

    def latest(self, series: Series) -> tuple[int, int, int] | None:
        """(measured_at_ms, count, quality) of the newest."""
        held = self._series.get(series)
        return (held.at_ms[-1], held.count[-1], held.quality[-1]) if held else None

    def _put(self, row: Row) -> bool:
        held = self._series.get(row.series)
        if held is None:
            held = self._series[row.series] = Columns()
            self._of_probe.setdefault(row.series.probe, []).append(row.series)
        i = bisect_left(held.at_ms, row.at_ms)
        if i < len(held) and held.at_ms[i] == row.at_ms:
            before = (held.quality[i], held.count[i])
            after = winner(before, (row.quality, row.counts))
            held.quality[i], held.count[i] = after
            return after != before
        held.at_ms.insert(i, row.at_ms)
        held.count.insert(i, row.counts)
        held.quality.insert(i, row.quality)
        self._rows += 1
        return True

    def _trim(self, now_ms: int) -> None:
        """Time passes: an eighth beyond the bound is let stand, so that this is rare."""
        if now_ms - self.floor_ms > self.keep_ms + self.keep_ms // 8:
            self._forget(now_ms - self.keep_ms)
        while self._rows > self._most_rows:
            oldest_ms = min(c.at_ms[0] for c in self._series.values() if c)
            newest_ms = max(c.at_ms[-1] for c in self._series.values() if c)
            self._forget(oldest_ms + max(newest_ms - oldest_ms, 7) // 8 + 1)

    def _forget(self, floor_ms: int) -> None:
        self.floor_ms = floor_ms
        for series, held in list(self._series.items()):
            i = bisect_left(held.at_ms, floor_ms)
            if not i:
                continue
            self._rows -= i
            self._series[series] = Columns(held.at_ms[i:], held.count[i:], held.quality[i:])


def joined(one: Columns, other: Columns) -> Columns:
    """``other`` comes after ``one``."""
    return Columns(
        array("q", [*one.at_ms, *other.at_ms]),
        array("q", [*one.count, *other.count]),
        array("H", [*one.quality, *other.quality]),
    )
