"""A silence takes words away, never facts, and what it took comes back at its end."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from domain.incident import HOUR_MS, Contact, RoomSeen, RoomState, Say, step
from domain.judgement import Fact
from tests.unit.decision.story import MINUTE_MS, NOON_MS

LADDER = (
    Contact("op", "operator", "+8613800000001"),
    Contact("second", "second", "+8613800000002"),
    Contact("town", "township", "+8613800000003"),
)


def fact(code: str, level: str, fired: int, cleared: int | None) -> Fact:
    at = NOON_MS + fired * MINUTE_MS
    end = None if cleared is None else NOON_MS + cleared * MINUTE_MS
    return Fact(code, level, at, at, end, 800, 0, 0)


class Room:
    """Minutes from noon; each is one step with fresh samples."""

    def __init__(self, *facts: Fact) -> None:
        self.facts = facts
        self.silences: list[tuple[str, int, int]] = []
        self.state = RoomState()

    def silenced(self, code: str, first: int, end: int) -> "Room":
        self.silences.append((code, first, end))
        return self

    def says(self, until: int) -> list[tuple[int, Say]]:
        found = []
        for minute in range(until + 1):
            now_ms = NOON_MS + minute * MINUTE_MS
            quiet = {
                code: NOON_MS + end * MINUTE_MS
                for code, first, end in self.silences
                if first <= minute < end
            }
            seen = RoomSeen(self.facts, now_ms, 300, now_ms, silenced=quiet)
            done = step(self.state, now_ms, seen, LADDER)
            self.state = done.state
            found += [(minute, say) for say in done.says]
        return found

    def told(self, until: int) -> list[tuple[int, str, str]]:
        return [(at, say.kind, " ".join(say.to)) for at, say in self.says(until)]


def test_a_silenced_critical_rings_when_the_silence_ends_and_starts_the_ladder_then() -> None:
    room = Room(fact("CRIT_HIGH", "critical", 5, None)).silenced("CRIT_HIGH", 0, 60)

    assert room.told(80) == [
        (60, "raise", "op"), (75, "escalate", "op"), (75, "escalate", "second"),
    ]  # fmt: skip


def test_a_silence_in_the_middle_of_the_ladder_stops_it_until_the_silence_ends() -> None:
    room = Room(fact("DOOR_OPEN_CRIT", "critical", 5, None)).silenced("DOOR_OPEN_CRIT", 10, 100)

    assert room.told(116) == [
        (5, "raise", "op"), (100, "raise", "op"), (115, "escalate", "op"),
        (115, "escalate", "second"),
    ]  # fmt: skip


def test_a_silence_of_one_rule_leaves_the_ladder_of_another_alone() -> None:
    room = Room(
        fact("DOOR_OPEN_CRIT", "critical", 5, None), fact("CEILING", "critical", 6, None)
    ).silenced("DOOR_OPEN_CRIT", 7, 100)

    says = room.says(40)
    assert [(at, say.kind, say.codes) for at, say in says if at > 7] == [
        (20, "escalate", ("CEILING",)), (20, "escalate", ("CEILING",)),
        (35, "escalate", ("CEILING",)),
    ]  # fmt: skip


def test_what_began_and_ended_in_a_silence_is_never_told() -> None:
    room = Room(fact("WARN_HIGH", "warning", 10, 20)).silenced("WARN_HIGH", 0, 60)

    assert room.told(200) == []


def test_a_warning_that_is_active_when_its_silence_ends_is_told_then() -> None:
    room = Room(fact("WARN_HIGH", "warning", 10, 90)).silenced("WARN_HIGH", 0, 60)

    assert room.told(100) == [(60, "raise", "op"), (90, "clear", "op")]


def test_who_was_told_before_the_silence_hears_of_the_end_in_it() -> None:
    room = Room(fact("WARN_HIGH", "warning", 10, 50)).silenced("WARN_HIGH", 20, 100)

    assert room.told(120) == [(10, "raise", "op"), (50, "clear", "op")]


def test_a_room_with_a_silenced_alarm_is_not_clear() -> None:
    room = Room(
        fact("WARN_HIGH", "warning", 5, 30), fact("SENSOR_STUCK", "warning", 10, 70)
    ).silenced("SENSOR_STUCK", 0, 60)

    assert room.told(80) == [(5, "raise", "op"), (60, "raise", "op"), (70, "clear", "op")]


codes = st.sampled_from(["CRIT_HIGH", "WARN_HIGH", "DOOR_OPEN_CRIT", "SENSOR_STUCK"])


@st.composite
def spans(draw: st.DrawFn, longest: int) -> tuple[int, int]:
    first = draw(st.integers(0, 150))
    return first, first + draw(st.integers(1, longest))


@st.composite
def facts(draw: st.DrawFn) -> list[Fact]:
    found = {}
    for code in draw(st.lists(codes, min_size=1, max_size=4, unique=True)):
        first, end = draw(spans(120))
        level = "critical" if "CRIT" in code else "warning"
        found[code] = fact(code, level, first, end)
    return list(found.values())


@given(facts(), st.lists(st.tuples(codes, spans(120)), max_size=4))
def test_nothing_of_a_silenced_rule_is_said_within_it_but_the_end(
    judged: list[Fact], silences: list[tuple[str, tuple[int, int]]]
) -> None:
    room = Room(*judged)
    for code, (first, end) in silences:
        room.silenced(code, first, end)

    for minute, say in room.says(300):
        if say.kind == "clear":
            continue
        quiet = {code for code, first, end in room.silences if first <= minute < end}
        assert not quiet & set(say.codes)


@given(facts(), st.lists(st.tuples(codes, spans(120)), max_size=4))
def test_after_the_last_silence_whatever_is_still_active_has_been_told(
    judged: list[Fact], silences: list[tuple[str, tuple[int, int]]]
) -> None:
    lasting = [replace(one, cleared_at_ms=NOON_MS + 10 * HOUR_MS) for one in judged]
    room = Room(*lasting)
    for code, (first, end) in silences:
        room.silenced(code, first, end)

    told = {code for _, say in room.says(300) for code in say.codes}
    critical = {one.code for one in lasting if one.level == "critical"}
    assert told >= (critical or {one.code for one in lasting})
