"""A stranger's MQTT client at the edge: what it was acknowledged for is everywhere it should be."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import time
from urllib.parse import urlsplit

import pytest

from tests.support.influx import influxd, influxql
from tests.support.servers import free_port_base, require, wait_until
from tests.support.system import System

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def system_and_influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, str]]:
    require("nats-server")
    folder = tmp_path_factory.mktemp("stranger")
    with influxd(folder) as influx_url:
        system = System(folder / "data", free_port_base())
        system.prepare(influx_url)
        with system:
            yield system, influx_url


def mosquitto_pub(system: System, topic: str, payload: str) -> None:
    """QoS 1: returns once the edge broker has acknowledged."""
    edge = system.status()["edge"]
    url = urlsplit(edge["url"])
    password = (system.data / edge["password_file"]).read_text().strip()
    command = [
        str(require("mosquitto_pub")), "-h", str(url.hostname), "-p", str(url.port), "-q", "1",
        "-u", edge["username"], "-P", password, "-t", topic, "-s",
    ]  # fmt: skip
    subprocess.run(command, input=payload.encode(), check=True, timeout=20)


def test_a_reading_is_in_the_api_in_influxdb_and_on_the_rooms_chart(
    system_and_influx: tuple[System, str],
) -> None:
    system, influx_url = system_and_influx
    room = system.http("/api/v1/rooms")["rooms"][0]["id"]
    probe = f"mqtt:{system.gateway_id()}:stranger"
    at_s = int(time()) - 600
    system.http("/api/v1/assignments", {"probe": probe, "room": room, "from": (at_s - 60) * 1000})

    pack = [{"bt": at_s, "n": "temperature", "u": "Cel", "v": 4.1}]
    mosquitto_pub(system, "devices/stranger/readings", json.dumps(pack))

    wait_until(lambda: list(system.readings(probe, "temperature")), 20, "the api has it")
    page = system.http("/api/v1/readings", probe=probe, quantity="temperature")
    assert (page["t"], page["v"], page["q"]) == ([at_s * 1000], [4.1], [0])
    assert "4.1" in system.text("/api/v1/readings", probe=probe, quantity="temperature")
    assert "4.1000" not in system.text("/api/v1/readings", probe=probe, quantity="temperature")

    query = f"SELECT value FROM temperature WHERE probe = '{probe}' AND room = '{room}'"  # noqa: S608 - our own words
    wait_until(lambda: influxql(influx_url, query), 20, "InfluxDB has it")
    assert influxql(influx_url, query)[0]["values"] == [[at_s * 1000, 4.1]]

    chart = system.console(f"/rooms/{room}")
    assert "<svg" in chart
    assert "4.1" in chart
    assert probe.rpartition(":")[2] in chart


def test_a_device_that_nobody_assigned_is_stored_and_offered(
    system_and_influx: tuple[System, str],
) -> None:
    system, _ = system_and_influx
    mosquitto_pub(system, "devices/newcomer/readings", '{"temperature": 3.5}')

    def offered() -> bool:
        probes = system.http("/api/v1/probes", unassigned="true")["probes"]
        return any(p["probe"].endswith(":newcomer") for p in probes)

    wait_until(offered, 20, "the api offers the probe for assignment")


def test_the_folder_says_where_everything_is(system_and_influx: tuple[System, str]) -> None:
    system, _ = system_and_influx
    status = system.status()

    assert {"gateway", "edge-broker", "broker", "ingest", "influx", "alerts", "api"} <= set(
        status["roles"]
    )
    assert all(role["state"] == "running" for role in status["roles"].values())
    assert Path(system.data, status["api"]["token_file"]).stat().st_mode & 0o077 == 0


def test_without_the_right_token_the_api_says_nothing(
    system_and_influx: tuple[System, str],
) -> None:
    system, _ = system_and_influx
    assert system.refused("/api/v1/rooms", token=None) == 401
    assert system.refused("/api/v1/rooms", token="wrong") == 401  # noqa: S106 - wrong on purpose
