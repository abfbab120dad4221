"""The demo's county is calm, and its story happens when it is told, by the rules themselves."""

from collections.abc import Iterable
from functools import cache

import pytest
from firmware_sim.device import Pack, transmissions

from coldtrail import county
from coldtrail.county import DEPARTING_ROOM, ROOMS, STRAWBERRY_ROOM, VILLAGE_ROOM, ColdRoom
from coldtrail.demo_probes import remembered
from domain.judgement import Action, Asked, Fact, Rule
from domain.profile import resolve
from domain.quantity import QUANTITIES
from domain.reading import Columns, Series
from domain.room import judge

ZERO_MS = 1_780_000_000_000
DAY_MIN = 1440.0


@cache
def spoken(room_id: str, from_min: float, to_min: float) -> tuple[Pack, ...]:
    room = next(room for room in ROOMS if room.id == room_id)
    scenario = county.scenario(room, from_min=from_min, to_min=to_min, start_hour=9, step_s=60)
    return tuple(transmissions(scenario))


def columns(room: ColdRoom, packs: Iterable[Pack], from_min: float) -> dict[Series, Columns]:
    found: dict[Series, Columns] = {}
    for pack in packs:
        for reading in pack.readings:
            series = Series(county.probe_id(room, pack.device), reading.quantity)
            column = found.setdefault(series, Columns())
            column.at_ms.append(ZERO_MS + round(((reading.device_s or 0) + from_min * 60) * 1000))
            column.count.append(QUANTITIES[reading.quantity].count(reading.value))
            column.quality.append(0)
    return found


def facts(
    room: ColdRoom, from_min: float, to_min: float, actions: tuple[Action, ...] = ()
) -> tuple[Fact, ...]:
    readings = columns(room, spoken(room.id, from_min, to_min), from_min)
    rule = Rule("1", 0, room.profile, room.commodities, county.INTERVAL_S, {})
    asked = Asked([rule], readings, actions)
    return judge(asked, ZERO_MS + round(to_min * county.MINUTE_MS)).facts


def minute(at_ms: int | None) -> float:
    return ((at_ms or 0) - ZERO_MS) / county.MINUTE_MS


def room(id: str) -> ColdRoom:
    return next(room for room in ROOMS if room.id == id)


def test_the_county_has_what_it_promises() -> None:
    mobile = [site for site in county.SITES if site.kind == "mobile-store"]

    assert len([region for region in county.REGIONS if region.kind == "township"]) == 3
    assert (len(county.SITES) - len(mobile), len(mobile)) == (9, 2)
    assert len(ROOMS) == 24
    assert {county.gateway_of(r) for r in ROOMS} == set(county.GATEWAYS)


@pytest.mark.parametrize("id", [r.id for r in ROOMS])
def test_every_rule_of_the_county_is_possible(id: str) -> None:
    of = room(id)

    resolve(Rule("1", 0, of.profile, of.commodities, county.INTERVAL_S, {}))


@pytest.mark.parametrize(
    "id", [r.id for r in ROOMS if r.id not in (STRAWBERRY_ROOM, VILLAGE_ROOM, DEPARTING_ROOM)]
)
def test_a_day_before_and_half_an_hour_after_nobody_else_is_rung(id: str) -> None:
    assert facts(room(id), -DAY_MIN, 30) == ()


def test_the_strawberry_room_turns_critical_at_minute_2_and_warns_with_the_same_sample() -> None:
    found = {f.code: f for f in facts(room(STRAWBERRY_ROOM), -DAY_MIN, 40)}

    assert set(found) == {"CRIT_HIGH", "WARN_HIGH"}
    for fact in found.values():
        assert (minute(fact.began_at_ms), minute(fact.fired_at_ms)) == (-28, 2)
        assert 15 < minute(fact.cleared_at_ms) < 35


def test_what_happened_in_the_village_was_over_before_it_came_back() -> None:
    found = {f.code: f for f in facts(room(VILLAGE_ROOM), -DAY_MIN, 5)}

    assert set(found) == {"CRIT_HIGH", "WARN_HIGH"}
    for fact in found.values():
        assert minute(fact.began_at_ms) > county.VILLAGE_GONE_MIN
        assert minute(fact.cleared_at_ms) < 0


def test_the_departing_store_warms_and_is_silent_only_because_it_stands_by() -> None:
    standby = Action(
        ZERO_MS + round((county.DEPARTURE_MIN - 0.2) * county.MINUTE_MS), "standby_started", "p", {}
    )
    until = 2 * 60.0

    assert facts(room(DEPARTING_ROOM), -DAY_MIN, until, (standby,)) == ()
    assert {f.code for f in facts(room(DEPARTING_ROOM), -DAY_MIN, until)} >= {"WARN_HIGH"}


def test_what_a_probe_remembers_comes_in_days_and_never_across_a_cut() -> None:
    packs = [p for p in spoken("hub-1", -3 * DAY_MIN, 0) if p.device == "hub-1-air"]
    cut_s = 1.4 * 86_400

    days = list(remembered(packs, [cut_s]))

    assert sum(len(day.readings) for day in days) == sum(len(pack.readings) for pack in packs)
    assert len(days) == 4
    for day in days:
        stamps = [reading.device_s or 0 for reading in day.readings]
        assert stamps[-1] - stamps[0] < 86_400
        assert stamps[-1] == day.at_s
        assert stamps[0] >= cut_s or stamps[-1] < cut_s


def test_an_event_that_began_before_a_scenario_goes_on_in_it() -> None:
    leg = county.scenario(room("lw-2"), from_min=-20, to_min=5, start_hour=9, step_s=60)

    failing = next(event for event in leg.rooms[0].event if event.kind == "no-cooling")
    assert (failing.at_min, failing.for_min) == (0, 35)
