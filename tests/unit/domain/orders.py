"""One room's readings, rules and actions, come to be known in some order; and the order itself.

A story is a list of steps made from a seed: readings arrive in pieces, shuffled, doubled and
late; actions, rules and moves of probes are recorded after their instant; the engine is asked
in between, and now and then begun again from its checkpoints. ``tell`` tells it to an
engine and compares what that says with ``domain.room.judge`` over the same sets. A story that
differs is cut down to the few steps that still do (``shrunk``): its seed says it again.
"""

import random
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import assert_never

import msgspec

from domain.engine import GRID_MS, Checkpoint, RoomEngine
from domain.judgement import Action, Asked, Judgement, Rule
from domain.profile import Impossible, resolve
from domain.reading import Columns, Series, winner
from domain.room import judge
from domain.screening import JUMP, SAMPLES
from tests.unit.domain.rooms import LEVEL, NOON_MS, ROOMS, MadeUp, Row

HOUR_MS = 3_600_000
FAR_MS = 1 << 60
SIGNALS = ("door", "defrost", "mains", "compressor")


@dataclass(frozen=True, slots=True)
class Arrive:
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Act:
    action: Action


@dataclass(frozen=True, slots=True)
class Govern:
    """One more rule, from its own instant on."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Move:
    """When the probe was in the room, all of it: [from, to), None: still."""

    probe: str
    spells: tuple[tuple[int, int | None], ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """``compared``: the specification is asked as well."""

    horizon_ms: int
    compared: bool


@dataclass(frozen=True, slots=True)
class Restart:
    """A new engine goes on from the checkpoints of the old one, as bytes."""


Step = Arrive | Act | Govern | Move | Ask | Restart


@dataclass(frozen=True, slots=True)
class Story:
    seed: int
    rule: Rule
    grid_ms: int  # between checkpoints
    steps: tuple[Step, ...]

    def rows(self) -> list[Row]:
        return [row for step in self.steps if isinstance(step, Arrive) for row in step.rows]


class Eventful(MadeUp):
    """Never quiet: a signal or more, people who do things."""

    PROBES = (1, 2, 2, 3)
    SIGNAL_CHANCE = 0.75
    KINDS = (1, 2, 2, 4)

    def __init__(self, seed: int, samples: int) -> None:
        super().__init__(seed, samples)
        self._pull_apart()

    def _pull_apart(self) -> None:
        """A third of the rooms are silent for days somewhere in the middle."""
        if self.random.random() > 0.33:
            return
        cut_ms, days = self._when(), self.random.choice((1, 2, 5))
        self.rows = [
            (of, at + days * 24 * HOUR_MS if at >= cut_ms else at, count, quality)
            for of, at, count, quality in self.rows
        ]
        self.span_ms += days * 24 * HOUR_MS


def story(seed: int) -> Story:
    rnd = random.Random(f"order {seed}")  # noqa: S311 - made-up orders, not secrets
    room = Eventful(seed, 300 if rnd.random() < 0.03 else rnd.randrange(40, 85))
    end_ms = NOON_MS + room.span_ms
    pieces = list(arrivals(room.rows, rnd))

    said: list[Step] = [Act(action) for action in room.actions]
    if rnd.random() < 0.5:
        said += [Govern(rule) for rule in _later_rules(room, rnd)]
    if rnd.random() < 0.3:
        said += _moves(room, rnd)
    known_first = rnd.choice((0, len(said) // 2, len(said)))
    steps: list[Step] = said[:known_first]
    late = said[known_first:]
    rnd.shuffle(late)
    compared = rnd.randrange(len(pieces))
    for i, piece in enumerate(pieces):
        if i and rnd.random() < 0.15:
            steps.append(Restart())
        steps.append(Arrive(tuple(piece)))
        share = -(-len(late) // (len(pieces) - i)) if late else 0
        while share:
            steps.append(late.pop())
            share -= 1
        horizon_ms = end_ms if rnd.random() < 0.6 else NOON_MS + rnd.randrange(2 * room.span_ms)
        steps.append(Ask(horizon_ms, i == compared))
    steps.append(Ask(end_ms + rnd.choice((0, 0, 6 * HOUR_MS)), compared=True))
    grid_ms = rnd.choice((HOUR_MS // 6, HOUR_MS // 2, HOUR_MS, 2 * HOUR_MS, GRID_MS))
    return Story(seed, room.rules[0], grid_ms, tuple(steps))


def arrivals(rows: Sequence[Row], rnd: random.Random) -> Iterator[list[Row]]:
    """Any order, some of it twice, in two to five pieces."""
    known = [*rows, *(row for row in rows if rnd.random() < 0.15)]
    if rnd.random() < 0.4:
        yield from _with_holes(sorted(known, key=lambda row: row[1]), rnd)
        return
    match rnd.randrange(5):
        case 0:
            rnd.shuffle(known)
        case 1:  # newest first
            known.sort(key=lambda row: -row[1])
        case 2:  # a late block
            known.sort(key=lambda row: row[1])
            a, b = sorted((rnd.randrange(len(known) + 1), rnd.randrange(len(known) + 1)))
            known = known[:a] + known[b:] + known[a:b]
        case 3:  # one series after another
            known.sort(key=lambda row: (row[0], row[1]))
        case _:  # stirred a little, as a live feed is
            known.sort(key=lambda row: row[1] + rnd.randrange(HOUR_MS))
    cuts = sorted(rnd.randrange(len(known) + 1) for _ in range(rnd.choice((1, 2, 3, 4))))
    for first, last in zip([0, *cuts], [*cuts, len(known)], strict=True):
        yield known[first:last]


def _with_holes(rows: list[Row], rnd: random.Random) -> Iterator[list[Row]]:
    """In order, but for a few readings that come weeks late, some of one series at a time. Half
    of the holes follow a spike: what fills them tells whether it was a jump."""
    by_series: dict[Series, list[Row]] = {}
    for row in rows:
        by_series.setdefault(row[0], []).append(row)
    spikes = [
        (of, i + 1)
        for of, found in sorted(by_series.items())
        for i, (before, row) in enumerate(pairwise(found), 1)
        if of.quantity in SAMPLES and abs(row[2] - before[2]) > JUMP
    ]
    late: list[list[Row]] = []
    for _ in range(rnd.choice((1, 2, 3, 4))):
        if spikes and rnd.random() < 0.5:
            of, first = rnd.choice(spikes)
        else:
            of = rnd.choice(sorted(by_series))
            first = rnd.randrange(len(by_series[of]))
        late.append(by_series[of][first : first + rnd.choice((1, 2, 2, 3))])
    missing = {row for some in late for row in some}
    yield [row for row in rows if row not in missing]
    yield from late


def _later_rules(room: Eventful, rnd: random.Random) -> Iterator[Rule]:
    """Other limits, goods or intervals for a room of about the same warmth."""
    warmth = LEVEL[room.rules[0].profile]
    near = [(p, goods) for p, goods in ROOMS if abs(LEVEL[p] - warmth) < 8]
    for n in range(rnd.choice((1, 1, 2))):
        profile, goods = rnd.choice(near)
        interval_s = rnd.choice((room.step_ms // 1000, 300, 600))
        rule = Rule(f"r{n}", room._when(), profile, goods, interval_s, {})
        if _possible(rule, room.actions):
            yield rule


def _possible(rule: Rule, actions: Sequence[Action]) -> bool:
    """Records refuse a rule under which what people changed could not be."""
    overrides = [a.detail["overrides"] for a in actions if a.kind == "rule_changed"]
    try:
        for one in ({}, *overrides):
            resolve(replace(rule, overrides=one))
    except Impossible:
        return False
    return True


def _moves(room: Eventful, rnd: random.Random) -> Iterator[Move]:
    """A probe leaves; perhaps it comes back; perhaps somebody corrects when it was."""
    probe = rnd.choice(sorted({of.probe for of, _, _, _ in room.rows}))
    left_ms, back_ms = sorted((room._when(), room._when()))
    spells: tuple[tuple[int, int | None], ...] = ((0, left_ms),)
    yield Move(probe, spells)
    if rnd.random() < 0.6 and back_ms > left_ms:
        yield Move(probe, (*spells, (back_ms, None)))
    if rnd.random() < 0.3:
        yield Move(probe, ((0, room._when()),))


class Known:
    """The three sets as far as they are known: what the specification is asked over."""

    def __init__(self, rule: Rule) -> None:
        self._rules = [rule]
        self._actions: list[Action] = []
        self._spells: dict[str, tuple[tuple[int, int | None], ...]] = {}
        self._columns: defaultdict[Series, Columns] = defaultdict(Columns)

    def add(self, rows: Sequence[Row]) -> None:
        for of, at_ms, count, quality in rows:
            columns = self._columns[of]
            i = bisect_left(columns.at_ms, at_ms)
            if i < len(columns) and columns.at_ms[i] == at_ms:
                columns.quality[i], columns.count[i] = winner(
                    (columns.quality[i], columns.count[i]), (quality, count)
                )
            else:
                columns.at_ms.insert(i, at_ms)
                columns.count.insert(i, count)
                columns.quality.insert(i, quality)

    def act(self, action: Action) -> None:
        insort(self._actions, action, key=lambda a: a.at_ms)

    def govern(self, rule: Rule) -> None:
        """Of two from the same instant the one recorded last."""
        others = [r for i, r in enumerate(self._rules) if i == 0 or r.from_ms != rule.from_ms]
        self._rules = [others[0], *sorted([*others[1:], rule], key=lambda r: r.from_ms)]

    def move(self, move: Move) -> int:
        """From when on it makes a difference."""
        before = self._spells.get(move.probe, ((0, None),))
        self._spells[move.probe] = move.spells
        return min((start for start, _ in {*before} ^ {*move.spells}), default=FAR_MS)

    @property
    def rules(self) -> list[Rule]:
        return self._rules

    @property
    def actions(self) -> list[Action]:
        left = [
            Action(end, "probe_removed", "", {"probe": probe})
            for probe, spells in self._spells.items()
            for _, end in spells
            if end is not None
        ]
        return sorted([*self._actions, *left], key=lambda a: a.at_ms)

    def read(self, from_ms: int, to_ms: int) -> Mapping[Series, Columns]:
        found: dict[Series, Columns] = {}
        for of, columns in self._columns.items():
            out = Columns()
            for start, end in self._spells.get(of.probe, ((0, None),)):
                i = bisect_left(columns.at_ms, max(start, from_ms))
                j = bisect_left(columns.at_ms, to_ms if end is None else min(end, to_ms))
                out.at_ms.extend(columns.at_ms[i:j])
                out.count.extend(columns.count[i:j])
                out.quality.extend(columns.quality[i:j])
            found[of] = out
        return found

    def judged(self, horizon_ms: int) -> Judgement:
        readings = self.read(0, FAR_MS)
        return judge(Asked(self.rules, readings, self.actions), horizon_ms)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``difference``: where the engine first says something else than the specification.
    ``facts``: codes of the last judgement."""

    difference: str | None
    facts: Counter[str] = field(default_factory=Counter)


def tell(told: Story, *, everywhere: bool = False) -> Outcome:
    """``everywhere``: compared at each ``Ask``, not only where the story says so."""
    known = Known(told.rule)
    engine, asked_ms = RoomEngine(known.rules, grid_ms=told.grid_ms), NOON_MS
    got = Judgement((), (), ())
    for number, step in enumerate(told.steps):
        match step:
            case Arrive(rows):
                known.add(rows)
                for _, at_ms, _, _ in rows:
                    engine.touch(at_ms, at_ms)
            case Act(action):
                known.act(action)
                engine.note(known.actions)
            case Govern(rule):
                known.govern(rule)
                engine.govern(known.rules)
            case Move():
                engine.touch(known.move(step), FAR_MS)
                engine.note(known.actions)
            case Restart():
                engine.judge(asked_ms, known.read)  # what it has not judged is not in its bytes
                kept = restored(engine)
                engine = RoomEngine(known.rules, known.actions, kept, grid_ms=told.grid_ms)
            case Ask(asked_ms, compared):
                got = engine.judge(asked_ms, known.read)
                if (compared or everywhere) and got != (want := known.judged(asked_ms)):
                    return Outcome(f"step {number}: {_differing(want, got)}")
            case _:
                assert_never(step)
    return Outcome(None, Counter(fact.code for fact in got.facts))


def restored(engine: RoomEngine) -> list[Checkpoint]:
    packed = msgspec.msgpack.encode(engine.checkpoints())
    return msgspec.msgpack.decode(packed, type=list[Checkpoint])


def _differing(want: Judgement, got: Judgement) -> str:
    for name in ("facts", "pauses", "flags"):
        wanted, found = getattr(want, name), getattr(got, name)
        missing = [x for x in wanted if x not in found]
        more = [x for x in found if x not in wanted]
        if missing or more or wanted != found:
            return f"{name}: missing {missing[:2]}, not expected {more[:2]}"
    return "nothing"


def shrunk(told: Story) -> Story:
    """The same difference with as few steps and readings as leaving out one by one gives."""
    steps = list(told.steps)
    size = len(steps)
    while size:
        for i in range(len(steps) - size, -1, -1):
            fewer = steps[:i] + steps[i + size :]
            if _differs(told, fewer):
                steps = fewer
        size //= 2
    for i, step in enumerate(steps):
        if isinstance(step, Arrive):
            steps[i] = Arrive(_fewer_rows(told, steps, i, step.rows))
    return replace(told, steps=tuple(steps))


def _differs(told: Story, steps: Sequence[Step]) -> bool:
    return tell(replace(told, steps=tuple(steps)), everywhere=True).difference is not None


def _fewer_rows(
    told: Story, steps: Sequence[Step], i: int, rows: tuple[Row, ...]
) -> tuple[Row, ...]:
    size = len(rows) // 2
    while size:
        for j in range(len(rows) - size, -1, -size):
            fewer = rows[:j] + rows[j + size :]
            changed = (*steps[:i], Arrive(fewer), *steps[i + 1 :])
            if _differs(told, changed):
                rows = fewer
        size //= 2
    return rows


# --- what the stories held


@dataclass(frozen=True, slots=True)
class Shape:
    samples: int
    probes: int
    signals: int
    said: int  # actions, rules and moves
    rule_changes: int
    moves: int
    late_said: int  # recorded after the first question
    doubled: int
    pieces: int


def shape(told: Story) -> Shape:
    rows = told.rows()
    distinct = set(rows)
    said = [s for s in told.steps if isinstance(s, Act | Govern | Move)]
    first = next(i for i, s in enumerate(told.steps) if isinstance(s, Ask))
    return Shape(
        samples=sum(of.quantity in SAMPLES for of, _, _, _ in distinct),
        probes=len({of.probe for of, _, _, _ in distinct if of.quantity in SAMPLES}),
        signals=len({of for of, _, _, _ in distinct if of.quantity in SIGNALS}),
        said=len(said),
        rule_changes=sum(
            isinstance(s, Govern) or (isinstance(s, Act) and s.action.kind == "rule_changed")
            for s in said
        ),
        moves=sum(isinstance(s, Move) for s in said),
        late_said=sum(isinstance(s, Act | Govern | Move) for s in told.steps[first:]),
        doubled=len(rows) - len(distinct),
        pieces=sum(isinstance(s, Arrive) for s in told.steps),
    )
