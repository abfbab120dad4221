"""A pack as the bytes that a device sends: SenML in JSON (RFC 8428).

The base fields stand in the first record, which has a value too. Times are relative to the
base time, so that a day of memory stays short. A device without a clock sends no time.
"""

import json

from firmware_sim.device import Pack
from firmware_sim.scenario import UNITS


def encode(pack: Pack, start_ms: int) -> bytes:
    """``start_ms``: what the devices' seconds count from, in milliseconds UTC."""
    stamps = [r.device_s for r in pack.readings if r.device_s is not None]
    base_ms = stamp_ms(start_ms, min(stamps)) // 1000 * 1000 if stamps else None
    records: list[dict[str, str | float | int]] = []
    for reading in pack.readings:
        record: dict[str, str | float | int] = {}
        if not records:
            record["bn"] = ""
            if base_ms is not None:
                record["bt"] = base_ms // 1000
        record |= {"n": reading.quantity, "u": UNITS[reading.quantity], "v": _short(reading.value)}
        if base_ms is not None and reading.device_s is not None:
            record["t"] = _short((stamp_ms(start_ms, reading.device_s) - base_ms) / 1000)
        records.append(record)
    return json.dumps(records, separators=(",", ":")).encode()


def stamp_ms(start_ms: int, device_s: float) -> int:
    return start_ms + round(device_s * 1000)


def _short(value: float) -> float | int:
    return int(value) if value == int(value) else value
