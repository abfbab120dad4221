"""The simulator against real brokers: what it counts as acknowledged is what a listener got."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.servers import free_port, require, wait_until

pytestmark = pytest.mark.server
REPOSITORY = Path(__file__).resolve().parents[2]

SHORT = """
name = "short"
about = "Two hours on a bad link."
duration_h = 2
[[room]]
name = "r"
[[probe]]
name = "p1"
room = "r"
quantities = ["temperature", "humidity", "compressor"]
[probe.radio]
duplicates = 0.3
shuffle = 0.2
silent_min = [[20, 60]]
[[probe]]
name = "p2"
room = "r"
"""


@contextmanager
def listening(command: list[str], port: int) -> Iterator[str]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as broker:
        try:
            yield f"mqtt://127.0.0.1:{port}"
        finally:
            broker.kill()


@contextmanager
def mosquitto(folder: Path, port: int | None = None) -> Iterator[str]:
    port = port or free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
    with listening([str(require("mosquitto")), "-c", str(config)], port) as url:
        yield url


@contextmanager
def nats(folder: Path) -> Iterator[str]:
    port = free_port()
    config = folder / "nats.conf"
    config.write_text(
        f"server_name: sim-test\nlisten: 127.0.0.1:{free_port()}\n"
        f'jetstream {{ store_dir: "{folder}/js" }}\n'
        f"mqtt {{ listen: 127.0.0.1:{port} }}\n"
    )
    with listening([str(require("nats-server")), "-c", str(config)], port) as url:
        yield url


BROKERS: dict[str, Callable[[Path], object]] = {"mosquitto": mosquitto, "nats-server": nats}


class Listener:
    """Everything that was published, as (device, quantity, instant in ms)."""

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        self.readings: list[tuple[str, str, int]] = []
        self._subscribed = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False
        )
        self._client.on_connect = lambda client, *_: client.subscribe("devices/+/readings", 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._heard
        self._client.connect_async(at.hostname or "", at.port or 0)
        self._client.loop_start()
        assert self._subscribed.wait(20)

    def _heard(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        device = message.topic.split("/")[1]
        base = 0.0
        for record in json.loads(message.payload):
            base = record.get("bt", base)
            self.readings.append((device, record["n"], round((base + record["t"]) * 1000)))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def hearing(url: str) -> Iterator[Listener]:
    listener = Listener(url)
    try:
        yield listener
    finally:
        listener.close()


@contextmanager
def simulate(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "firmware_sim", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "firmware-sim")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        try:
            yield run
        finally:
            run.kill()


@pytest.mark.parametrize("broker", BROKERS)
def test_what_is_counted_as_acknowledged_reaches_a_listener(tmp_path: Path, broker: str) -> None:
    scenario, count = tmp_path / "short.toml", tmp_path / "count.json"
    scenario.write_text(SHORT)
    with BROKERS[broker](tmp_path) as url, hearing(url) as listener:  # type: ignore[attr-defined]  # a context
        asked = (str(scenario), "--url", url, "--speed", "0", "--count-file", str(count))
        with simulate(*asked) as run:
            out, err = run.communicate(timeout=60)
        balance = json.loads(count.read_text())
        wait_until(
            lambda: len(listener.readings) >= balance["readings_acknowledged"], 20, "all heard"
        )

    assert (run.returncode, err) == (0, "")
    assert f"distinct {balance['distinct']}" in out
    assert balance["readings_sent"] == balance["readings_acknowledged"] == len(listener.readings)
    assert balance["distinct"] == len(set(listener.readings)) < len(listener.readings)
    assert len({key for key in listener.readings if key[0] == "p2"}) == 121


def test_a_broker_that_comes_late_gets_everything(tmp_path: Path) -> None:
    scenario, count = tmp_path / "short.toml", tmp_path / "count.json"
    scenario.write_text(SHORT)
    port = free_port()
    url = f"mqtt://127.0.0.1:{port}"
    with simulate(
        str(scenario), "--url", url, "--speed", "3600", "--count-file", str(count)
    ) as run:
        wait_until(count.exists, 20, "the story is under way without a broker")
        with mosquitto(tmp_path, port) as _url:
            run.communicate(timeout=60)

    balance = json.loads(count.read_text())
    assert run.returncode == 0
    assert balance["readings_acknowledged"] == balance["readings_sent"] > 0


def test_what_one_run_could_not_send_the_next_one_does(tmp_path: Path) -> None:
    scenario, count = tmp_path / "short.toml", tmp_path / "count.json"
    scenario.write_text(SHORT.replace("duration_h = 2", "").replace("humidity", "signal"))
    memory = tmp_path / "memory"
    port = free_port()
    asked = (str(scenario), "--url", f"mqtt://127.0.0.1:{port}", "--memory", str(memory))
    with simulate(*asked) as first:
        wait_until(lambda: list(memory.glob("*.pack")), 20, "a pack is kept")
        first.kill()
        first.communicate()

    with mosquitto(tmp_path, port) as url, hearing(url) as listener:
        kept = len(list(memory.glob("*.pack")))
        with simulate(*asked, "--count-file", str(count)) as second:
            wait_until(lambda: len(listener.readings) > kept, 30, "both runs were heard")
            second.send_signal(signal.SIGTERM)
            out, _ = second.communicate(timeout=40)

    assert second.returncode == 0
    assert "waiting 0" in out
    assert not list(memory.glob("*.pack"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["no-such-story"], "neither a file nor one of", id="scenario"),
        pytest.param(["steady", "--url", "http://x"], "is not mqtt://", id="url"),
        pytest.param(["steady", "--password-file", "/nowhere"], "--password-file", id="password"),
        pytest.param(["steady", "--speed", "5"], "only a scenario that ends", id="endless"),
    ],
)
def test_a_mistake_in_what_is_asked_ends_with_2_and_its_name(
    arguments: list[str], says: str
) -> None:
    with simulate(*arguments) as run:
        _, err = run.communicate(timeout=30)

    assert run.returncode == 2
    assert says in err
