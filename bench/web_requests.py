"""How long a buyer's page and a series take at 200 requests a second, the api on one core.

    python -m bench web_requests [--rate N] [--seconds N]

The api runs as its own process, held to one core; the generator, on another, sends at fixed
instants over eight kept connections and counts from the instant at which a request was due, so
that a slow answer makes the next ones late instead of fewer. Without a second core both share
one, and the line says so.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from api.settings import Settings
from bench.machine import figure, percentile
from domain.reading import Columns, GatewayId, ProbeId, Series
from store.connect import open_readings
from store.ports import AdmittedBatch, BatchId
from tests.support.console_county import CODE, NOW_MS, TOKEN, build
from tests.support.servers import free_port, wait_until

MINUTE_MS, DAY_MS = 60_000, 86_400_000
PROBE = "ieee:00158d000bench00"
CONNECTIONS = 8
ROOT = Path(__file__).resolve().parents[1]


def month_of_minutes(folder: Path) -> None:
    """One series with a reading a minute for 30 days, beside the county's own."""
    store = open_readings(folder / "readings.db", write=True)
    for day in range(30):
        times = array(
            "q", range(NOW_MS - (30 - day) * DAY_MS, NOW_MS - (29 - day) * DAY_MS, 60_000)
        )
        counts = array("q", [200 + i * 7 % 90 for i in range(len(times))])
        rows = [(Series(ProbeId(PROBE), "temperature"), Columns(times, counts, array("H", bytes(2 * len(times)))))]  # fmt: skip
        name = BatchId(GatewayId("bench"), "e", day + 1)
        store.write([AdmittedBatch(name, bytes([day]) * 16, "readings", rows, NOW_MS)], NOW_MS)
    store.close()


def serve(file: Path) -> None:
    """The api as a process: settings as JSON."""
    from api.service import run

    settings = msgspec.json.decode(file.read_bytes(), type=Settings)
    begun = time.monotonic()
    run(
        settings,
        now_ms=lambda: NOW_MS + int((time.monotonic() - begun) * 1000),
        stop=threading.Event(),
    )


@contextmanager
def api(folder: Path, core: int | None) -> Iterator[int]:
    """Its port."""
    settings = msgspec.structs.replace(build(folder), port=free_port())
    month_of_minutes(folder)
    file = folder / "api.json"
    file.write_bytes(msgspec.json.encode(settings))
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.web_requests", "--serve", str(file)], cwd=ROOT
    )
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        wait_until(lambda: _answers(settings.port), 30, "the api answers")
        yield settings.port
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    import socket

    try:
        with socket.create_connection(("127.0.0.1", port), 1) as link:
            link.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return b" 200 " in link.recv(64)
    except OSError:
        return False


class Connection:
    """HTTP/1.1, one request at a time, kept open."""

    async def open(self, port: int) -> "Connection":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        return self

    async def get(self, request: bytes) -> int:
        """The body's length; ``RuntimeError`` for any answer but 200."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.split(b"\r\n")[0].decode())
        length = next(
            int(line[15:]) for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )  # fmt: skip
        await self._reader.readexactly(length)
        return length

    def close(self) -> None:
        self._writer.close()


async def ask(port: int, request: bytes, rate: float, seconds: float) -> tuple[list[float], int]:
    """Milliseconds from when each was due to its last byte, and the body's length."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await Connection().open(port))
    took: list[float] = []
    size = 0

    async def one(due: float) -> None:
        nonlocal size
        connection = await free.get()
        size = await connection.get(request)
        took.append((time.perf_counter() - due) * 1000)
        free.put_nowait(connection)

    begun = time.perf_counter() + 0.1
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(due), name=f"request-{number}")
    while not free.empty():
        free.get_nowait().close()
    return took, size


def main() -> None:
    options = argparse.ArgumentParser(description="The api's answers under a steady load.")
    options.add_argument("--rate", type=float, default=200)
    options.add_argument("--seconds", type=float, default=15)
    options.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.serve:
        serve(chosen.serve)
        return
    cores = sorted(os.sched_getaffinity(0))
    alone = len(cores) > 1
    with (
        tempfile.TemporaryDirectory() as folder,
        api(Path(folder), cores[0] if alone else None) as port,
    ):
        if alone:
            os.sched_setaffinity(0, set(cores[1:]))
        bearer = f"Authorization: Bearer {TOKEN}\r\n"
        day, month = f"{NOW_MS - DAY_MS}", f"{NOW_MS - 30 * DAY_MS}"
        series = f"/api/v1/readings?probe={PROBE}&quantity=temperature&to={NOW_MS}"
        for what, path, more in (
            ("buyer page", f"/t/{CODE}", ""),
            (
                "series, a day of one raw (1,440 readings)",
                f"{series}&from={day}&limit=2000",
                bearer,
            ),
            ("series, a month in 500 points", f"{series}&from={month}&points=500", bearer),
        ):
            request = f"GET {path} HTTP/1.1\r\nHost: cold.example\r\n{more}\r\n".encode()
            asyncio.run(ask(port, request, 50, 1))
            took, size = asyncio.run(ask(port, request, chosen.rate, chosen.seconds))
            figure(
                f"{what}, {chosen.rate:.0f} requests/s, api on "
                + ("one core" if alone else "the machine's only core, with the generator"),
                f"p50 {percentile(took, 0.5):.1f} ms, p99 {percentile(took, 0.99):.1f} ms,"
                f" max {max(took):.0f} ms ({size / 1000:.0f} kB, {len(took):,} requests)",
                "p99 20 ms",
            )
        os.sched_setaffinity(0, set(cores))


if __name__ == "__main__":
    main()
