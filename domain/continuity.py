"""Which alarm of a new judgement goes on with which of an old one.

Readings that come late, and other rules, move an alarm's edges; it is still that alarm as long as
it shares time with what it was. The largest overlap of [began, cleared) decides, one to one.
"""

from collections.abc import Sequence

from domain.judgement import Fact
from domain.span import FOREVER


def continued(old: Sequence[tuple[str, Fact]], new: Sequence[Fact]) -> dict[int, int]:
    """Places in ``new`` to places in ``old``; what is in neither came or went. Of two that fit
    equally well the smaller name."""
    pairs = sorted(
        (
            (-shared, fact.fired_at_ms, name, i, j)
            for i, fact in enumerate(new)
            for j, (name, was) in enumerate(old)
            if was.code == fact.code and (shared := _overlap(fact, was)) > 0
        ),
    )
    found: dict[int, int] = {}
    used: set[int] = set()
    for _, _, _, i, j in pairs:
        if i not in found and j not in used:
            found[i] = j
            used.add(j)
    return found


def _overlap(one: Fact, other: Fact) -> int:
    if one == other:
        return FOREVER  # unchanged: nothing fits better
    ends = [
        FOREVER if f.cleared_at_ms is None else max(f.cleared_at_ms, f.began_at_ms + 1)
        for f in (one, other)
    ]
    return min(ends) - max(one.began_at_ms, other.began_at_ms)
