"""One room judged again and again as readings arrive, early, late, doubled or in any order.

Whatever was fed in which order, ``RoomEngine.judge`` equals ``domain.room.judge`` over the
same readings, rules and actions. It keeps checkpoints, so that a new reading costs the last
quarter of an hour and a late one the hours around it, not the room's whole past: the room is
judged forward only until a recomputed state equals the one that was kept.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from domain.judgement import Action, Judgement, Rule
from domain.plan import Plan, plan
from domain.profile import MINUTE_MS
from domain.reading import Columns, Series
from domain.room import Standing, advance, conclude, joined, stand
from domain.room_state import Found, RoomState
from domain.span import FOREVER, SINCE_EVER, Slice, Span, united

Read = Callable[[int, int], Mapping[Series, Columns]]
"""``read(from_ms, to_ms)``: every series of the room, rows with from <= measured_at < to, oldest
first, conflicts marked 128. Rows of a probe only while it was assigned to the room."""

GRID_MS = 6 * 60 * MINUTE_MS  # checkpoints of the last four steps lie on multiples of this ...
OLD_GRID = 4  # ... older ones on every fourth
FRESH_MS = 15 * MINUTE_MS  # a newer one is made when the last is older than this
_LOTS = ("lot_in", "lot_out")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state at an instant, and what was found since the checkpoint before.

    Plain data: ``msgspec.msgpack`` encodes it and decodes ``list[Checkpoint]``."""

    at_ms: int
    state: RoomState
    found: Found


class RoomEngine:
    """Give it the room's rules and actions, touch what changed, judge.

    A fresh engine (no checkpoints) reads everything at its first ``judge``. With the
    checkpoints of an earlier one it goes on where that stood; everything that arrived since
    must be touched, the rules and actions must be those of then, changed by ``govern`` / ``note``.
    ``grid_ms`` sets how far apart checkpoints are kept, and nothing that is found.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        actions: Sequence[Action] = (),
        checkpoints: Sequence[Checkpoint] = (),
        *,
        grid_ms: int = GRID_MS,
    ) -> None:
        self._grid_ms = grid_ms
        self._rules = self._rules_judged = tuple(rules)
        self._actions = self._actions_judged = tuple(actions)
        self._kept = list(checkpoints)
        self._touched: list[tuple[int, int]] = []
        self._plan: Plan | None = None

    def touch(self, from_ms: int, to_ms: int) -> None:
        """Readings measured in [from, to], ends inside, were added, changed or taken away."""
        self._touched.append((from_ms, to_ms))

    def note(self, actions: Sequence[Action]) -> None:
        """The room's actions, all of them, by (at, order recorded)."""
        self._actions = tuple(actions)

    def govern(self, rules: Sequence[Rule]) -> None:
        """The room's rules, all of them, oldest first."""
        self._rules = tuple(rules)

    def judge(self, horizon_ms: int, read: Read) -> Judgement:
        """The room as known at the horizon (server clock live, ``until`` in a replay).

        Calls ``read`` for the spans that must be judged again, oldest first. The horizon may
        go back. Nothing measured after the horizon is looked at. Raises ``Impossible`` for a
        rule that cannot be, and has then changed nothing.
        """
        parts = self.judging(horizon_ms, read)
        while True:
            try:
                next(parts)
            except StopIteration as done:
                judgement: Judgement = done.value
                return judgement

    def judging(self, horizon_ms: int, read: Read) -> Generator[int, None, Judgement]:
        """As ``judge``, in parts of some hours, between which others have their turn: yields how
        many rows each part looked at. What is touched meanwhile stays touched; given up before its
        end, all of it does."""
        known = self._known(horizon_ms)
        touched = tuple(self._touched)
        while self._kept and self._kept[-1].at_ms > horizon_ms - known.look_ahead_ms:
            self._kept.pop()

        kept = yield from self._mended(touched, known, horizon_ms, read)
        state, after_ms = RoomState(), SINCE_EVER
        if kept:
            state, after_ms = kept[-1].state, kept[-1].at_ms
        readings = read(max(after_ms + 1, 0), horizon_ms + 1)
        # Later than this, what comes next may still tell a jump; and most of what comes is next.
        newest_ms = max((rows.at_ms[-1] for rows in readings.values() if rows), default=after_ms)
        settled_ms = min(newest_ms, horizon_ms) - known.look_ahead_ms
        for part in self._cuts(readings, Slice(after_ms, settled_ms)):
            if part.upto_ms == settled_ms and settled_ms - part.after_ms < FRESH_MS:
                break
            state, found = advance(state, readings, known, part)
            kept.append(Checkpoint(part.upto_ms, state, _lasting_none(found)))
            after_ms = part.upto_ms
            yield _rows(readings, part)
        _, last = advance(state, readings, known, Slice(after_ms, horizon_ms))

        self._kept = list(self._thinned(kept))
        del self._touched[: len(touched)]
        return conclude([*(c.found for c in self._kept), last], known, horizon_ms)

    def stand(self, horizon_ms: int, back_ms: int, read: Read) -> tuple[Standing, Judgement]:
        """As ``judge``, and how the room stands at the horizon. Of the samples at least those of
        the last ``back_ms`` are in it."""
        judgement = self.judge(horizon_ms, read)
        known = self._known(horizon_ms)
        state, after_ms = RoomState(), SINCE_EVER
        for checkpoint in self._kept:
            if checkpoint.at_ms <= horizon_ms - back_ms:
                state, after_ms = checkpoint.state, checkpoint.at_ms
        readings = read(max(after_ms + 1, 0), horizon_ms + 1)
        return stand(state, readings, known, Slice(after_ms, horizon_ms)), judgement

    def forget(self, before_ms: int) -> None:
        """For where the past is not kept: facts that ended before the last checkpoint at or
        before this are told no more. What was touched earlier may be judged from nothing."""
        first = bisect_right(self._kept, before_ms, key=lambda checkpoint: checkpoint.at_ms) - 1
        if first > 0:
            self._kept = [replace(self._kept[first], found=Found()), *self._kept[first + 1 :]]

    def checkpoints(self) -> list[Checkpoint]:
        """Oldest first; keep them all, or none."""
        return list(self._kept)

    def _known(self, horizon_ms: int) -> Plan:
        """The plan at the horizon. Checkpoints that rest on another plan are dropped."""
        rules = tuple(r for i, r in enumerate(self._rules) if i == 0 or r.from_ms <= horizon_ms)
        actions = tuple(a for a in self._actions if a.at_ms <= horizon_ms)
        if self._plan is None or (rules, actions) != (self._rules_judged, self._actions_judged):
            self._plan = plan(rules, actions, horizon_ms)
            from_ms = min(
                _rules_differ(self._rules_judged, rules),
                _actions_differ(self._actions_judged, actions),
            )
            while self._kept and self._kept[-1].at_ms >= from_ms - 1:
                self._kept.pop()
            self._rules_judged, self._actions_judged = rules, actions
        return self._plan

    def _mended(
        self, touched: Sequence[tuple[int, int]], known: Plan, horizon_ms: int, read: Read
    ) -> Generator[int, None, list[Checkpoint]]:
        """The checkpoints, those made anew that rest on what was touched."""
        ahead_ms = known.look_ahead_ms
        spans = united((first - ahead_ms, last + 1) for first, last in touched)
        first_ms = spans[0][0] if spans else FOREVER
        start = bisect_left(self._kept, first_ms, key=lambda checkpoint: checkpoint.at_ms)
        kept = self._kept[:start]
        state, after_ms, differs = RoomState(), SINCE_EVER, False
        if kept:
            state, after_ms = kept[-1].state, kept[-1].at_ms
        for checkpoint in self._kept[start:]:
            upto_ms = checkpoint.at_ms
            slice_ = Slice(after_ms, upto_ms)
            if differs or _reached(spans, slice_):
                kept += yield from self._again(state, known, slice_, horizon_ms, read)
                differs = kept[-1].state != checkpoint.state
            else:
                kept.append(checkpoint)
            state, after_ms = kept[-1].state, upto_ms
        return kept

    def _again(
        self, state: RoomState, known: Plan, slice_: Slice, horizon_ms: int, read: Read
    ) -> Generator[int, None, list[Checkpoint]]:
        to_ms = min(slice_.upto_ms + known.look_ahead_ms, horizon_ms) + 1
        readings = read(max(slice_.after_ms + 1, 0), to_ms)
        made: list[Checkpoint] = []
        for part in self._cuts(readings, slice_):
            state, found = advance(state, readings, known, part)
            made.append(Checkpoint(part.upto_ms, state, _lasting_none(found)))
            yield _rows(readings, part)
        return made

    def _cuts(self, readings: Mapping[Series, Columns], slice_: Slice) -> Iterator[Slice]:
        """The slice cut on the grid where it holds readings; the last piece ends with the slice."""
        after = slice_.after_ms
        while True:
            starts = [
                columns.at_ms[i]
                for columns in readings.values()
                if (i := bisect_right(columns.at_ms, after)) < len(columns)
            ]
            first = min(starts, default=slice_.upto_ms)
            upto = -(-first // self._grid_ms) * self._grid_ms
            if upto >= slice_.upto_ms:
                break
            yield Slice(after, upto)
            after = upto
        if after < slice_.upto_ms:
            yield Slice(after, slice_.upto_ms)

    def _thinned(self, kept: Sequence[Checkpoint]) -> Iterator[Checkpoint]:
        """Without those off their grid, except the newest; what they found goes to the next."""
        waiting: list[Found] = []
        newest_ms = kept[-1].at_ms if kept else 0
        for checkpoint in kept:
            waiting.append(checkpoint.found)
            grid_ms = self._grid_ms
            if checkpoint.at_ms <= newest_ms - OLD_GRID * grid_ms:
                grid_ms *= OLD_GRID
            if checkpoint.at_ms % grid_ms and checkpoint.at_ms != newest_ms:
                continue
            yield checkpoint if len(waiting) == 1 else replace(checkpoint, found=joined(waiting))
            waiting.clear()


def _lasting_none(found: Found) -> Found:
    """What was under way at a checkpoint is found again by the slice in which it ends."""
    if not found.active and not found.lasting:
        return found
    return Found(found.alarms, found.pauses, found.flags)


def _reached(spans: Sequence[Span], slice_: Slice) -> bool:
    """Is any instant of the slice in one of the spans?"""
    i = bisect_right(spans, (slice_.upto_ms, FOREVER))
    return i > 0 and spans[i - 1][1] > slice_.after_ms + 1


def _rows(readings: Mapping[Series, Columns], part: Slice) -> int:
    return sum(
        bisect_right(rows.at_ms, part.upto_ms) - bisect_right(rows.at_ms, part.after_ms)
        for rows in readings.values()
    )


def _rules_differ(old: Sequence[Rule], new: Sequence[Rule]) -> int:
    """The instant from which the rules are others."""
    for i, (one, other) in enumerate(zip(old, new, strict=False)):
        if one != other:
            return SINCE_EVER if i == 0 else min(one.from_ms, other.from_ms)
    further = [*old[len(new) :], *new[len(old) :]]
    return min((rule.from_ms for rule in further), default=2**62)


def _actions_differ(old: Sequence[Action], new: Sequence[Action]) -> int:
    """The instant from which the actions say something else. That lots are counted at all
    says something about the time before the first of them."""
    if any(a.kind in _LOTS for a in old) != any(a.kind in _LOTS for a in new):
        return SINCE_EVER
    for one, other in zip(old, new, strict=False):
        if one != other:
            return min(one.at_ms, other.at_ms)
    further = [*old[len(new) :], *new[len(old) :]]
    return min((action.at_ms for action in further), default=2**62)
