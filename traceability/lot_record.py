"""One lot's record as it stands: journey, stays, readings by the hour, alarms, verdict.

A function of what the stores hold up to ``until``: made again from the same readings,
events, rules and facts it is the same to the last digit, which is how late data shows.
All numbers are whole (counts of 0.01 degC, milliseconds) or decimal text.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

from domain.calibration import overdue
from domain.exposure import GAP_INTERVALS, Exposure, Limits, expose, valid
from domain.instant import instant_ms, rfc3339
from domain.judgement import Rule
from domain.lot import lot_event, lot_object
from domain.profile import (
    NEVER,
    WARNINGS_HIGH,
    WARNINGS_LOW,
    Impossible,
    ResolvedRule,
    resolve,
)
from domain.reading import Columns, ProbeId, RoomId, Series
from domain.stay import Folded, Stay
from store.facts.names import name, parse
from store.facts_ports import FactsReader, StoredFact
from store.ports import ReadingReader
from store.records.ports import EpcisEvent, Lot, RecordsReader, Room, RuleVersion, Site
from store.words import Words
from traceability.canonical import canonical
from traceability.epcis import from_event
from traceability.verdict import verdict

QUANTITIES = ("product_temperature", "temperature")
DEFAULT_INTERVAL_MS = 300_000  # of a room that has no rule yet
LONGEST_REACH_MS = GAP_INTERVALS * 3_600_000  # interval_s is at most an hour
DOUBTS = frozenset({"SENSOR_STUCK", "SENSOR_RANGE", "SENSOR_DISAGREE"})
OVERDUE = "calibration overdue"
HOURS_COLUMNS = (
    "hour_ms", "n", "low", "high", "total", "known_ms", "weighted",
    "above_ms", "above", "below_ms", "below",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stores:
    """Where a record is made from."""

    readings: ReadingReader
    records: RecordsReader
    facts: FactsReader


@dataclass(frozen=True, slots=True)
class LotRecord:
    """``body``: the members of a certificate that say what happened. ``until_ms``: nothing
    later was looked at. ``open``: the lot is in a room. ``known``: some stay has readings."""

    body: dict[str, Any]
    until_ms: int
    open: bool
    known: bool


def make(
    lot: Lot,
    events: Sequence[EpcisEvent],
    folded: Folded,
    stores: Stores,
    until_ms: int | None = None,
) -> LotRecord | None:
    """``events``: those that name the lot or what it was packed with or made from. ``until_ms``
    None: as far as the readings are sure to be complete while they come in live, which is
    three intervals before the newest. None when the lot has not been in a room."""
    object = lot_object(lot.id)
    stays = folded.of(object)
    if not stays:
        return None
    rules = {stay.room: stores.records.rules(stay.room) for stay in stays}
    actions = {stay.room: _changed_overrides(stores.records, stay.room) for stay in stays}
    limits = {room: limits_of(rules[room], actions[room]) for room in rules}
    last = stays[-1]
    is_open = last.to_ms is None
    if until_ms is None:
        until_ms = _until(last, limits[last.room], stores)
    places = _places(stores.records)
    words = {room: Words(stores.records.cases(room)) for room in rules}
    shown = [
        _stay(stay, until_ms, limits[stay.room], rules[stay.room], places, words[stay.room],
              lot, stores)
        for stay in stays
        if stay.from_ms <= until_ms
    ]  # fmt: skip
    mine = [e for e in events if object in lot_event(e.body).everything]
    contradictions = [
        {"event_id": misfit.event, "reason": misfit.reason}
        for misfit in folded.misfits
        if misfit.object == object
    ]
    body = {
        "lot": {
            "id": lot.id,
            "code": lot.code,
            "commodity": lot.commodity,
            "name_zh": lot.name_zh,
            "name_en": lot.name_en,
            "quantity_kg": lot.quantity_kg,
            "producer": lot.producer,
            "recorded_at": rfc3339(lot.created_at_ms),
            "made_from": [str(one) for one in folded.sources.get(object, ())],
        },
        "journey": [_step(event, lot) for event in sorted(mine, key=_happened)],
        "contradictions": contradictions,
        "evidence_until": rfc3339(until_ms),
        "stays": shown,
        "verdict": verdict(shown, contradictions),
    }
    known = any(series["n"] for stay in shown for series in stay["series"])
    return LotRecord(body, until_ms, is_open, known)


def limits_of(
    rules: Sequence[RuleVersion], changed: Sequence[tuple[int, Mapping[str, Any]]]
) -> list[Limits]:
    """Reference limits over time. ``changed``: (at, overrides) of ``rule_changed`` actions,
    which replace the overrides of the rule then in force (alarm decisions 21)."""
    found = []
    for position, version in enumerate(rules):
        end_ms = rules[position + 1].from_ms if position + 1 < len(rules) else None
        turns = [(version.from_ms, version.overrides)]
        turns += [
            (at_ms, overrides)
            for at_ms, overrides in changed
            if at_ms > version.from_ms and (end_ms is None or at_ms < end_ms)
        ]
        for from_ms, overrides in turns:
            found.append(_reference(from_ms, version, _resolved(version, overrides)))
    return found or [Limits(0, DEFAULT_INTERVAL_MS, None, None, "none")]


def _resolved(version: RuleVersion, overrides: Mapping[str, Any]) -> ResolvedRule:
    """Overrides that were meant for a rule which a later record has replaced may be impossible
    with the new one; then the rule holds as it is."""
    try:
        return resolve(_rule(version, overrides))
    except Impossible:
        return resolve(_rule(version, version.overrides))


def _rule(version: RuleVersion, overrides: Mapping[str, Any]) -> Rule:
    return Rule(
        f"m{version.m}",
        version.from_ms,
        version.profile,
        version.commodities,
        version.interval_s,
        overrides,
    )


def _reference(from_ms: int, version: RuleVersion, resolved: ResolvedRule) -> Limits:
    """The warning limit of each side; without one the rule's own (alarm decisions 26)."""
    high = [x.high for x in resolved.limits if x.high < NEVER and x.code in WARNINGS_HIGH]
    high = high or [x.reference_high for x in resolved.limits if x.reference_high < NEVER]
    low = [x.low for x in resolved.limits if x.low > -NEVER and x.code in WARNINGS_LOW]
    low = low or [x.reference_low for x in resolved.limits if x.reference_low > -NEVER]
    return Limits(
        from_ms,
        resolved.interval_ms,
        min(high, default=None),
        max(low, default=None),
        f"m{version.m}:{resolved.name}",
    )


def _changed_overrides(records: RecordsReader, room: RoomId) -> list[tuple[int, Mapping[str, Any]]]:
    return [
        (action.at_ms, action.detail["overrides"])
        for action in records.actions(room)
        if action.kind == "rule_changed"
    ]


def _until(last: Stay, limits: Sequence[Limits], stores: Stores) -> int:
    if last.to_ms is not None:
        return last.to_ms
    series = _series(last.room, last.from_ms, None, stores)
    newest = max((x.at_ms for x in stores.readings.latest(list(series))), default=0)
    return max(newest - GAP_INTERVALS * limits[-1].interval_ms, last.from_ms)


def _series(
    room: RoomId, from_ms: int, to_ms: int | None, stores: Stores
) -> dict[Series, list[tuple[int, int | None]]]:
    """Temperature series in the room within the time, with the spans of their assignments."""
    known = set(stores.readings.series())
    found: dict[Series, list[tuple[int, int | None]]] = {}
    for held in stores.records.assignments(room):
        if (held.to_ms is None or held.to_ms > from_ms) and (to_ms is None or held.from_ms < to_ms):
            for quantity in QUANTITIES:
                series = Series(held.probe, quantity)
                if series in known:
                    found.setdefault(series, []).append((held.from_ms, held.to_ms))
    return found


def _stay(
    stay: Stay,
    until_ms: int,
    limits: Sequence[Limits],
    rules: Sequence[RuleVersion],
    places: Mapping[RoomId, tuple[Room, Site]],
    words: Words,
    lot: Lot,
    stores: Stores,
) -> dict[str, Any]:
    to_ms = until_ms if stay.to_ms is None else min(stay.to_ms, until_ms)
    exposures = []
    for series, spans in sorted(_series(stay.room, stay.from_ms, to_ms, stores).items()):
        columns = _readings(series, spans, stay.from_ms, to_ms, stores.readings)
        exposure = expose(valid(columns), stay.from_ms, to_ms, limits)
        exposures.append((series, exposure, _digest(series, columns, stay.from_ms, to_ms)))
    facts = [
        _fact_json(fact, to_ms, _case(words.of(fact), lot))
        for fact in _facts(stores.facts, stay.room, stay.from_ms, to_ms)
    ]
    length_ms = to_ms - stay.from_ms
    unknown_ms = min((e.unknown_ms for _, e, _ in exposures), default=length_ms)
    shown = [_series_json(series, exposure, digest) for series, exposure, digest in exposures]
    unverified = [
        *_doubted(facts, stay.from_ms, to_ms),
        *_out_of_date([series.probe for series, _, _ in exposures], stay.from_ms, to_ms, stores),
    ]
    return {
        "room": _room_json(stay.room, places),
        "from": rfc3339(stay.from_ms),
        "to": None if stay.to_ms is None else rfc3339(stay.to_ms),
        "evidence_until": rfc3339(to_ms),
        "came_by": stay.came_by,
        "left_by": stay.left_by,
        "length_ms": length_ms,
        "unknown_ms": unknown_ms,
        "limits": [_limit_json(limit, rules) for limit in _within(limits, stay.from_ms, to_ms)],
        "series": shown,
        "summary": summary(shown, length_ms, unknown_ms),
        "facts": facts,
        # Left out where there is none: a record made before this was known stays as it is.
        **({"unverified": unverified} if unverified else {}),
    }


def _doubted(facts: Sequence[Mapping[str, Any]], from_ms: int, to_ms: int) -> list[dict[str, Any]]:
    """Spans in which a sensor's fault says that what was measured is not to be relied on."""
    return [
        {
            "from": rfc3339(max(instant_ms(fact["began_at"]), from_ms)),
            "to": fact["cleared_at"] or rfc3339(to_ms),
            "because": fact["code"],
            "probe": None,
        }
        for fact in facts
        if fact["code"] in DOUBTS
    ]


def _out_of_date(
    probes: Sequence[ProbeId], from_ms: int, to_ms: int, stores: Stores
) -> list[dict[str, Any]]:
    return [
        {"from": rfc3339(begin), "to": rfc3339(end), "because": OVERDUE, "probe": probe}
        for probe in sorted(set(probes))
        for begin, end in overdue(stores.records.papers(probe), from_ms, to_ms)
    ]


def summary(series: Sequence[Mapping[str, Any]], length_ms: int, unknown_ms: int) -> dict[str, Any]:
    """The stay for people, as decimal text: extremes of all series, the mean over all of their
    known time, degree-minutes of the series that has most, unknown time of the best covered."""
    lows = [s["low"] for s in series if s["low"] is not None]
    highs = [s["high"] for s in series if s["high"] is not None]
    known_ms = sum(s["known_ms"] for s in series)
    weighted = sum(s["weighted"] for s in series)
    return {
        "low_c": celsius(min(lows)) if lows else None,
        "high_c": celsius(max(highs)) if highs else None,
        "mean_c": celsius(Fraction(weighted, known_ms)) if known_ms else None,
        "degree_minutes_above": decimal(max((s["above"] for s in series), default=0), 6_000_000),
        "minutes_above": decimal(max((s["above_ms"] for s in series), default=0), 60_000),
        "degree_minutes_below": decimal(max((s["below"] for s in series), default=0), 6_000_000),
        "minutes_below": decimal(max((s["below_ms"] for s in series), default=0), 60_000),
        "minutes": decimal(length_ms, 60_000),
        "minutes_unknown": decimal(unknown_ms, 60_000),
    }


def celsius(counts: int | Fraction) -> str:
    return decimal(counts, 100)


def decimal(value: int | Fraction, unit: int) -> str:
    """value / unit with two decimals, half to even, exactly."""
    hundredths = Fraction(value) * 100 / unit
    whole = Decimal(round(hundredths))
    return str((whole / 100).quantize(Decimal("0.01"), ROUND_HALF_EVEN))


def series_json(exposure: Exposure) -> dict[str, Any]:
    """The sums of one series over one stay, with the hours that they are sums of."""
    return {
        "n": exposure.n,
        "low": exposure.low,
        "high": exposure.high,
        "known_ms": exposure.known_ms,
        "weighted": exposure.weighted,
        "above_ms": exposure.above_ms,
        "above": exposure.above,
        "below_ms": exposure.below_ms,
        "below": exposure.below,
        "hours": [
            [h.start_ms, h.n, h.low, h.high, h.total, h.known_ms, h.weighted, h.above_ms,
             h.above, h.below_ms, h.below]
            for h in exposure.hours
        ],
    }  # fmt: skip


def _series_json(series: Series, exposure: Exposure, digest: str) -> dict[str, Any]:
    named = {"probe": series.probe, "quantity": series.quantity}
    return {**named, **series_json(exposure), "readings_sha256": digest}


def _readings(
    series: Series,
    spans: Sequence[tuple[int, int | None]],
    from_ms: int,
    to_ms: int,
    readings: ReadingReader,
) -> Columns:
    """While the probe was in the room, from a little before the stay to a little after it."""
    found = Columns()
    for start_ms, end_ms in sorted(spans, key=lambda span: span[0]):
        first = max(from_ms - LONGEST_REACH_MS, start_ms)
        after = (
            to_ms + LONGEST_REACH_MS if end_ms is None else min(to_ms + LONGEST_REACH_MS, end_ms)
        )
        if first < after:
            part = readings.between(series, first, after)
            found.at_ms.extend(part.at_ms)
            found.count.extend(part.count)
            found.quality.extend(part.quality)
    return found


def _digest(series: Series, columns: Columns, from_ms: int, to_ms: int) -> str:
    """SHA-256 over the line "probe TAB quantity", then "measured_at_ms count quality" for each
    reading of the stay, the bad ones too, oldest first; each line ends with LF."""
    digest = hashlib.sha256(f"{series.probe}\t{series.quantity}\n".encode())
    for at_ms, count, quality in columns:
        if from_ms <= at_ms < to_ms:
            digest.update(f"{at_ms} {count} {quality}\n".encode())
    return digest.hexdigest()


def _within(limits: Sequence[Limits], from_ms: int, to_ms: int) -> list[Limits]:
    """Those in force at some time of [from, to]."""
    return [
        limit
        for position, limit in enumerate(limits)
        if (limit.from_ms <= to_ms or position == 0)
        and (position + 1 == len(limits) or limits[position + 1].from_ms > from_ms)
    ]


def _limit_json(limit: Limits, rules: Sequence[RuleVersion]) -> dict[str, Any]:
    number = limit.rule.partition(":")[0]
    version = next((rule for rule in rules if f"m{rule.m}" == number), None)
    return {
        "rule": limit.rule,
        "from": rfc3339(limit.from_ms),
        "profile": None if version is None else version.profile,
        "commodities": [] if version is None else list(version.commodities),
        "interval_s": limit.interval_ms // 1000,
        "high": limit.high,
        "low": limit.low,
    }


def _facts(facts: FactsReader, room: RoomId, from_ms: int, to_ms: int) -> list[StoredFact]:
    found = facts.facts(room, from_ms=from_ms, to_ms=to_ms)
    return sorted(
        (fact for fact in found if fact.fired_at_ms < to_ms),
        key=lambda fact: (fact.fired_at_ms, fact.code, fact.id),
    )


def _fact_json(fact: StoredFact, to_ms: int, case: Mapping[str, Any]) -> dict[str, Any]:
    """An alarm that goes on past the evidence is shown as still active, without its sums."""
    over = fact.cleared_at_ms is not None and fact.cleared_at_ms <= to_ms
    return {
        "id": _id(fact),
        "code": fact.code,
        "level": fact.level,
        "began_at": rfc3339(fact.began_at_ms),
        "fired_at": rfc3339(fact.fired_at_ms),
        "cleared_at": rfc3339(fact.cleared_at_ms) if over and fact.cleared_at_ms else None,
        "peak_c": f"{fact.peak:.2f}" if over and fact.peak is not None else None,
        "degree_minutes": f"{fact.degree_minutes:.2f}" if over else None,
        "minutes_unknown": f"{fact.minutes_unknown:.2f}" if over else None,
        "rule": fact.rule,
        **case,
    }


def _id(fact: StoredFact) -> str:
    """A function of the data: ids in ``facts.db`` are those of when it was first seen."""
    return fact.id if parse(fact.id) is None else name(fact.room, fact.code, fact.fired_at_ms)


def _case(notes: Sequence[Mapping[str, Any]], lot: Lot) -> dict[str, Any]:
    """What was said; what was said later stands. ``action`` and ``role`` (of whoever takes it)
    are left out where nobody said so: a record made before they were known stays as it is."""
    said: dict[str, Any] = {}
    fate = None
    for note in notes:
        said.update(note["said"])
        fate = note["said"].get("disposition", {}).get(lot.id, fate)
    return {
        "cause": said.get("cause"),
        "disposition": fate,
        "case_closed": bool(said.get("closed", False)),
        **{name: said[name] for name in ("action", "role") if said.get(name)},
    }


def _step(event: EpcisEvent, lot: Lot) -> dict[str, Any]:
    move = from_event(event.body, lot.id)
    return {
        "event_id": event.event_id,
        "kind": move.kind,
        "type": event.body["type"],
        "step": event.body.get("bizStep"),
        "at": rfc3339(event.event_time_ms),
        "recorded_at": rfc3339(event.record_time_ms),
        "room": move.room,
        "site": move.site,
        "pack": move.pack,
        "destination": move.destination,
        "sha256": hashlib.sha256(canonical(dict(event.body))).hexdigest(),
    }


def _happened(event: EpcisEvent) -> tuple[int, str]:
    return event.event_time_ms, event.event_id


def _places(records: RecordsReader) -> dict[RoomId, tuple[Room, Site]]:
    sites = {site.id: site for site in records.sites()}
    return {room.id: (room, sites[room.site]) for room in records.rooms()}


def _room_json(id: RoomId, places: Mapping[RoomId, tuple[Room, Site]]) -> dict[str, Any]:
    if id not in places:
        return {"id": id, "kind": None, "name_zh": id, "name_en": id, "site": None}
    room, site = places[id]
    return {
        "id": room.id,
        "kind": room.kind,
        "name_zh": room.name_zh,
        "name_en": room.name_en,
        "site": {
            "id": site.id,
            "kind": site.kind,
            "name_zh": site.name_zh,
            "name_en": site.name_en,
        },
    }
