"""What is on disk and comes again is receipted and acknowledged, and costs its tag alone."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from domain.reading import GatewayId
from ingest.admit import Gateway, Repeated, admit
from ingest.consume import Consumer
from ingest.inbox import Message
from store.memory import MemoryStore
from tests.support.batches import KEY, NOON_MS, sealed
from wire import receipt_v1, topics

TOPIC = topics.batch(7, "g1", "backlog")
GATEWAYS = [Gateway("g1", 7, {"k1": KEY})]


def payload(seq: int, value: int = 400, epoch: str = "e1") -> bytes:
    return sealed(seq, (NOON_MS - seq, value, 0), epoch=epoch)


class Server:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.receipts: list[receipt_v1.Receipt] = []
        self.acknowledged = 0
        self._consumer = Consumer(self.store, GATEWAYS, self._publish, lambda: NOON_MS)

    def _publish(self, _topic: str, receipt: bytes) -> None:
        self.receipts.append(receipt_v1.decode(receipt, KEY))

    def _acknowledge(self) -> None:
        self.acknowledged += 1

    def take(self, payloads: Sequence[bytes]) -> None:
        self._consumer.consume("backlog", [Message(TOPIC, p, self._acknowledge) for p in payloads])


def test_the_body_of_what_is_on_disk_is_not_looked_at_again() -> None:
    server = Server()
    server.take([payload(1)])

    found = admit(TOPIC, payload(1), {"g1": GATEWAYS[0]}, server.store.holds)

    assert isinstance(found, Repeated)
    assert (found.id.epoch, found.id.seq, found.kid) == ("e1", 1, "k1")
    assert not isinstance(
        admit(TOPIC, payload(1, 500), {"g1": GATEWAYS[0]}, server.store.holds), Repeated
    )


def test_a_known_name_with_other_bytes_is_refused_though_its_name_is_on_disk() -> None:
    server = Server()
    server.take([payload(1)])
    server.take([payload(1, 500)])

    assert server.receipts[-1].refused == [("e1", 1, "known name with other bytes")]
    assert server.store.totals()["rows"] == 1


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["e1", "e2"]), st.integers(1, 6)), max_size=12),
        max_size=6,
    )
)
def test_a_storm_of_repetitions_is_stored_once_and_every_message_has_its_receipt(
    groups: list[list[tuple[str, int]]],
) -> None:
    server = Server()
    sent: set[tuple[str, int]] = set()
    for group in groups:
        server.take([payload(seq, epoch=epoch) for epoch, seq in group])
        sent |= set(group)
        if group:
            named = {
                (epoch, seq)
                for epoch, (through, ranges) in server.receipts[-1].epochs.items()
                for first, last in [(1, through), *ranges]
                for seq in range(first, last + 1)
            }
            assert named == sent
    assert server.acknowledged == sum(map(len, groups))
    assert server.store.totals()["batches"] == len(sent)
    ledger = server.store.ledger(GatewayId("g1"))
    assert ledger.keys() == {epoch for epoch, _ in sent}
