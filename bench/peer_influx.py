"""CPU from the broker to the store, against scripts that batch the same readings into InfluxDB.

    python -m bench peer_influx [--readings N]

The peer that the design names is Telegraf → InfluxDB; where no registry of the machine has
Telegraf, its place is taken by the two scripts that people write instead, each subscribed with
paho and writing to Debian's InfluxDB 1.6.7 (whose only write call is ``/write``; 2.x is not in
a registry either):

- points: SenML in, a ``Point`` of influxdb-client for each reading, as that client's README
  shows, 5,000 a write;
- lines: devices send line protocol, the script only joins it, 10,000 a write. This is the least
  that anything before InfluxDB can do, Telegraf included.

All take 600 readings a message from the same mosquitto. Counted: the script and influxd, user
and system, until influxd has been quiet for three seconds; against ingest, which checks,
de-duplicates, stores with fsync and receipts in one process. The broker is in no figure.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bench.ingest_pipeline import HOUR_MS, KEY, NOW_MS, ROOT, sealed
from bench.machine import cpu_s, figure, note
from ingest.settings import Gateway, Settings
from tests.support.brokers import mosquitto
from tests.support.influx import influxd, influxql
from tests.support.servers import wait_until
from wire import receipt_v1, topics
from wire.batch_v1 import open_batch, unpack_readings

QUIET_S = 3.0
WINDOW = 50  # messages in flight; each way of storing gets the same
DATABASE = "peer"


class Script:
    """What a peer does in its own process: subscribe, batch, write."""

    def __init__(self, kind: str, broker: str, influx: str) -> None:
        self._kind, self._url = kind, f"{influx}/write?db={DATABASE}&precision=ms"
        self._lines: list[bytes] = []
        self._held = 0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"peer-{kind}")
        self._client.on_message = self._on_message
        address = urlsplit(broker)
        self._client.connect(address.hostname or "", address.port or 0)
        self._client.subscribe("peer/#", qos=1)

    def run(self) -> None:
        print("subscribed", flush=True)
        self._client.loop_forever()

    def _on_message(self, _c: mqtt.Client, _u: object, message: mqtt.MQTTMessage) -> None:
        if message.topic == "peer/end":
            self._write()
            print("done", flush=True)
            self._client.disconnect()
        elif self._kind == "lines":
            self._add(message.payload, 600, 10_000)
        else:
            from influxdb_client.client.write.point import Point
            from influxdb_client.domain.write_precision import WritePrecision

            entries = msgspec.json.decode(message.payload)
            points = [
                Point("temperature").tag("probe", entry["n"]).field("value", entry["v"])
                .time(int(entry["t"] * 1000), WritePrecision.MS)
                for entry in entries
            ]  # fmt: skip
            text = "\n".join(point.to_line_protocol() for point in points)
            self._add(text.encode(), len(points), 5_000)

    def _add(self, lines: bytes, count: int, at_most: int) -> None:
        self._lines.append(lines)
        self._held += count
        if self._held >= at_most:
            self._write()

    def _write(self) -> None:
        if self._lines:
            request = urllib.request.Request(self._url, b"\n".join(self._lines))  # noqa: S310 - loopback
            urllib.request.urlopen(request, timeout=60).close()  # noqa: S310 - loopback
        self._lines, self._held = [], 0


def backlog(readings: int) -> list[bytes]:
    count = readings // 600
    return [
        sealed("backlog", seq, NOW_MS - (count - seq + 2) * HOUR_MS, 60)
        for seq in range(1, count + 1)
    ]


def rows(batch: bytes) -> Iterator[tuple[str, int, float]]:
    _, body = open_batch(batch, lambda _gw, _kid: KEY)
    for series, columns in unpack_readings(body):
        for at_ms, value, _ in columns:
            yield series.probe, at_ms, value / 100


def as_senml(batch: bytes) -> bytes:
    return msgspec.json.encode(
        [
            {"n": probe, "u": "Cel", "t": at_ms / 1000, "v": value}
            for probe, at_ms, value in rows(batch)
        ]
    )


def as_lines(batch: bytes) -> bytes:
    return "\n".join(
        f"temperature,probe={probe} value={value} {at_ms}" for probe, at_ms, value in rows(batch)
    ).encode()


class Sender:
    """Publishes with a bounded window."""

    def __init__(self, broker: str) -> None:
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="sender")
        self.client.max_inflight_messages_set(WINDOW)
        address = urlsplit(broker)
        self.client.connect(address.hostname or "", address.port or 0)
        self.client.loop_start()

    def send(self, topic: str, payloads: list[bytes]) -> None:
        for payload in payloads:
            last = self.client.publish(topic, payload, qos=1)
        last.wait_for_publish(600)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def ours(folder: Path, batches: list[bytes]) -> float:
    """CPU seconds of ingest."""
    (folder / "tag.key").write_bytes(KEY)
    with mosquitto(folder) as broker:
        settings = Settings(
            broker_url=broker, username="", password_file="",
            readings_path=str(folder / "readings.db"),
            gateways=[Gateway("g1", 7, {"k1": str(folder / "tag.key")})],
        )  # fmt: skip
        file = folder / "settings.json"
        file.write_bytes(msgspec.json.encode(settings))
        through = 0
        heard = threading.Event()

        def on_receipt(_c: mqtt.Client, _u: object, message: mqtt.MQTTMessage) -> None:
            nonlocal through
            heard.set()
            receipt = receipt_v1.decode(bytes(message.payload), KEY)
            through = receipt.epochs.get("backlog", (0, []))[0]

        sender = Sender(broker)
        sender.client.on_message = on_receipt
        sender.client.subscribe(topics.receipt(7, "g1"), qos=1)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.ingest", str(file)], cwd=ROOT
        )
        try:
            heard.wait(20)
            before = cpu_s(process.pid)
            sender.send(topics.batch(7, "g1", "backlog"), batches)
            wait_until(lambda: through >= len(batches), 300, "the receipt names every batch")
            time.sleep(QUIET_S)
            return cpu_s(process.pid) - before
        finally:
            sender.close()
            process.kill()
            process.wait()


def peer(folder: Path, kind: str, payloads: list[bytes]) -> tuple[float, float]:
    """CPU seconds of (the script, influxd)."""
    with mosquitto(folder) as broker, influxd(folder) as influx:
        create = urllib.request.Request(  # noqa: S310 - loopback
            f"{influx}/query?q=CREATE+DATABASE+{DATABASE}", b""
        )
        urllib.request.urlopen(create, timeout=30).close()  # noqa: S310 - loopback
        server = _pid_of("influxd", folder)
        script = subprocess.Popen(
            [sys.executable, "-m", "bench.peer_influx", "--script", kind, broker, influx],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        said = script.stdout
        if said is None or said.readline() != "subscribed\n":
            raise SystemExit(f"the script {kind} did not start")
        before = cpu_s(script.pid), cpu_s(server)
        sender = Sender(broker)
        sender.send("peer/g1", payloads)
        sender.client.publish("peer/end", b"", qos=1)
        used = 0.0
        while script.poll() is None:
            used = max(used, _cpu_if_there(script.pid))
            time.sleep(0.02)
        while True:
            server_s = cpu_s(server)
            time.sleep(QUIET_S)
            if cpu_s(server) - server_s < 0.1:
                break
        sender.close()
        said.close()
        stored = influxql(influx, "SELECT count(value) FROM temperature", DATABASE)
        note(f"{kind}: InfluxDB counts {stored[0]['values'][0][1]:,} readings")
        return used - before[0], cpu_s(server) - before[1]


def _cpu_if_there(pid: int) -> float:
    try:
        return cpu_s(pid)
    except (OSError, IndexError):
        return 0.0


def _pid_of(name: str, folder: Path) -> int:
    """Our own child that runs with this folder's settings."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode()
            except OSError:
                continue
            if name in command and str(folder) in command:
                return int(entry.name)
    raise SystemExit(f"no {name} of ours")


def main() -> None:
    options = argparse.ArgumentParser(description="CPU from broker to store, and the peers'.")
    options.add_argument("--readings", type=int, default=600_000)
    options.add_argument("--script", nargs=3, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.script:
        Script(*chosen.script).run()
        return
    batches = backlog(chosen.readings)
    part = batches[: len(batches) // 2]  # the peers are slower; their CPU is counted per reading
    million = 1e6 / (600 * len(batches))
    with tempfile.TemporaryDirectory() as folder:
        own = ours(Path(folder), batches) * million
    figure("broker → store, CPU per million readings: ingest and its store", f"{own:.1f} s")
    for kind, encode in (("points", as_senml), ("lines", as_lines)):
        with tempfile.TemporaryDirectory() as folder:
            script, server = peer(Path(folder), kind, [encode(batch) for batch in part])
        script, server = (2 * seconds * million for seconds in (script, server))
        figure(
            f"the same, peer “{kind}” (script + influxd 1.6.7)",
            f"{script:.1f} + {server:.1f} = {script + server:.1f} s; ours is"
            f" 1/{(script + server) / own:.1f} of it",
            "1/5",
        )


if __name__ == "__main__":
    main()
