"""InfluxDB 1.x and VictoriaMetrics on free ports of the loopback, data in a folder."""

import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.support.brokers import running
from tests.support.servers import free_port, require


def influxd_config(folder: Path, port: int, max_body: int = 25_000_000, max_rows: int = 0) -> Path:
    """What it writes stays in the folder, so it can be stopped and started again."""
    config = folder / "influxdb.conf"
    config.write_text(
        "reporting-disabled = true\n"
        f'bind-address = "127.0.0.1:{free_port()}"\n'
        f'[meta]\n  dir = "{folder}/influx/meta"\n'
        f'[data]\n  dir = "{folder}/influx/data"\n  wal-dir = "{folder}/influx/wal"\n'
        f'[http]\n  bind-address = "127.0.0.1:{port}"\n  log-enabled = false\n'
        f"  max-body-size = {max_body}\n  max-row-limit = {max_rows}\n"
        "[monitor]\n  store-enabled = false\n"
    )
    return config


@contextmanager
def influxd(
    folder: Path, port: int | None = None, max_body: int = 25_000_000, max_rows: int = 0
) -> Iterator[str]:
    """Debian's InfluxDB 1.6.7; its URL. ``max_body``: bytes of one write; more is refused (413).
    ``max_rows``: longer answers are cut short; 0: none is."""
    port = port or free_port()
    config = influxd_config(folder, port, max_body, max_rows)
    command = [str(require("influxd")), "-config", str(config)]
    with running(command, port, folder / "influxd.log"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[str]:
    """Answers the 2.x write call; knows neither InfluxQL nor deletion of a span."""
    port = free_port()
    command = [
        str(require("victoria-metrics")),
        f"-storageDataPath={folder}/vm",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y",
    ]
    with running(command, port, folder / "vm.log"):
        yield f"http://127.0.0.1:{port}"


def get_json(url: str, path: str, **fields: str) -> Any:
    with urllib.request.urlopen(  # noqa: S310 - our own server
        f"{url}{path}?{urllib.parse.urlencode(fields)}", timeout=30
    ) as answer:
        return msgspec.json.decode(answer.read())


def influxql(url: str, query: str, database: str = "coldtrail") -> list[dict[str, Any]]:
    """The first statement's series; empty when nothing matches."""
    answer = get_json(url, "/query", db=database, q=query, epoch="ms")
    series: list[dict[str, Any]] = answer["results"][0].get("series", [])
    return series
