"""All rules against a second reading of the decisions that shares nothing with them but data."""

from collections import Counter

from domain.judgement import Asked
from domain.room import judge
from tests.unit.domain.restated import Room, facts_of
from tests.unit.domain.rooms import NOON_MS, MadeUp

SEEDS = range(90_000, 90_150)
SAMPLES = 90


def test_the_rules_say_what_the_decisions_say_read_a_second_time() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        room = MadeUp(seed, SAMPLES)
        asked, horizon = Asked(room.rules, room.readings(), room.actions), NOON_MS + room.span_ms

        judgement = judge(asked, horizon)

        assert set(judgement.facts) == facts_of(asked, horizon), seed
        flags = {(f.at_ms, f.probe, f.quantity, f.reason) for f in judgement.flags}
        assert flags == Room(asked, horizon).flags, seed
        seen.update(fact.code for fact in judgement.facts)
    assert len(seen) >= 25, f"too little happened: {sorted(seen)}"
