"""Series as columns: exact values for programs, buckets for charts.

A count divided by a power of ten is the double nearest to the decimal, and its shortest
text is that decimal: 4.1, never 4.1000000000000005. So numbers stay numbers in JSON.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from api.problems import Problem
from domain.quantity import QUANTITIES, Quantity
from domain.reading import Columns, ProbeId, Series
from store.ports import ReadingReader

MOST_ROWS = 50_000
MOST_POINTS = 5_000
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """A probe's time in a room, or simply what was asked; ``from_ms <= t < to_ms``."""

    probe: ProbeId
    from_ms: int
    to_ms: int


def scale(quantity: Quantity) -> int:
    """Counts in one unit; every resolution is a power of ten."""
    return int(10**quantity.decimals)


def values(counts: Sequence[int], quantity: Quantity) -> list[float] | list[int]:
    if quantity.decimals == 0:
        return list(counts)
    unit = scale(quantity)
    return [count / unit for count in counts]


def quantity_named(name: str) -> Quantity:
    found = QUANTITIES.get(name)
    if found is None:
        raise Problem(422, f"unknown quantity {name[:64]!r}", field="quantity")
    return found


def cursor(at_ms: int, place: int) -> str:
    """Where the next page begins: the instant of its first row, in the n-th stretch."""
    return base64.urlsafe_b64encode(f"{place}.{at_ms}".encode()).decode().rstrip("=")


def read_cursor(text: str) -> tuple[int, int]:
    """(place, at_ms)."""
    try:
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
        place, at_ms = plain.split(".")
        return int(place), int(at_ms)
    except (ValueError, binascii.Error) as error:
        raise Problem(422, "not a cursor of this server", field="cursor") from error


def page(
    reader: ReadingReader, stretches: Sequence[Stretch], quantity: Quantity, limit: int, after: str
) -> dict[str, Any]:
    """Raw readings, oldest first within each stretch, at most ``limit``; ``probe`` per row only
    when there are several stretches."""
    place, begin_ms = read_cursor(after) if after else (0, 0)
    t: list[int] = []
    counts: list[int] = []
    q: list[int] = []
    probes: list[str] = []
    following: str | None = None
    while place < len(stretches):
        stretch = stretches[place]
        series = Series(stretch.probe, quantity.name)
        start_ms = max(stretch.from_ms, begin_ms)
        wanted = limit - len(t)
        # One more than wanted says whether there is another page, and where it begins.
        rows: Columns = reader.between(series, start_ms, stretch.to_ms, wanted + 1)
        taken = min(len(rows), wanted)
        t.extend(rows.at_ms[:taken])
        counts.extend(rows.count[:taken])
        q.extend(rows.quality[:taken])
        probes.extend([stretch.probe] * taken)
        if len(rows) > wanted:
            following = cursor(rows.at_ms[wanted], place)
            break
        place, begin_ms = place + 1, 0
    answer: dict[str, Any] = {"t": t, "v": values(counts, quantity), "q": q, "next": following}
    if len(stretches) > 1:
        answer["p"] = probes
    return answer


def bucketed(
    reader: ReadingReader,
    stretches: Sequence[Stretch],
    quantity: Quantity,
    start_ms: int,
    width_ms: int,
) -> dict[str, Any]:
    """n, min, mean and max of the valid readings in buckets that start at multiples of
    ``width_ms`` from ``start_ms``; empty ones are left out. Of the first only what lies in the
    stretch is counted."""
    merged: dict[int, Summed] = {}
    for stretch in stretches:
        for at_ms, one in _on_grid(reader, stretch, quantity, start_ms, width_ms):
            before = merged.get(at_ms)
            merged[at_ms] = one if before is None else _both(before, one)
    rows = sorted(merged.items())
    unit, digits = scale(quantity), quantity.decimals + 1
    return {
        "width_ms": width_ms,
        "t": [at_ms for at_ms, _ in rows],
        "n": [row[0] for _, row in rows],
        "min": values([row[1] for _, row in rows], quantity),
        "mean": [round(row[3] / row[0] / unit, digits) for _, row in rows],
        "max": values([row[2] for _, row in rows], quantity),
        "next": None,
    }


def _on_grid(
    reader: ReadingReader, stretch: Stretch, quantity: Quantity, start_ms: int, width_ms: int
) -> Iterator[tuple[int, "Summed"]]:
    """Buckets of the common grid, none of which holds a reading from outside the stretch."""
    series = Series(stretch.probe, quantity.name)
    cell_ms = start_ms + (stretch.from_ms - start_ms) // width_ms * width_ms
    whole_ms = cell_ms if cell_ms == stretch.from_ms else cell_ms + width_ms
    parts = [(whole_ms, stretch.to_ms)]
    if whole_ms > stretch.from_ms:
        parts.insert(0, (stretch.from_ms, min(whole_ms, stretch.to_ms)))
    for from_ms, to_ms in parts:
        if from_ms < to_ms:
            for found in reader.buckets(series, from_ms, to_ms, width_ms):
                at_ms = cell_ms if found.start_ms < whole_ms else found.start_ms
                yield at_ms, (found.n, found.low, found.high, found.total)


Summed = tuple[int, int, int, int]  # n, low, high, total


def _both(one: Summed, other: Summed) -> Summed:
    return (
        one[0] + other[0],
        min(one[1], other[1]),
        max(one[2], other[2]),
        one[3] + other[3],
    )


def bucket_width_ms(from_ms: int, to_ms: int, points: int) -> int:
    """Whole minutes where the span allows it, so that neighbours on two charts agree; whole
    hours from one hour on, which the store has ready."""
    exact = max((to_ms - from_ms) // points, 1_000)
    for step in (60_000, 3_600_000):
        if exact < step:
            break
        exact = -(-exact // step) * step
    return exact


def grid_from_ms(from_ms: int, width_ms: int) -> int:
    """Where the first bucket begins: on the hour when they are hours wide, so that the store has
    them ready whatever the instant that is asked from."""
    return from_ms // HOUR_MS * HOUR_MS if width_ms % HOUR_MS == 0 else from_ms
