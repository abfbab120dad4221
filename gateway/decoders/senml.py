"""SenML from a device: the last segment of a name is the quantity, the rest names the probe.

``urn:dev:mac:0024befffe804ff1:temperature`` is the device's own id and is kept as it said
it; any other prefix is unique only behind this gateway and this topic.
"""

import re

from gateway.decoders.reading import Decoded, DeviceReading, NotMine, OtherTopic, Unusable, count_of
from wire import senml

_MAC = re.compile(r"urn:dev:mac:([0-9A-Fa-f:]{12,23})")


def decode(topic: str, payload: bytes, received_at_ms: int) -> Decoded:
    device = device_of(topic)
    try:
        pack = senml.parse(payload)
    except senml.BadPack as error:
        raise NotMine(error.reason) from error
    decoded: Decoded = [Unusable(f"record {p.index}: {p.reason}") for p in pack.problems]
    for record in pack.records:
        prefix, quantity = _split(record.name)
        count = count_of(quantity, record.value, record.unit)
        if isinstance(count, Unusable):
            decoded.append(Unusable(f"record {record.index}: {count.reason}"))
            continue
        probe, own_id = _probe(device, prefix)
        at_ms, timed = _time(record, received_at_ms)
        decoded.append(DeviceReading(probe, own_id, quantity, count, at_ms, timed))
    return decoded


def device_of(topic: str) -> str:
    """The device's name in ``devices/{name}/readings``."""
    levels = topic.split("/")
    if len(levels) < 3 or levels[0] != "devices" or levels[-1] != "readings":
        raise OtherTopic
    name = "/".join(levels[1:-1])
    if not 0 < len(name) <= 96:
        raise NotMine("a device's name is missing or too long")
    return name


def _time(record: senml.Record, received_at_ms: int) -> tuple[int, bool]:
    if record.at_ms is not None:
        return record.at_ms, True
    return received_at_ms + (record.relative_ms or 0), False


def _split(name: str) -> tuple[str, str]:
    """(what stands before the last ':' or '/', what stands after it)."""
    cut = max(name.rfind(":"), name.rfind("/"))
    return name[: max(cut, 0)], name[cut + 1 :]


def _probe(device: str, prefix: str) -> tuple[str, bool]:
    mac = _MAC.fullmatch(prefix)
    if mac is not None:
        return f"mac:{mac[1]}", True
    return (f"{device}/{prefix}" if prefix else device), False
