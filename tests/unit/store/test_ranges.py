"""What a ledger says of the ranges received."""

from store.ports import EpochLedger
from store.ranges import ledger


def test_what_is_seen_without_a_hole_counts_from_one() -> None:
    assert ledger([(1, 4), (6, 6)]) == EpochLedger(4, ((6, 6),))
    assert ledger([(2, 4)]) == EpochLedger(0, ((2, 4),))
    assert ledger([]) == EpochLedger(0, ())
