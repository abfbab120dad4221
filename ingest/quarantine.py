"""Quarantine from the command line: what is held, and once more to the checks.

The running ingest is the only writer, so a retry is a wish left in a folder beside the
readings, which ingest looks into; when it does not run, the retry is done here.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from ingest.consume import Consumer
from ingest.keys import read_gateways
from ingest.settings import Settings
from store.connect import open_readings
from store.errors import AlreadyOpen
from store.ports import Quarantined, ReadingStore

WISHES = ".retry"  # folder beside readings.db, one empty file an id
MOST = 1 << 63  # no number of SQLite's is larger


def listed(readings_path: str, after_id: int = 0, limit: int = 100) -> list[Quarantined]:
    reader = open_readings(readings_path, write=False)
    try:
        return reader.quarantined(after_id, limit)
    finally:
        reader.close()


def show(readings_path: str, id_: int) -> Quarantined | None:
    found = listed(readings_path, id_ - 1, 1)
    return found[0] if found and found[0].id == id_ else None


def retry(
    settings: Settings, ids: Sequence[int], now_ms: Callable[[], int]
) -> dict[int, str | None]:
    """Why each was not stored, None for stored; empty when the running ingest will do it
    within a second (``listed`` then shows the state ``retried``)."""
    try:
        store = open_readings(
            settings.readings_path,
            write=True,
            floor_days=settings.floor_days,
            quarantine_bytes_per_source=settings.quarantine_bytes_per_source,
        )
    except AlreadyOpen:
        folder = wishes(settings.readings_path)
        folder.mkdir(exist_ok=True)
        for id_ in ids:
            (folder / str(id_)).touch()
        return {}
    try:
        consumer = Consumer(store, read_gateways(settings.gateways), lambda _t, _p: None, now_ms)
        return {id_: _again(store, consumer, id_) for id_ in ids}
    finally:
        store.close()


def wishes(readings_path: str) -> Path:
    path = Path(readings_path)
    return path.with_name(path.name + WISHES)


def fulfil(folder: Path, store: ReadingStore, consumer: Consumer) -> dict[int, str | None]:
    """The wishes left since the last look, each done once."""
    done: dict[int, str | None] = {}
    if not folder.is_dir():
        return done
    for wish in sorted(folder.iterdir()):
        if wish.name.isdecimal():
            done[int(wish.name)] = _again(store, consumer, int(wish.name))
        wish.unlink()
    return done


def _again(store: ReadingStore, consumer: Consumer, id_: int) -> str | None:
    found = store.quarantined(id_ - 1, 1) if id_ < MOST else []
    if not found or found[0].id != id_:
        return "there is no such item"
    if found[0].state != "held":
        return "was retried already"
    return consumer.retry(found[0])
