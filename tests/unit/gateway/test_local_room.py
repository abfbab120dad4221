"""A room judged at the gateway is the room that the server judges."""

import random
from array import array
from collections.abc import Mapping

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.incident import RoomState, step
from domain.judgement import Asked, Rule
from domain.reading import Columns, ProbeId, Series, winner
from domain.room import judge
from domain.roster import Shift
from gateway.local_room import AHEAD_MS, LocalRoom
from gateway.outbox import Row
from gateway.recent import Recent
from wire.config_v1 import Contact, Probe, Room, RuleVersion, Silence

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
NOON_MS = 1_780_315_200_000
AIR = Series(ProbeId("mqtt:g:p"), "temperature")

rows = st.builds(
    lambda minute, count, quality: Row(AIR, NOON_MS + minute * MINUTE_MS, count, quality),
    st.integers(0, 600),
    st.sampled_from([200, 450, 850, 1600]),
    st.sampled_from([0, 0, 0, 1, 16]),
)


def room() -> Room:
    return Room(
        "r1", "s1", "chilled", "一号", "One",
        (Probe(AIR.probe, 0),), (RuleVersion(1, 0, "SB", ("strawberry",), 300),),
    )  # fmt: skip


def columns(found: list[Row]) -> Columns:
    """One row a key, as the store keeps them."""
    kept: dict[int, tuple[int, int]] = {}
    for row in found:
        one = (row.quality, row.counts)
        kept[row.at_ms] = winner(kept[row.at_ms], one) if row.at_ms in kept else one
    times = sorted(kept)
    return Columns(
        array("q", times),
        array("q", [kept[t][1] for t in times]),
        array("H", [kept[t][0] for t in times]),
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(rows, min_size=1, max_size=120), st.randoms(use_true_random=False))
def test_in_whatever_order_and_portions_they_come_it_finds_what_the_server_finds(
    found: list[Row], chance: random.Random
) -> None:
    now_ms = NOON_MS + 11 * HOUR_MS
    recent = Recent()
    local = LocalRoom(room(), recent)
    order = [*found, *found[: len(found) // 3]]
    chance.shuffle(order)
    for start in range(0, len(order), 17):
        for series, (first, last) in recent.add(order[start : start + 17], now_ms).items():
            local.touch(series, first, last, now_ms)
        local.judge(now_ms)

    rule = Rule("1", 0, "SB", ("strawberry",), 300, {})
    asked = Asked([rule], {AIR: columns(found)})
    assert local.judgement == judge(asked, now_ms + AHEAD_MS)


def test_an_alarm_that_is_active_stays_so_after_its_readings_were_forgotten() -> None:
    recent = Recent(keep_ms=6 * HOUR_MS)
    local = LocalRoom(room(), recent)
    for n in range(12 * 40):  # 40 hours
        at_ms = NOON_MS + n * 5 * MINUTE_MS
        for series, (first, last) in recent.add([Row(AIR, at_ms, 850, 0)], at_ms).items():
            local.touch(series, first, last, at_ms)
        local.judge(at_ms)

    assert len(recent) <= 12 * 8
    active = {f.code: f for f in local.judgement.facts if f.code == "CRIT_HIGH"}
    assert active["CRIT_HIGH"].began_at_ms == NOON_MS
    assert len(local._engine.checkpoints() if local._engine else []) < 10


@given(st.lists(rows, max_size=300))
def test_memory_is_bounded_by_rows_and_the_newest_stay(found: list[Row]) -> None:
    recent = Recent(most_rows=40)
    for row in found:
        recent.add([row], NOON_MS + 11 * HOUR_MS)

    kept = recent.between(AIR, 0, 2**62)
    assert len(kept) == len(recent) <= 40
    assert list(kept.at_ms) == sorted(set(kept.at_ms))
    if found:
        assert max(row.at_ms for row in found) in kept.at_ms


def test_a_clock_that_was_far_ahead_and_is_right_again_lets_readings_in() -> None:
    recent = Recent()
    recent.add([Row(AIR, NOON_MS + 10**12, 1, 0)], NOON_MS + 10**12)

    assert recent.add([Row(AIR, NOON_MS, 300, 0)], NOON_MS) == {AIR: (NOON_MS, NOON_MS)}


def test_a_probe_that_was_silent_before_a_new_start_is_silent_until_it_speaks() -> None:
    """Two probes, one of which speaks again while the other has fallen silent meanwhile."""
    other = Series(ProbeId("mqtt:g:q"), "temperature")
    held: list[Row] = []
    state = RoomState()

    def life(minutes: range, said: Mapping[int, Series]) -> set[str]:
        """A process that reads what its outbox holds; what is active at its end."""
        nonlocal state
        recent, from_ms = Recent(), NOON_MS + minutes.start * MINUTE_MS
        recent.add(held, from_ms)
        probes = (Probe(AIR.probe, 0), Probe(other.probe, 0))
        local = LocalRoom(msgspec.structs.replace(room(), probes=probes), recent)
        local.listen(from_ms, state.known)
        for minute in minutes:
            now_ms = NOON_MS + minute * MINUTE_MS
            if minute in said:
                held.append(Row(said[minute], now_ms, 300, 0))
                for series, span in recent.add(held[-1:], now_ms).items():
                    local.touch(series, *span, now_ms)
            state = step(state, now_ms, local.seen(now_ms, 0), ()).state
        return {k.code for k in state.known if k.active}

    both = {"DATA_GAP_WARN", "DATA_GAP_CRIT"}
    assert life(range(100), {0: AIR, 30: other}) == both
    assert life(range(100, 105), {}) == both
    assert life(range(105, 110), {107: AIR}) == both  # the other is silent still
    assert life(range(110, 115), {}) == both
    assert life(range(115, 120), {116: AIR, 117: other}) == set()


def test_who_is_told_is_who_is_on_duty_there_and_a_silence_is_kept() -> None:
    noon = Shift(from_minute=19 * 60, to_minute=21 * 60)  # local; NOON_MS is 20:00 there
    people = (
        Contact("day", "operator", "+8613800000001"),
        Contact("off", "operator", "+8613800000002", shifts=(Shift(from_minute=0, to_minute=60),)),
        Contact("on", "operator", "+8613800000003", shifts=(noon,)),
    )
    silence = Silence("WARN_HIGH", NOON_MS - 1, NOON_MS + HOUR_MS)
    local = LocalRoom(
        msgspec.structs.replace(room(), contacts=people, silences=(silence,)), Recent()
    )

    assert [c.id for c in local.contacts({}, NOON_MS)] == ["day", "on"]
    assert local.seen(NOON_MS, 0).silenced == {"WARN_HIGH": NOON_MS + HOUR_MS}
    assert local.seen(NOON_MS + HOUR_MS, 0).silenced == {}
