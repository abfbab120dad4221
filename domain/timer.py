"""A consecutive timer over samples: it fires after a delay, two good samples in a row clear it."""

from dataclasses import dataclass

from domain.span import Alarm


@dataclass(frozen=True, slots=True)
class Timer:
    since_ms: int | None = None
    fired_ms: int | None = None
    began_ms: int = 0
    clearing: int = 0
    last_ms: int | None = None

    def step(
        self, at: int, *, holds: bool, clears: bool, delay_ms: int, gap_ms: int
    ) -> tuple["Timer", "Timer | None"]:
        """The next state, and the state that has just been cleared."""
        since, clearing = self.since_ms, self.clearing
        if self.last_ms is not None and at - self.last_ms > gap_ms:
            since, clearing = None, 0
        if self.fired_ms is not None:
            clearing = clearing + 1 if clears else 0
            if clearing == 2:
                return Timer(last_ms=at), self
            return Timer(None, self.fired_ms, self.began_ms, clearing, at), None
        if not holds:
            return Timer(last_ms=at), None
        since = at if since is None else since
        if at - since >= delay_ms:
            return Timer(None, at, since, 0, at), None
        return Timer(since, last_ms=at), None

    def alarm(self, source: str, code: str, cleared_at_ms: int | None) -> list[Alarm]:
        """The warning it stands for; nothing when it has not fired."""
        if self.fired_ms is None:
            return []
        return [Alarm(source, code, "warning", self.began_ms, self.fired_ms, cleared_at_ms)]
