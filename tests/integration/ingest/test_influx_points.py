"""Whatever is changed by hand in a real InfluxDB, `influx check` sees it and puts it right."""

import random
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies

from domain.reading import ProbeId, Quality, RoomId, Series, SiteId
from ingest.influx_check import Report, check
from ingest.influx_points import Unlike
from ingest.influx_server import NoAnswer, connect
from ingest.settings import InfluxSettings
from store.connect import open_readings
from store.records import open_records
from store.records.ports import Region, Room, Site
from tests.integration.ingest import test_influx
from tests.integration.ingest.test_influx import DAY_MS, HOUR_MS, catch_up, put
from tests.support.batches import NOON_MS
from tests.support.influx import get_json, influxd, influxql, victoria_metrics
from tests.support.influx_front import in_front_of

pytestmark = pytest.mark.server
PROBES = [ProbeId(f'mqtt:g1:it\'s {name}, "{name}"') for name in ("front", "back")]
SERIES = [Series(probe, what) for probe in PROBES for what in ("temperature", "humidity")]
TODAY_MS = NOON_MS // DAY_MS * DAY_MS
DAYS, A_DAY = 3, 48
SUSPECT = 7  # every so many is one that the rules would not trust


@dataclass(frozen=True, slots=True)
class Point:
    series: Series
    at_ms: int
    room: str
    fields: str

    def written(self, *, room: str = "", tag: str = "", fields: str = "", later_ns: int = 0) -> str:
        probe = self.series.probe.replace(",", r"\,").replace(" ", r"\ ")
        place = room or self.room
        site = "unassigned" if place == "unassigned" else "s1"
        tags = f"probe={probe},room={place},site={site}{tag}"
        at_ns = self.at_ms * 1_000_000 + later_ns
        return f"{self.series.quantity},{tags} {fields or self.fields} {at_ns}"


@dataclass(frozen=True, slots=True)
class Shop:
    """A store, what InfluxDB has of it, and the hand of a stranger."""

    chosen: InfluxSettings
    points: list[Point]

    def write(self, *lines: str) -> None:
        url = f"{self.chosen.url}/write?db=coldtrail&precision=ns"
        with urllib.request.urlopen(url, "\n".join(lines).encode(), timeout=30) as answer:  # noqa: S310 - our own server
            assert answer.status == 204

    def remove(self, point: Point) -> None:
        server = connect(self.chosen)
        tags = {"probe": point.series.probe}
        server.delete(point.series.quantity, tags, point.at_ms, point.at_ms)
        server.close()

    def dump(self) -> dict[str, list[Any]]:
        return {
            quantity: [
                (one["tags"], one["values"])
                for one in influxql(
                    self.chosen.url,
                    f"SELECT value, suspect, quality FROM {quantity} GROUP BY *",  # noqa: S608 - a test's own
                )
            ]
            for quantity in ("temperature", "humidity")
        }

    def writes(self) -> int:
        told = get_json(self.chosen.url, "/debug/vars")
        return int(next(one["values"]["writeReq"] for one in told.values() if "httpd" in str(one)))

    def check(self, *, repair: bool = False, points: bool | None = None) -> Report:
        return check(self.chosen, repair=repair, now_ms=lambda: NOON_MS, points=points)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Two probes for three days; the first was moved to another room, the second is in none."""
    folder = tmp_path_factory.mktemp("shop")
    records = open_records(folder / "records.db")
    by: dict[str, Any] = {"by": "u1", "now_ms": NOON_MS}
    records.put_region(Region("c1", None, "county", "县", "County"), **by)
    records.put_site(Site(SiteId("s1"), "c1", "village-point", "村", "Village"), **by)
    for room in ("r1", "r2"):
        records.put_room(Room(RoomId(room), SiteId("s1"), "chilled", room, room), **by)
    moved_ms = TODAY_MS - DAY_MS + 5 * HOUR_MS
    for room, from_ms in (("r1", TODAY_MS - 9 * DAY_MS), ("r2", moved_ms)):
        records.assign(PROBES[0], RoomId(room), from_ms, by="u1", now_ms=NOON_MS)
    records.close()
    store = open_readings(folder / "readings.db", write=True)
    points = []
    for seq, series in enumerate(SERIES):
        rows = []
        for i in range(DAYS * A_DAY):
            at_ms = TODAY_MS - (DAYS - 1) * DAY_MS + i * (DAY_MS // A_DAY)
            count = 400 + 7 * i
            suspect = i % SUSPECT == 0
            rows.append((at_ms, count, int(Quality.DEVICE_FLAGGED) if suspect else 0))
            where = "r2" if at_ms >= moved_ms else "r1"
            value = count / 100
            fields = f"suspect={value},quality=16i" if suspect else f"value={value}"
            place = where if series.probe == PROBES[0] else "unassigned"
            points.append(Point(series, at_ms, place, fields))
        put(store, seq + 1, *rows, series=series)
    store.close()
    with influxd(folder) as url:
        chosen = test_influx.settings(folder, url, records=True)
        catch_up(chosen)
        yield Shop(chosen, points)


# Each takes a point and another of the same series and day, both values, and tells what is unlike.


def swap(shop: Shop, one: Point, other: Point) -> Unlike:
    shop.write(one.written(fields=other.fields), other.written(fields=one.fields))
    return Unlike(changed=2)


def shift(shop: Shop, one: Point, _other: Point) -> Unlike:
    shop.remove(one)
    shop.write(one.written(later_ns=1_000_000))
    return Unlike(missing=1, extra=1)


def shift_by_less_than_a_millisecond(shop: Shop, one: Point, _other: Point) -> Unlike:
    shop.remove(one)
    shop.write(one.written(later_ns=999_999))
    return Unlike(missing=1, extra=1)


def double_in_another_room(shop: Shop, one: Point, _other: Point) -> Unlike:
    shop.write(one.written(room="r9"))
    return Unlike(extra=1)


def move_to_another_room(shop: Shop, one: Point, _other: Point) -> Unlike:
    shop.remove(one)
    shop.write(one.written(room="r9"))
    return Unlike(elsewhere=1)


def double_with_a_tag(shop: Shop, one: Point, _other: Point) -> Unlike:
    shop.write(one.written(tag=",host=x"))
    return Unlike(extra=1)


def remove(shop: Shop, one: Point, _other: Point) -> Unlike:
    shop.remove(one)
    return Unlike(missing=1)


def change_the_last_digit(shop: Shop, one: Point, _other: Point) -> Unlike:
    shop.write(one.written(fields=f"value={float(one.fields[6:]) + 0.01:.2f}"))
    return Unlike(changed=1)


def change_beyond_the_last_digit(shop: Shop, one: Point, _other: Point) -> Unlike:
    shop.write(one.written(fields=f"{one.fields}{'' if '.' in one.fields else '.'}00001"))
    return Unlike(changed=1)


def call_it_flagged(shop: Shop, one: Point, _other: Point) -> Unlike:
    shop.write(one.written(fields="quality=16i"))
    return Unlike(changed=1)


INJURIES: list[Callable[[Shop, Point, Point], Unlike]] = [
    swap,
    shift,
    shift_by_less_than_a_millisecond,
    double_in_another_room,
    move_to_another_room,
    double_with_a_tag,
    remove,
    change_the_last_digit,
    change_beyond_the_last_digit,
    call_it_flagged,
]


def two_values(shop: Shop, day: tuple[Series, int], draw: random.Random) -> tuple[Point, Point]:
    values = [
        point
        for point in shop.points
        if (point.series, point.at_ms // DAY_MS) == day and point.fields.startswith("value")
    ]
    one, other = draw.sample(values, 2)
    return one, other


DAYS_OF_SERIES = [(one, TODAY_MS // DAY_MS - back) for one in SERIES for back in range(DAYS)]


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    strategies.dictionaries(
        strategies.sampled_from(DAYS_OF_SERIES), strategies.sampled_from(INJURIES), max_size=8
    ),
    strategies.integers(0, 1_000),
)
def test_whatever_is_changed_is_found_with_its_kind_and_mended(
    shop: Shop,
    harm: dict[tuple[Series, int], Callable[[Shop, Point, Point], Unlike]],
    seed: int,
) -> None:
    draw = random.Random(seed)  # noqa: S311 - of a test
    before = shop.dump()
    done = {day: injure(shop, *two_values(shop, day, draw)) for day, injure in harm.items()}

    report = shop.check(repair=True)

    found = {(o.day.series, o.day.start_ms // DAY_MS): o.unlike for o in report.differences}
    assert report.by_points
    assert found == done
    assert report.left == []
    assert shop.dump() == before


@pytest.mark.parametrize("injure", INJURIES, ids=lambda one: one.__name__)
def test_each_kind_of_change_is_found(
    shop: Shop, injure: Callable[[Shop, Point, Point], Unlike]
) -> None:
    before = shop.dump()
    done = injure(shop, *two_values(shop, DAYS_OF_SERIES[1], random.Random(1)))  # noqa: S311 - of a test

    report = shop.check(repair=True)

    assert [one.unlike for one in report.differences] == [done]
    assert shop.dump() == before


def test_a_value_in_the_place_of_a_suspect_reading_is_found(shop: Shop) -> None:
    before = shop.dump()
    suspect = next(point for point in shop.points if point.fields.startswith("suspect"))
    shop.remove(suspect)
    shop.write(suspect.written(fields="value=4"))

    report = shop.check(repair=True)

    assert [one.unlike for one in report.differences] == [Unlike(changed=1)]
    assert shop.dump() == before


def test_a_point_years_away_is_found_and_removed(shop: Shop) -> None:
    before = shop.dump()
    shop.write(shop.points[0].written(later_ns=20 * 365 * DAY_MS * 1_000_000))

    report = shop.check(repair=True)

    assert [one.unlike for one in report.differences] == [Unlike(extra=1)]
    assert shop.dump() == before


@pytest.mark.parametrize("points", [True, False])
def test_a_database_that_nobody_touched_does_not_differ_and_is_not_written(
    shop: Shop, points: bool
) -> None:
    before, writes = shop.dump(), shop.writes()

    report = shop.check(repair=True, points=points)

    assert (report.differences, report.repaired, report.behind) == ([], 0, 0)
    assert (report.series, report.days) == (len(SERIES), len(SERIES) * DAYS)
    assert (shop.dump(), shop.writes()) == (before, writes)


def test_pages_end_anywhere(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shop.dump()
    for size in (2, 10):
        monkeypatch.setattr("ingest.influx_points.PAGE", size)
        assert shop.check().differences == []
        one, other = two_values(shop, DAYS_OF_SERIES[2], random.Random(size))  # noqa: S311 - of a test
        swap(shop, one, other)
        shop.write(*(one.written(room="r9", later_ns=i) for i in range(12)))

        report = shop.check(repair=True)

        assert [(o.unlike.missing, o.unlike.changed) for o in report.differences] == [(0, 2)]
        assert report.differences[0].unlike.extra >= size  # in one millisecond a page is enough
        assert report.left == []
        assert shop.dump() == before


def test_sums_say_where_to_look_and_the_points_there_say_what_it_is(shop: Shop) -> None:
    one, other = two_values(shop, DAYS_OF_SERIES[4], random.Random(3))  # noqa: S311 - of a test
    swap(shop, one, other)
    assert shop.check(points=False).differences == []  # what sums cannot see

    change_the_last_digit(shop, one, other)

    assert [o.unlike for o in shop.check(points=False).differences] == [Unlike(changed=2)]
    assert shop.check(repair=True, points=False).left == []
    assert shop.check().differences == []


def test_where_only_a_few_days_are_asked_for_the_others_are_left_alone(shop: Shop) -> None:
    remove(shop, *two_values(shop, DAYS_OF_SERIES[2], random.Random(4)))  # noqa: S311 - of a test

    def asked(days: int) -> tuple[int, int]:
        report = check(shop.chosen, repair=False, now_ms=lambda: NOON_MS, days=days)
        return report.days, len(report.differences)

    assert asked(2) == (2 * len(SERIES), 0)
    assert asked(3) == (3 * len(SERIES), 1)
    assert shop.check(repair=True).left == []


@pytest.fixture(scope="module", params=["2", "3"])
def fronted(request: pytest.FixtureRequest, shop: Shop) -> Iterator[tuple[str, Shop]]:
    """The same data by the calls of 2.x and 3."""
    with in_front_of(shop.chosen.url, request.param) as url:
        chosen = msgspec.structs.replace(shop.chosen, url=url, kind="2")
        yield request.param, Shop(chosen, shop.points)


@pytest.mark.parametrize("injure", INJURIES, ids=lambda one: one.__name__)
def test_by_the_calls_of_2_and_3_all_is_found_and_what_they_can_mend_is_mended(
    shop: Shop, fronted: tuple[str, Shop], injure: Callable[[Shop, Point, Point], Unlike]
) -> None:
    """3 has no call for deletion, so what is nobody's stays there and is named."""
    version, theirs = fronted
    before = shop.dump()
    done = injure(shop, *two_values(shop, DAYS_OF_SERIES[1], random.Random(2)))  # noqa: S311 - of a test

    report = theirs.check(repair=True)

    assert [one.unlike for one in report.differences] == [done]
    stays = done.extra + done.elsewhere if version == "3" else 0
    flagged = (
        injure is call_it_flagged and version == "3"
    )  # a field more, where it was written over
    assert [one.unlike for one in report.left] == (
        [Unlike(extra=stays)] if stays else [Unlike(changed=1)] if flagged else []
    )
    assert shop.check(repair=True).left == []
    assert shop.dump() == before


def test_a_server_that_does_not_answer_influxql_is_not_taken_for_an_equal_one(
    tmp_path: Path,
) -> None:
    store = open_readings(tmp_path / "readings.db", write=True)
    put(store, 1, (NOON_MS, 410, 0))
    with victoria_metrics(tmp_path) as url:
        chosen = test_influx.settings(tmp_path, url, kind="2")
        catch_up(chosen)

        for points in (True, False):
            with pytest.raises(NoAnswer):
                check(chosen, repair=False, now_ms=lambda: NOON_MS, points=points)
    store.close()


def test_a_server_that_cuts_its_answers_short_is_not_taken_for_one_that_lacks_points(
    tmp_path: Path,
) -> None:
    store = open_readings(tmp_path / "readings.db", write=True)
    put(store, 1, *((NOON_MS + i, 410, 0) for i in range(20)))
    store.close()
    with influxd(tmp_path, max_rows=10) as url:
        chosen = test_influx.settings(tmp_path, url)
        catch_up(chosen)

        with pytest.raises(NoAnswer, match="max-row-limit"):
            check(chosen, repair=True, now_ms=lambda: NOON_MS)
