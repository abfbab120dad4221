"""Many sites at once: township and county hear of the first four, and of the rest in one message."""

from dataclasses import replace

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.decision import Notice, Seen, State, next_wake_ms, step
from domain.incident import Contact, RoomSeen
from domain.judgement import Fact
from domain.message import Place, compose
from tests.unit.decision.story import MINUTE_MS, NOON_MS

TOWN = Contact("town", "township", "+8613800000009")


class County:
    """One room a site; each has a critical from its own minute to an end, or without one."""

    def __init__(self, spans: list[tuple[int, int | None]], *, together: bool = True) -> None:
        self.together = together
        self.facts = {}
        for i, (fired, cleared) in enumerate(spans):
            at = NOON_MS + fired * MINUTE_MS
            end = None if cleared is None else NOON_MS + cleared * MINUTE_MS
            self.facts[f"s{i:02d}"] = Fact("CRIT_HIGH", "critical", at, at, end, 800, 0, 0)
        self.state = State()

    def told(self, until: int) -> list[Notice]:
        """To the township by text; a step whenever one is due, and the same again says nothing."""
        found = []
        due_ms: int | None = NOON_MS
        while due_ms is not None and due_ms <= NOON_MS + until * MINUTE_MS:
            now_ms = due_ms
            rooms = {r: RoomSeen([f], now_ms, 300, now_ms) for r, f in self.facts.items()}
            people = {r: [Contact(f"op-{r}", "operator", "+861380000000"), TOWN] for r in rooms}
            seen = Seen(rooms, people, {r: r for r in rooms}, together=self.together)
            self.state, notices = step(self.state, now_ms, seen)
            self.state, again = step(self.state, now_ms, replace(seen, acked=frozenset()))
            assert again == []
            found += [n for n in notices if n.to == "town" and n.channel == "sms"]
            due_ms = next_wake_ms(self.state)
        return found


def minute(notice: Notice) -> int:
    return (notice.at_ms - NOON_MS) // MINUTE_MS


def test_the_first_four_are_told_at_once_and_the_rest_ten_minutes_after_the_first() -> None:
    told = County([(i // 4, None) for i in range(20)]).told(45)

    assert [(minute(n), n.room, len(n.sites)) for n in told] == [
        (30, "s00", 0), (30, "s01", 0), (30, "s02", 0), (30, "s03", 0), (40, "", 16),
    ]  # fmt: skip
    places = {f"s{i:02d}": Place(f"s{i:02d}", f"s{i:02d}") for i in range(20)}
    text = compose(told[-1], places, "zh")
    assert text.startswith("另有16个站点超温,无人确认:s04、s05")
    assert len(text) <= 70
    assert compose(told[-1], places, "en").startswith("16 more sites, unanswered: too warm: s04")


def test_four_sites_are_told_of_one_by_one() -> None:
    told = County([(0, None)] * 4).told(45)

    assert [n.room for n in told] == ["s00", "s01", "s02", "s03"]


def test_the_all_clear_of_many_is_one_message_too() -> None:
    told = County([(0, 50)] * 12).told(70)

    last = told[-1]  # what the caps held back of the first four comes in a digest later
    assert (minute(last), last.kind, len(last.sites)) == (60, "clear", 8)
    assert compose(last, {}, "zh").startswith("另有8个站点已恢复正常:s04")


def test_sites_a_quarter_of_an_hour_apart_are_no_group() -> None:
    told = County([(15 * i, None) for i in range(6)]).told(110)

    assert {n.sites for n in told} == {()}


def test_a_replay_tells_of_each() -> None:
    told = County([(0, None)] * 6, together=False).told(45)

    assert [n.room for n in told] == [f"s{i:02d}" for i in range(6)]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 25), min_size=1, max_size=12))
@example([0, 0, 0, 0, 4, 4, 13, 2, 11, 8, 21])  # the last was held by repeats of the others
def test_every_site_is_told_of_and_none_is_held_longer_than_ten_minutes(fired: list[int]) -> None:
    county = County([(first, None) for first in fired])
    told = county.told(150)  # beyond the caps' hour: what they held back came in a digest

    when: dict[str, list[int]] = {}
    for n in told:
        for room, _ in n.about:
            when.setdefault(room, []).append(minute(n))
    assert len(when) == len(fired)
    for n in told:
        if n.kind == "escalate":
            for room, _ in n.about:
                first = fired[int(room[1:])]
                assert first + 30 <= minute(n) <= first + 40


def test_what_is_held_survives_being_written_down() -> None:
    county = County([(0, None)] * 8)
    county.told(35)
    kept = msgspec.json.encode(county.state)

    assert msgspec.json.decode(kept, type=State) == county.state


def test_beyond_twenty_texts_in_a_day_one_summary_comes_when_the_first_is_a_day_old() -> None:
    awake = Contact("op", "operator", "+861380000000", quiet_hours=False)
    facts = {}
    for hour in range(14):  # a raise and an all-clear each hour
        at = NOON_MS + hour * 60 * MINUTE_MS
        facts[f"s{hour:02d}"] = Fact("WARN_HIGH", "warning", at, at, at + MINUTE_MS, 500, 0, 0)
    state, told = State(), []
    due_ms: int | None = NOON_MS
    while due_ms is not None and due_ms <= NOON_MS + 25 * 60 * MINUTE_MS:
        rooms = {r: RoomSeen([f], due_ms, 300, due_ms) for r, f in facts.items()}
        seen = Seen(rooms, {r: [awake] for r in rooms}, {r: r for r in rooms})
        state, notices = step(state, due_ms, seen)
        told += notices
        due_ms = next_wake_ms(state)

    assert [n.kind for n in told] == ["raise", "clear"] * 10 + ["digest"]
    assert minute(told[-1]) == 24 * 60
    assert {room for room, _ in told[-1].about} == {"s10", "s11", "s12", "s13"}
