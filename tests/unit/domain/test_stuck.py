"""SENSOR_STUCK looks at what decides it, and says the same as if it looked at everything."""

import random
from itertools import accumulate

import pytest

from domain.span import Alarm
from domain.stuck import Companions, Event, StuckState, advance_stuck

MINUTE_MS = 60_000
LONG_MS = 60 * MINUTE_MS
GAP_MS = 3 * MINUTE_MS


def walk(rnd: random.Random) -> list[Event]:
    """A day of a probe that now moves and now does not; some samples are missing, and it may be
    taken away."""
    count, liveliness = 400, 1
    found: list[Event] = []
    for minute in range(24 * 60):
        if rnd.random() < 0.02:
            liveliness = rnd.choice((0, 1, 2, 8))
        count += round(rnd.gauss(0, liveliness))
        if rnd.random() > 0.01:
            found.append((minute * MINUTE_MS, None if rnd.random() < 0.001 else count))
    return found


def fed(events: list[Event], moved: Companions, size: int) -> tuple[StuckState, list[Alarm]]:
    """In pieces of so many events. Alarms as they ended, and what is active at the end."""
    state, ended, active = StuckState(), list[Alarm](), list[Alarm]()
    for first in range(0, len(events), size):
        part = events[first : first + size]
        state, alarms = advance_stuck("s", state, part, moved, LONG_MS, GAP_MS)
        ended += [alarm for alarm in alarms if alarm.cleared_at_ms is not None]
        active = [alarm for alarm in alarms if alarm.cleared_at_ms is None]
    return state, ended + active


@pytest.mark.parametrize("seed", range(20))
def test_a_day_at_once_and_sample_by_sample_are_judged_the_same(seed: int) -> None:
    rnd = random.Random(seed)  # noqa: S311 - made-up samples, not secrets
    events = walk(rnd)
    instants = accumulate(rnd.randrange(5, 90) * MINUTE_MS for _ in range(30))
    moved = Companions([[(at, at - 10 * MINUTE_MS) for at in instants]], [])

    one_by_one = fed(events, moved, 1)

    assert one_by_one[1]
    assert [fed(events, moved, size) for size in (7, 100, len(events))] == [one_by_one] * 3
