"""All rules against a second reading of the decisions that shares nothing with them but data."""

from collections import Counter

from domain.judgement import Action, Asked
from domain.room import judge
from tests.unit.domain.restated import Room, facts_of
from tests.unit.domain.rooms import NOON_MS, MadeUp

SEEDS = range(90_000, 90_150)
SAMPLES = 90


def slow_probes(seed: int, room: MadeUp) -> list[Action]:
    """In every third room the papers of a probe change its lag twice."""
    return [
        Action(NOON_MS + room.span_ms * k // 3 + 7, "probe_lag", "", {"probe": "p1", "lag_ms": lag})
        for k, lag in ((0, 600_000), (2, 1_500_000))
        if seed % 3 == 0
    ]


def test_the_rules_say_what_the_decisions_say_read_a_second_time() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        room = MadeUp(seed, SAMPLES)
        actions = sorted([*room.actions, *slow_probes(seed, room)], key=lambda a: a.at_ms)
        asked, horizon = Asked(room.rules, room.readings(), actions), NOON_MS + room.span_ms

        judgement = judge(asked, horizon)

        assert set(judgement.facts) == facts_of(asked, horizon), seed
        flags = {(f.at_ms, f.probe, f.quantity, f.reason) for f in judgement.flags}
        assert flags == Room(asked, horizon).flags, seed
        seen.update(fact.code for fact in judgement.facts)
    assert len(seen) >= 25, f"too little happened: {sorted(seen)}"
