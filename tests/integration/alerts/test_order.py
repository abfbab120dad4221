"""The order stories again, through real stores and the role's own engine.

``tests/unit/domain/test_order.py`` tells ten thousand of them to the core alone. Here rooms share one
installation, twenty at a time: readings go through SQLite or memory on either lane, what people say
through the records' journal, and what is compared are the rows of ``facts.db``.
``COLDTRAIL_STORED`` sets how many.
"""

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, assert_never

import pytest

from alerts.engine import Engine
from domain.judgement import Action, Asked, Judgement, Rule
from domain.reading import Columns, GatewayId, ProbeId, RoomId, Series, SiteId
from domain.room import judge
from store.facts import SqlFactsReader, open_facts
from store.memory import MemoryStore
from store.ports import AdmittedBatch, BatchId, ReadingStore
from store.records.errors import Refused
from store.records.ports import Room
from tests.support.alert_house import DAY_MS, MINUTE_MS, House
from tests.unit.domain.orders import Act, Arrive, Ask, Govern, Move, Restart, Story, story
from tests.unit.domain.rooms import NOON_MS

STORIES = int(os.environ.get("COLDTRAIL_STORED", "60"))
FIRST_SEED = 20261125
TOGETHER = 20
NOW_MS = NOON_MS + 40 * DAY_MS  # later than anything in a story
FAR_MS = 1 << 60


@dataclass
class Told:
    """One story, on its way into the stores."""

    story: Story
    room: RoomId
    said: int = 0
    left: list[Any] = field(default_factory=list)

    def probe(self, name: str) -> ProbeId:
        return ProbeId(f"mqtt:{self.room}:{name}")


class Installation:
    def __init__(self, folder: Path, readings: ReadingStore | None = None) -> None:
        self.house = House(folder)
        if readings is not None:
            self.house.readings.close()
            self.house.readings = readings
        self.folder = folder
        self.now_ms = NOW_MS
        self._seq = 0
        self._begin()

    def _begin(self) -> None:
        self.facts = open_facts(self.folder / "facts.db")
        self.engine = Engine(self.house.readings, self.house.records, self.facts)

    def restart(self, *, without_facts: bool = False) -> None:
        self.facts.close()
        if without_facts:
            (self.folder / "facts.db").unlink()
        self._begin()

    def close(self) -> None:
        self.facts.close()
        self.house.__exit__()

    def settle(self) -> None:
        """Judged to both journals' heads; a backlog has drained."""
        self.now_ms += MINUTE_MS
        self.engine.follow(self.now_ms)
        while self.engine.busy(self.now_ms):
            self.engine.follow(self.now_ms)

    def make(self, told: Told) -> None:
        records, said = self.house.records, {"by": "init", "now_ms": self.now_ms}
        rule = told.story.rule
        records.put_room(Room(told.room, SiteId("s1"), "chilled", told.room, told.room), **said)  # type: ignore[arg-type]  # by: str, now_ms: int
        self._govern(told, rule)
        for name in sorted({of.probe for of, _, _, _ in told.story.rows()}):
            records.assign(told.probe(name), told.room, 0, **said)  # type: ignore[arg-type]  # as above

    def _govern(self, told: Told, rule: Rule) -> None:
        self.house.records.add_rule(
            told.room, rule.from_ms, rule.profile, rule.commodities, rule.interval_s,
            rule.overrides, by="u", now_ms=self.now_ms,
        )  # fmt: skip

    def take(self, told: Told, step: Any) -> None:
        match step:
            case Arrive():
                self._arrive(told, step)
            case Act(action):
                told.said += 1
                self.house.records.add_action(
                    f"{told.room}-{told.said}", told.room, action.kind, action.at_ms, "u",
                    self._detail(told, action), now_ms=self.now_ms,
                )  # fmt: skip
            case Govern(rule):
                self._govern(told, rule)
            case Move(probe, spells):
                self._move(told, told.probe(probe), spells)
            case Restart():
                self.restart()
            case Ask():
                self.settle()
            case _:
                assert_never(step)

    def _detail(self, told: Told, action: Action) -> dict[str, Any]:
        detail = dict(action.detail)
        if "probe" in detail:
            detail["probe"] = told.probe(detail["probe"])
        if action.kind == "maintenance_started":
            detail["reason"] = "filter"
        return detail

    def _move(self, told: Told, probe: ProbeId, spells: Sequence[tuple[int, int | None]]) -> None:
        """The last spell is news: it ends, or it begins. When a person corrects an end that was
        recorded, records refuse: the probe is not there at that time."""
        begin_ms, end_ms = spells[-1]
        said: Any = {"by": "u", "now_ms": self.now_ms}
        try:
            if end_ms is not None:
                self.house.records.unassign(probe, end_ms, **said)
            else:
                self.house.records.assign(probe, told.room, begin_ms, **said)
        except Refused:
            pass

    def _arrive(self, told: Told, step: Arrive) -> None:
        if not step.rows:
            return
        columns: list[tuple[Series, Columns]] = []
        for of, at_ms, count, quality in step.rows:
            one = Columns()
            one.at_ms.append(at_ms)
            one.count.append(count)
            one.quality.append(quality & ~128)  # the store marks conflicts, nobody else
            columns.append((Series(told.probe(of.probe), of.quantity), one))
        self._seq += 1
        batch = AdmittedBatch(
            BatchId(GatewayId("g1"), "e", self._seq), self._seq.to_bytes(16, "big"), "readings",
            columns, self.now_ms,
        )  # fmt: skip
        self.house.readings.write([batch], self.now_ms, backlog=self._seq % 3 == 0)

    def specified(self, room: RoomId) -> Judgement:
        """What the rules make of what the stores hold."""
        records, readings = self.house.records, self.house.readings
        rules: dict[int, Rule] = {}
        for v in sorted(records.rules(room), key=lambda v: (v.from_ms, v.m)):
            rules[v.from_ms] = Rule(
                str(v.m), v.from_ms, v.profile, tuple(v.commodities), v.interval_s, v.overrides
            )
        actions = [Action(a.at_ms, a.kind, a.by, a.detail) for a in records.actions(room)]
        columns: dict[Series, Columns] = {}
        for a in sorted(records.assignments(room), key=lambda a: a.from_ms):
            if a.to_ms is not None:
                actions.append(Action(a.to_ms, "probe_removed", "", {"probe": a.probe}))
            for series in readings.series():
                if series.probe != a.probe:
                    continue
                rows = readings.between(series, a.from_ms, FAR_MS if a.to_ms is None else a.to_ms)
                whole = columns.setdefault(series, Columns())
                whole.at_ms.extend(rows.at_ms)
                whole.count.extend(rows.count)
                whole.quality.extend(rows.quality)
        ordered = sorted(actions, key=lambda a: a.at_ms)
        return judge(Asked(list(rules.values()), columns, ordered), self.now_ms)


Rows = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], list[tuple[Any, ...]]]


def stored(facts: SqlFactsReader, room: RoomId) -> Rows:
    return (
        sorted(
            (f.code, f.level, f.began_at_ms, f.fired_at_ms, f.cleared_at_ms or 0,
             f.peak or 0.0, f.degree_minutes, f.minutes_unknown)
            for f in facts.facts(room)
        ),
        sorted((p.from_ms, p.cause, p.to_ms or 0) for p in facts.pauses(room, 0, FAR_MS)),
        sorted((f.at_ms, f.probe, f.quantity, f.reason) for f in facts.flags(room, 0, FAR_MS)),
    )  # fmt: skip


def rows(judgement: Judgement) -> Rows:
    return (
        sorted(
            (f.code, f.level, f.began_at_ms, f.fired_at_ms, f.cleared_at_ms or 0,
             (f.peak or 0) / 100, f.degree_minutes, f.minutes_unknown)
            for f in judgement.facts
        ),
        sorted((p.from_ms, p.cause, p.to_ms or 0) for p in judgement.pauses),
        sorted((f.at_ms, f.probe, f.quantity, f.reason) for f in judgement.flags),
    )  # fmt: skip


def stirred(told: Sequence[Told], rng: random.Random) -> Iterator[tuple[Told, Any]]:
    """The steps of all, each story's in its own order."""
    for one in told:
        one.left = list(one.story.steps)
    going = list(told)
    while going:
        one = rng.choice(going)
        yield one, one.left.pop(0)
        if not one.left:
            going.remove(one)


HOMES: dict[str, Callable[[], ReadingStore | None]] = {
    "sqlite": lambda: None,
    "memory": MemoryStore,
}


@pytest.mark.parametrize("home", HOMES)
def test_what_is_stored_is_what_the_rules_say_whatever_the_order(tmp_path: Path, home: str) -> None:
    seeds = range(FIRST_SEED, FIRST_SEED + STORIES)
    mine = seeds[:: len(HOMES)] if home == "sqlite" else seeds[1 :: len(HOMES)]
    compared = 0
    for first in range(0, len(mine), TOGETHER):
        folder = tmp_path / str(first)
        folder.mkdir()
        told = [Told(story(seed), RoomId(f"s{seed}")) for seed in mine[first : first + TOGETHER]]
        installation = Installation(folder, HOMES[home]())
        with closing(installation):
            for one in told:
                installation.make(one)
            rng = random.Random(first)  # noqa: S311 - an order, no secret
            for one, step in stirred(told, rng):
                installation.take(one, step)
            installation.settle()
            for one in told:
                found = stored(installation.facts, one.room)
                assert found == rows(installation.specified(one.room)), one.room
                compared += len(found[0])

            again = rebuilt(installation)
            rooms = installation.engine.rooms()
            assert again == [stored(installation.facts, room) for room in rooms]
    assert compared > STORIES


def rebuilt(installation: Installation) -> list[Rows]:
    """What was stored, after which the file is deleted and made anew from the beginning."""
    before = [stored(installation.facts, room) for room in installation.engine.rooms()]
    installation.restart(without_facts=True)
    installation.now_ms -= MINUTE_MS
    installation.settle()
    return before
