"""The limit rules once more, as slowly and literally as the text says them, against the fold.

Alarm practice, section 3; alarm decisions 14, 18 to 20 and 25 to 27.
"""

from dataclasses import dataclass

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from domain.judgement import Asked, Fact
from domain.profile import Limit, resolve
from domain.room import judge
from tests.unit.domain.rooms import NOON_MS, MadeUp

WARNINGS = ("WARN_HIGH", "WARN_LOW", "WARN_CHILL", "WARN_DANGER_BAND")
PAUSES = {"W": ("door", "defrost", "loading"), "C": ("defrost",), "": ()}


@dataclass
class Told:
    """One series' valid samples, and the spans in which its rules pause or are off."""

    times: list[int]
    counts: list[int]
    interval: int
    pauses: list[tuple[str, int, int]]

    def inside(self, at: int, causes: tuple[str, ...]) -> bool:
        return any(c in causes and a <= at < b for c, a, b in self.pauses)

    def gap(self, i: int) -> bool:
        return self.times[i] - self.times[i - 1] > 3 * self.interval

    def went_off(self, i: int, off: tuple[str, ...]) -> int | None:
        """When the rule went off after sample i - 1 and before or at sample i."""
        after = self.times[i - 1] if i else 0
        upto = self.times[i] if i < len(self.times) else 2**62
        begins = [a for c, a, _ in self.pauses if c in off and after < a <= upto]
        return min(begins, default=None)


def restated(told: Told, limit: Limit, horizon: int) -> list[Fact]:
    code = limit.code
    kind = "W" if code in WARNINGS else "C" if code.startswith("CRIT_") else ""
    off = ("standby",) if code == "CEILING" else ("standby", "maintenance")
    facts: list[Fact] = []
    first: int | None = None  # of the running timer
    fired: int | None = None
    good = 0
    began = 0
    times, counts = told.times, told.counts

    def breach(i: int) -> bool:
        return counts[i] > limit.high or counts[i] < limit.low

    def close(at: int | None) -> None:
        if fired is not None:
            facts.append(as_fact(told, limit, began, fired, at, off))

    for i, at in enumerate(times):
        stop = told.went_off(i, off)
        if stop is not None:
            close(stop)
            first = fired = None
            good = 0
        if told.inside(at, off):
            continue
        if i and told.gap(i):
            first, good = None, 0
        if fired is not None:
            good = good + 1 if limit.clear_low <= counts[i] <= limit.clear_high else 0
            if good == 2:
                close(at)
                fired, good = None, 0
            continue
        if not breach(i) or told.inside(at, PAUSES[kind]):
            first = None
            continue
        first = i if first is None else first
        if at - times[first] >= limit.delay_ms:
            began, fired, first, good = first, i, None, 0
    stop = told.went_off(len(times), off)
    close(stop if stop is not None and stop <= horizon else None)
    return facts


def as_fact(
    told: Told, limit: Limit, began: int, fired: int, cleared: int | None, off: tuple[str, ...]
) -> Fact:
    times, counts = told.times, told.counts

    def excess(i: int) -> int:
        return max(counts[i] - limit.reference_high, limit.reference_low - counts[i], 0)

    start = began
    while (
        start > 0
        and excess(start - 1) > 0
        and not told.gap(start)
        and told.went_off(start, off) is None
        and not told.inside(times[start - 1], off)
    ):
        start -= 1
    end = times[-1] if cleared is None else cleared
    span = [i for i in range(start, len(times)) if times[i] <= end]
    sum_, unknown = 0, 0
    for i in span:
        following = times[i + 1] if i + 1 < len(times) else end
        stretch = min(following, end) - times[i]
        if following - times[i] > 3 * told.interval:  # whatever of the gap lies in the span
            unknown += stretch
        else:
            sum_ += excess(i) * stretch
    far = max if limit.low < -(10**9) else min
    peak = far(counts[i] for i in span)
    if limit.code == "GSP_OUT":
        peak = max((counts[i] for i in span), key=lambda c: max(c - 800, 200 - c))
    level = "critical" if not limit.code.startswith(("WARN", "GSP")) else "warning"
    return Fact(limit.code, level, times[began], times[fired], cleared, peak, sum_, unknown)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**48), samples=st.integers(1, 150))
def test_the_fold_over_one_series_says_what_the_text_says(seed: int, samples: int) -> None:
    room = MadeUp(seed, samples)
    of = room.rows[0][0]
    signals = [r for r in room.rows if r[0].quantity in ("door", "defrost")]
    alone = [r for r in room.rows if r[0] == of and r[3] not in (16, 32)]
    skipped = ("probe_removed", "rule_changed", "precool_started", "precool_done")
    actions = [a for a in room.actions if a.kind not in skipped]
    horizon = NOON_MS + room.span_ms
    readings = room.readings(alone + signals)
    assume(of in readings)

    judgement = judge(Asked(room.rules, readings, actions), horizon)

    refused = {f.at_ms for f in judgement.flags if (f.probe, f.quantity) == of}
    valid = [(t, c) for t, c, _ in readings[of] if t not in refused and t <= horizon]
    told = Told(
        [t for t, _ in valid],
        [c for _, c in valid],
        room.step_ms,
        [(p.cause, p.from_ms, 2**62 if p.to_ms is None else p.to_ms) for p in judgement.pauses],
    )
    for limit in resolve(room.rules[0]).limits:
        found = [fact for fact in judgement.facts if fact.code == limit.code]
        assert found == restated(told, limit, horizon)
