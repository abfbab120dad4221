"""A store that is filled and an InfluxDB beside it that is empty, for the benches of the two."""

import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.machine import note
from domain.reading import Columns, GatewayId, ProbeId, Series
from ingest.settings import InfluxSettings
from store.connect import open_readings
from store.ports import AdmittedBatch, BatchId
from tests.support.influx import influxd

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW_MS = 1_780_272_000_000 // DAY_MS * DAY_MS


@contextmanager
def filled(series: int, days: int, every_s: int) -> Iterator[tuple[int, InfluxSettings]]:
    """How many readings there are, and where. A real InfluxDB 1.6.7."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        named = [Series(ProbeId(f"mqtt:g1:p{i:04d}"), "temperature") for i in range(series)]
        readings = _fill(folder / "readings.db", named, days, every_s)
        note(f"{readings:,} readings stored")
        with influxd(folder) as url:
            yield (
                readings,
                InfluxSettings(
                    readings_path=str(folder / "readings.db"),
                    cursor_path=str(folder / "cursor"),
                    url=url,
                    kind="1",
                ),
            )


def _fill(path: Path, series: list[Series], days: int, every_s: int) -> int:
    """An hour of ten series a batch, as gateways drain; how many readings."""
    store = open_readings(path, write=True)
    a_time = HOUR_MS // (every_s * 1_000)
    zeros = array("H", bytes(2 * a_time))
    for hour in range(24 * days):
        start_ms = NOW_MS - days * DAY_MS + hour * HOUR_MS
        times = array("q", [start_ms + i * every_s * 1_000 for i in range(a_time)])
        counts = array("q", [400 + (i * 7 + hour) % 50 for i in range(a_time)])
        batches = [
            AdmittedBatch(
                BatchId(GatewayId("g1"), f"e{at}", hour + 1),
                b"%8d%8d" % (at, hour),
                "readings",
                [(one, Columns(times, counts, zeros)) for one in series[at : at + 10]],
                start_ms,
            )
            for at in range(0, len(series), 10)
        ]
        store.write(batches, start_ms + 2 * HOUR_MS)
    n = store.totals()["stored"]
    store.close()
    return n
