"""The process itself: waits for its stores, follows them, stops when told."""

import threading
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.reading import GatewayId, Series
from store.connect import open_readings
from store.facts import open_facts
from store.ports import AdmittedBatch, BatchId
from tests.support.batches import columns
from tests.support.lots import AIR, HOUR_MS, LOT, NOON_MS, county, every, move, strawberries
from tests.support.servers import wait_until
from traceability.reader import NotReady, open_trace_reader
from traceability.service import run
from traceability.settings import Settings

SAID: dict[str, Any] = {"by": "u1", "now_ms": NOON_MS}


def test_it_waits_for_its_stores_then_keeps_lots_and_stops_when_told(tmp_path: Path) -> None:
    key = tmp_path / "signing.key"
    key.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    paths = {
        name: str(tmp_path / f"{name}.db") for name in ("readings", "records", "facts", "trace")
    }
    settings = Settings(
        signing_key_file=str(key), poll_s=0.02, **{f"{k}_path": v for k, v in paths.items()}
    )
    stop = threading.Event()
    thread = threading.Thread(
        target=run,
        args=(settings,),
        kwargs={"now_ms": lambda: NOON_MS + 24 * HOUR_MS, "stop": stop},
    )
    thread.start()
    try:
        records = county(tmp_path)
        readings = open_readings(paths["readings"], write=True)
        facts = open_facts(paths["facts"])
        rows = columns(*every(5, [200] * 25))
        batch = AdmittedBatch(
            BatchId(GatewayId("g1"), "e1", 1), bytes(16), "readings",
            [(Series(AIR, "temperature"), rows)], NOON_MS,
        )  # fmt: skip
        readings.write([batch], NOON_MS)
        records.add_lot(strawberries(), **SAID)
        records.capture([move("put_in", NOON_MS), move("shipped", NOON_MS + 2 * HOUR_MS)], **SAID)

        def followed() -> bool:
            try:
                reader = open_trace_reader(paths["trace"])
            except NotReady:
                return False
            return reader.cursor() == (1, records.last_change()) and reader.lot(LOT) is None

        wait_until(followed, 20, "the journals to be followed")
        for part in (records, readings, facts):
            part.close()
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()
