"""The follower when InfluxDB is away for long, refuses, has lost its bucket or its room."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from ingest.cursor import load
from ingest.influx import LINES, ROWS, run
from ingest.influx_check import check
from ingest.influx_points import Unlike
from ingest.influx_server import NoBucket, connect
from ingest.settings import InfluxSettings
from store.connect import open_readings
from store.ports import ReadingStore
from store.records import open_records
from store.system_alarms import read
from tests.integration.ingest.test_influx import (
    DAY_MS,
    catch_up,
    following,
    points,
    put,
    settings,
)
from tests.support.batches import AIR, MINUTE_MS, NOON_MS
from tests.support.influx import get_json, influxd, influxql
from tests.support.influx_stand_in import StandIn, stand_in
from tests.support.servers import fill, free_port, small_disk, wait_until

pytestmark = pytest.mark.server


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ReadingStore]:
    opened = open_readings(tmp_path / "readings.db", write=True)
    yield opened
    opened.close()


def to(server: StandIn, folder: Path) -> InfluxSettings:
    (folder / "token").write_text("secret\n")
    return msgspec.structs.replace(
        settings(folder, server.url, kind="2"),
        token_file=str(folder / "token"),
        system_path=str(folder / "system"),
    )


@contextmanager
def running(chosen: InfluxSettings) -> Iterator[threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(
        target=run, args=(chosen,), kwargs={"now_ms": lambda: NOON_MS, "stop": stop}
    )
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(40)


def said(chosen: InfluxSettings) -> list[str]:
    return [one.code for one in read(chosen.system_path, NOON_MS)]


def test_a_long_absence_is_caught_up_in_bounded_steps(store: ReadingStore, tmp_path: Path) -> None:
    rows = 5_000
    for seq in range(1, 25):
        start_ms = NOON_MS - seq * rows * 1_000
        put(store, seq, *((start_ms + i * 1_000, i, 0) for i in range(rows)))
    with stand_in("2") as server, following(to(server, tmp_path)) as one:
        moved = []
        n = 0
        while one.step():
            now = load(tmp_path / "influx.cursor").n
            moved.append((now - n) * rows)
            n = now

    assert n == 24
    assert len(moved) > 1
    assert max(moved) < ROWS + rows
    assert max(server.writes) <= LINES
    assert len(server.of("temperature")) == 24 * rows


def test_a_new_token_counts_without_a_restart(store: ReadingStore, tmp_path: Path) -> None:
    put(store, 1, (NOON_MS, 410, 0))
    with stand_in("2") as server:
        chosen = to(server, tmp_path)
        server.token = "another"  # noqa: S105 - of a test
        with running(chosen):
            wait_until(lambda: said(chosen) == ["INFLUX_TOKEN"], 20, "it says what is the matter")
            (tmp_path / "token").write_text("another\n")
            wait_until(lambda: server.of("temperature"), 40, "the reading is there")
            wait_until(lambda: said(chosen) == [], 20, "it is over")


def test_a_bucket_that_is_made_anew_gets_everything_again(
    store: ReadingStore, tmp_path: Path
) -> None:
    put(store, 1, *((NOON_MS + i, 410, 0) for i in range(50)))
    with stand_in("2") as server:
        chosen = to(server, tmp_path)
        catch_up(chosen)
        server.buckets.clear()
        server.points.clear()
        put(store, 2, (NOON_MS + 99, 410, 0))
        with running(chosen):
            wait_until(lambda: said(chosen) == ["INFLUX_BUCKET"], 20, "it says what is missing")
            server.buckets.add("coldtrail")
            wait_until(lambda: len(server.of("temperature")) == 51, 40, "all of them are there")


def test_a_database_that_was_dropped_is_made_and_filled_again(
    store: ReadingStore, tmp_path: Path
) -> None:
    put(store, 1, *((NOON_MS + i, 410, 0) for i in range(50)))
    with influxd(tmp_path) as url, following(settings(tmp_path, url)) as one:
        while one.step():
            pass
        get_json(url, "/query", q="DROP DATABASE coldtrail")
        put(store, 2, (NOON_MS + 99, 410, 0))
        with pytest.raises(NoBucket):
            one.step()
        one.begin_again()
        while one.step():
            pass

        assert len(points(url)) == 51


def test_an_unreadable_line_costs_no_other_where_the_whole_batch_is_refused(
    store: ReadingStore, tmp_path: Path
) -> None:
    put(store, 1, *((NOON_MS + i, 1_000 + i, 0) for i in range(300)))
    with stand_in("2") as server:
        chosen = to(server, tmp_path)
        server.bad = "value=11.11 "

        catch_up(chosen)

        assert len(server.of("temperature")) == 299
        [line] = (tmp_path / "influx.rejected.jsonl").read_text().splitlines()
        assert "value=11.11" in line
        assert load(tmp_path / "influx.cursor").refused == 1


def test_lines_that_are_named_are_set_aside_without_asking_again(
    store: ReadingStore, tmp_path: Path
) -> None:
    put(store, 1, *((NOON_MS + i, 1_000 + i, 0) for i in range(300)))
    with stand_in("3") as server:
        chosen = to(server, tmp_path)
        server.other_type = "value=11."

        catch_up(chosen)

        assert len(server.of("temperature")) == 200
        assert load(tmp_path / "influx.cursor").refused == 100
        assert server.statuses.count(400) == 1


def test_a_field_of_another_type_is_refused_once_and_shown(
    store: ReadingStore, tmp_path: Path
) -> None:
    put(store, 1, *((NOON_MS + i, 410, 0) for i in range(300)))
    with stand_in("2") as server:
        chosen = to(server, tmp_path)
        server.other_type = "temperature,"
        with running(chosen):
            wait_until(lambda: "INFLUX_REFUSED" in said(chosen), 20, "it is shown")

        assert server.statuses.count(422) == 1
        assert load(tmp_path / "influx.cursor").refused == 300


def test_what_is_outside_the_retention_is_counted_and_not_tried_for_ever(
    store: ReadingStore, tmp_path: Path
) -> None:
    put(store, 1, *((NOON_MS - i * DAY_MS, 400 + i, 0) for i in range(10)))
    with stand_in("2") as server:
        chosen = to(server, tmp_path)
        server.kept_from_ms = NOON_MS - 5 * DAY_MS

        catch_up(chosen)

        assert len(server.of("temperature")) == 6
        assert load(tmp_path / "influx.cursor").outside == 4
        assert server.statuses.count(422) == 1
    assert not (tmp_path / "influx.rejected.jsonl").exists()


def test_the_retention_of_1_x_costs_no_younger_reading_and_check_leaves_old_days_out(
    store: ReadingStore, tmp_path: Path
) -> None:
    now_ms = NOON_MS
    put(store, 1, *((now_ms - i * DAY_MS, 400 + i, 0) for i in range(60)))
    with influxd(tmp_path) as url:
        seconds = _age_s(now_ms) + 20 * 86_400
        get_json(url, "/query", q=f"CREATE DATABASE coldtrail WITH DURATION {seconds}s")
        chosen = settings(tmp_path, url)
        catch_up(chosen)

        kept = len(points(url))
        assert 18 <= kept <= 28  # it drops by whole weeks
        assert load(tmp_path / "influx.cursor").outside == 60 - kept
        report = check(chosen, repair=False, now_ms=_machine_ms)
        assert report.differences == []
        assert report.too_old > 30


def _machine_ms() -> int:
    return time.time_ns() // 1_000_000


def _age_s(at_ms: int) -> int:
    return (_machine_ms() - at_ms) // 1000


def test_a_type_that_another_program_left_in_an_old_shard_is_shown_before_it_hides_readings(
    store: ReadingStore, tmp_path: Path
) -> None:
    put(store, 1, (NOON_MS, 410, 0))
    with influxd(tmp_path) as url:
        server = connect(settings(tmp_path, url))
        server.prepare()
        server.write([f'temperature,probe=x value="text" {NOON_MS - 30 * DAY_MS}'])
        server.close()
        with following(settings(tmp_path, url)) as one:
            while one.step():
                pass

            assert one.other_types == {"temperature.value": "string"}


def test_check_finds_a_changed_value_and_a_stranger_far_away_and_mends_both(
    store: ReadingStore, tmp_path: Path
) -> None:
    put(store, 1, *((NOON_MS + i * MINUTE_MS, 400 + i, 0) for i in range(100)))
    with influxd(tmp_path) as url:
        chosen = settings(tmp_path, url)
        catch_up(chosen)
        server = connect(chosen)
        tags = f"temperature,probe={AIR.probe},room=unassigned,site=unassigned"
        server.write([f"{tags} value=4.02 {NOON_MS + MINUTE_MS}"])
        server.write([f"{tags} value=1 {NOON_MS + 400 * DAY_MS}"])
        server.close()

        report = check(chosen, repair=True, now_ms=lambda: NOON_MS)

        assert [one.unlike for one in report.differences] == [Unlike(changed=1), Unlike(extra=1)]
        assert report.left == []
        assert [row[1] for row in points(url)] == [(400 + i) / 100 for i in range(100)]


def test_while_influxdbs_disk_is_full_the_follower_waits_and_then_it_has_everything(
    store: ReadingStore, tmp_path: Path
) -> None:
    port = free_port()
    chosen = msgspec.structs.replace(
        settings(tmp_path, f"http://127.0.0.1:{port}"), system_path=str(tmp_path / "system")
    )
    with small_disk(tmp_path / "influxd", 48) as disk, running(chosen):
        with influxd(disk, port) as url:
            put(store, 1, *((NOON_MS + i, 400 + i, 0) for i in range(50)))
            wait_until(lambda: len(points(url)) == 50, 20, "the first are there")
            theirs = fill(disk)
            for seq in range(2, 5):
                fill(disk)
                put(
                    store, seq, *((NOON_MS + seq * 9_999 + i, i * 7 % 999, 0) for i in range(9_000))
                )
            wait_until(lambda: "INFLUX_AWAY" in said(chosen), 30, "it says so")
            assert load(Path(chosen.cursor_path)).n < 4
        theirs.unlink()  # this InfluxDB writes again only after it was started anew
        with influxd(disk, port) as url:
            wait_until(lambda: load(Path(chosen.cursor_path)).n == 4, 60, "it has caught up")

            assert check(chosen, repair=False, now_ms=lambda: NOON_MS).differences == []
            assert influxql(url, "SELECT count(value) FROM temperature")


def test_while_our_own_disk_is_full_the_follower_stays_says_so_and_then_it_has_everything(
    tmp_path: Path,
) -> None:
    """Whoever opens a store that nobody else has open needs room beside it."""
    with small_disk(tmp_path / "server", 48) as disk, stand_in("2") as server:
        chosen = msgspec.structs.replace(to(server, tmp_path), readings_path=str(disk / "r.db"))
        with closing(open_readings(chosen.readings_path, write=True)) as store:
            put(store, 1, *((NOON_MS + i, 400 + i, 0) for i in range(50)))
        theirs = fill(disk)
        with running(chosen) as follower:
            wait_until(lambda: "PART_WAITS" in said(chosen), 20, "it says so")
            assert follower.is_alive()
            assert server.points == {}

            theirs.unlink()

            wait_until(lambda: len(temperatures(server)) == 50, 20, "it has caught up")
            wait_until(lambda: said(chosen) == [], 20, "and says so")


def test_a_follower_stays_while_somebody_holds_the_records(
    store: ReadingStore, tmp_path: Path
) -> None:
    """A writer that was stopped in the middle of its commit, for longer than a reader waits."""
    with stand_in("2") as server, closing(open_records(tmp_path / "records.db")):
        chosen = msgspec.structs.replace(
            to(server, tmp_path), records_path=str(tmp_path / "records.db")
        )
        put(store, 1, (NOON_MS, 400, 0))
        with running(chosen) as follower:
            wait_until(lambda: server.points, 20, "the first is there")
            with closing(sqlite3.connect(tmp_path / "records.db")) as holder:
                holder.execute("BEGIN EXCLUSIVE")
                wait_until(lambda: "PART_WAITS" in said(chosen), 20, "it says so")
                assert follower.is_alive()
            put(store, 2, (NOON_MS + 1, 410, 0))

            wait_until(lambda: len(temperatures(server)) == 2, 20, "it goes on")


def temperatures(server: StandIn) -> list[tuple[str, int]]:
    return [name for name in list(server.points) if name[0].startswith("temperature")]
