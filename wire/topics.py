"""Names of topics between gateway and server: built, parsed, and as filters.

A gateway publishes only its own ``batch/+`` and ``status``, and reads only its own
``receipt`` and ``config``, and ``hello``; the broker's access list is made of the same names.
"""

import re
from dataclasses import dataclass
from typing import Literal, cast

Lane = Literal["live", "backlog"]
Kind = Literal["batch", "status", "receipt", "config"]

PARTITIONS = 64
HELLO = "ct/v1/hello"
STATUSES = "ct/v1/+/+/status"

# A gateway's id is also a file name and part of a subject: no dots, spaces, wildcards.
_GATEWAY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TOPIC = re.compile(
    rf"ct/v1/(?P<partition>0|[1-9][0-9]?)/(?P<gateway>{_GATEWAY.pattern})/"
    r"(?:batch/(?P<lane>live|backlog)|(?P<kind>status|receipt|config))"
)


@dataclass(frozen=True, slots=True)
class Topic:
    """``lane`` is set for batches alone."""

    partition: int
    gateway: str
    kind: Kind
    lane: Lane | None = None


def BATCHES(lane: Lane) -> str:
    """The filter for every gateway's batches on one lane."""
    return f"ct/v1/+/+/batch/{lane}"


def batch(partition: int, gateway: str, lane: Lane) -> str:
    return f"{_prefix(partition, gateway)}/batch/{lane}"


def status(partition: int, gateway: str) -> str:
    return f"{_prefix(partition, gateway)}/status"


def receipt(partition: int, gateway: str) -> str:
    return f"{_prefix(partition, gateway)}/receipt"


def config(partition: int, gateway: str) -> str:
    return f"{_prefix(partition, gateway)}/config"


def parse(topic: str) -> Topic | None:
    """What the topic names, or None when it is none of ours."""
    match = _TOPIC.fullmatch(topic)
    if match is None or int(match["partition"]) >= PARTITIONS:
        return None
    partition, gateway = int(match["partition"]), match["gateway"]
    if match["lane"] is not None:
        return Topic(partition, gateway, "batch", cast(Lane, match["lane"]))
    return Topic(partition, gateway, cast(Kind, match["kind"]))


def _prefix(partition: int, gateway: str) -> str:
    if not 0 <= partition < PARTITIONS:
        raise ValueError(f"partition {partition} is not in 0 … {PARTITIONS - 1}")
    if _GATEWAY.fullmatch(gateway) is None:
        raise ValueError(f"{gateway!r} cannot be a gateway's id")
    return f"ct/v1/{partition}/{gateway}"
