"""What the demo sent against what the store holds, reading by reading."""

from dataclasses import dataclass

from coldtrail.demo_probes import GatewayProbes
from coldtrail.settings import Installation
from domain.reading import Series
from store.connect import open_readings
from store.ports import ReadingReader


@dataclass(frozen=True, slots=True)
class Balance:
    """By comparing every key. ``extra``: rows of the probes' series that nobody sent."""

    sent: int
    stored: int
    lost: int
    doubled: int
    unacknowledged: int

    def line(self) -> str:
        waiting = f", {self.unacknowledged} not acknowledged" if self.unacknowledged else ""
        return (
            f"balance: sent {self.sent:,}, stored {self.stored:,}, "
            f"lost {self.lost}, doubled {self.doubled}{waiting}"
        )


def compare(installation: Installation, probes: list[GatewayProbes]) -> Balance:
    """Each key that was sent against each row of the same series in the store."""
    sent = stored = lost = extra = 0
    reader = open_readings(installation.server / "readings.db", write=False)
    try:
        for one in probes:
            for series, keys in one.account.keys.items():
                said = set(keys)
                found = set(_stored_keys(reader, series, min(said)))
                sent += len(said)
                stored += len(found)
                lost += len(said - found)
                extra += len(found - said)
        conflicts = reader.totals()["conflicts"]
    finally:
        reader.close()
    waiting = sum(one.balance().waiting for one in probes)
    unsaid = min(lost, waiting and lost)
    return Balance(sent - unsaid, stored, lost - unsaid, extra + conflicts, unsaid)


def _stored_keys(reader: ReadingReader, series: Series, from_ms: int) -> list[int]:
    return list(reader.between(series, from_ms, 1 << 62).at_ms)
