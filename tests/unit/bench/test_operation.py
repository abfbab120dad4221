"""The year of normal running: what its figures rest on, and a small one in every run of the tests."""

from dataclasses import replace
from itertools import product
from math import inf
from pathlib import Path

import pytest

from bench import failures
from bench.after_tuning import DAY_MS, accepted, cut, together, work
from bench.normal_operation import Work, measure
from bench.operation.equipment import Equipment
from bench.operation.faults import WHATS
from bench.operation.kept import Kept
from bench.operation.month import Month, Story, live
from bench.operation.probes import count
from bench.operation.rooms import KINDS, drawn
from bench.operation.tally import Tally
from bench.operation.watch import PEOPLE, Watched, rule_of, watch, watched
from domain.judgement import Rule
from domain.message import Place
from domain.retelling import Acted, Addressee, Arrived, ToldRoom, retell

SEED = 1


def retold(month: Month) -> list[tuple[int, str, str, str, tuple[str, ...]]]:
    """As a replay tells it: judged at every arrival."""
    name = str(month.room.number)
    events: list[Arrived | Acted] = [*month.arrivals, *month.actions]
    events.sort(key=lambda event: event.arrived_ms)
    room = ToldRoom(name, Place(name, name), lambda _actions: (rule_of(month),))
    told = retell({name: room}, events, [Addressee(p) for p in PEOPLE], month.until_ms)
    return [
        (t.notice.at_ms, t.notice.to, t.notice.channel, t.notice.kind, t.notice.codes) for t in told
    ]


@pytest.mark.parametrize("number", [0, 3, 4], ids=lambda number: KINDS[number].profile)
def test_what_is_told_is_what_a_replay_tells_that_judges_at_every_arrival(number: int) -> None:
    month = live(SEED, drawn(SEED, number), 1, uplink_fails=True)

    told = watch(month, SEED, answered=0.0, holds_back=False).notices

    assert [(n.at_ms, n.to, n.channel, n.kind, n.codes) for n in told] == retold(month)


@pytest.mark.parametrize("number", [4, 0], ids=lambda number: KINDS[number].profile)
def test_other_probes_and_curtains_change_neither_the_room_nor_what_people_do_in_it(
    number: int,
) -> None:
    drawn_room = drawn(1001, number)
    airy, bottled = (
        Story(1001, Equipment(buffered, curtains=True).of(drawn_room), 1, None)
        for buffered in (False, True)
    )
    for story in (airy, bottled):
        story.run()

    assert airy.diary == bottled.diary == Story(1001, drawn_room, 1, None).diary
    assert airy.state == bottled.state
    highest = [
        max(c for _, _, c in t.rows if abs(c) < 5000)  # no spike
        for t in (airy.thermometers[0], bottled.thermometers[0])
    ]
    assert highest[1] < highest[0]


def test_a_bottled_probes_lag_is_known_to_the_rules_and_told_as_a_replay_tells() -> None:
    room = Equipment(buffered=True).of(drawn(SEED, 4))
    month = live(SEED, room, 1)

    told = watch(month, SEED, answered=0.0, holds_back=False).notices

    lags = [a.action for a in month.actions if a.action.kind == "probe_lag"]
    assert {a.detail["lag_ms"] for a in lags} == {12 * 60_000}
    assert len(lags) == room.watched.air_probes
    assert [(n.at_ms, n.to, n.channel, n.kind, n.codes) for n in told] == retold(month)


def test_what_two_runs_did_is_one_report_and_each_equipment_has_its_own(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    work = Work(Equipment(curtains=True), uplink_fails=False, kept=kept, until_s=inf)
    kept.put("room-1-0", Tally(rooms=1))
    kept.claim("room-1-1")

    assert work((1, 0)) == (1, Tally(rooms=1))
    assert work((1, 1)) is None  # somebody else is at it
    assert replace(work, until_s=0.0)((1, 2)) is None
    names = {Equipment(*has).name for has in product((False, True), repeat=3)}
    assert len(names) == 8


def test_a_controller_that_is_connected_tells_of_the_very_defrosts_that_nobody_heard_of() -> None:
    deaf = next(
        room
        for room in (drawn(SEED, number) for number in range(50))
        if not (room.watched.plant or room.watched.heater)
    )
    untold, told = (Story(SEED, room, 2, None) for room in (deaf, Equipment(flags=True).of(deaf)))
    for story in (untold, told):
        story.run()

    assert told.diary == untold.diary
    assert untold.controller.rows == []
    counts = [n for _, series, n in told.controller.rows if series.quantity == "defrost"]
    assert counts.count(count("defrost", 1.0)) >= 2 * 3  # a day has three at least


def test_the_same_seed_gives_the_same_figures() -> None:
    one, other = (measure(0, SEED, days=2) for _ in range(2))

    assert one == other
    assert one.samples > 2 * 288 * 0.9


def test_a_device_that_samples_at_whole_five_minutes_measures_then_and_not_later() -> None:
    story = Story(SEED, drawn(SEED, 0), 1, None)
    for each in story.thermometers:
        each.phase_s = 0.0
    story.run()

    for each in story.thermometers:
        assert [at_s for at_s, _, _ in each.rows] == [300.0 * i for i in range(289)]


def test_another_seed_gives_another_room() -> None:
    assert drawn(1, 0) != drawn(2, 0)
    assert drawn(1, 0).kind.profile == drawn(2, 0).kind.profile


def test_noise_spikes_losses_and_defrosts_that_are_told_ring_nobody() -> None:
    """A month of room time in all: what rings and is not true had an open door. Vehicles, and
    defrosts that nobody tells of, are the known exceptions (docs/reliability.md)."""
    rooms = (drawn(SEED, number) for number in range(40))
    told = [
        room for room in rooms
        if room.watched.door and (room.watched.plant or room.watched.heater)
        and not room.kind.vehicle
    ]  # fmt: skip
    total = Tally()
    for room in told[:6]:
        total.add(measure(room.number, SEED, days=5))

    gaps = ("DATA_GAP_WARN", "LOADING_TOO_LONG")
    rung = {cause for _, code, cause, _ in total.causes if code not in gaps}
    assert rung <= {"door", "load, said"}
    assert total.criticals("false") <= 1


def test_of_every_kind_of_failure_somebody_is_told() -> None:
    told = [failures.measure(number, SEED) for number in range(len(WHATS))]

    assert {each.what for each in told} == set(WHATS)
    assert all(each.told_s is not None for each in told)


def test_a_warning_in_a_defrost_that_nobody_tells_of_is_told_by_a_replay_and_not_live() -> None:
    """Once the week that teaches it has passed (docs/decisions/0012)."""
    room = next(
        r for r in (drawn(1001, n) for n in range(14, 40))
        if r.kind.profile == "SB" and not (r.watched.plant or r.watched.heater)
    )  # fmt: skip
    month = live(1001, room, 10)
    since_ms = month.start_ms + 7 * DAY_MS

    def told(*, holds_back: bool) -> int:
        notices = watch(month, 1001, holds_back=holds_back).notices
        return sum(n.at_ms >= since_ms and "PREDICT_HIGH" in n.codes for n in notices)

    assert told(holds_back=False) > told(holds_back=True)


def test_the_second_month_is_judged_from_what_still_held_when_it_began() -> None:
    month = live(SEED, drawn(SEED, 0), 4)
    half_ms = month.start_ms + 2 * DAY_MS
    second = cut(month, half_ms, month.until_ms)
    before = [a for a in second.arrivals if a.arrived_ms < half_ms]

    assert {a.series.quantity for a in before} <= {"door", "mains", "compressor", "defrost",
                                                   "setpoint"}  # fmt: skip
    assert len({a.series for a in before}) == len(before)
    after = [a for a in month.arrivals if a.arrived_ms >= half_ms]
    assert second.arrivals[len(before) :] == after


def test_a_month_of_a_vehicle_gives_a_proposal_that_spares_it_its_ceilings() -> None:
    month = live(1001, drawn(1001, 18), 15)

    def judged(rule: Rule) -> Watched:
        return watched(month, [], (rule,))

    before = judged(rule_of(month))
    overrides, changes = accepted(month, before, 1001)
    after = judged(rule_of(month, 0, overrides))

    assert {c.code for c in changes} == {"CEILING", "CRIT_HIGH"}
    rang = [sum(f.code == "CEILING" for f in w.judgement.facts) for w in (before, after)]
    assert rang[0] > 0
    assert rang[1] == 0


def test_what_was_done_is_not_done_again_and_what_failed_is(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.put("room-1-0", "done")

    assert kept.claim("room-1-1")
    assert not kept.claim("room-1-1")
    kept.give_up("room-1-1")
    assert kept.claim("room-1-1")
    work(kept, [(1, 0), (1, 1)], [], until_s=float("inf"))  # one is done, the other somebody's
    assert list(kept.all("room")) == [(1, "done")]


def test_a_part_of_the_work_is_of_every_seed_and_of_both_kinds() -> None:
    rooms, fails = ([(s, n) for n in range(3) for s in (1, 2)] for _ in range(2))

    order = list(together(rooms, fails * 2))

    assert order[:4] == [("room", 1, 0), ("failure", 1, 0), ("failure", 2, 0), ("room", 2, 0)]
    assert len(order) == 18
