"""Whether the server's own clock is to be believed, judged by what the gateways' clocks say.

A gateway whose trusted clock is far from ours may be wrong. When many look wrong at once, it is we
who are: then nothing may be stored, because the time of arrival decides what is told as present.
"""

from collections.abc import Iterable
from dataclasses import dataclass

MINUTE_MS = 60_000
FAR_MS = 5 * MINUTE_MS  # as admission has it for readings
HEARD_WITHIN_MS = 3 * MINUTE_MS  # of our monotonic clock; gateways speak every half minute
FEWEST = 3
TENTH = 10


@dataclass(frozen=True, slots=True)
class Heard:
    """A gateway's word on the time. ``ahead_ms``: its clock less ours, at the moment of hearing.
    ``at_ms``: that moment, on a clock of ours that nobody sets."""

    gateway: str
    ahead_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """``suspect``: our own clock is in doubt. ``far``: gateways whose clocks are far from ours;
    while we suspect ourselves, none of them is to blame."""

    suspect: bool
    far: tuple[str, ...] = ()


def judge(heard: Iterable[Heard], now_ms: int) -> Verdict:
    """``heard``: the last word of each gateway that trusts its clock. Whoever has been silent for
    minutes counts no more, so that an old word holds up nothing."""
    fresh = [one for one in heard if now_ms - one.at_ms <= HEARD_WITHIN_MS]
    far = tuple(sorted(one.gateway for one in fresh if abs(one.ahead_ms) > FAR_MS))
    suspect = len(far) >= FEWEST and len(far) * TENTH > len(fresh)
    return Verdict(suspect, () if suspect else far)
