"""What the rules make of a month, and whom they tell: the rules' own code, no other.

The same notices as ``domain.retelling`` gives, which judges at every arrival, in a fraction of
the time. As long as every reading comes at once and none looks like a spike, what is known at
an instant is what is known later of that instant; so up to six hours of such arrivals is judged
once and told at the moments at which a fact begins or ends. Any other arrival is judged by itself.

As in the live service, a warning that looks like the defrost of every day waits
(docs/decisions/0012); a replay does not do that, and ``holds_back`` False is a replay.

An operator acknowledges most criticals after some minutes; a second person and the township
stand behind.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import groupby
from random import Random
from typing import Any

from bench.operation.month import Month
from domain.decision import Notice, Seen, State, next_wake_ms, step
from domain.engine import RoomEngine
from domain.incident import LINK_CODES, Contact, RoomSeen, by_day
from domain.judgement import Action, Asked, Judgement, Rule
from domain.profile import ResolvedRule, level, resolve
from domain.reading import Columns, Series, winner
from domain.retelling import SAMPLES, Acted, Arrived
from domain.room import judge
from domain.screening import JUMP, LOOK_AHEAD
from domain.usual_defrost import DAY_MS, OF_DAYS, HeldBack, Usual, habits

MINUTE_MS = 60_000
STRETCH_MS = 6 * 60 * MINUTE_MS
REMEMBERED_MS = 3 * DAY_MS  # nothing comes later than that; what ended before is told no more
INTERVAL_S = 300
ANSWERED = 0.9  # of the criticals
ANSWER_MIN = (6.0, 15.0)  # median of an exponential, by day and at night

PEOPLE = tuple(
    Contact(role, role, f"+861380000000{i}")
    for i, role in enumerate(("operator", "second", "township"))
)


@dataclass(frozen=True, slots=True)
class Watched:
    """``judgement``: of ``asked``, all that ever arrived."""

    judgement: Judgement
    notices: list[Notice]
    asked: Asked


def rule_of(month: Month, from_ms: int = 0, overrides: Mapping[str, Any] | None = None) -> Rule:
    room = month.room
    goods = (room.goods.key,)
    return Rule(f"from {from_ms}", from_ms, room.kind.profile, goods, INTERVAL_S, overrides or {})


def watch(
    month: Month,
    seed: int,
    *,
    answered: float = ANSWERED,
    holds_back: bool = True,
    rules: Sequence[Rule] = (),
) -> Watched:
    """Under the profile's own rule, or under ``rules``, each from its instant on."""
    random = Random(f"{seed}/{month.room.number}/answers")  # noqa: S311 - a simulation
    watcher = _Watcher(
        month, random, answered, holds_back=holds_back, rules=rules or (rule_of(month),)
    )
    events: list[Arrived | Acted] = [*month.arrivals, *month.actions]
    events.sort(key=lambda event: event.arrived_ms)
    for _, group in groupby(events, key=lambda e: e.arrived_ms // STRETCH_MS):
        watcher.hear(list(group))
    watcher.tell_until(month.until_ms)
    notices = sorted(watcher.notices, key=lambda n: (n.at_ms, n.to, n.channel, n.kind))
    return watched(month, notices, watcher.rules)


def watched(month: Month, notices: list[Notice], rules: Sequence[Rule]) -> Watched:
    """With the judgement of all that arrived."""
    known = _Known()
    for arrived in month.arrivals:
        known.put(arrived)
    actions = sorted((acted.action for acted in month.actions), key=lambda action: action.at_ms)
    asked = Asked(rules, known.rows, actions)
    return Watched(judge(asked, month.until_ms), notices, asked)


@dataclass(slots=True)
class _Known:
    """What has arrived of the room, for the engine to read."""

    rows: dict[Series, Columns] = field(default_factory=dict)

    def put(self, arrived: Arrived) -> bool:
        """False when it was known."""
        columns = self.rows.setdefault(arrived.series, Columns())
        times = columns.at_ms
        i = (
            len(times)
            if not times or arrived.at_ms > times[-1]
            else bisect_left(times, arrived.at_ms)
        )
        row = (arrived.quality, arrived.count)
        if i < len(times) and times[i] == arrived.at_ms:
            before = (columns.quality[i], columns.count[i])
            columns.quality[i], columns.count[i] = winner(before, row)
            return (columns.quality[i], columns.count[i]) != before
        times.insert(i, arrived.at_ms)
        columns.count.insert(i, arrived.count)
        columns.quality.insert(i, arrived.quality)
        return True

    def has(self, series: Series, at_ms: int) -> bool:
        times = self.rows.get(series, Columns()).at_ms
        i = bisect_left(times, at_ms)
        return i < len(times) and times[i] == at_ms

    def read(self, from_ms: int, to_ms: int) -> dict[Series, Columns]:
        found = {}
        for series, columns in self.rows.items():
            i, j = bisect_left(columns.at_ms, from_ms), bisect_left(columns.at_ms, to_ms)
            if i < j:
                found[series] = Columns(
                    columns.at_ms[i:j], columns.count[i:j], columns.quality[i:j]
                )
        return found


class _Watcher:
    def __init__(
        self,
        month: Month,
        random: Random,
        answered: float,
        *,
        holds_back: bool,
        rules: Sequence[Rule],
    ) -> None:
        self.name = str(month.room.number)
        self.until_ms = month.until_ms
        self.rules = tuple(rules)
        self.rule: ResolvedRule = resolve(rules[0])
        self.engine = RoomEngine(self.rules)
        self.known = _Known()
        self.actions: list[Action] = []
        self.judgement = Judgement((), (), ())
        self.arrived_ms: dict[Series, int] = {}
        self.newest_ms = 0
        self.newest_sample_ms: int | None = None
        self.last: dict[Series, int] = {}  # the latest count of each
        self.careful_ms = 0  # until then a spike may be found to be one
        self.state = State()
        self.notices: list[Notice] = []
        self.random = random
        self.answered = answered
        self.acks: list[int] = []
        self.held_back = HeldBack(self._habits) if holds_back else None

    def hear(self, events: Sequence[Arrived | Acted]) -> None:
        """Some hours' arrivals, in order."""
        plain: list[Arrived | Acted] = []
        keys: set[tuple[Series, int]] = set()
        for at_ms, group in groupby(events, key=lambda e: e.arrived_ms):
            together = list(group)
            plainness = [self._plain(event, keys) for event in together]  # each is looked at
            if all(plainness):
                plain += together
                continue
            self._through(plain)
            plain = []
            self.tell_until(at_ms - 1)
            self._take(together)
            self._arrive(together)
            self._tell(at_ms)
        self._through(plain)

    def _plain(self, event: Arrived | Acted, keys: set[tuple[Series, int]]) -> bool:
        """It came when it was measured (or again), looks like no spike, and follows none."""
        if isinstance(event, Acted):
            return True
        key = (event.series, event.at_ms)
        if event.series.quantity in SAMPLES:
            before = self.last.get(event.series, event.count)
            self.last[event.series] = event.count
            inside = self.rule.range_low <= event.count <= self.rule.range_high
            if not inside or abs(event.count - before) > JUMP:
                self.careful_ms = event.arrived_ms + self.rule.interval_ms * (LOOK_AHEAD + 1)
            if event.arrived_ms <= self.careful_ms:
                keys.add(key)
                return False
        again = key in keys or self.known.has(*key)
        keys.add(key)
        return again or event.at_ms == event.arrived_ms

    def _take(self, events: Sequence[Arrived | Acted]) -> None:
        acted = [e.action for e in events if isinstance(e, Acted)]
        if acted:
            self.actions = sorted([*self.actions, *acted], key=lambda action: action.at_ms)
            self.engine.note(self.actions)
        for event in events:
            if isinstance(event, Arrived) and self.known.put(event):
                self.engine.touch(event.at_ms, event.at_ms)
        self.judgement = self.engine.judge(self.until_ms, self.known.read)
        self.engine.forget(events[0].arrived_ms - REMEMBERED_MS)

    def _arrive(self, events: Sequence[Arrived | Acted]) -> None:
        """As far as links are concerned, after what came was judged."""
        flagged = {(f.probe, f.quantity, f.at_ms) for f in self.judgement.flags}
        for event in events:
            if isinstance(event, Acted):
                continue
            self.newest_ms = max(self.newest_ms, event.at_ms)
            if event.series.quantity not in SAMPLES:
                continue
            self.newest_sample_ms = max(self.newest_sample_ms or 0, event.at_ms)
            if (event.series.probe, event.series.quantity, event.at_ms) not in flagged:
                self.arrived_ms[event.series] = event.arrived_ms

    def _through(self, events: Sequence[Arrived | Acted]) -> None:
        """Plain arrivals: they matter where a fact begins or ends, or a probe was silent."""
        if not events:
            return
        self._take(events)
        edges = {f.fired_at_ms for f in self.judgement.facts}
        edges |= {f.cleared_at_ms for f in self.judgement.facts if f.cleared_at_ms is not None}
        first, last = events[0].arrived_ms, events[-1].arrived_ms
        ahead = [edge for edge in sorted(edges, reverse=True) if first <= edge <= last]
        for at_ms, group in groupby(events, key=lambda e: e.arrived_ms):
            while ahead and ahead[-1] < at_ms:
                self.tell_until(ahead[-1] - 1)
                self._tell(ahead.pop())
            self.tell_until(at_ms - 1)
            self._arrive(list(group))
            if at_ms in edges or at_ms == last or self._silent():
                self._tell(at_ms)

    def _silent(self) -> bool:
        room = self.state.rooms.get(self.name)
        return room is None or any(k.code in LINK_CODES and k.active for k in room.known)

    # --- telling

    def tell_until(self, until_ms: int) -> None:
        """What comes due by itself."""
        while True:
            wake_ms = next_wake_ms(self.state)
            moments = [m for m in (wake_ms, self.acks[0] if self.acks else None) if m is not None]
            if not moments or min(moments) > until_ms:
                return
            self._tell(min(moments))

    def _tell(self, now_ms: int) -> None:
        acked = False
        while self.acks and self.acks[0] <= now_ms:
            heappop(self.acks)
            acked = True
        seen = Seen(
            rooms={self.name: self._seen(now_ms)},
            contacts={self.name: PEOPLE},
            sites={self.name: self.name},
            acked=frozenset({self.name} if acked else ()),
        )
        self.state, said = step(self.state, now_ms, seen)
        self.notices += said
        for notice in said:
            self._answer(notice)

    def _seen(self, now_ms: int) -> RoomSeen:
        floor_ms = now_ms - REMEMBERED_MS
        return RoomSeen(
            facts=[
                f
                for f in self.judgement.facts
                if f.cleared_at_ms is None or f.cleared_at_ms > floor_ms
            ],
            upto_ms=max(now_ms, self.newest_ms),
            interval_s=INTERVAL_S,
            newest_sample_ms=self.newest_sample_ms,
            arrived_ms=dict(self.arrived_ms),
            tell_from_ms=floor_ms,
            silenced=self.held_back.until(self.judgement.facts, now_ms) if self.held_back else {},
        )

    def _habits(self, at_ms: int) -> list[Usual]:
        gap_ms = LOOK_AHEAD * self.rule.interval_ms
        return habits(self.known.read(at_ms - OF_DAYS * DAY_MS, at_ms), gap_ms, at_ms)

    def _answer(self, notice: Notice) -> None:
        critical = any(level(code) == "critical" for code in notice.codes)
        if notice.kind != "raise" or notice.to != "operator" or not critical:
            return
        if self.random.random() < self.answered:
            median = ANSWER_MIN[0 if by_day(notice.at_ms) else 1]
            wait_ms = round(self.random.expovariate(0.693 / median) * MINUTE_MS)
            heappush(self.acks, notice.at_ms + max(wait_ms, MINUTE_MS))
