"""Points as InfluxDB reads them: line protocol, straight from columns.

A valid reading is field ``value``. One that the rules would not trust is ``suspect``
instead, with its quality bits, so that no chart of values shows it as normal or as hot.
Times are milliseconds.
"""

from collections.abc import Callable

from domain.quantity import QUANTITIES
from domain.reading import NOT_VALID, Columns, Series
from ingest.placement import UNASSIGNED
from store.facts_ports import StoredFact

ALARM = "alarm"


class Prefixes:
    """Measurement and tags of a series in a place, escaped once: formatting them for each
    line halves the rate."""

    def __init__(self) -> None:
        self._known: dict[tuple[Series, str, str], str] = {}

    def of(self, series: Series, room: str, site: str) -> str:
        key = (series, room, site)
        prefix = self._known.get(key)
        if prefix is None:
            prefix = self._known[key] = (
                f"{series.quantity},probe={tag(series.probe)},room={tag(room)},site={tag(site)} "
            )
        return prefix


def lines(prefix: str, quantity: str, columns: Columns) -> list[str]:
    """One line a reading."""
    written = printer(quantity)
    if not any(columns.quality):
        head = prefix + "value="
        return [
            f"{head}{written(count)} {at_ms}"
            for at_ms, count in zip(columns.at_ms, columns.count, strict=True)
        ]
    found = []
    for at_ms, count, quality in columns:
        field = "suspect" if quality & NOT_VALID else "value"
        bits = f",quality={quality}i" if quality else ""
        found.append(f"{prefix}{field}={written(count)}{bits} {at_ms}")
    return found


def printer(quantity: str) -> Callable[[int], str]:
    """Counts as the shortest decimal that is exactly the value: 4.1, not 4.1000000000000005."""
    scale = 10 ** QUANTITIES[quantity].decimals
    return lambda count: repr(count / scale)


def alarm_line(fact: StoredFact, site: str) -> str:
    """One point at ``fired_at``; the newest version of a fact replaces the ones before."""
    fields = [
        f"id={_string(fact.id)}",
        f"title={_string(f'{fact.code} {fact.room}')}",
        f"version={fact.version}i",
        f"began={fact.began_at_ms}i",
        f"degree_minutes={float(fact.degree_minutes)!r}",
        f"minutes_unknown={float(fact.minutes_unknown)!r}",
    ]
    if fact.cleared_at_ms is not None:
        fields.append(f"cleared={fact.cleared_at_ms}i")
    if fact.peak is not None:
        fields.append(f"peak={float(fact.peak)!r}")
    tags = f"code={tag(fact.code)},level={tag(fact.level)},room={tag(fact.room)},site={tag(site)}"
    return f"{ALARM},{tags} {','.join(fields)} {fact.fired_at_ms}"


def tag(text: str) -> str:
    """A tag's value; an empty one cannot be written."""
    if not text:
        return UNASSIGNED
    return text.replace(",", r"\,").replace("=", r"\=").replace(" ", r"\ ")


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
