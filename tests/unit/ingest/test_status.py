"""A status is not vouched for by anybody: whatever it says, ingest and who shows it go on."""

from datetime import UTC, datetime

import pytest

from ingest.admit import Gateway
from ingest.consume import Consumer
from ingest.inbox import Message
from store.memory import MemoryStore
from tests.support.batches import KEY, NOON_MS
from wire import status_v1, topics

SAID = '{"state":"online","epoch":"e1","version":"1","clock":{"trusted":true,"now_ms":%s}%s}'


@pytest.mark.parametrize("now", ["1" + "0" * 400, "1" + "0" * 30, "-1", "1e300"])
def test_a_clock_that_cannot_be_is_no_status_and_ends_nothing(now: str) -> None:
    store = MemoryStore()
    server = Consumer(store, [Gateway("g1", 7, {"k1": KEY})], lambda _t, _p: None, lambda: NOON_MS)

    raw = (SAID % (now, "")).encode()
    server.consume("status", [Message(topics.status(7, "g1"), raw, lambda: None)])

    assert not server.suspects_clock()
    assert store.statuses() == {}
    assert [one.payload for one in store.quarantined()] == [raw]


@pytest.mark.parametrize("field", ["oldest_ms", "newest_ms"])
def test_an_instant_that_no_calendar_has_is_no_status(field: str) -> None:
    last = 253_370_764_800_000
    raw = SAID % (NOON_MS, f',"{field}":{last}')
    said = status_v1.decode(raw.encode())
    assert datetime.fromtimestamp(getattr(said, field) / 1000, UTC).year == 9999

    with pytest.raises(status_v1.BadStatus):
        status_v1.decode((SAID % (NOON_MS, f',"{field}":{last + 1}')).encode())
