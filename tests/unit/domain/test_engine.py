"""The incremental engine and the batch evaluator: one answer, whatever the order of arrival."""

import random
from bisect import bisect_left
from collections.abc import Mapping

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.engine import Checkpoint, RoomEngine
from domain.judgement import Asked
from domain.reading import Columns, Series
from domain.room import judge
from tests.unit.domain.rooms import (
    NOON_MS,
    MadeUp,
    Row,
    act,
    at,
    columns,
    points,
    rule,
    series,
    steady,
)


class Store:
    """Keeps the rows that have arrived; counts what is read of them."""

    def __init__(self, room: MadeUp) -> None:
        self.room = room
        self.rows: list[Row] = []
        self.asked: list[tuple[int, int]] = []

    def add(self, rows: list[Row], engine: RoomEngine) -> None:
        self.rows += rows
        for _, at_ms, _, _ in rows:
            engine.touch(at_ms, at_ms)

    def all(self) -> dict[Series, Columns]:
        return self.room.readings(self.rows)

    def read(self, from_ms: int, to_ms: int) -> Mapping[Series, Columns]:
        self.asked.append((from_ms, to_ms))
        return {of: between(found, from_ms, to_ms) for of, found in self.all().items()}


def between(found: Columns, from_ms: int, to_ms: int) -> Columns:
    i, j = bisect_left(found.at_ms, from_ms), bisect_left(found.at_ms, to_ms)
    return Columns(found.at_ms[i:j], found.count[i:j], found.quality[i:j])


def restored(checkpoints: list[Checkpoint]) -> list[Checkpoint]:
    packed = msgspec.msgpack.encode(checkpoints)
    return msgspec.msgpack.decode(packed, type=list[Checkpoint])


def arrivals(rows: list[Row], rnd: random.Random) -> list[list[Row]]:
    """Any order, some of it twice, in any pieces."""
    rows = rows + [row for row in rows if rnd.random() < 0.1]
    match rnd.randrange(3):
        case 0:
            rnd.shuffle(rows)
        case 1:
            rows.sort(key=lambda row: row[1] + rnd.randrange(3_600_000))
        case _:
            rows.sort(key=lambda row: row[1])
            a, b = sorted((rnd.randrange(len(rows) + 1), rnd.randrange(len(rows) + 1)))
            rows = rows[:a] + rows[b:] + rows[a:b]
    pieces: list[list[Row]] = []
    while rows:
        n = rnd.choice((1, 5, 40, 400))
        pieces.append(rows[:n])
        rows = rows[n:]
    return pieces[:12] + ([[row for piece in pieces[12:] for row in piece]] if pieces[12:] else [])


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**48), samples=st.integers(1, 150))
def test_the_engine_agrees_with_the_batch_evaluator_after_every_arrival(
    seed: int, samples: int
) -> None:
    room = MadeUp(seed, samples)
    rnd = random.Random(seed + 1)  # noqa: S311 - an order of arrival, no secret
    end = NOON_MS + room.span_ms
    known = len(room.actions) if rnd.random() < 0.6 else rnd.randrange(len(room.actions) + 1)
    actions = room.actions[:known]
    engine, store = RoomEngine(room.rules, actions), Store(room)
    pieces = arrivals(room.rows, rnd)

    for i, piece in enumerate(pieces):
        if rnd.random() < 0.1:
            engine = RoomEngine(room.rules, actions, restored(engine.checkpoints()))
        store.add(piece, engine)
        horizon = end if rnd.random() < 0.6 else NOON_MS + rnd.randrange(2 * room.span_ms)
        if i + 1 == len(pieces):
            actions = room.actions
            engine.note(actions)
        got = engine.judge(horizon, store.read)

        assert got == judge(Asked(room.rules, store.all(), actions), horizon)


DAY_MIN = 24 * 60
Arrays = dict[Series, Columns]


class Arrived:
    """Readings by series, as a store would give them; remembers which spans were read."""

    def __init__(self, readings: Arrays) -> None:
        self.readings = readings
        self.asked: list[tuple[int, int]] = []

    def read(self, from_ms: int, to_ms: int) -> Arrays:
        self.asked.append((from_ms, to_ms))
        return {of: between(found, from_ms, to_ms) for of, found in self.readings.items()}

    def hours_read(self) -> float:
        return sum(to_ms - max(from_ms, at(0)) for from_ms, to_ms in self.asked) / 3_600_000


def a_month() -> Arrived:
    return Arrived({series(): steady(3, 30 * DAY_MIN)})


def test_a_series_first_heard_of_weeks_late_takes_its_place() -> None:
    store, engine = a_month(), RoomEngine([rule()])
    engine.judge(at(30 * DAY_MIN), store.read)
    store.readings[series("p2")] = points([(2, 9.0)])
    store.asked.clear()

    engine.touch(at(2), at(2))
    judgement = engine.judge(at(30 * DAY_MIN), store.read)

    assert [f.code for f in judgement.facts] == ["DATA_GAP_WARN", "DATA_GAP_CRIT"]
    assert judgement == judge(Asked([rule()], store.readings), at(30 * DAY_MIN))


def test_a_late_reading_of_a_known_series_reads_a_day_at_most() -> None:
    store, engine = a_month(), RoomEngine([rule()])
    engine.judge(at(30 * DAY_MIN), store.read)
    late = points([(2, 3.0)])
    known = store.readings[series()]
    store.readings[series()] = columns([*known, *late])
    store.asked.clear()

    engine.touch(at(2), at(2))
    engine.judge(at(30 * DAY_MIN), store.read)

    assert store.hours_read() <= 25


def test_the_next_reading_costs_less_than_an_hour_of_the_past() -> None:
    store, engine = a_month(), RoomEngine([rule()])
    engine.judge(at(29 * DAY_MIN), store.read)
    store.asked.clear()

    engine.touch(at(29 * DAY_MIN + 5), at(29 * DAY_MIN + 5))
    engine.judge(at(29 * DAY_MIN + 5), store.read)

    assert store.hours_read() < 1


def test_an_engine_goes_on_from_the_checkpoints_of_another() -> None:
    store, first = Arrived({series(): steady(5, 2 * DAY_MIN)}), RoomEngine([rule()])
    first.judge(at(DAY_MIN), store.read)
    store.asked.clear()

    second = RoomEngine([rule()], (), restored(first.checkpoints()))
    judgement = second.judge(at(2 * DAY_MIN), store.read)

    assert judgement == judge(Asked([rule()], store.readings), at(2 * DAY_MIN))
    assert store.hours_read() < 25


def test_a_rule_said_later_holds_from_its_own_instant() -> None:
    store, engine = Arrived({series(): steady(5, DAY_MIN)}), RoomEngine([rule()])
    engine.judge(at(DAY_MIN), store.read)
    rules = [rule(), rule(from_ms=at(600), WARN_HIGH={"limit_c": 6})]

    engine.govern(rules)
    judgement = engine.judge(at(DAY_MIN), store.read)

    assert judgement == judge(Asked(rules, store.readings), at(DAY_MIN))
    assert judgement.facts[0].cleared_at_ms == at(600)


def test_a_lag_said_later_holds_from_its_own_instant() -> None:
    store, engine = Arrived({series(): steady(5, DAY_MIN)}), RoomEngine([rule()])
    engine.judge(at(DAY_MIN), store.read)
    slow = act(600, "probe_lag", probe="p1", lag_ms=900_000)

    engine.note([slow])
    judgement = engine.judge(at(DAY_MIN), store.read)

    assert judgement == judge(Asked([rule()], store.readings, [slow]), at(DAY_MIN))
    assert judgement.facts[0].cleared_at_ms == at(600)
    assert judgement.facts[1].fired_at_ms == at(615)


def test_the_first_lot_ever_changes_what_is_known_of_the_time_before() -> None:
    store = Arrived({series(): points([(0, -127), (5, -127), (DAY_MIN, 2)])})
    engine = RoomEngine([rule()])
    before = engine.judge(at(DAY_MIN), store.read)

    engine.note([act(DAY_MIN, "lot_in", lot="a")])
    after = engine.judge(at(DAY_MIN), store.read)

    assert next(f.level for f in before.facts if f.code == "SENSOR_RANGE") == "critical"
    assert next(f.level for f in after.facts if f.code == "SENSOR_RANGE") == "warning"
