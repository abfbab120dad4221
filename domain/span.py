"""Half-open stretches of time, [from, to) in ms, and what a clock rule makes of them."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

Span = tuple[int, int]
Sample = tuple[int, int]  # (measured_at_ms, count)

FOREVER = 2**62  # the end of what has not ended
SINCE_EVER = -(2**62)


@dataclass(frozen=True, slots=True)
class Slice:
    """What is judged in one go: instants in (after_ms, upto_ms]."""

    after_ms: int
    upto_ms: int

    def holds(self, at_ms: int) -> bool:
        return self.after_ms < at_ms <= self.upto_ms


@dataclass(frozen=True, slots=True)
class Alarm:
    """A rule's verdict on one source (a series as text; "" is the room), before the sources of
    a room are united. ``cleared_at_ms`` None: active at the end of the slice. Not ``final``: it
    has ended, and the next sample may still make its last minutes unknown (``Tail``)."""

    source: str
    code: str
    level: str
    began_at_ms: int
    fired_at_ms: int
    cleared_at_ms: int | None
    peak: int | None = None
    excess: int = 0
    unknown_ms: int = 0
    final: bool = True


@dataclass(frozen=True, slots=True)
class Tail:
    """An alarm that was ended between two samples, summed up to the first of them.

    What the first said holds until the end, unless a gap lies between the two: then nothing is
    known of it (alarm decisions 27), which only the second one tells."""

    alarm: Alarm
    last_ms: int
    held: int

    def summed(self, gap_ms: int, next_ms: int | None = None) -> Alarm:
        """``next_ms``: the sample after the end; None while there is none in its place."""
        ended_ms = self.alarm.cleared_at_ms or self.last_ms
        elapsed = ended_ms - self.last_ms
        if (next_ms or ended_ms) - self.last_ms > gap_ms:
            return replace(self.alarm, unknown_ms=self.alarm.unknown_ms + elapsed)
        return replace(self.alarm, excess=self.alarm.excess + self.held * elapsed)


def covered(spans: Sequence[Span], at_ms: int) -> bool:
    """True when the instant lies in one of the spans (sorted, not overlapping)."""
    i = bisect_right(spans, (at_ms, FOREVER))
    return i > 0 and at_ms < spans[i - 1][1]


def united(spans: Iterable[Span]) -> list[Span]:
    """Sorted, overlapping and touching ones joined, empty ones left out."""
    out: list[Span] = []
    for begin, end in sorted(spans):
        if begin >= end:
            continue
        if out and begin <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((begin, end))
    return out


def without(span: Span, cuts: Sequence[Span]) -> Iterator[Span]:
    """What the cuts (sorted, not overlapping) leave of the span."""
    begin, end = span
    first = max(bisect_right(cuts, (begin, FOREVER)) - 1, 0)
    for i in range(first, len(cuts)):
        cut_from, cut_to = cuts[i]
        if cut_to <= begin:
            continue
        if cut_from >= end:
            break
        if cut_from > begin:
            yield begin, cut_from
        begin = cut_to
    if begin < end:
        yield begin, end


def clock_alarms(
    source: str,
    rules: Sequence[tuple[str, str, int]],
    condition: Span,
    cuts: Sequence[Span],
    slice_: Slice,
) -> Iterator[Alarm]:
    """Alarm decisions 29: of (code, level, delay) each fires delay after the condition's start
    if it still holds then; a cut makes the rest a new condition.

    Yields what ends in the slice, and what is active at its end (cleared None).
    """
    for begin, end in without(condition, cuts):
        if end <= slice_.after_ms or begin > slice_.upto_ms:
            continue
        for code, level, delay in rules:
            fired = begin + delay
            if end <= slice_.upto_ms:
                if fired < end:
                    yield Alarm(source, code, level, begin, fired, end)
            elif fired <= slice_.upto_ms:
                yield Alarm(source, code, level, begin, fired, None)


def interrupted(
    samples: Sequence[Sample], off: Sequence[Span], removals: Sequence[int], slice_: Slice
) -> Sequence[tuple[int, int | None]]:
    """The samples outside ``off``, and (instant, None) where everything stops and starts anew:
    when an off span begins and when the probe is removed. What came at the very instant of a
    removal starts nothing: it is left out."""
    stops = sorted(
        [begin for begin, _ in off if slice_.holds(begin)]
        + [at for at in removals if slice_.holds(at)]
    )
    if not stops and not off:
        return samples
    last = set(removals)
    kept = [(at, 1, count) for at, count in samples if at not in last and not covered(off, at)]
    events = sorted(kept + [(at, 0, 0) for at in stops])
    return [(at, count if kind else None) for at, kind, count in events]
