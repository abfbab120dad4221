"""One room as the engine holds it: who measures it, what rules it, what is known of it now."""

import logging
from collections.abc import Iterator, Mapping

import msgspec

from domain.engine import Checkpoint, RoomEngine
from domain.judgement import Judgement, Rule
from domain.profile import Impossible, resolve
from domain.reading import Columns, RoomId, Series
from domain.screening import LOOK_AHEAD
from domain.usual_defrost import DAY_MS, OF_DAYS, HeldBack, Usual, habits
from store.ports import ReadingReader
from store.records.ports import Assignment, RecordsReader
from store.room_input import SeriesOf, actions_of, read_room, rules_of

log = logging.getLogger(__name__)

AHEAD_MS = 26 * 3_600_000  # judged this far ahead: so the moments of clock rules are known
FAR_MS = 1 << 60


class RoomWatch:
    """Reads what records say of the room, judges it, and knows when it must be looked at next.

    Judging ahead of the clock is the same as judging at it: nothing is measured in the future,
    so what differs is only what clock rules will do if nothing more comes. ``known`` cuts it
    at an instant.
    """

    def __init__(
        self,
        room: RoomId,
        records: RecordsReader,
        readings: ReadingReader,
        series_of: SeriesOf,
        checkpoints: bytes = b"",
    ) -> None:
        self.room = room
        self._records, self._readings, self._series_of = records, readings, series_of
        self._checkpoints = checkpoints
        self._engine: RoomEngine | None = None
        self.rules: list[Rule] = []
        self.assigned: list[Assignment] = []
        self.judgement = Judgement((), (), ())
        self.horizon_ms = 0
        self.judged_at_ms: int | None = None
        self._wake_ms: int | None = None
        self.held_back = HeldBack(self._usual_defrosts)
        self.reload()

    def reload(self) -> None:
        """Take the room's rules, actions and assignments from the records again."""
        before = self.assigned
        self.rules = rules_of(self._records, self.room)
        self.assigned = self._records.assignments(self.room)
        actions = actions_of(self._records, self.room, self.assigned)
        if not self.rules:
            self._engine = None
            return
        if self._engine is None:
            found = (
                msgspec.msgpack.decode(self._checkpoints, type=list[Checkpoint])
                if self._checkpoints
                else []
            )
            self._engine = RoomEngine(self.rules, actions, found)
            return
        self._engine.govern(self.rules)
        self._engine.note(actions)
        if before != self.assigned:
            changed = {(a.probe, a.from_ms, a.to_ms) for a in before} ^ {
                (a.probe, a.from_ms, a.to_ms) for a in self.assigned
            }
            self._engine.touch(min(start for _, start, _ in changed), FAR_MS)

    @property
    def governed(self) -> bool:
        return self._engine is not None

    def touch(self, from_ms: int, to_ms: int) -> None:
        if self._engine is not None:
            self._engine.touch(from_ms, to_ms)

    def judge(self, now_ms: int) -> None:
        for _ in self.judging(now_ms):
            pass

    def judging(self, now_ms: int) -> Iterator[int]:
        """As ``judge``, in parts between which others have their turn: the rows of each. Until
        its end what was known before stands."""
        if self._engine is None:
            self.judgement = Judgement((), (), ())
        else:
            horizon_ms = now_ms + AHEAD_MS
            try:
                self.judgement = yield from self._engine.judging(horizon_ms, self._read)
                self.horizon_ms = horizon_ms
            except Impossible as error:  # one room's rule must not silence the others
                self.horizon_ms = horizon_ms
                log.exception(
                    "a room is not judged", extra={"room": self.room, "field": error.field}
                )
        self.judged_at_ms = now_ms
        self._wake_ms = self._next_moment(now_ms)

    def known(self, now_ms: int) -> Judgement:
        """What is true at ``now_ms``, without what clock rules are yet to say."""
        return self.judgement.known_at(now_ms)

    def wake_ms(self) -> int | None:
        """The next moment at which ``known`` changes by itself, or the horizon comes near."""
        return self._wake_ms

    def _next_moment(self, now_ms: int) -> int | None:
        if not self.governed:
            return None
        moment = self.judgement.next_moment_ms(now_ms)
        look_again_ms = max(self.horizon_ms - 3_600_000, now_ms + 1)
        return look_again_ms if moment is None else min(moment, look_again_ms)

    def rule_of(self, at_ms: int) -> str:
        """Change number and SHA-256 of the limits in force."""
        rule = self.rules[0]
        for later in self.rules[1:]:
            if later.from_ms <= at_ms:
                rule = later
        return f"{rule.id}:{resolve(rule).name}"

    def checkpoints(self) -> bytes:
        return msgspec.msgpack.encode(self._engine.checkpoints()) if self._engine else b""

    def _usual_defrosts(self, at_ms: int) -> list[Usual]:
        """As the seven days before that instant taught them."""
        if not self.rules:
            return []
        gap_ms = LOOK_AHEAD * self.rules[-1].interval_s * 1000
        return habits(self._read(at_ms - OF_DAYS * DAY_MS, at_ms), gap_ms, at_ms)

    def _read(self, from_ms: int, to_ms: int) -> Mapping[Series, Columns]:
        return read_room(self._readings, self._series_of, self.assigned, from_ms, to_ms)
