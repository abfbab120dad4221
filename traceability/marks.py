"""Which lots are due to be made again, and not before when: what came together is made once."""

from domain.reading import LotId
from traceability.database import Due

BACKLOG_QUIET_MS = 5_000  # a backlog that pauses for so long has drained
BACKLOG_LONGEST_MS = 600_000  # and is not waited for any longer than this
FACTS_QUIET_MS = 1_000


class Marks:
    """Lots to be marked due in this round, over those that are marked already."""

    def __init__(self, marked: dict[LotId, Due], now_ms: int) -> None:
        self._marked = marked
        self._now_ms = now_ms
        self.due: dict[LotId, Due] = {}

    def soon(self, lot: LotId, *, n: int, m: int) -> None:
        before = self._before(lot)
        at_ms = self._now_ms if before is None else min(before.not_before_ms, self._now_ms)
        self._put(lot, before, at_ms, n=n, m=m)

    def backlog(self, lot: LotId, *, n: int) -> None:
        before = self._before(lot)
        since_ms = self._now_ms if before is None else before.since_ms
        at_ms = min(self._now_ms + BACKLOG_QUIET_MS, since_ms + BACKLOG_LONGEST_MS)
        self._put(lot, before, at_ms, n=n, m=0)

    def live(self, lot: LotId, not_before_ms: int, *, n: int) -> None:
        """What is marked keeps its time, and waits for no later judgement because of this."""
        if self._before(lot) is None:
            self._put(lot, None, max(not_before_ms, self._now_ms), n=n, m=0)

    def judged(self, lot: LotId) -> None:
        if self._before(lot) is None:
            self._put(lot, None, self._now_ms + FACTS_QUIET_MS, n=0, m=0)

    def _before(self, lot: LotId) -> Due | None:
        return self.due.get(lot) or self._marked.get(lot)

    def _put(self, lot: LotId, before: Due | None, not_before_ms: int, *, n: int, m: int) -> None:
        if before is None:
            self.due[lot] = Due(lot, self._now_ms, not_before_ms, n, m)
        else:
            self.due[lot] = Due(
                lot, before.since_ms, not_before_ms, max(n, before.n), max(m, before.m)
            )
