"""What people said of an alarm, and links to it, find it again when its facts are made anew."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import update

from alerts.engine import Engine
from domain.reading import RoomId
from store.facts import SqlFactsStore, open_facts
from store.facts_ports import StoredFact
from store.records import schema as t
from store.records.ports import NamedAlarm
from store.words import Words, named
from tests.support.alert_house import MINUTE_MS, NOON_MS, House

ROOM = RoomId("r1")
END_MS = NOON_MS + 6 * 60 * MINUTE_MS
Rows = list[tuple[int, float]]


def every_five(value: Callable[[int], float]) -> Rows:
    """Six hours of them, by minute."""
    return [(NOON_MS + m * MINUTE_MS, value(m)) for m in range(0, 360, 5)]


def split(rows: Rows, late: Callable[[int], bool]) -> tuple[Rows, Rows]:
    def is_late(at_ms: int) -> bool:
        return late((at_ms - NOON_MS) // MINUTE_MS)

    return [r for r in rows if not is_late(r[0])], [r for r in rows if is_late(r[0])]


def judge(house: House, facts: SqlFactsStore) -> list[StoredFact]:
    """Oldest first, without the holes of the record."""
    engine = Engine(house.readings, house.records, facts)
    engine.follow(END_MS)
    while engine.behind():
        engine.follow(END_MS)
    found = [f for f in facts.facts(ROOM) if not f.code.startswith("DATA_GAP")]
    return sorted(found, key=lambda f: (f.fired_at_ms, f.code))


def say(house: House, fact: StoredFact, cause: str) -> None:
    house.records.say_of_case(
        named(fact, END_MS), {"cause": cause, "closed": True}, by="wang", now_ms=END_MS
    )


def said(house: House, fact: StoredFact) -> list[str]:
    return [note["said"]["cause"] for note in Words(house.records.cases()).of(fact)]


Shape = tuple[str, int, int | None, list[str]]


def shapes(house: House, facts: list[StoredFact]) -> list[Shape]:
    return [(f.code, f.fired_at_ms, f.cleared_at_ms, said(house, f)) for f in facts]


def test_words_and_links_find_a_moved_alarm_after_its_facts_were_deleted(tmp_path: Path) -> None:
    rows = every_five(lambda m: 8.0 if 60 <= m < 130 else 9.0 if 200 <= m < 300 else 2.5)
    first, late = split(rows, lambda m: 60 <= m < 75 or 200 <= m < 210)
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            house.arrive(first, at_ms=END_MS)
            seen = judge(house, facts)
            for fact, cause in zip(seen, ("door", "power", "loading", "equipment"), strict=True):
                say(house, fact, cause)
            house.arrive(late, at_ms=END_MS)
            moved = judge(house, facts)
            before = shapes(house, moved)
        (tmp_path / "facts.db").unlink()
        with closing(open_facts(house.path("facts.db"))) as facts:
            again = judge(house, facts)

            assert [f.id for f in moved] == [f.id for f in seen]
            assert {f.id for f in again}.isdisjoint(f.id for f in seen), "else this proves nothing"
            assert shapes(house, again) == before
            assert [one[3] for one in before] == [["door"], ["power"], ["loading"], ["equipment"]]
            linked = [facts.fact(old.id)[-1].id for old in moved]
            assert linked == [f.id for f in again]


def test_what_was_said_of_an_alarm_that_falls_in_two_is_said_of_both_parts(tmp_path: Path) -> None:
    rows = every_five(lambda m: 2.0 if 160 <= m < 200 else 9.0 if 60 <= m < 300 else 2.5)
    first, late = split(rows, lambda m: 160 <= m < 200 and m % 15 != 0)
    warm = [(at, 9.0 if 160 <= (at - NOON_MS) // MINUTE_MS < 200 else v) for at, v in first]
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            house.arrive([r for r in warm if not 160 <= (r[0] - NOON_MS) // MINUTE_MS < 200],
                         at_ms=END_MS)  # fmt: skip
            (whole,) = [f for f in judge(house, facts) if f.code == "CRIT_HIGH"]
            say(house, whole, "door")
            house.arrive(late, at_ms=END_MS)
            parts = [f for f in judge(house, facts) if f.code == "CRIT_HIGH"]

        assert [said(house, part) for part in parts] == [["door"], ["door"]]


def test_nobodys_word_slips_over_to_the_next_alarm(tmp_path: Path) -> None:
    rows = every_five(lambda m: 8.0 if 60 <= m < 130 or 140 <= m < 300 else 2.5)
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            house.arrive(rows, at_ms=END_MS)
            one, other = [f for f in judge(house, facts) if f.code == "CRIT_HIGH"]
            say(house, one, "door")

        assert (said(house, one), said(house, other)) == (["door"], [])


def test_notes_from_before_alarms_were_named_are_settled_while_their_facts_are_there(
    tmp_path: Path,
) -> None:
    rows = every_five(lambda m: 8.0 if 60 <= m < 130 else 2.5)
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            house.arrive(rows, at_ms=END_MS)
            fact = judge(house, facts)[0]
            say(house, fact, "door")
            with house.records._engine.begin() as connection:  # as an earlier version left it
                unnamed = {"code": None, "from_ms": None, "to_ms": None}
                connection.execute(update(t.case_notes).values(**unnamed))
            by_id = said(house, fact)

            def find(id: str) -> NamedAlarm | None:
                return named(facts.fact(id)[-1], 0)

            assert house.records.settle_cases(find) == 1
            assert house.records.settle_cases(find) == 0
            assert by_id == said(house, fact) == ["door"]
            (note,) = house.records.cases()
            assert (note["code"], note["from_ms"]) == (fact.code, fact.fired_at_ms)
