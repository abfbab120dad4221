"""Every query of every panel, against a real InfluxDB that holds what the follower writes."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards.builder import DASHBOARDS, as_json
from domain.quantity import QUANTITIES
from domain.reading import Columns, GatewayId, ProbeId, Quality, RoomId, Series
from ingest.line_protocol import Prefixes, alarm_line, lines
from ingest.pipeline_points import points
from store.facts_ports import StoredFact
from tests.support.influx import influxd, influxql

pytestmark = pytest.mark.server

START_MS = 1_780_000_200_000
MINUTE_MS = 60_000
N = 60


def columns(quantity: str) -> Columns:
    """An hour at one a minute; the last one is suspect."""
    top = QUANTITIES[quantity].high_count
    found = Columns()
    for i in range(N):
        found.at_ms.append(START_MS + i * MINUTE_MS)
        found.count.append(min(i % 2 + 100, top) if top > 1 else i % 2)
        found.quality.append(Quality.DEVICE_FLAGGED if i == N - 1 else 0)
    return found


def fact(level: str, i: int) -> StoredFact:
    fired = START_MS + i * MINUTE_MS
    return StoredFact(
        id=f"f{i}", version=1, room=RoomId("r1"), code="CRIT_HIGH", level=level,
        began_at_ms=START_MS, fired_at_ms=fired, cleared_at_ms=None, peak=8.0,
        degree_minutes=220.0, minutes_unknown=0.0, rule="1", withdrawn=False,
        n=1, m=1, core="1", seq=i,
    )  # fmt: skip


def everything() -> list[str]:
    """Points made by the code that makes them in earnest."""
    prefixes = Prefixes()
    found: list[str] = []
    for quantity in QUANTITIES:
        series = Series(ProbeId("mqtt:gw1:p1"), quantity)
        found += lines(prefixes.of(series, "r1", "s1"), quantity, columns(quantity))
    found += [alarm_line(fact("critical", 5), "s1"), alarm_line(fact("warning", 6), "s1")]
    status = {
        "state": "online",
        "backlog": {"batches": 1, "readings": 2, "bytes": 3},
        "full_in_h": 40.5,
        "quarantined": 0,
        "refused": 0,
    }
    names = ("stored", "duplicates", "conflicts", "quarantined", "too_late", "batches")
    for i in range(N):
        now_ms = START_MS + i * MINUTE_MS
        found += points(
            dict.fromkeys(names, i),
            {"influx": 0, "alerts": 1},
            {GatewayId("gw1"): (json.dumps(status).encode(), now_ms)},
            now_ms,
        )
    return found


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with influxd(tmp_path_factory.mktemp("influx")) as url:
        post(f"{url}/query?q=CREATE+DATABASE+coldtrail", b"")
        post(f"{url}/write?db=coldtrail&precision=ms", "\n".join(everything()).encode())
        yield url


def post(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, data=body, method="POST")  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - our own server
        pass


def spelled_out(query: str) -> str:
    """With what Grafana puts in the place of its variables."""
    end_ms = START_MS + N * MINUTE_MS
    for name, text in {
        "$timeFilter": f"time >= {START_MS}ms AND time < {end_ms}ms",
        "$__interval": "5m",
        "$site": "s1",
        "$room": "r1",
    }.items():
        query = query.replace(name, text)
    assert "$" not in query.replace("$/", ""), f"a variable that nobody fills: {query}"
    return query


def asked() -> list[Any]:
    found = []
    for name, board in DASHBOARDS.items():
        made = as_json(board)
        for panel in made["panels"]:
            for target in panel["targets"]:
                id = f"{name}-{panel['id']}{target['refId']}"
                found.append(pytest.param(target["query"], id=id))
        found += [
            pytest.param(variable["query"], id=f"{name}-{variable['name']}")
            for variable in made["templating"]["list"]
        ]
        found += [
            pytest.param(annotation["target"]["query"], id=f"{name}-annotation")
            for annotation in made["annotations"]["list"]
        ]
    return found


@pytest.mark.parametrize("query", asked())
def test_every_query_returns_rows(influx: str, query: str) -> None:
    series = influxql(influx, spelled_out(query))

    assert series
    assert any(value is not None for row in series[0]["values"] for value in row[1:])


def test_a_suspect_value_is_in_no_chart_of_values(influx: str) -> None:
    query = 'SELECT count("value") FROM "temperature"'

    assert influxql(influx, query)[0]["values"][0][1] == N - 1


def test_the_files_are_what_the_builder_makes(tmp_path: Path) -> None:
    from dashboards.builder import FOLDER, build

    for made in build(tmp_path):
        assert (FOLDER / made.name).read_text() == made.read_text(), "coldtrail dashboards build"
