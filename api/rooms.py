"""What holds in each room at this moment: values with their ages, alarms, pauses, silence."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from api.context import Context
from api.readings import values
from domain.quantity import QUANTITIES, Quantity
from domain.reading import NOT_VALID, ProbeId, RoomId
from store.facts_ports import StoredFact, StoredPause
from store.ports import Latest
from store.records.ports import Room, RuleVersion, Site

ORDER = tuple(QUANTITIES)  # temperatures first, as in the table
SILENT_INTERVALS = 3  # as the rules have it (alarm decisions 14)
DEFAULT_INTERVAL_S = 300
SEVERITY = ("critical", "warning", "silent", "unknown", "standby", "paused", "ok")


@dataclass(frozen=True, slots=True)
class Value:
    """The newest reading of a series. ``text`` is exact at the quantity's resolution."""

    probe: ProbeId
    quantity: Quantity
    number: float
    text: str
    at_ms: int
    stored_at_ms: int
    quality: int

    @property
    def trusted(self) -> bool:
        return not self.quality & NOT_VALID


@dataclass(frozen=True, slots=True)
class RoomNow:
    """``state`` is one of SEVERITY: the worst thing that is so."""

    room: Room
    site: Site
    rule: RuleVersion | None
    values: Sequence[Value]
    alarms: Sequence[StoredFact]  # active, critical first
    pauses: Sequence[StoredPause]  # in force now
    silent: bool
    state: str

    @property
    def headline(self) -> Value | None:
        """Of the temperatures that are as new as the newest, the warmest."""
        found = [v for v in self.values if v.quantity.name == "temperature" and v.trusted]
        found = found or [v for v in self.values if v.quantity.name == "product_temperature"]
        if not found:
            return None
        newest_ms = max(v.at_ms for v in found)
        interval_s = self.rule.interval_s if self.rule else DEFAULT_INTERVAL_S
        fresh = [v for v in found if newest_ms - v.at_ms <= SILENT_INTERVALS * interval_s * 1000]
        return max(fresh, key=lambda v: v.number)


def value_of(latest: Latest) -> Value:
    quantity = QUANTITIES[latest.series.quantity]
    number = values([latest.count], quantity)[0]
    return Value(
        latest.series.probe,
        quantity,
        number,
        str(quantity.value(latest.count)),
        latest.at_ms,
        latest.stored_at_ms,
        latest.quality,
    )


def urgency(fact: StoredFact) -> tuple[bool, int, str]:
    """Of active alarms: critical before warning, then the newest."""
    return fact.level != "critical", -fact.fired_at_ms, fact.code


def rooms_now(context: Context) -> dict[RoomId, RoomNow]:
    """Every room. What a missing store would say is left out: no alarms is not "all is well",
    so without facts a room that is otherwise well is ``unknown``."""
    registry = context.registry()
    now_ms = context.now_ms()
    latest = context.sources.readings.ask(lambda reader: reader.latest()) or []
    rooms = registry.by_probe(now_ms)
    in_room: dict[RoomId, list[Value]] = defaultdict(list)
    for one in latest:
        if (home := rooms.get(one.series.probe)) is not None:
            in_room[home].append(value_of(one))
    active = context.sources.facts.ask(lambda reader: reader.facts(active=True))
    alarms: dict[RoomId, list[StoredFact]] = defaultdict(list)
    for fact in active or ():
        alarms[fact.room].append(fact)
    pauses = context.pauses.now(list(registry.rooms), now_ms)
    found = {}
    for room in registry.rooms.values():
        rule = registry.rule(room.id, now_ms)
        mine = sorted(in_room[room.id], key=lambda v: (ORDER.index(v.quantity.name), v.probe))
        silent = _silent(mine, rule, now_ms)
        state = _state(alarms[room.id], pauses[room.id], mine, silent, active is not None)
        found[room.id] = RoomNow(
            room,
            registry.sites[room.site],
            rule,
            mine,
            sorted(alarms[room.id], key=urgency),
            pauses[room.id],
            silent,
            state,
        )
    return found


def _silent(values: Sequence[Value], rule: RuleVersion | None, now_ms: int) -> bool:
    temperatures = [v.at_ms for v in values if v.quantity.name.endswith("temperature")]
    interval_s = rule.interval_s if rule else DEFAULT_INTERVAL_S
    return bool(temperatures) and now_ms - max(temperatures) > SILENT_INTERVALS * interval_s * 1000


def _state(
    alarms: Sequence[StoredFact],
    pauses: Sequence[StoredPause],
    values: Sequence[Value],
    silent: bool,
    judged: bool,
) -> str:
    if any(fact.level == "critical" for fact in alarms):
        return "critical"
    if alarms:
        return "warning"
    causes = {pause.cause for pause in pauses}
    if "standby" in causes:
        return "standby"
    if silent:
        return "silent"
    if not values or not judged:
        return "unknown"
    return "paused" if causes else "ok"
