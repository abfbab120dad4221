"""Everything in quarantine, at the server and at the gateways of this folder, under one name each.

``12`` is held at the server; ``gw1/7`` is held at the gateway gw1, whose decoders did not
understand it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import gateway.quarantine
import ingest.quarantine
from coldtrail.settings import Installation


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

    Raises ``store.connect.NotReady`` where no server has run yet."""
    path = installation.ingest_settings().readings_path
    for q in ingest.quarantine.listed(path, after, limit):
        yield Held(str(q.id), q.state, q.source, q.topic, q.reason, q.payload)
    for edge in installation.edges():
        outbox = installation.gateway_settings(edge).outbox_path
        for g in gateway.quarantine.listed(outbox, after, limit):
            name = f"{edge.gateway.id}/{g.id}"
            yield Held(name, "held", edge.gateway.id, g.topic, g.reason, g.payload)


def find(installation: Installation, name: str) -> Held | None:
    number = name.rpartition("/")[2]
    if not number.isdecimal():
        return None
    after = int(number) - 1
    return next((held for held in listed(installation, after, 1) if held.name == name), None)
