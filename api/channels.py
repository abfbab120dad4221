"""How each way to reach people fares, and what was carried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.context import Context
from store.notices import SqlNoticesReader


@dataclass(frozen=True, slots=True)
class WayNow:
    """``ok_ms``: when it last worked; ``failing_ms``: since when it does not, and ``error`` why."""

    name: str
    ok_ms: int | None = None
    failing_ms: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Month:
    """Of one organisation ("": what spans rooms, and rooms of nobody), by channel."""

    month: str
    organisation: str
    channel: str
    messages: int
    parts: int


def ways_now(context: Context, reader: SqlNoticesReader) -> list[WayNow]:
    """In the order of the settings; one that was never tried has neither time."""
    rows = {str(row["name"]): row for row in reader.channels()}
    found = []
    for name in context.settings.channels:
        row = rows.get(name)
        found.append(
            WayNow(name, row["ok_ms"], row["failing_ms"], row["error"] if row["failing_ms"] else "")
            if row
            else WayNow(name)
        )
    return found


def carried(reader: SqlNoticesReader, months: int) -> list[Month]:
    """Newest month first."""
    return [_month(row) for row in reader.usage(months)]


def totals(rows: Sequence[Month]) -> dict[tuple[str, str], tuple[int, int]]:
    """(month, organisation) to messages and parts, all channels together."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for row in rows:
        messages, parts = found.get((row.month, row.organisation), (0, 0))
        found[row.month, row.organisation] = messages + row.messages, parts + row.parts
    return found


def _month(row: Mapping[str, object]) -> Month:
    return Month(
        str(row["month"]), str(row["organisation"]), str(row["channel"]),
        int(str(row["messages"])), int(str(row["parts"])),
    )  # fmt: skip
