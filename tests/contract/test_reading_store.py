"""The promises of ``store.ports``, checked against every home of readings."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.reading import NOT_VALID, GatewayId, Quality, Series
from store.connect import open_readings
from store.memory import MemoryStore
from store.ports import AdmittedBatch, BatchId, Bucket, Conflict, EpochLedger, ReadingStore, Span
from tests.support.batches import AIR, Row, columns

NOON = 1_780_315_200_000  # 2026-06-01T12:00:00Z
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
DOOR = Series(AIR.probe, "door")
GATEWAY = GatewayId("g1")

HOMES: dict[str, Callable[[Path], ReadingStore]] = {
    "memory": lambda _folder: MemoryStore(floor_days=400, quarantine_bytes_per_source=100),
    "sqlite": lambda folder: open_readings(
        folder / "readings.db", write=True, floor_days=400, quarantine_bytes_per_source=100
    ),
}


@pytest.fixture(params=HOMES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReadingStore]:
    opened = HOMES[request.param](tmp_path)
    yield opened
    opened.close()


def batch(
    seq: int,
    *rows: Row,
    series: Series = AIR,
    epoch: str = "e1",
    digest: bytes | None = None,
    kind: str = "readings",
) -> AdmittedBatch:
    return AdmittedBatch(
        BatchId(GATEWAY, epoch, seq),
        digest if digest is not None else seq.to_bytes(16, "big"),
        kind,
        [(series, columns(*rows))] if rows else [],
        NOON,
    )


def everything(store: ReadingStore, series: Series = AIR) -> list[Row]:
    return list(store.between(series, 0, NOON * 2))


# -- readings -----------------------------------------------------------------------------


def test_late_readings_take_their_place_in_time(store: ReadingStore) -> None:
    store.write([batch(1, (NOON + 5, 400, 0))], NOON)
    store.write([batch(2, (NOON + 1, 390, 0))], NOON)

    assert everything(store) == [(NOON + 1, 390, 0), (NOON + 5, 400, 0)]


def test_writing_a_reading_again_changes_nothing(store: ReadingStore) -> None:
    first = store.write([batch(1, (NOON, 400, 0))], NOON)
    again = store.write([batch(2, (NOON, 400, 0))], NOON)

    assert (first.n, first.stored) == (1, 1)
    assert (again.n, again.stored, again.duplicates) == (None, 0, 1)
    assert store.last_arrival() == 1


def test_a_span_names_only_what_was_new(store: ReadingStore) -> None:
    store.write([batch(1, (NOON, 400, 0), (NOON + HOUR, 410, 0))], NOON)
    written = store.write(
        [batch(2, (NOON, 400, 0), (NOON + 7, 405, 0), (NOON + HOUR, 410, 0))], NOON
    )

    assert (written.stored, written.duplicates) == (1, 2)
    assert list(store.arrivals(1)[0].spans) == [Span(AIR, NOON + 7, NOON + 7, 1)]


def test_between_takes_its_start_and_leaves_its_end(store: ReadingStore) -> None:
    rows = [(NOON + i * MINUTE, i, 0) for i in range(200)]
    store.write([batch(1, *rows)], NOON)

    assert list(store.between(AIR, NOON + MINUTE, NOON + 150 * MINUTE)) == rows[1:150]
    assert list(store.between(AIR, NOON, NOON + DAY, limit=3)) == rows[:3]
    assert len(store.between(DOOR, 0, NOON * 2)) == 0


def test_readings_far_apart_are_found_in_one_call(store: ReadingStore) -> None:
    rows = [(NOON - 390 * DAY, 1, 0), (NOON - 200 * DAY, 2, 0), (NOON, 3, 0)]
    store.write([batch(1, *rows)], NOON)

    assert everything(store) == rows


def test_the_latest_is_the_newest_by_its_own_time_not_by_its_arrival(store: ReadingStore) -> None:
    store.write([batch(1, (NOON, 400, 0)), batch(2, (NOON, 1, 0), series=DOOR)], NOON + 1)
    store.write([batch(3, (NOON - HOUR, 300, 0))], NOON + 2)

    newest = {one.series: (one.at_ms, one.count, one.stored_at_ms) for one in store.latest()}

    assert newest == {AIR: (NOON, 400, NOON + 1), DOOR: (NOON, 1, NOON + 1)}
    assert [one.series for one in store.latest([DOOR])] == [DOOR]


def test_readings_older_than_the_floor_are_kept_apart_and_not_judged(store: ReadingStore) -> None:
    written = store.write([batch(1, (NOON - 401 * DAY, 400, 0), (NOON, 410, 0))], NOON)

    assert (written.stored, written.too_late) == (1, 1)
    assert everything(store) == [(NOON, 410, 0)]
    assert store.ledger(GATEWAY) == {"e1": EpochLedger(1, ())}


# -- conflicts ----------------------------------------------------------------------------


def test_of_two_values_for_one_key_the_smaller_stands_and_both_are_told(
    store: ReadingStore,
) -> None:
    store.write([batch(1, (NOON, 400, 0))], NOON)
    written = store.write([batch(2, (NOON, 390, 0))], NOON)

    assert (written.n, written.conflicts) == (2, 1)
    assert everything(store) == [(NOON, 390, Quality.CONFLICT)]
    assert store.conflicts(AIR, 0, NOON * 2) == [Conflict(AIR, NOON, 400, 0)]
    assert store.latest()[0].quality == Quality.CONFLICT


def test_fewer_quality_bits_stand_before_a_smaller_value(store: ReadingStore) -> None:
    store.write([batch(1, (NOON, 390, 1)), batch(2, (NOON, 400, 0))], NOON)

    assert everything(store) == [(NOON, 400, Quality.CONFLICT)]


def test_the_same_value_with_fewer_quality_bits_is_an_arrival_and_no_conflict(
    store: ReadingStore,
) -> None:
    store.write([batch(1, (NOON, 400, 5))], NOON)
    better = store.write([batch(2, (NOON, 400, 1))], NOON)
    worse = store.write([batch(3, (NOON, 400, 5))], NOON)

    assert (better.n, better.conflicts) == (2, 0)
    assert worse.n is None
    assert everything(store) == [(NOON, 400, 1)]


def test_a_conflict_that_was_known_is_no_news(store: ReadingStore) -> None:
    store.write([batch(1, (NOON, 400, 0)), batch(2, (NOON, 390, 0))], NOON)
    again = store.write([batch(3, (NOON, 400, 0)), batch(4, (NOON, 390, 128))], NOON)

    assert (again.n, again.duplicates) == (None, 2)


SENT = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, MINUTE, HOUR - 1, HOUR, 30 * HOUR]),
            st.integers(-2, 2),
            st.sampled_from([0, 1, 2, 3, 4, 128, 16]),
        ),
        min_size=1,
        max_size=4,
    ),
    min_size=1,
    max_size=8,
)


def outcome(store: ReadingStore) -> object:
    totals = store.totals()
    return (
        everything(store),
        store.conflicts(AIR, 0, NOON * 2),
        [one[:4] for one in map(_latest_row, store.latest())],
        store.buckets(AIR, NOON, NOON + 40 * HOUR, HOUR),
        store.buckets(AIR, NOON, NOON + 40 * HOUR, 7 * MINUTE),
        store.ledger(GATEWAY),
        totals["rows"],
        totals["stored"],
        totals["conflicts"],
        totals["batches"],
    )


def _latest_row(one: object) -> tuple[object, ...]:
    return tuple(getattr(one, name) for name in ("series", "at_ms", "count", "quality"))


@pytest.mark.parametrize("home", HOMES)
@given(sent=SENT, seed=st.integers(0, 1 << 30), hours=st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_any_order_split_and_repetition_ends_in_the_same_store(
    home: str,
    tmp_path_factory: pytest.TempPathFactory,
    sent: list[list[tuple[int, int, int]]],
    seed: int,
    hours: int,
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a shuffle, not a secret
    batches = [
        batch(seq, *sorted((NOON + at, count, quality) for at, count, quality in rows))
        for seq, rows in enumerate(sent, 1)
    ]
    straight, other = MemoryStore(), HOMES[home](tmp_path_factory.mktemp("store"))
    shuffled = batches + chance.choices(batches, k=3)
    chance.shuffle(shuffled)

    straight.write(batches, NOON)
    while shuffled:
        size = chance.randint(1, len(shuffled))
        other.write(shuffled[:size], NOON + hours * HOUR)
        del shuffled[:size]

    assert outcome(other) == outcome(straight)
    other.close()


# -- arrivals and batches -----------------------------------------------------------------


def test_arrivals_are_numbered_without_holes_and_name_what_they_brought(
    store: ReadingStore,
) -> None:
    store.write([batch(1, (NOON, 400, 0), (NOON + MINUTE, 401, 0))], NOON)
    store.write([batch(2, (NOON, 400, 0))], NOON)  # nothing new
    store.write([batch(3, (NOON, 1, 0), series=DOOR)], NOON + 5, backlog=True)

    first, second = store.arrivals(0)

    assert (first.n, first.stored_at_ms, first.backlog) == (1, NOON, False)
    assert list(first.spans) == [Span(AIR, NOON, NOON + MINUTE, 2)]
    assert (second.n, second.backlog, list(second.spans)) == (2, True, [Span(DOOR, NOON, NOON, 1)])
    assert [arrival.n for arrival in store.arrivals(1, limit=1)] == [2]


def test_the_ledger_lists_what_came_above_a_hole(store: ReadingStore) -> None:
    for seq in (1, 2, 7, 5, 6, 9):
        store.write([batch(seq, (NOON + seq, 400, 0))], NOON)
    assert store.ledger(GATEWAY) == {"e1": EpochLedger(2, ((5, 7), (9, 9)))}

    store.write([batch(seq, (NOON + seq, 400, 0)) for seq in (4, 3, 8)], NOON)
    assert store.ledger(GATEWAY) == {"e1": EpochLedger(9, ())}
    assert store.gateways() == [GATEWAY]


def test_a_batch_that_comes_again_changes_nothing_and_a_known_name_with_other_bytes_is_refused(
    store: ReadingStore,
) -> None:
    store.write([batch(1, (NOON, 400, 0))], NOON)
    written = store.write(
        [batch(1, (NOON, 400, 0)), batch(1, (NOON + 1, 500, 0), digest=b"x" * 16)], NOON
    )

    assert written.n is None
    assert store.holds(BatchId(GATEWAY, "e1", 1), (1).to_bytes(16, "big"))
    assert not store.holds(BatchId(GATEWAY, "e1", 1), b"x" * 16)
    assert not store.holds(BatchId(GATEWAY, "e1", 2), (1).to_bytes(16, "big"))
    assert not store.holds(BatchId(GATEWAY, "e2", 1), (1).to_bytes(16, "big"))
    assert [name for name, _ in written.refused] == [BatchId(GATEWAY, "e1", 1)]
    assert everything(store) == [(NOON, 400, 0)]


def test_a_batch_without_readings_is_an_arrival_of_its_own(store: ReadingStore) -> None:
    written = store.write([batch(1, kind="seal")], NOON)

    assert written.n == 1
    assert store.ledger(GATEWAY) == {"e1": EpochLedger(1, ())}


def test_what_a_gateway_said_besides_readings_is_read_kind_by_kind_page_by_page(
    store: ReadingStore,
) -> None:
    said = [batch(1, kind="event"), batch(2, kind="tombstone"), batch(3, kind="event")]
    store.write([*said, batch(4, (NOON, 400, 0))], NOON)
    store.write([batch(5, kind="event")], NOON)

    page = store.notes("event", limit=1)

    assert [(note.batch.seq, note.n) for note in page] == [(1, 1), (3, 1)]
    assert [note.batch.seq for note in store.notes("event", page[-1].n, limit=1)] == [5]
    assert [note.batch for note in store.notes("tombstone")] == [BatchId(GATEWAY, "e1", 2)]
    assert store.notes("readings") == []


# -- buckets ------------------------------------------------------------------------------


def expected(rows: Sequence[Row], start: int, end: int, width: int) -> list[Bucket]:
    found: dict[int, list[int]] = {}
    for at, count, quality in rows:
        if start <= at < end and not quality & NOT_VALID:
            found.setdefault((at - start) // width, []).append(count)
    return [
        Bucket(start + b * width, len(c), min(c), max(c), sum(c)) for b, c in sorted(found.items())
    ]


@pytest.mark.parametrize(
    ("start", "end", "width"),
    [
        pytest.param(NOON, NOON + 10 * HOUR, HOUR, id="whole-hours"),
        pytest.param(NOON + HOUR, NOON + 9 * HOUR + 7, 2 * HOUR, id="end-inside-an-hour"),
        pytest.param(NOON + 7, NOON + 9 * HOUR, HOUR, id="start-inside-an-hour"),
        pytest.param(NOON, NOON + 10 * HOUR, 7 * MINUTE, id="narrower-than-an-hour"),
        pytest.param(NOON - 800 * DAY, NOON + 800 * DAY, 1600 * DAY, id="one-for-all"),
    ],
)
def test_buckets_count_valid_readings_whatever_hours_are_closed(
    store: ReadingStore, start: int, end: int, width: int
) -> None:
    rows = [(NOON + i * 5 * MINUTE, i * 3 - 40, 2 if i % 7 == 0 else 0) for i in range(120)]
    store.write([batch(1, *rows[:60])], NOON + 5 * HOUR)
    store.write([batch(2, *rows[100:])], NOON + 12 * HOUR)
    store.write([batch(3, *rows[50:100])], NOON + 12 * HOUR)  # late, into closed hours

    assert store.buckets(AIR, start, end, width) == expected(rows, start, end, width)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(NOON, NOON + 9 * HOUR, id="whole-hours"),
        pytest.param(NOON + 7 * MINUTE, NOON + 8 * HOUR + 7, id="inside-hours"),
        pytest.param(NOON + 7 * MINUTE, NOON + 12 * MINUTE, id="inside-one-hour"),
        pytest.param(0, NOON * 2, id="all-time"),
        pytest.param(NOON + 100 * DAY, NOON + 101 * DAY, id="after-everything"),
    ],
)
@pytest.mark.parametrize("stored_at", [NOON, NOON + 5 * HOUR, NOON + 30 * HOUR])
def test_the_overview_is_one_bucket_for_each_series(
    store: ReadingStore, start: int, end: int, stored_at: int
) -> None:
    rows = [(NOON + i * 5 * MINUTE, i * 3 - 40, 2 if i % 7 == 0 else 0) for i in range(120)]
    store.write([batch(1, *rows), batch(2, *rows[:30], series=DOOR)], stored_at)

    found = store.overview(start, end)

    for series, sent in ((AIR, rows), (DOOR, rows[:30])):
        wanted = expected(sent, start, end, end - start)
        got = found.get(series)
        assert got is None or got.start_ms == start
        assert (got and [got.n, got.low, got.high, got.total]) == (
            [wanted[0].n, wanted[0].low, wanted[0].high, wanted[0].total] if wanted else None
        )


# -- quarantine, statuses, totals ---------------------------------------------------------


def test_quarantine_keeps_the_same_bytes_of_one_source_once(store: ReadingStore) -> None:
    assert store.quarantine("g1", "t", "wrong tag", b"abc", NOON)
    assert not store.quarantine("g1", "t", "wrong tag", b"abc", NOON + 1)
    assert store.quarantine("g2", "t", "wrong tag", b"abc", NOON)

    held = store.quarantined()

    assert [(q.source, q.reason, q.payload, q.state) for q in held] == [
        ("g1", "wrong tag", b"abc", "held"),
        ("g2", "wrong tag", b"abc", "held"),
    ]
    assert [q.source for q in store.quarantined(after_id=held[0].id)] == ["g2"]


def test_a_source_at_its_byte_limit_is_counted_not_kept_and_others_are_not_touched(
    store: ReadingStore,
) -> None:
    assert store.quarantine("g1", "t", "r", b"a" * 90, NOON)
    assert not store.quarantine("g1", "t", "r", b"b" * 20, NOON)
    assert store.quarantine("g2", "t", "r", b"b" * 20, NOON)

    assert store.totals()["quarantined"] == 3
    assert len(store.quarantined()) == 2


def test_what_was_retried_makes_room_again(store: ReadingStore) -> None:
    store.quarantine("g1", "t", "r", b"a" * 90, NOON)
    store.quarantine_retried(store.quarantined()[0].id)

    assert store.quarantine("g1", "t", "r", b"b" * 90, NOON)
    assert [q.state for q in store.quarantined()] == ["retried", "held"]


def test_the_newest_status_replaces_the_one_before(store: ReadingStore) -> None:
    store.put_status(GATEWAY, b"{}", NOON)
    store.put_status(GATEWAY, b'{"v":1}', NOON + 1)

    assert store.statuses() == {GATEWAY: (b'{"v":1}', NOON + 1)}
    assert store.gateways() == [GATEWAY]
    assert store.last_arrival() == 0


def test_totals_add_up_to_what_was_sent(store: ReadingStore) -> None:
    store.write([batch(1, (NOON, 400, 0), (NOON + 1, 401, 0))], NOON)
    store.write([batch(2, (NOON, 400, 0), (NOON + 1, 402, 0), (NOON - 500 * DAY, 1, 0))], NOON)

    totals = store.totals()

    assert totals == {
        "stored": 2,
        "duplicates": 1,
        "conflicts": 1,
        "too_late": 1,
        "batches": 2,
        "quarantined": 0,
        "rows": 2,
    }
