"""A further gateway in a folder: its table in ``coldtrail.toml`` and its keys on both sides."""

from pathlib import Path

import msgspec

from coldtrail import mosquitto, settings
from coldtrail.init import NewGateway, edge_keys, gateway_toml, partition
from coldtrail.settings import FILE, Edge, Wrong, plain
from disk.whole import write_whole


class Taken(Exception):
    """The folder has that gateway already, with its keys."""


def add(folder: Path, id: str, at_partition: int | None = None) -> Edge:
    """Keys first, then the table, in one replacement of the file: what a crash leaves half done
    is completed by doing it again. A table that somebody wrote by hand gets its keys.

    ``Taken`` or ``settings.Wrong``. What runs goes on as it was until it is started again.
    """
    installation = settings.load(folder)
    edge = next((e for e in installation.edges() if e.gateway.id == id), None)
    raw = b""
    if edge is None:
        at = partition(id) if at_partition is None else at_partition
        try:
            msgspec.convert({"id": id, "partition": at}, settings.Gateway)
        except msgspec.ValidationError as error:
            raise Wrong(f"gateway {id[:80]!r}: {plain(error)}") from error
        path = installation.folder / FILE
        text = path.read_text(encoding="utf-8").rstrip("\n")
        raw = f"{text}\n{gateway_toml(NewGateway(id), first=False, at=at)}".encode()
        edge = settings.understand(installation.folder, raw).edges()[-1]
    elif at_partition not in (None, edge.gateway.partition):
        raise Wrong(f"gateway {id} is in partition {edge.gateway.partition}: it keeps that")
    elif edge.gateway.id not in {e.gateway.id for e in installation.keyless()}:
        raise Taken(f"gateway {id} is there already, with its keys")
    edge_keys(installation, edge)
    if raw:
        path = installation.folder / FILE
        write_whole(path, raw, mode=path.stat().st_mode & 0o777)
    mosquitto.write_files(settings.load(folder))
    return edge
