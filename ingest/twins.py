"""Two gateways that believe they are one, such as a copied SD card and its original.

Each run of a gateway names the run before it and that run's last batch. So one run has one
successor, and ends where its successor says. A second successor, or a batch beyond that end, is
made by another machine with the same name and key (or by an outbox that was put back from an
older copy). So is the status of a run that another has followed: a dead run says nothing more.
No clock has a say in it. Their readings are stored all the same.
"""

from collections import OrderedDict
from collections.abc import Mapping

from domain.reading import GatewayId
from store.ports import BatchId, EpochLedger

MOST_ENDS = 4_096  # runs that are remembered; older ones no longer send


class Twins:
    def __init__(self) -> None:
        self._ends: OrderedDict[tuple[GatewayId, str], tuple[int, str]] = OrderedDict()
        self._speaks: dict[GatewayId, str] = {}  # the run that spoke last, of itself
        self._spoke: OrderedDict[tuple[GatewayId, str], None] = OrderedDict()  # and those before

    def betray(
        self, id: BatchId, after: tuple[str, int] | None, held: Mapping[str, EpochLedger]
    ) -> str | None:
        """Why this batch shows that there are two, None when it does not. ``after`` as in its
        header; ``held``: what the store has of this gateway."""
        end = self._ends.get((id.gateway, id.epoch))
        if end is not None and id.seq > end[0]:
            return f"epoch {id.epoch} goes on at {id.seq}, though {end[1]} followed it at {end[0]}"
        if after is None:
            return None
        before, last = after
        known = self._ends.setdefault((id.gateway, before), (last, id.epoch))
        self._ends.move_to_end((id.gateway, before))
        if len(self._ends) > MOST_ENDS:
            self._ends.popitem(last=False)
        if known[1] != id.epoch:
            return f"epochs {known[1]} and {id.epoch} both follow {before}"
        ledger = held.get(before)
        newest = max((ledger.through, *(high for _, high in ledger.ranges))) if ledger else 0
        if newest > last:
            return (
                f"epoch {before} had gone on to {newest}, though {id.epoch} followed it at {last}"
            )
        return None

    def speaks(self, gateway: GatewayId, epoch: str) -> str | None:
        """A run says that it is there, not its last will: why that shows that there are two. The
        first that is heard after a start of ours may be of any run."""
        last = self._speaks.get(gateway)
        if last == epoch:
            return None
        self._speaks[gateway] = epoch
        if last is not None:
            self._spoke[gateway, last] = None
            if len(self._spoke) > MOST_ENDS:
                self._spoke.popitem(last=False)
        if (gateway, epoch) not in self._spoke:
            return None
        return f"epochs {epoch} and {last} take turns"
