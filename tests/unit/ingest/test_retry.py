"""What is put to the checks again is stored as far as it may enter now; the rest stays held."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from domain.reading import GatewayId, ProbeId, Series
from ingest.admit import BadRow, BadRows, Gateway
from ingest.consume import Consumer
from ingest.inbox import Message
from ingest.quarantine import fulfil
from store.connect import open_readings
from store.ports import AdmittedBatch, BatchId, Quarantined, ReadingStore
from tests.support.batches import AIR, KEY, MINUTE_MS, NOON_MS, columns, sealed
from wire import topics, undated_v1

TOPIC = topics.batch(7, "g1", "live")
AHEAD = "measured more than 5 min ahead of a trusted clock"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ReadingStore]:
    with closing(open_readings(tmp_path / "readings.db", write=True)) as opened:
        yield opened


def consumer(store: ReadingStore, *kids: str) -> Consumer:
    gateway = Gateway("g1", 7, dict.fromkeys(kids or ("k1",), KEY))
    return Consumer(store, [gateway], lambda _t, _p: None, lambda: NOON_MS)


def heard(payload: bytes) -> list[Message]:
    return [Message(TOPIC, payload, lambda: None)]


def held(store: ReadingStore) -> list[Quarantined]:
    return [one for one in store.quarantined() if one.state == "held"]


def test_a_reading_of_a_retried_batch_that_may_not_enter_is_kept_before_the_receipt_frees_it(
    store: ReadingStore,
) -> None:
    future = NOON_MS + 60 * MINUTE_MS
    consumer(store).consume("live", heard(sealed(1, (NOON_MS, 400, 0), (future, 999, 0), kid="k2")))
    [whole] = held(store)

    consumer(store, "k1", "k2").retry(whole)

    assert list(store.between(AIR, 0, NOON_MS * 2)) == [(NOON_MS, 400, 0)]
    assert store.ledger(GatewayId("g1"))["e1"].through == 1
    [rest] = held(store)
    assert rest.reason == f"1 readings: {AHEAD}"
    assert str(future).encode() in rest.payload


def test_of_held_readings_those_that_may_enter_now_do_and_the_others_stay(
    store: ReadingStore,
) -> None:
    door = Series(ProbeId("p1"), "door")
    rows: list[BadRow] = [
        ("p1", "door", NOON_MS, 1, 0, "a quantity that was not known then"),
        ("p1", "temperature", NOON_MS + 60 * MINUTE_MS, 400, 0, AHEAD),
    ]
    raw = msgspec.json.encode(BadRows("g1", "e1", 1, NOON_MS, True, rows))
    store.quarantine("g1", TOPIC, "2 readings", raw, NOON_MS)
    server = consumer(store)

    why = server.retry(held(store)[0])

    assert why is not None
    assert AHEAD in why
    assert list(store.between(door, 0, NOON_MS * 2)) == [(NOON_MS, 1, 0)]
    [rest] = held(store)
    assert (rest.source, rest.topic, rest.reason) == ("g1", TOPIC, f"1 readings: {AHEAD}")
    assert server.retry(rest) == AHEAD
    assert held(store) == [rest]


def test_a_retried_batch_of_undated_readings_whose_boot_is_known_has_its_times_at_once(
    store: ReadingStore,
) -> None:
    body = undated_v1.encode(undated_v1.Undated("b1", None, [(AIR, columns((1_000, 400, 1)))]))
    consumer(store).consume("live", heard(sealed(1, kid="k2", kind="undated", body=body)))
    told = AdmittedBatch(
        BatchId(GatewayId("g1"), "e1", 2), b"d", "event", [], NOON_MS, b"", "b1", NOON_MS
    )
    store.write([told], NOON_MS)
    [whole] = held(store)

    assert consumer(store, "k1", "k2").retry(whole) is None

    assert list(store.between(AIR, 0, NOON_MS * 2)) == [(NOON_MS + 1_000, 400, 1)]


@pytest.mark.parametrize("name", ["0", "99999999999999999999999", "7"])
def test_a_wish_for_an_item_that_cannot_be_is_answered_and_taken_away(
    store: ReadingStore, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "wishes"
    folder.mkdir()
    (folder / name).touch()

    assert fulfil(folder, store, consumer(store)) == {int(name): "there is no such item"}
    assert not list(folder.iterdir())
