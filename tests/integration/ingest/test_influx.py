"""The follower into a real InfluxDB, and into what speaks its 2.x write call."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from domain.judgement import Fact, Judgement
from domain.reading import GatewayId, ProbeId, Quality, RoomId, Series, SiteId
from ingest.followed import Followed
from ingest.influx import Follower, follower, run
from ingest.influx_check import check
from ingest.influx_points import Unlike
from ingest.influx_server import BadLines, Unavailable, connect
from ingest.settings import InfluxSettings
from store.connect import open_readings
from store.facts import JudgedRoom, open_facts
from store.ports import AdmittedBatch, BatchId, ReadingStore
from store.records import SqlRecords, open_records
from store.records.ports import Region, Room, Site
from tests.support.batches import AIR, MINUTE_MS, NOON_MS, Row, columns
from tests.support.influx import get_json, influxd, influxql, victoria_metrics
from tests.support.servers import free_port, wait_until
from wire import status_v1

pytestmark = pytest.mark.server
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
OTHER = Series(ProbeId("mqtt:g1:back, room"), "humidity")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ReadingStore]:
    opened = open_readings(tmp_path / "readings.db", write=True)
    yield opened
    opened.close()


def put(store: ReadingStore, seq: int, *rows: Row, series: Series = AIR) -> None:
    name = BatchId(GatewayId("g1"), "e1", seq)
    batch = AdmittedBatch(
        name, seq.to_bytes(16, "big"), "readings", [(series, columns(*rows))], NOON_MS
    )
    store.write([batch], NOON_MS)


def settings(folder: Path, url: str, kind: str = "1", records: bool = False) -> InfluxSettings:
    return InfluxSettings(
        readings_path=str(folder / "readings.db"),
        cursor_path=str(folder / "influx.cursor"),
        records_path=str(folder / "records.db") if records else "",
        url=url,
        kind=kind,
    )


@contextmanager
def following(chosen: InfluxSettings) -> Iterator[Follower]:
    influx = connect(chosen)
    with Followed(chosen) as followed:
        yield follower(chosen, influx, followed, lambda: NOON_MS)
    influx.close()


def catch_up(chosen: InfluxSettings) -> None:
    with following(chosen) as one:
        while one.step():
            pass


def points(url: str, measurement: str = "temperature", field: str = "value") -> list[list[object]]:
    found = influxql(url, f'SELECT "{field}", room, site FROM "{measurement}" ORDER BY time')  # noqa: S608 - a test's own
    return [row for series in found for row in series["values"]]


def test_readings_land_with_exact_values_and_tags(store: ReadingStore, tmp_path: Path) -> None:
    put(store, 1, (NOON_MS, 410, 0), (NOON_MS + MINUTE_MS, 29, 1))
    put(store, 2, (NOON_MS, 8125, 0), series=OTHER)
    with influxd(tmp_path) as url:
        catch_up(settings(tmp_path, url))

        assert points(url) == [
            [NOON_MS, 4.1, "unassigned", "unassigned"],
            [NOON_MS + MINUTE_MS, 0.29, "unassigned", "unassigned"],
        ]
        tags = influxql(url, 'SHOW TAG VALUES FROM humidity WITH KEY = "probe"')
        assert tags[0]["values"] == [["probe", OTHER.probe]]


def test_a_reading_that_the_rules_would_not_trust_is_no_value(
    store: ReadingStore, tmp_path: Path
) -> None:
    put(store, 1, (NOON_MS, 410, 0), (NOON_MS + 1, 12_000, int(Quality.OUTSIDE_RANGE)))
    with influxd(tmp_path) as url:
        chosen = settings(tmp_path, url)
        catch_up(chosen)
        put(store, 2, (NOON_MS, 420, 0))  # contradicts what has been written
        catch_up(chosen)

        assert points(url) == []
        assert [row[:2] for row in points(url, field="suspect")] == [
            [NOON_MS, 4.1],
            [NOON_MS + 1, 120.0],
        ]


def test_stopped_for_a_while_and_started_again_it_has_what_the_store_has(
    store: ReadingStore, tmp_path: Path
) -> None:
    port = free_port()
    chosen = settings(tmp_path, f"http://127.0.0.1:{port}")
    with running_follower(chosen):
        with influxd(tmp_path, port) as url:
            put(store, 1, *((NOON_MS + i, i, 0) for i in range(50)))
            wait_until(lambda: len(points(url)) == 50, 20, "the first readings")
        for seq in range(2, 12):
            put(store, seq, *((NOON_MS - seq * HOUR_MS + i, i, 0) for i in range(50)))
        with influxd(tmp_path, port) as url:
            wait_until(lambda: len(points(url)) == 550, 60, "all readings")

            assert check(chosen, repair=False, now_ms=lambda: NOON_MS).differences == []


@contextmanager
def running_follower(chosen: InfluxSettings) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(
        target=run, args=(chosen,), kwargs={"now_ms": lambda: NOON_MS, "stop": stop}
    )
    thread.start()
    yield
    stop.set()
    thread.join(40)


def test_without_a_server_the_cursor_stays(store: ReadingStore, tmp_path: Path) -> None:
    put(store, 1, (NOON_MS, 410, 0))
    chosen = settings(tmp_path, f"http://127.0.0.1:{free_port()}")

    with following(chosen) as one, pytest.raises(Unavailable):
        one.step()

    with influxd(tmp_path) as url:
        catch_up(settings(tmp_path, url))
        assert len(points(url)) == 1


def test_one_line_that_the_server_refuses_costs_no_other(
    store: ReadingStore, tmp_path: Path
) -> None:
    with influxd(tmp_path) as url:
        chosen = settings(tmp_path, url)
        server = connect(chosen)
        server.prepare()
        probe = "ieee:00158d0001a2b3c4,room=unassigned,site=unassigned"
        server.write([f'temperature,probe={probe} value="text" {NOON_MS}'])
        with pytest.raises(BadLines):
            server.write([f"temperature,probe={probe} value=4.1 {NOON_MS + 1}"])
        server.close()
        put(store, 1, *((NOON_MS + i, 410, 0) for i in range(100)))
        put(store, 2, *((NOON_MS + i, 5000, 0) for i in range(100)), series=OTHER)

        catch_up(chosen)

        assert len(points(url, "humidity")) == 100
        rejected = (tmp_path / "influx.rejected.jsonl").read_text().splitlines()
        assert len(rejected) == 100
        assert "field type conflict" in rejected[0]


@pytest.fixture
def records(tmp_path: Path) -> Iterator[SqlRecords]:
    opened = open_records(tmp_path / "records.db")
    by = {"by": "u1", "now_ms": NOON_MS}
    opened.put_region(Region("c1", None, "county", "县", "County"), **by)  # type: ignore[arg-type]  # both are what they must be
    opened.put_site(Site(SiteId("s1"), "c1", "village-point", "村", "Village"), **by)  # type: ignore[arg-type]  # as above
    for room in ("r1", "r2"):
        opened.put_room(Room(RoomId(room), SiteId("s1"), "chilled", room, room), **by)  # type: ignore[arg-type]  # as above
    yield opened
    opened.close()


def test_an_assignment_in_the_past_moves_the_points_of_that_time(
    store: ReadingStore, records: SqlRecords, tmp_path: Path
) -> None:
    put(store, 1, *((NOON_MS + i * HOUR_MS, 400 + i, 0) for i in range(6)))
    with influxd(tmp_path) as url:
        chosen = settings(tmp_path, url, records=True)
        catch_up(chosen)
        records.assign(
            AIR.probe, RoomId("r1"), NOON_MS + HOUR_MS, by="u1", now_ms=NOON_MS + 6 * HOUR_MS
        )
        catch_up(chosen)
        records.assign(
            AIR.probe, RoomId("r2"), NOON_MS + 4 * HOUR_MS, by="u1", now_ms=NOON_MS + 7 * HOUR_MS
        )
        catch_up(chosen)

        assert [(row[1], row[2], row[3]) for row in points(url)] == [
            (4.0, "unassigned", "unassigned"),
            (4.01, "r1", "s1"),
            (4.02, "r1", "s1"),
            (4.03, "r1", "s1"),
            (4.04, "r2", "s1"),
            (4.05, "r2", "s1"),
        ]


def test_an_alarm_is_one_point_however_often_it_was_amended(
    store: ReadingStore, records: SqlRecords, tmp_path: Path
) -> None:
    put(store, 1, (NOON_MS, 900, 0))
    facts = open_facts(tmp_path / "facts.db")
    chosen = msgspec.structs.replace(
        settings(tmp_path, "", records=True), facts_path=str(tmp_path / "facts.db")
    )

    def judge(*found: Fact) -> None:
        judgement = Judgement(found, (), ())
        room = JudgedRoom(RoomId("r1"), judgement, 1, 1, NOON_MS, lambda _at: "1")
        facts.write([room], stores=("a", "b"), cursor=(1, 1), now_ms=NOON_MS)

    def alarms() -> list[list[object]]:
        found = influxql(url, "SELECT cleared, code, level, room, site FROM alarm")
        return [row for series in found for row in series["values"]]

    with influxd(tmp_path) as url:
        chosen = msgspec.structs.replace(chosen, url=url)
        judge(Fact("HIGH", "warning", NOON_MS, NOON_MS + 600, None, 900, 0, 0))
        catch_up(chosen)
        judge(Fact("HIGH", "warning", NOON_MS - 5, NOON_MS + 500, NOON_MS + 900, 900, 0, 0))
        catch_up(chosen)
        assert alarms() == [[NOON_MS + 500, NOON_MS + 900, "HIGH", "warning", "r1", "s1"]]

        judge()
        catch_up(chosen)
        assert alarms() == []

        catch_up(msgspec.structs.replace(chosen, cursor_path=str(tmp_path / "another.cursor")))
        assert alarms() == []
    facts.close()


def test_the_health_of_the_pipeline_is_told_too(store: ReadingStore, tmp_path: Path) -> None:
    put(store, 1, (NOON_MS, 900, 0), (NOON_MS + 1, 900, 0))
    store.put_status(
        GatewayId("g1"), status_v1.encode(status_v1.Status("online", "e1", "1")), NOON_MS - 5_000
    )
    with influxd(tmp_path) as url:
        catch_up(settings(tmp_path, url))

        told = influxql(url, "SELECT stored, influx_behind FROM pipeline")
        heard = influxql(url, "SELECT heard_age_s, gateway FROM gateway")
        assert told[0]["values"] == [[NOON_MS, 2, 0]]
        assert heard[0]["values"] == [[NOON_MS, 5, "g1"]]


def test_check_finds_a_hole_and_what_should_not_be_there_and_repairs_both(
    store: ReadingStore, tmp_path: Path
) -> None:
    for day in range(3):
        put(store, day + 1, *((NOON_MS - day * DAY_MS + i, i, 0) for i in range(20)))
    with influxd(tmp_path) as url:
        chosen = settings(tmp_path, url)
        catch_up(chosen)
        server = connect(chosen)
        server.delete("temperature", {"probe": AIR.probe}, NOON_MS, NOON_MS + 4)
        server.write([f"temperature,probe={AIR.probe},room=x value=1 {NOON_MS - DAY_MS + 999}"])
        server.close()

        report = check(chosen, repair=True, now_ms=lambda: NOON_MS)

        assert [one.unlike for one in report.differences] == [Unlike(extra=1), Unlike(missing=5)]
        assert (report.days, report.repaired, report.left, report.behind) == (3, 2, [], 0)


def test_victoria_metrics_takes_the_2_x_writes(store: ReadingStore, tmp_path: Path) -> None:
    put(store, 1, *((NOON_MS + i * MINUTE_MS, 410 + i, 0) for i in range(30)))
    with victoria_metrics(tmp_path) as url:
        catch_up(settings(tmp_path, url, kind="2"))

        def exported() -> int:
            found = get_json(
                url,
                "/api/v1/query_range",
                query=f'count_over_time(temperature_value{{probe="{AIR.probe}"}}[1h])',
                start=str(NOON_MS // 1000 + 1800),
                end=str(NOON_MS // 1000 + 1800),
                step="60",
            )
            results = found["data"]["result"]
            return int(results[0]["values"][0][1]) if results else 0

        wait_until(lambda: exported() == 30, 40, "all readings can be queried")
