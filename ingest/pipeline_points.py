"""The pipeline's own health as points: what was received and stored, who lags, which gateway
is silent or filling up.

Measurement ``pipeline`` has the totals of the store; ``gateway`` has what each one last said
of itself, with the seconds since it was heard.
"""

from collections.abc import Mapping

import msgspec

from domain.reading import GatewayId
from ingest.line_protocol import tag

PIPELINE = "pipeline"
GATEWAY = "gateway"


class Backlog(msgspec.Struct, frozen=True):
    batches: int = 0
    readings: int = 0
    bytes: int = 0


class Said(msgspec.Struct, frozen=True):
    """The part of a gateway's status that is drawn; the rest is left as it is."""

    state: str = ""
    backlog: Backlog = Backlog()
    full_in_h: float | None = None
    quarantined: int = 0
    refused: int = 0


_said = msgspec.json.Decoder(Said)


def points(
    totals: Mapping[str, int],
    behind: Mapping[str, int],
    statuses: Mapping[GatewayId, tuple[bytes, int]],
    now_ms: int,
) -> list[str]:
    """``behind``: follower to the arrivals it has yet to read."""
    counts = {**totals, **{f"{name}_behind": n for name, n in behind.items()}}
    found = [f"{PIPELINE} {','.join(f'{k}={v}i' for k, v in counts.items())} {now_ms}"]
    for gateway, (body, received_at_ms) in sorted(statuses.items()):
        try:
            said = _said.decode(body)
        except msgspec.DecodeError:
            continue  # another version's words; its silence on the chart is noticed
        fields = {
            "online": f"{int(said.state == 'online')}i",
            "heard_age_s": repr(max(now_ms - received_at_ms, 0) / 1000),
            "backlog_batches": f"{said.backlog.batches}i",
            "backlog_readings": f"{said.backlog.readings}i",
            "backlog_bytes": f"{said.backlog.bytes}i",
            "quarantined": f"{said.quarantined}i",
            "refused": f"{said.refused}i",
        }
        if said.full_in_h is not None:
            fields["full_in_h"] = repr(float(said.full_in_h))
        written = ",".join(f"{k}={v}" for k, v in fields.items())
        found.append(f"{GATEWAY},gateway={tag(gateway)} {written} {now_ms}")
    return found
