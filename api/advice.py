"""What is worth knowing of a room now, beside its alarms. Made when somebody asks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from api.calibration import standing
from api.console.language import Words
from api.context import Context
from api.limits import limit_of
from api.lots import all_events, folded, in_room
from api.registry import Registry
from api.rooms import DEFAULT_INTERVAL_S, SILENT_INTERVALS, RoomNow, Value
from domain.advice import (
    A_DAY_MS,
    DRY_MARGIN_C,
    HOUR_MS,
    Advice,
    ethylene_harm,
    hours_left,
    outside_band,
    sweat,
    warm_up,
    wet_sensor,
)
from domain.commodity import COMMODITIES, Commodity
from domain.profile import NEVER
from domain.quantity import QUANTITIES
from domain.reading import NOT_VALID, Columns, ProbeId, RoomId, Series
from domain.span import Sample, Span
from domain.stay import Folded
from domain.upkeep import BUSY_DOOR
from domain.usual_defrost import DAY_MS, LONGEST_MS, LOWERED, OF_DAYS, Usual, habits, like
from store.ports import ReadingReader

FRESH_MS = HOUR_MS  # an older value says nothing of the air now
OUTAGES_MS = 90 * DAY_MS  # earlier ones say little of today's goods
DOORS_MS = DAY_MS  # far enough back to know whether a door stood open


def advice_of(context: Context, now: RoomNow, stays: Folded | None = None) -> list[Advice]:
    """In the order in which somebody would act on it. ``stays``: all lots', where they are at
    hand."""
    now_ms = context.now_ms()
    reader = context.sources.readings.get()
    found = [*_sweating(now, now_ms)]
    if reader is not None:
        found += _warming(context, reader, now, now_ms)
        found += _band(context, reader, now, now_ms)
        found += _damp(context, reader, now, now_ms)
        found += _defrosts(context, reader, now, now_ms)
    found += _ethylene(context, now, folded(all_events(context)) if stays is None else stays)
    found += _papers(context, now, now_ms)
    return found


def _interval_ms(now: RoomNow) -> int:
    return 1000 * (now.rule.interval_s if now.rule else DEFAULT_INTERVAL_S)


def _valid(
    reader: ReadingReader, probe: ProbeId, quantity: str, from_ms: int, to_ms: int
) -> list[Sample]:
    rows = reader.between(Series(probe, quantity), from_ms, to_ms)
    return [(at_ms, count) for at_ms, count, bits in rows if not bits & NOT_VALID]


def _assigned(
    context: Context, reader: ReadingReader, room: RoomId, quantity: str, from_ms: int, to_ms: int
) -> dict[ProbeId, list[Sample]]:
    """While each probe was in the room."""
    found: dict[ProbeId, list[Sample]] = {}
    for probe, first_ms, last_ms in context.registry().assigned(room, from_ms, to_ms):
        found.setdefault(probe, []).extend(_valid(reader, probe, quantity, first_ms, last_ms))
    return {probe: sorted(samples) for probe, samples in found.items() if samples}


# --- without power


def _warming(context: Context, reader: ReadingReader, now: RoomNow, now_ms: int) -> list[Advice]:
    """How long the goods have, by how the room warmed in this outage and in earlier ones."""
    dead = any(v.quantity.name == "mains" and v.trusted and v.number == 0 for v in now.values)
    head = now.headline
    limit = limit_of(now.rule, "CRIT_HIGH") or limit_of(now.rule, "WHO_HEAT")
    if not dead or head is None or limit is None or limit.above is None:
        return []
    since_ms, end_ms = now_ms - OUTAGES_MS, now_ms + 1
    mains = _assigned(context, reader, now.room.id, "mains", since_ms, end_ms)
    outages = [span for samples in mains.values() for span in _spans_of(0, samples, end_ms)]
    samples = [
        sample
        for begin, end in outages
        for sample in _valid(reader, head.probe, head.quantity.name, begin, end)
    ]
    rate = warm_up(samples, outages)
    count = QUANTITIES["temperature"].count
    hours = hours_left(count(head.number), count(limit.above), rate)
    if rate is None or hours is None:
        return []
    said = {"hours": hours, "limit": limit.above, "rate": round(rate / 100, 1)}
    return [Advice("WARM_UP", "outage", said)]


def _spans_of(value: int, samples: Sequence[Sample], end_ms: int) -> list[Span]:
    spans: list[Span] = []
    begin: int | None = None
    for at_ms, count in samples:
        if count == value:
            begin = at_ms if begin is None else begin
        elif begin is not None:
            spans.append((begin, at_ms))
            begin = None
    return spans if begin is None else [*spans, (begin, end_ms)]


# --- between the band and the warning


def _band(context: Context, reader: ReadingReader, now: RoomNow, now_ms: int) -> list[Advice]:
    """By the air's own probes; by those among the goods where there are none."""
    if now.rule is None:
        return []
    for quantity in ("temperature", "product_temperature"):
        series = _assigned(context, reader, now.room.id, quantity, now_ms - A_DAY_MS, now_ms + 1)
        found = outside_band(now.rule.profile, list(series.values()), _interval_ms(now))
        if found is not None:
            mean, edge = found
            how = "above" if mean > edge else "below"
            return [Advice("OUT_OF_BAND", how, {"mean": round(mean, 1), "edge": float(edge)})]
        if series:
            break
    return []


# --- humidity and dew


def _damp(context: Context, reader: ReadingReader, now: RoomNow, now_ms: int) -> list[Advice]:
    room, end_ms = now.room.id, now_ms + 1
    doors = _assigned(context, reader, room, "door", now_ms - DOORS_MS, end_ms)
    openings = [opening for samples in doors.values() for opening in _openings(samples)]
    lately = sum(1 for at_ms, _ in openings if now_ms - HOUR_MS < at_ms <= now_ms)
    found = [Advice("DOOR_BUSY", "hour", {"n": lately})] if lately > BUSY_DOOR else []
    gap_ms = SILENT_INTERVALS * _interval_ms(now)
    humid = _assigned(context, reader, room, "humidity", now_ms - DOORS_MS, end_ms)
    for probe, samples in humid.items():
        since_ms = wet_sensor(samples, openings, gap_ms, now_ms)
        if since_ms is not None:
            found.append(Advice("RH_WET", "since", {"probe": probe, "since_ms": since_ms}))
    return found


def _openings(samples: Sequence[Sample]) -> list[Span]:
    return [
        (at_ms, at_ms)
        for (at_ms, value), before in zip(samples, [None, *samples], strict=False)
        if value == 1 and (before is None or before[1] == 0)
    ]


def _sweating(now: RoomNow, now_ms: int) -> list[Advice]:
    fresh = [v for v in now.values if v.trusted and now_ms - v.at_ms <= FRESH_MS]

    def of(quantity: str) -> list[Value]:
        return [v for v in fresh if v.quantity.name == quantity]

    humid = {v.probe: v.number for v in of("humidity")}
    pulp, air = of("product_temperature"), of("temperature")
    found: list[Advice] = []
    if not pulp and not air:
        return found
    goods = min((v.number for v in pulp or air), default=0.0)
    outside = next((v for v in of("ambient_temperature") if v.probe in humid), None)
    inside = next((v for v in air if v.probe in humid), None)
    for where, place in (("in", inside if pulp else None), ("out", outside)):
        if place is None:
            continue
        wet = sweat(goods, place.number, humid[place.probe])
        if wet is not None:
            how, dew = wet
            said = {"goods": round(goods, 1), "dew": round(dew, 1)}
            safe = round(dew + DRY_MARGIN_C, 1)
            found.append(Advice("CONDENSATION", f"{where}_{how}", {**said, "safe": safe}))
    return found


# --- defrosts that nobody tells of


def _defrosts(context: Context, reader: ReadingReader, now: RoomNow, now_ms: int) -> list[Advice]:
    since_ms = now_ms - OF_DAYS * DAY_MS
    readings: dict[Series, Columns] = {}
    for quantity in ("temperature", "defrost"):
        for probe, from_ms, to_ms in context.registry().assigned(now.room.id, since_ms, now_ms + 1):
            rows = reader.between(Series(probe, quantity), from_ms, to_ms)
            if len(rows):
                readings[Series(probe, quantity)] = rows
    found = habits(readings, SILENT_INTERVALS * _interval_ms(now), now_ms)
    if not found:
        return []
    said = Advice("DEFROST_INFERRED", "habit", _habit(context, found))
    return [said, *_now_like(now, found, now_ms)]


def _habit(context: Context, usual: Sequence[Usual]) -> dict[str, str | float]:
    today_ms = context.now_ms() // DAY_MS * DAY_MS
    clocks = sorted(
        {
            f"{datetime.fromtimestamp((today_ms + h.at_ms) / 1000, context.zone):%H:%M}"
            for h in usual
        }
    )
    return {
        "times": ", ".join(clocks),
        "days": min(h.days for h in usual),
        "peak": max(h.peak for h in usual) / 100,
    }


def _now_like(now: RoomNow, usual: Sequence[Usual], now_ms: int) -> list[Advice]:
    for fact in now.alarms:
        if fact.code in LOWERED:
            peak = -NEVER if fact.peak is None else QUANTITIES["temperature"].count(fact.peak)
            if like(usual, fact.began_at_ms, peak, now_ms - fact.began_at_ms):
                until_ms = fact.began_at_ms + LONGEST_MS
                return [Advice("DEFROST_INFERRED", "now", {"until_ms": until_ms, "fact": fact.id})]
    return []


# --- neighbours


def _ethylene(context: Context, now: RoomNow, stays: Folded) -> list[Advice]:
    registry = context.registry()
    lots = {lot.id: lot for lot in context.records.lots()}

    def goods(room: RoomId) -> list[Commodity]:
        """What the room's rule names and what its lots are."""
        rule = registry.rule(room, context.now_ms())
        keys = {*(rule.commodities if rule else ())}
        keys |= {lot.commodity for lot, _ in in_room(stays, lots, room)}
        return [COMMODITIES[key] for key in sorted(keys) if key in COMMODITIES]

    mine = goods(now.room.id)
    found = [
        Advice("ETHYLENE", "room", {"giver": giver.key, "taker": taker.key})
        for giver in mine
        for taker in mine
        if ethylene_harm(giver, taker, same_room=True)
    ]
    for room in registry.rooms_of(now.site.id):
        if room.id != now.room.id:
            found += [
                Advice(
                    "ETHYLENE",
                    "site",
                    {"giver": giver.key, "taker": taker.key, "room": room.id},
                )
                for giver in goods(room.id)
                for taker in mine
                if ethylene_harm(giver, taker, same_room=False)
            ]
    return found


# --- probes


def _papers(context: Context, now: RoomNow, now_ms: int) -> list[Advice]:
    registry = context.registry()
    found: list[Advice] = []
    for probe in registry.probes_of(now.room.id, now_ms):
        one = standing(registry, probe, now_ms)
        if one.state in ("due", "overdue") and one.held and one.held.due_on:
            said = {"probe": probe, "due": one.held.due_on.isoformat()}
            found.append(Advice("CAL_DUE", one.state, said))
        drifted = one.drifted
        if drifted is not None and drifted.off is not None:
            at_ms = drifted.said.check.at_ms
            off_c = drifted.off / 100
            found.append(
                Advice("SENSOR_DRIFT", "off", {"probe": probe, "off": off_c, "at_ms": at_ms})
            )
    return found


# --- in people's words


def text_of(advice: Advice, words: Words, registry: Registry) -> str:
    filled: dict[str, Any] = {}
    for name, value in advice.said.items():
        if name.endswith("_ms"):
            filled[name.removesuffix("_ms")] = words.time(int(value))
        elif name in ("giver", "taker"):
            filled[name] = words.name(COMMODITIES[str(value)])
        elif name == "room" and (room := registry.rooms.get(RoomId(str(value)))) is not None:
            filled[name] = words.name(room)
        else:
            filled[name] = f"{value:g}".replace("-", "−") if isinstance(value, float) else value
    return words(f"advice.{advice.code}_{advice.how}", **filled)
