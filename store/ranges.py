"""What a gateway's ledger says of one epoch, from the ranges that were received."""

from collections.abc import Sequence

from store.ports import EpochLedger


def ledger(pairs: Sequence[tuple[int, int]]) -> EpochLedger:
    """Sequences count from 1: what is seen without a hole, and what lies above the first hole."""
    if pairs and pairs[0][0] == 1:
        return EpochLedger(pairs[0][1], tuple(pairs[1:]))
    return EpochLedger(0, tuple(pairs))
