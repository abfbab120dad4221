"""A source of which much is not admitted is somebody's business; one odd message is not."""

from pathlib import Path

from ingest.admit import Gateway
from ingest.consume import HOUR_MS, MANY_AN_HOUR, Consumer
from ingest.inbox import Message
from store.memory import MemoryStore
from store.system_alarms import Board, read
from tests.support.batches import KEY, NOON_MS
from wire import topics


class Clock:
    ms = NOON_MS

    def __call__(self) -> int:
        return self.ms


def test_twenty_messages_within_an_hour_are_told_and_it_ends_an_hour_after_the_last(
    tmp_path: Path,
) -> None:
    clock = Clock()
    board = Board(str(tmp_path), "ingest", clock)
    gateways = [Gateway("g1", 7, {"k1": KEY})]
    server = Consumer(MemoryStore(), gateways, lambda _t, _p: None, clock, (), board)

    def codes() -> list[tuple[str, str]]:
        return [(one.code, one.about) for one in read(str(tmp_path), clock())]

    def rubbish(number: int) -> None:
        payload = f"rubbish {number}".encode()
        server.consume("live", [Message(topics.batch(7, "g1", "live"), payload, lambda: None)])

    for i in range(2 * MANY_AN_HOUR):  # two an hour: a device that is odd
        rubbish(i)
        clock.ms += HOUR_MS // 2
    assert codes() == []
    for i in range(MANY_AN_HOUR):
        rubbish(1_000 + i)
        clock.ms += 1_000

    assert codes() == [("QUARANTINE_GROWS", "source:g1")]
    clock.ms += HOUR_MS
    assert codes() == []
