"""How far the InfluxDB follower has come, in a file that is whole at every instant."""

from pathlib import Path

import msgspec

from disk.whole import write_whole
from ingest.placement import Placement


class Cursor(msgspec.Struct, frozen=True):
    """Everything up to arrival ``n``, change ``m`` and fact version ``facts_seq`` has landed,
    with the tags that ``placement`` gives. Beside it, of what was sent so far: lines that were
    refused, and points that are older than the server keeps."""

    store: str = ""
    n: int = 0
    m: int = -1
    facts_seq: int = 0
    placement: Placement = {}
    refused: int = 0
    outside: int = 0


def load(path: Path) -> Cursor:
    """A follower without a file starts from the beginning."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Cursor)
    except FileNotFoundError:
        return Cursor()


def save(path: Path, cursor: Cursor) -> None:
    write_whole(path, msgspec.json.encode(cursor))
