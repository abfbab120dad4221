"""A room's chart from the stores: series, limits, gaps, pauses, alarms."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median

from api.charts import Chart, Limit, Point, Span, Trace, gaps, number
from api.console.language import Words
from api.context import Context
from api.limits import limits_in_force
from api.readings import Stretch, bucket_width_ms, bucketed
from api.rooms import DEFAULT_INTERVAL_S, SILENT_INTERVALS
from domain.quantity import QUANTITIES
from domain.reading import ProbeId, RoomId
from store.ports import ReadingReader
from store.records.ports import Room

POINTS = 288  # a day of five-minute readings, each for itself
HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS
DRAWN = ("temperature", "product_temperature")
MOST_TRACES = 8


def room_chart(
    context: Context, words: Words, room: Room, from_ms: int, to_ms: int, *, id: str = "c"
) -> Chart | None:
    """None while readings are not there. ``from`` is moved back to a whole hour."""
    from_ms = from_ms // HOUR_MS * HOUR_MS
    now_ms = context.now_ms()
    registry = context.registry()
    rule = registry.rule(room.id, now_ms)
    interval_ms = (rule.interval_s if rule else DEFAULT_INTERVAL_S) * 1000
    width_ms = bucket_width_ms(from_ms, to_ms, POINTS)
    apart_ms = max(SILENT_INTERVALS * interval_ms, 2 * width_ms)
    assigned = registry.assigned(room.id, from_ms, to_ms)
    traces = context.sources.readings.ask(
        lambda reader: _traces(reader, words, assigned, from_ms, width_ms, apart_ms)
    )
    if traces is None:
        return None
    limits = limits_in_force(rule) if rule else []
    return Chart(
        id=id,
        title=words(
            "room.chart_of",
            room=words.name(room),
            quantity=words("quantity.temperature"),
            **{"from": words.time(from_ms), "to": words.time(to_ms)},
        ),
        unit="°C",
        from_ms=from_ms,
        to_ms=to_ms,
        traces=traces,
        limits=[
            Limit(value, sign + number(value), limit.level, side)
            for limit in limits
            for value, sign, side in ((limit.above, ">", "high"), (limit.below, "<", "low"))
            if value is not None
        ],
        spans=_spans(context, words, room.id, from_ms, to_ms, traces, apart_ms),
        ticks=ticks(words, from_ms, to_ms),
        now_ms=now_ms,
        empty=words("room.no_readings"),
    )


def _traces(
    reader: ReadingReader,
    words: Words,
    assigned: Sequence[tuple[ProbeId, int, int]],
    from_ms: int,
    width_ms: int,
    apart_ms: int,
) -> list[Trace]:
    measured = set(reader.series())
    found: list[Trace] = []
    for quantity in DRAWN:
        for probe in dict.fromkeys(probe for probe, _, _ in assigned):
            if (probe, quantity) not in measured or len(found) == MOST_TRACES:
                continue
            mine = [Stretch(*one) for one in assigned if one[0] == probe]
            rows = bucketed(reader, mine, QUANTITIES[quantity], from_ms, width_ms)
            points = [
                Point(at_ms, low, mean, high)
                for at_ms, low, mean, high in zip(
                    rows["t"], rows["min"], rows["mean"], rows["max"], strict=True
                )
            ]
            joined_ms = max(apart_ms, SILENT_INTERVALS * _usual_ms(points))
            found.append(Trace(_name(words, probe, quantity, assigned), points, joined_ms))
    return found


def _usual_ms(points: Sequence[Point]) -> int:
    """A probe that reports less often than the room's interval is no broken line."""
    if len(points) < 2:
        return 0
    return int(median(b.at_ms - a.at_ms for a, b in pairwise(points)))


def _name(
    words: Words, probe: ProbeId, quantity: str, assigned: Sequence[tuple[ProbeId, int, int]]
) -> str:
    """The end of the probe's id where the quantity alone would not tell two lines apart."""
    several = len({other for other, _, _ in assigned}) > 1
    return words(f"quantity.{quantity}") + (f" …{probe[-4:]}" if several else "")


def _spans(
    context: Context,
    words: Words,
    room: RoomId,
    from_ms: int,
    to_ms: int,
    traces: Sequence[Trace],
    apart_ms: int,
) -> list[Span]:
    now_ms = min(context.now_ms(), to_ms)
    heard = sorted({point.at_ms for trace in traces for point in trace.points})
    holes = gaps(heard, from_ms, now_ms, apart_ms) if traces else []
    spans = [Span("gap", a, b, words("room.gap")) for a, b in holes]
    facts = context.sources.facts
    for pause in facts.ask(lambda reader: reader.pauses(room, from_ms, to_ms)) or ():
        label = f"{words('room.legend_pause')}: {words.known('cause', pause.cause)}"
        spans.append(Span("pause", pause.from_ms, pause.to_ms, label))
    alarms = facts.ask(lambda reader: reader.facts(room, from_ms=from_ms, to_ms=to_ms)) or ()
    for fact in sorted(alarms, key=lambda fact: fact.level == "critical"):
        label = f"{words.known('code', fact.code)}, {words.time(fact.fired_at_ms)}"
        spans.append(Span(fact.level, fact.began_at_ms, fact.cleared_at_ms or now_ms, label))
    return spans


def ticks(words: Words, from_ms: int, to_ms: int) -> list[tuple[int, str]]:
    """Local round times: at most about seven, so that they fit on a phone."""
    span_ms = to_ms - from_ms
    step_h = next((h for h in (1, 2, 3, 6, 12, 24, 48, 96) if span_ms / (h * HOUR_MS) <= 7), 168)
    local = datetime.fromtimestamp(from_ms / 1000, UTC).astimezone(words.zone)
    at = local.replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    while (at_ms := int(at.timestamp() * 1000)) < to_ms:
        if at_ms >= from_ms:
            day = step_h >= 24 or at.hour == 0
            found.append((at_ms, words.day(at_ms) if day else words.clock(at_ms)))
        at += timedelta(hours=step_h)
    return found
