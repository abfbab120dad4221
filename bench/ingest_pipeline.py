"""From the broker into the store, and how long a live reading waits while a backlog drains.

    python -m bench ingest_pipeline [--batches N] [--broker mosquitto|nats] [--folder DIR]

One gateway publishes a backlog of full batches (600 readings, sealed beforehand) and, ten
times a second, a live batch of ten readings. Prints readings stored a second, the CPU that
ingest used, and how long a live batch waited for its receipt.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bench.machine import cpu_s, figure
from domain.reading import Columns, ProbeId, Series
from ingest.settings import Gateway, Settings
from tests.support.brokers import BROKERS
from wire import receipt_v1, topics
from wire.batch_v1 import Clock, Header, pack_readings, seal_batch

KEY = bytes(range(32))
ROOT = Path(__file__).resolve().parents[1]
NOW_MS = time.time_ns() // 1_000_000
SERIES = [Series(ProbeId(f"ieee:{probe:016x}"), "temperature") for probe in range(10)]
HOUR_MS = 3_600_000
WINDOW = 200  # batches in flight on the backlog lane


def sealed(epoch: str, seq: int, start_ms: int, samples: int) -> bytes:
    """Ten series with so many samples each, a minute apart."""
    rows = [
        (
            series,
            Columns(
                array("q", [start_ms + i * 60_000 for i in range(samples)]),
                array("q", [400 + (i * 7 + at) % 90 for i in range(samples)]),
                array("H", bytes(2 * samples)),
            ),
        )
        for at, series in enumerate(SERIES)
    ]
    header = Header(1, "readings", "g1", "k1", epoch, seq, b"", NOW_MS, Clock(trusted=True))
    return seal_batch(header, pack_readings(rows), KEY)


class Load:
    """The far end: publishes both lanes and watches the receipts."""

    def __init__(self, url: str, backlog: list[bytes]) -> None:
        self._backlog = backlog
        self._live_sent: dict[int, float] = {}
        self.waits: list[float] = []
        self.drained = threading.Event()
        self._receipted = threading.Condition()
        self._done = {"live": 0, "backlog": 0}
        self.heard = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="g1-uplink")
        self._client.max_inflight_messages_set(2 * WINDOW)
        self._client.on_message = self._on_receipt
        parts = urlsplit(url)
        self._client.connect(parts.hostname or "", parts.port or 0)
        self._client.subscribe(topics.receipt(7, "g1"), qos=1)
        self._client.loop_start()

    def _on_receipt(self, _c: mqtt.Client, _u: object, message: mqtt.MQTTMessage) -> None:
        now = time.perf_counter()
        receipt = receipt_v1.decode(bytes(message.payload), KEY)
        self.heard.set()
        with self._receipted:
            for lane in self._done:
                self._done[lane] = receipt.epochs.get(lane, (0, []))[0]
            for seq in [s for s in self._live_sent if s <= self._done["live"]]:
                self.waits.append(now - self._live_sent.pop(seq))
            self._receipted.notify_all()
        if self._done["backlog"] >= len(self._backlog):
            self.drained.set()

    def live(self) -> None:
        topic = topics.batch(7, "g1", "live")
        seq = 0
        while not self.drained.wait(0.1):
            seq += 1
            payload = sealed("live", seq, NOW_MS + seq * 100, 1)
            with self._receipted:
                self._live_sent[seq] = time.perf_counter()
            self._client.publish(topic, payload, qos=1)

    def backlog(self) -> None:
        topic = topics.batch(7, "g1", "backlog")
        for at, payload in enumerate(self._backlog, 1):
            with self._receipted:
                self._receipted.wait_for(lambda at=at: at - self._done["backlog"] <= WINDOW)  # type: ignore[misc]  # a bound default
            self._client.publish(topic, payload, qos=1)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def measure(broker: str, batches: int, folder: Path) -> None:
    backlog = [
        sealed("backlog", seq, NOW_MS - (batches - seq + 2) * HOUR_MS, 60)
        for seq in range(1, batches + 1)
    ]
    (folder / "tag.key").write_bytes(KEY)
    with BROKERS[broker](folder) as url:
        settings = Settings(
            broker_url=url,
            username="",
            password_file="",
            readings_path=str(folder / "readings.db"),
            gateways=[Gateway("g1", 7, {"k1": str(folder / "tag.key")})],
        )
        file = folder / "settings.json"
        file.write_bytes(msgspec.json.encode(settings))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.ingest", str(file)], cwd=ROOT
        )
        try:
            load = Load(url, backlog)
            if not load.heard.wait(20):
                raise SystemExit("no receipt within 20 s")
            begun, before = time.perf_counter(), cpu_s(process.pid)
            threads = [threading.Thread(target=work) for work in (load.live, load.backlog)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            taken, cpu = time.perf_counter() - begun, cpu_s(process.pid) - before
            load.stop()
        finally:
            process.kill()
            process.wait()
    rows = 600 * batches
    waits = sorted(load.waits)
    bytes_each = sum(map(len, backlog)) / rows
    figure(
        f"broker ({broker}) → store, a backlog of {rows:,}",
        f"{rows / taken:,.0f} readings/s, ingest {cpu / rows * 1e6:.2f} µs CPU and"
        f" {bytes_each:.1f} B on the wire a reading",
        "100,000/s",
    )
    figure(
        f"live batch → receipt meanwhile ({broker})",
        f"p50 {waits[len(waits) // 2] * 1000:.0f} ms, p99 {waits[len(waits) * 99 // 100] * 1000:.0f}"
        f" ms, max {waits[-1] * 1000:.0f} ms ({len(waits)} batches)",
        "p99 2 s",
    )


def main() -> None:
    options = argparse.ArgumentParser(description="Broker to store, with a backlog draining.")
    options.add_argument("--batches", type=int, default=2_000)
    options.add_argument("--broker", choices=sorted(BROKERS), action="append")
    options.add_argument("--folder", type=Path, default=None, help="on the disk to measure")
    chosen = options.parse_args()
    for broker in chosen.broker or sorted(BROKERS):
        with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
            measure(broker, chosen.batches, Path(folder))


if __name__ == "__main__":
    main()
