"""The traceability follower killed with -9, at any moment: certificates stay a whole chain."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.reading import GatewayId, LotId, Series
from store.connect import open_readings
from store.facts import open_facts
from store.ports import AdmittedBatch, BatchId, ReadingStore
from tests.support.batches import columns
from tests.support.lots import AIR, HOUR_MS, MINUTE_MS, NOON_MS, county, every, move, strawberries
from tests.support.servers import wait_until
from traceability.certificate import Verified, verify
from traceability.reader import NotReady, open_trace_reader
from traceability.settings import Settings

FOLLOWER = """
import json, sys, threading, time
from traceability.service import run
from traceability.settings import Settings

late_ms = int(sys.argv[2])
began = time.monotonic()

def now_ms():  # an hour goes by in half a second
    return late_ms + int((time.monotonic() - began) * 7_200_000)

run(Settings(**json.loads(sys.argv[1])), now_ms=now_ms, stop=threading.Event())
"""
LOTS = [LotId(f"lot-{i}") for i in range(4)]
SAID: dict[str, Any] = {"by": "u1", "now_ms": NOON_MS}
COUNTS = [200 + i % 7 for i in range(25)]


@contextmanager
def following(settings: dict[str, object], late_ms: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-c", FOLLOWER, json.dumps(settings), str(late_ms)]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def settings_in(folder: Path) -> dict[str, object]:
    key = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "signing.key").write_bytes(key)
    named = Settings(
        readings_path=str(folder / "readings.db"),
        records_path=str(folder / "records.db"),
        facts_path=str(folder / "facts.db"),
        trace_path=str(folder / "trace.db"),
        signing_key_file=str(folder / "signing.key"),
        poll_s=0.01,
    )
    return {name: getattr(named, name) for name in named.__struct_fields__}


def report(readings: ReadingStore, seq: int, rows: list[tuple[int, int, int]]) -> None:
    batch = AdmittedBatch(
        BatchId(GatewayId("g1"), "e1", seq), seq.to_bytes(16, "big"), "readings",
        [(Series(AIR, "temperature"), columns(*rows))], NOON_MS,
    )  # fmt: skip
    readings.write([batch], NOON_MS, backlog=seq % 2 == 0)


@pytest.mark.fault
def test_killed_at_any_moment_it_issues_each_version_once_and_loses_none(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    records, facts = county(tmp_path), open_facts(tmp_path / "facts.db")
    readings = open_readings(tmp_path / "readings.db", write=True)
    seeded = random.Random(7)  # noqa: S311 (not for secrets)
    rows = every(5, COUNTS)
    pieces = [rows[i : i + 2] for i in range(0, len(rows), 2)]
    seeded.shuffle(pieces)

    def judged() -> None:
        stores = (readings.store_id, records.store_id())
        cursor = (readings.last_arrival(), records.last_change())
        facts.write([], stores=stores, cursor=cursor, now_ms=NOON_MS)

    judged()
    for round_, piece in enumerate(pieces):
        late_ms = NOON_MS + (2 + round_) * 24 * HOUR_MS
        with following(settings, late_ms) as process:
            if round_ < len(LOTS):
                lot = LOTS[round_]
                records.add_lot(strawberries(lot, f"code-{lot}"), **SAID)
                out_ms = NOON_MS + 2 * HOUR_MS - round_ * MINUTE_MS
                events = [move("put_in", NOON_MS, lot=lot), move("shipped", out_ms, lot=lot)]
                records.capture(events, **SAID)
            report(readings, round_ + 1, piece)
            judged()
            with pytest.raises(subprocess.TimeoutExpired):  # it runs until it is killed
                process.wait(seeded.uniform(0.6, 1.6))

    last = (readings.last_arrival(), records.last_change())

    def settled() -> bool:
        assert process.poll() is None, "the follower died by itself"
        try:
            reader = open_trace_reader(tmp_path / "trace.db")
        except NotReady:
            return False
        return reader.cursor() == last and all(
            (data := reader.certificate(lot)) is not None
            and json.loads(data)["stays"][0]["unknown_ms"] == 0
            for lot in LOTS
        )

    with following(settings, NOON_MS + 60 * 24 * HOUR_MS) as process:
        wait_until(settled, 60, "the last certificates")

    reader = open_trace_reader(tmp_path / "trace.db")
    for lot in LOTS:
        versions = [v.version for v in reader.versions(lot)]
        assert versions == list(range(1, len(versions) + 1))
        before: bytes | None = None
        for version in versions:
            data = reader.certificate(lot, version)
            assert data is not None
            assert isinstance(verify(data), Verified)
            named = json.loads(data)["previous"]
            assert named == (None if before is None else hashlib.sha256(before).hexdigest())
            before = data
    for part in (records, facts, readings):
        part.close()
