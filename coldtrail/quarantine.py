"""Everything in quarantine, at the server and at the gateways of this folder, under one name each.

``12`` is held at the server; ``gw1/7`` is held at the gateway gw1, whose decoders did not
understand it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apsw

import ingest.quarantine
from coldtrail.settings import Installation
from gateway import quarantine as gateway_quarantine
from store.errors import NotReady

LONGEST = 18  # digits; SQLite's numbers end above


@dataclass(frozen=True, slots=True)
class Held:
    name: str
    state: str  # held | retried
    source: str
    topic: str
    reason: str
    payload: bytes


def listed(installation: Installation, after: int, limit: int) -> Iterator[Held]:
    """The server's first, then each gateway's, oldest first; ``limit`` and ``after`` for each.

    Raises ``NotReady`` where no server has run yet, or a file cannot be read."""
    path = installation.ingest_settings().readings_path
    server = not installation.file.network.server_elsewhere
    for q in ingest.quarantine.listed(path, after, limit) if server else ():
        yield Held(str(q.id), q.state, q.source, q.topic, q.reason, q.payload)
    for edge in installation.here():
        outbox = installation.gateway_settings(edge).outbox_path
        try:
            held = gateway_quarantine.listed(outbox, after, limit)
        except apsw.Error as error:
            raise NotReady(f"{outbox}: {error}") from error
        for g in held:
            name = f"{edge.gateway.id}/{g.id}"
            yield Held(name, "held", edge.gateway.id, g.topic, g.reason, g.payload)


def find(installation: Installation, name: str) -> Held | None:
    number = name.rpartition("/")[2]
    if not _is_number(number):
        return None
    after = int(number) - 1
    return next((held for held in listed(installation, after, 1) if held.name == name), None)


def retry(
    installation: Installation, names: Sequence[str]
) -> tuple[dict[int, str | None], list[str]]:
    """(why each of the server's was not stored, None for stored; roles that will do it
    themselves when they run). ``ValueError`` for a name that cannot be."""
    at_server: list[int] = []
    at_gateway: dict[str, list[int]] = {}
    edges = {edge.gateway.id: edge for edge in installation.here()}
    for name in names:
        gateway, _, number = name.rpartition("/")
        if not _is_number(number) or (gateway and gateway not in edges):
            raise ValueError(f"there is no message {name[:80]}")
        if gateway:
            at_gateway.setdefault(gateway, []).append(int(number))
        else:
            at_server.append(int(number))
    left = []
    for gateway, ids in at_gateway.items():
        outbox = installation.gateway_settings(edges[gateway]).outbox_path
        gateway_quarantine.wish(outbox, ids)
        left.append(edges[gateway].role)
    if not at_server:
        return {}, left
    outcome = ingest.quarantine.retry(
        installation.ingest_settings(), at_server, installation.now_ms()
    )
    return outcome, left if outcome else [*left, "ingest"]


def _is_number(text: str) -> bool:
    """One that an item can have."""
    return text.isdecimal() and len(text) <= LONGEST
