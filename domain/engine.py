"""One room judged again and again as readings arrive, early, late, doubled or in any order.

Whatever was fed in which order, ``RoomEngine.judge`` equals ``domain.room.judge`` over the
same readings, rules and actions. It keeps checkpoints, so that a new reading costs the last
quarter of an hour and a late one the hours around it, not the room's whole past.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from domain.judgement import Action, Asked, Judgement, Rule
from domain.reading import Columns, Series
from domain.room import judge

Read = Callable[[int, int], Mapping[Series, Columns]]
"""``read(from_ms, to_ms)``: every series of the room, rows with from <= measured_at < to, oldest
first, conflicts marked 128. Rows of a probe only while it was assigned to the room."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was known at an instant: plain data, ``msgspec.msgpack`` encodes and decodes it."""

    at_ms: int


class RoomEngine:
    """Give it the room's rules and actions, touch what changed, judge.

    A fresh engine (no checkpoints) reads everything at its first ``judge``. With the
    checkpoints of an earlier one it goes on where that stood; everything that arrived since
    must be touched, the rules and actions must be those of then, changed by ``govern`` / ``note``.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        actions: Sequence[Action] = (),
        checkpoints: Sequence[Checkpoint] = (),
    ) -> None:
        self._rules = tuple(rules)
        self._actions = tuple(actions)
        self._checkpoints = list(checkpoints)

    def touch(self, from_ms: int, to_ms: int) -> None:
        """Readings measured in [from, to], ends inside, were added, changed or taken away."""

    def note(self, actions: Sequence[Action]) -> None:
        """The room's actions, all of them, by (at, order recorded)."""
        self._actions = tuple(actions)

    def govern(self, rules: Sequence[Rule]) -> None:
        """The room's rules, all of them, oldest first."""
        self._rules = tuple(rules)

    def judge(self, horizon_ms: int, read: Read) -> Judgement:
        """The room as known at the horizon (server clock live, ``until`` in a replay).

        Calls ``read`` for the spans that must be judged again, oldest first. The horizon may
        go back. Nothing measured after the horizon is looked at.
        """
        readings = read(0, horizon_ms + 1)
        return judge(Asked(self._rules, readings, self._actions), horizon_ms)

    def checkpoints(self) -> list[Checkpoint]:
        """Oldest first; keep them all, or none."""
        return list(self._checkpoints)
