"""A small number of what ``python -m tests.fuzz`` runs a million of."""

from pathlib import Path

from tests.fuzz.run import Totals, load, run


def test_whatever_arrives_is_kept_or_refused_with_a_reason_and_costs_no_neighbour() -> None:
    totals = run(Totals(seed=4), 6_000)

    assert totals.failures == []
    assert {name: sum(counts.values()) > 50 for name, counts in totals.outcomes.items()} == {
        "device message": True, "record among neighbours": True, "batch": True, "receipt": True,
        "status": True, "hello": True, "config": True, "undated batch": True,
        "tombstone or events": True,
    }  # fmt: skip
    for counts in totals.outcomes.values():
        assert len(counts) > 1, "damage that never, or always, breaks is no test"


def test_an_interrupted_run_is_taken_up_where_it_was(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    run(Totals(seed=5), 300, state)

    resumed = run(load(state, 5), 600, state)

    assert resumed.done == 600
    assert load(state, 6).done == 0
    assert resumed.outcomes == run(Totals(seed=5), 600).outcomes
