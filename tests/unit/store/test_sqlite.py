"""What only the SQLite home promises: other processes, the log, and its own file."""

import resource
from array import array
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from disk.room import Full
from domain.reading import Columns, GatewayId, ProbeId, Series
from store.connect import open_readings
from store.errors import AlreadyOpen, NotReady
from store.ports import AdmittedBatch, BatchId, EpochLedger
from store.sqlite import reader, wal, writer
from store.sqlite.spans import pack, unpack

NOON = 1_780_315_200_000
AIR = Series(ProbeId("ieee:1"), "temperature")
G1 = GatewayId("g1")


def batch(seq: int, rows: int = 1) -> AdmittedBatch:
    columns = Columns(
        array("q", [NOON + seq * 10_000 + i for i in range(rows)]),
        array("q", [400] * rows),
        array("H", [0] * rows),
    )
    return AdmittedBatch(
        BatchId(G1, "e1", seq), bytes([seq % 256]) * 16, "readings", [(AIR, columns)], NOON
    )


@given(
    st.dictionaries(
        st.integers(1, 1 << 40),
        st.tuples(st.integers(0, 1 << 52), st.integers(0, 1 << 40), st.integers(1, 1 << 30)),
    )
)
def test_spans_come_back_as_they_were_packed(spans: dict[int, tuple[int, int, int]]) -> None:
    sent = {id_: (first, first + long, rows) for id_, (first, long, rows) in spans.items()}

    assert unpack(pack(sent)) == [(id_, *span) for id_, span in sent.items()]


def test_a_reader_without_a_file_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(NotReady):
        open_readings(tmp_path / "readings.db", write=False)


def test_a_second_writer_is_turned_away(tmp_path: Path) -> None:
    store = open_readings(tmp_path / "readings.db", write=True)

    with pytest.raises(AlreadyOpen):
        open_readings(tmp_path / "readings.db", write=True)

    store.close()
    open_readings(tmp_path / "readings.db", write=True).close()


def test_a_reader_sees_every_commit_and_series_made_after_it_opened(tmp_path: Path) -> None:
    store = open_readings(tmp_path / "readings.db", write=True)
    following = open_readings(tmp_path / "readings.db", write=False)

    store.write([batch(1)], NOON)

    assert [span.series for span in following.arrivals(0)[0].spans] == [AIR]
    assert len(following.between(AIR, 0, NOON * 2)) == 1
    assert following.store_id == store.store_id
    following.close()
    store.close()


def test_reopened_it_goes_on_where_it_stood(tmp_path: Path) -> None:
    for seq in (1, 2, 4):
        store = open_readings(tmp_path / "readings.db", write=True)
        store.write([batch(seq), batch(1)], NOON)
        store.close()

    store = open_readings(tmp_path / "readings.db", write=True)

    assert store.ledger(G1) == {"e1": EpochLedger(2, ((4, 4),))}
    assert store.last_arrival() == 3
    assert store.totals()["rows"] == 3
    store.close()


def test_pages_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "PAGE_ROWS", 7)
    monkeypatch.setattr(reader, "PAGE_HOURS", 1)
    store = open_readings(tmp_path / "readings.db", write=True)
    store.write([batch(seq, 3) for seq in range(0, 4000, 400)], NOON)

    everything = store.between(AIR, 0, NOON * 2)

    assert len(everything) == 30
    assert list(everything.at_ms) == sorted(everything.at_ms)
    assert list(store.between(AIR, 0, NOON * 2, limit=20)) == list(everything)[:20]
    assert sum(bucket.n for bucket in store.buckets(AIR, 0, NOON * 2, 3_600_000)) == 30
    store.close()


def test_a_commit_that_fails_leaves_nothing_behind_in_memory_or_on_disk(tmp_path: Path) -> None:
    store = open_readings(tmp_path / "readings.db", write=True)
    store.write([batch(1)], NOON)
    other = AdmittedBatch(
        BatchId(G1, "e2", 1), b"x", "readings", [(Series(ProbeId("p2"), "door"), Columns(
            array("q", [NOON]), array("q", [1]), array("H", [0])))], NOON,
    )  # fmt: skip

    broken = AdmittedBatch(BatchId(G1, "e3", 1), b"y", "seal", [], NOON, note=None)  # type: ignore[arg-type]  # what no column takes
    with pytest.raises(apsw.ConstraintError):
        store.write([batch(2), other, broken], NOON)

    assert store.last_arrival() == 1
    assert store.series() == [AIR]
    assert store.ledger(G1) == {"e1": EpochLedger(1, ())}
    store.write([batch(2), other], NOON)
    assert store.last_arrival() == 2
    assert store.ledger(G1) == {"e1": EpochLedger(2, ()), "e2": EpochLedger(1, ())}
    store.close()


def test_on_a_full_disk_nothing_is_kept_and_the_same_call_succeeds_when_there_is_room(
    tmp_path: Path,
) -> None:
    store = writer.SqliteStore(tmp_path / "readings.db")
    store.write([batch(1)], NOON)
    pages = store._db.pragma("page_count")
    store._db.pragma("max_page_count", pages + 1)

    with pytest.raises(Full):
        store.write([batch(2, 5000)], NOON)
    with pytest.raises(Full):
        store.quarantine("g1", "t", "r", bytes(100_000), NOON)
    assert (store.totals()["rows"], store.last_arrival()) == (1, 1)

    store._db.pragma("max_page_count", 1 << 30)
    assert store.write([batch(2, 5000)], NOON).n == 2
    assert store.quarantine("g1", "t", "r", bytes(100_000), NOON)
    store.close()


def test_a_commit_stands_though_the_disk_has_no_room_to_copy_the_log_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal, "CHECKPOINT_PAGES", 20)
    store = writer.SqliteStore(tmp_path / "readings.db")
    for seq in range(1, 101):
        store.write([batch(seq, 500)], NOON)
    store._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    size = (tmp_path / "readings.db").stat().st_size
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))  # neither file grows beyond
    try:
        written = [store.write([batch(seq, 500)], NOON).n for seq in range(101, 111)]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert written == list(range(101, 111))
    assert (tmp_path / "readings.db").stat().st_size == size
    store.close()


def test_the_log_is_cut_when_it_has_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal, "CHECKPOINT_PAGES", 50)
    monkeypatch.setattr(wal, "TRUNCATE_BYTES", 1 << 20)
    store = open_readings(tmp_path / "readings.db", write=True)
    slow = apsw.Connection(str(tmp_path / "readings.db"), flags=apsw.SQLITE_OPEN_READONLY)
    slow.execute("BEGIN; SELECT count(*) FROM reading").fetchall()
    log = tmp_path / "readings.db-wal"
    seq = 0
    while log.stat().st_size < 2 << 20:
        seq += 1
        store.write([batch(seq, 500)], NOON)
    slow.execute("COMMIT")
    slow.close()

    for more in range(20):
        store.write([batch(seq + 1 + more, 500)], NOON)

    cut = log.stat().st_size < 1 << 20
    store.close()
    assert cut


def test_a_file_from_before_there_were_undated_readings_is_read_and_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "readings.db"
    open_readings(path, write=True).close()
    db = apsw.Connection(str(path))
    db.execute("DROP TABLE boot; DROP TABLE undated")
    db.close()

    with closing(open_readings(path, write=False)) as reader:
        assert reader.undated() == []
    with closing(open_readings(path, write=True)) as store:
        assert store.undated(known=True) == []
