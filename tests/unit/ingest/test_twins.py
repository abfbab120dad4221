"""Two gateways under one name are told apart by the chain of their runs."""

from hypothesis import given
from hypothesis import strategies as st

from domain.reading import GatewayId
from ingest.twins import Twins
from store.ports import BatchId, EpochLedger


def batch(epoch: str, seq: int) -> BatchId:
    return BatchId(GatewayId("g1"), epoch, seq)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_one_gateway_that_starts_again_and_again_is_one_in_whatever_order_it_arrives(
    lengths: list[int], chance: object
) -> None:
    sent = []
    for run, length in enumerate(lengths):
        for seq in range(1, length + 1):
            first = run > 0 and seq == 1
            sent.append(
                (batch(f"e{run}", seq), (f"e{run - 1}", lengths[run - 1]) if first else None)
            )
    order = [*sent, *sent]
    chance.shuffle(order)  # type: ignore[attr-defined]  # hypothesis' Random
    twins = Twins()

    held = {f"e{run}": EpochLedger(length, ()) for run, length in enumerate(lengths)}
    assert [twins.betray(id, after, held) for id, after in order] == [None] * len(order)


def test_a_run_with_two_successors_is_two_gateways() -> None:
    twins = Twins()

    assert twins.betray(batch("b", 1), ("a", 5), {}) is None
    assert twins.betray(batch("c", 1), ("a", 5), {}) == "epochs b and c both follow a"


def test_a_run_that_goes_on_beside_its_successor_is_two_gateways() -> None:
    twins = Twins()
    twins.betray(batch("b", 1), ("a", 5), {})

    assert twins.betray(batch("a", 5), None, {}) is None
    assert twins.betray(batch("a", 6), None, {}) is not None


def test_what_the_store_has_beyond_the_end_is_noticed_after_a_restart_of_the_server() -> None:
    held = {"a": EpochLedger(4, [(6, 7)])}

    assert Twins().betray(batch("b", 1), ("a", 5), held) is not None
    assert Twins().betray(batch("b", 1), ("a", 7), held) is None


def test_another_gateways_runs_are_its_own() -> None:
    twins = Twins()
    twins.betray(batch("b", 1), ("a", 5), {})

    assert twins.betray(BatchId(GatewayId("g2"), "c", 1), ("a", 5), {}) is None


def test_a_run_that_speaks_again_after_its_successor_is_two_gateways() -> None:
    twins, g1 = Twins(), GatewayId("g1")
    assert [twins.speaks(g1, epoch) for epoch in "aabbcc"] == [None] * 6
    why = twins.speaks(g1, "b")

    assert why == "epochs b and c take turns"
    assert twins.speaks(g1, "b") is None
    assert twins.speaks(g1, "c") is not None
    assert twins.speaks(GatewayId("g2"), "a") is None
