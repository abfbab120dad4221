"""What reads bytes from outside, each with messages to begin from and what must hold.

A target takes one damaged message and returns in a word what became of it. It raises
``Broken`` when a promise does not hold; any other exception is a crash.
"""

import json
import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from domain.reading import Columns, ProbeId, Series
from gateway import outbox
from gateway.receive import Admission, Message
from ingest.admit import Admitted, Gateway, admit, date, keep_rows
from store.ports import Undated
from tests.fuzz.mutate import as_json, damaged, damaged_json
from tests.support.sparkplug import metric, payload
from wire import (
    config_v1,
    events_v1,
    hello_v1,
    receipt_v1,
    status_v1,
    tombstone_v1,
    topics,
    undated_v1,
)
from wire.batch_v1 import Clock, Header, digest, pack_readings, seal_batch

NOW = 1_780_000_000_000
KEY = bytes(range(32))
EUI = "24e124136d351234"
GOOD = {"n": "neighbour:temperature", "u": "Cel", "v": 4.2}

Target = Callable[[random.Random], str]


class Broken(Exception):
    """A promise did not hold."""


JSON_MESSAGES: Sequence[tuple[str, Any]] = (
    ("devices/a/readings", [{"bn": "urn:dev:mac:0024befffe804ff1:", "bt": NOW / 1000, "bver": 5},
                            {"n": "temperature", "u": "Cel", "v": 4.1, "t": -60},
                            {"n": "door", "vb": True}, {"n": "humidity", "u": "%RH", "v": 91}]),
    ("devices/a/readings", {"temperature": 4.2, "humidity": 91, "door": True, "battery": 77}),
    ("zigbee2mqtt/0x00158d0001a2b3c4", {"battery": 91, "humidity": 60.14, "temperature": 21.95,
     "voltage": 2985, "contact": False, "last_seen": "2026-05-28T08:00:00.000Z",
     "device": {"ieeeAddr": "0x00158d0001a2b3c4"}, "temperature_l1": 4}),
    ("shellyhtg3-84fce63ad204/events/rpc", {"src": "shellyhtg3-84fce63ad204",
     "method": "NotifyFullStatus", "params": {"ts": NOW / 1000, "temperature:0": {"tC": 4.3},
     "humidity:0": {"rh": 80}, "devicepower:0": {"battery": {"V": 5.9, "percent": 98}},
     "events": [{"event": "shelly-blu", "ts": NOW / 1000, "data": {"temperature": 4.6,
     "address": "60:ef:ab:42:ed:25", "window": 1, "rssi": -55}}]}}),
    ("shellyhtg3-84fce63ad204/status/temperature:0", {"id": 0, "tC": 22.1, "tF": 71.8}),
    ("tele/store7/SENSOR", {"Time": "2026-05-28T08:00:00", "TempUnit": "F",
     "AM2301": {"Temperature": 39, "Humidity": 88}, "ENERGY": {"Power": 162},
     "DS18B20": {"Id": "01131B123456", "Temperature": -18.1}}),
    (f"application/5f2f/device/{EUI}/event/up", {"time": "2026-05-28T08:00:00.775023242+00:00",
     "deviceInfo": {"devEui": EUI}, "object": {"temperature": 25.6, "magnet_status": "open",
     "history": [{"timestamp": NOW // 1000 - 600, "temperature": 3}], "temperature_chn1": 4,
     "temperatureSensor": {"3": 27.2}}, "rxInfo": [{"rssi": -93}, {"rssi": -71}]}),
    ("ruuvi/C8:25:2D:8E:9C:2C/CB:B8:33:4C:88:4F", {"rssi": -62, "ts": "1779955200",
     "data": "0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"}),
    ("ruuvi/C8:25:2D:8E:9C:2C/CB:B8:33:4C:88:4F", {"ts": 1779955200, "dataFormat": 5,
     "temperature": 4.31, "humidity": 80.2, "voltage": 2.9}),
)  # fmt: skip
BIRTH = payload(
    metric("Room/Temperature", 1, at_ms=NOW, datatype=9, real=4.1, unit="°C"),
    metric("Freezer/Temperature", 2, datatype=2, integer=(1 << 16) - 18),
    metric("Door", 3, datatype=11, truth=False),
    metric("Humidity", 4, datatype=10, double=80.5),
    at_ms=NOW,
)
RAW_MESSAGES: Sequence[tuple[str, bytes]] = (
    *((topic, as_json(content)) for topic, content in JSON_MESSAGES),
    ("store7/sensor/evaporator_temperature/state", b"-24.31"),
    ("store7/binary_sensor/door/state", b"ON"),
    ("spBv1.0/coop/DBIRTH/plc1/store7", BIRTH),
    ("spBv1.0/coop/DDATA/plc1/store7", payload(metric(alias=1, real=4.6), at_ms=NOW)),
    ("spBv1.0/coop/NDATA/plc1", payload(metric("Temperature", long=5, datatype=4), at_ms=NOW)),
)
_RAW = [raw for _, raw in RAW_MESSAGES]
_TOPICS = [topic for topic, _ in RAW_MESSAGES]


class Devices:
    """A gateway's admission, fed with one message after the other as it would be."""

    def __init__(self) -> None:
        self._admission = Admission("gw-1")

    def message(self, rng: random.Random) -> str:
        """Damaged on any topic; the next, good message is kept whatever came before it."""
        if rng.random() < 0.5:
            topic, content = rng.choice(JSON_MESSAGES)
            raw = as_json(damaged_json(content, rng))
        else:
            topic, raw = rng.choice(RAW_MESSAGES)
            raw = damaged(raw, _RAW, rng)
        if rng.random() < 0.05:
            topic = rng.choice(_TOPICS)
        if rng.random() < 0.05:
            topic = damaged(topic.encode(), [t.encode() for t in _TOPICS], rng).decode(
                "utf-8", "replace"
            )
        rows, unfit = self._admit(topic, raw, trusted=rng.random() < 0.8)
        if rng.random() < 0.05:
            kept, none = self._admit("devices/after/readings", b'{"temperature": 4.2}')
            if len(kept) != 1 or none is not None:
                raise Broken("the message after it was not kept")
        if unfit is None:
            return "stored" if rows else "silent"
        return "stored in part" if rows else "quarantined"

    def neighbour(self, rng: random.Random) -> str:
        """A damaged record beside two good ones, in one SenML pack."""
        record = damaged_json({"n": "humidity", "u": "%RH", "v": 91, "t": -5}, rng)
        fields = record if isinstance(record, dict) else {}
        pack = [GOOD, record, GOOD | {"t": -1}]
        rows, unfit = self._admit("devices/a/readings", as_json(pack))
        whole = any(name.endswith("_") for name in fields)  # must be understood: RFC 8428, 4.4
        good = sum(row.series.probe.endswith("neighbour") for row in rows)
        if good != 2 and not (whole and unfit is not None) and not _breaks_the_json(record):
            raise Broken(f"{good} of 2 neighbours kept beside {record!r}")
        return "quarantined" if unfit else "stored"

    def _admit(self, topic: str, raw: bytes, *, trusted: bool = True) -> tuple[list[Any], Any]:
        message = Message(topic, raw, 1, 1, False, False, 1)
        rows, unfit = self._admission.admit(message, NOW, trusted)
        self._admission.learnt.clear()
        for kept in (rows, self._admission.undated):
            for part in outbox._portions(sorted(set(kept), key=outbox._by_time)):
                pack_readings(outbox._columns(part))  # as it will be kept
        rows += self._admission.undated
        self._admission.undated.clear()
        if unfit is not None:
            f"{unfit.topic}{unfit.reason}".encode()
        return rows, unfit


def _breaks_the_json(record: Any) -> bool:
    """A lone surrogate is no UTF-8, so that the whole message cannot be read."""
    return (
        b"\xed\xa0\x80" in as_json(record)
        or b"9" * 10 in as_json(record)
        or len(str(record)) > 4_000
    )


def _columns(rng: random.Random, n: int) -> list[tuple[Series, Columns]]:
    found = []
    for quantity in rng.sample(("temperature", "humidity", "door", "mood", "x" * 60), 2):
        columns = Columns()
        for i in range(n):
            columns.at_ms.append(NOW - rng.choice((1, 60_000, -3_600_000, 10**9)) - i)
            columns.count.append(rng.choice((420, -(1 << 31), (1 << 31) - 1)))
            columns.quality.append(rng.choice((0, 0, 1, 255)))
        found.append((Series(ProbeId(rng.choice(("p", "x" * 150, "\0"))), quantity), columns))
    return found


GATEWAYS = {"gw-1": Gateway("gw-1", 7, {"k1": KEY})}
TOPIC = topics.batch(7, "gw-1", "live")
HEADER = Header(1, "readings", "gw-1", "k1", "e" * 16, 1, b"", NOW, Clock(trusted=True))


def batch(rng: random.Random) -> str:
    """With a genuine tag over a damaged body or header as well: a gateway may be mad."""
    n = rng.choice((1, 1, 5))
    body = pack_readings(_columns(rng, n))
    kind = rng.choice(("readings", "readings", "readings", "tombstone", "event", "seal", "undated"))
    header = Header(1, kind, "gw-1", "k1", "e" * 16, rng.choice((1, 2, 1 << 40)), b"", NOW,
                    Clock(trusted=rng.random() < 0.9))  # fmt: skip
    how = rng.randrange(4)
    if how == 0:
        body = damaged(body, [b"\x93\xc4", body], rng)
    raw = seal_batch(header, body, KEY)
    if how == 1:
        raw = damaged(raw, [raw], rng)
    outcome = admit(TOPIC, raw, GATEWAYS)
    if not isinstance(outcome, Admitted):
        if how > 1 and kind == "readings" and header.seq < 1 << 40:
            raise Broken(f"an undamaged batch was rejected: {outcome}")
        return "rejected"
    if how > 1 and kind == "readings":
        kept = sum(len(columns) for _, columns in outcome.batch.rows)
        if kept + len(outcome.bad) != 2 * n:
            raise Broken(f"of {2 * n} rows {kept} were kept and {len(outcome.bad)} named")
    if outcome.batch.digest != digest(raw):
        raise Broken("another digest than that of the bytes")
    return "admitted in part" if outcome.bad else "admitted"


def undated(rng: random.Random) -> str:
    """Readings whose instant is not known yet, dated by whatever offset their boot is said to
    have: each is admitted or named, however far that leads."""
    n = rng.choice((1, 1, 5))
    since_ms = rng.choice((0, 1_000, 10**10, NOW))
    for _, columns in (rows := _columns(rng, n)):
        columns.at_ms[:] = array("q", [since_ms + i for i in range(n)])
    boot = rng.choice(("b1", "b" * 64, "", "\0", "b" * 65))
    body = undated_v1.encode(undated_v1.Undated(boot, rng.choice((None, NOW, -1, 1 << 60)), rows))
    whole = rng.random() < 0.4
    if not whole:
        body = damaged(body, [body, pack_readings(rows)], rng)
    offset = rng.choice((None, 0, NOW, -NOW, 1 << 53, -(1 << 62)))
    header = Header(1, "undated", "gw-1", "k1", "e" * 16, 1, b"", NOW, Clock(False, offset, boot))
    outcome = admit(TOPIC, seal_batch(header, body, KEY), GATEWAYS)
    if not isinstance(outcome, Admitted):
        return "rejected"
    batch = outcome.batch
    read = undated_v1.decode(batch.note)
    named = sum(len(columns) for _, columns in read.rows)
    if batch.undated != read.boot or (whole and named != 2 * n):
        raise Broken("another boot, or other readings, than what was sent")
    for given in (batch.offset_ms, rng.randint(-(1 << 53) + 1, (1 << 53) - 1)):
        dated = date(Undated(batch.id, batch.undated, given, NOW, NOW, batch.note))
        kept = sum(len(columns) for _, columns in dated.batch.rows)
        if kept + len(dated.bad) != named:
            raise Broken(f"of {named} rows {kept} were kept and {len(dated.bad)} named")
        if dated.bad:
            keep_rows(dated)
    return "admitted"


TOMBSTONE = tombstone_v1.encode(
    tombstone_v1.Tombstone("e" * 16, 3, (bytes(32), bytes(32)), 7, NOW - 10, NOW, "full")
)
EVENTS = events_v1.encode(
    [
        events_v1.ClockSet("k1", NOW, -5_000),
        events_v1.Acked("k2", NOW, "r1", "page"),
        events_v1.Told("k3", NOW, "u1", "+8613800000001", "raise", "r1", ("CRIT_HIGH",),
                       (events_v1.About("r1", "CRIT_HIGH", "critical", 1, 2, None, 800),), "热"),
    ]
)  # fmt: skip


def note(rng: random.Random) -> str:
    """A tombstone or events: what ingest lets in, those who follow it can read or refuse."""
    kind = rng.choice(("tombstone", "event"))
    if kind == "event":
        body = _either(EVENTS, rng)
    else:
        body = TOMBSTONE if rng.random() < 0.2 else damaged(TOMBSTONE, [TOMBSTONE, EVENTS], rng)
    header = Header(1, kind, "gw-1", "k1", "e" * 16, 1, b"", NOW, Clock(trusted=True))
    outcome = admit(TOPIC, seal_batch(header, body, KEY), GATEWAYS)
    if not isinstance(outcome, Admitted):
        return "rejected"
    if kind == "tombstone":
        tombstone_v1.decode(outcome.batch.note)
        return "admitted"
    try:
        _can_be_held(msgspec.to_builtins(events_v1.decode(outcome.batch.note)))
    except events_v1.BadEvents:
        return "unreadable events"
    return "admitted"


def _can_be_held(said: Any) -> None:
    """Every number of it, by SQLite and as a float."""
    for one in said.values() if isinstance(said, dict) else said:
        if isinstance(one, dict | list | tuple):
            _can_be_held(one)
        elif isinstance(one, int) and abs(one) >= 1 << 63:
            raise Broken(f"nobody can hold {one}")


RECEIPT = receipt_v1.encode(
    receipt_v1.Receipt(
        "s1", 9, {"e" * 16: (3, [(5, 6)])}, [("e" * 16, 4, "wrong tag")], digests=["0" * 32]
    ),
    KEY,
)


def receipt(rng: random.Random) -> str:
    """With a genuine mac over damaged content as well."""
    raw = damaged(RECEIPT, [RECEIPT], rng)
    if rng.random() < 0.7:
        said = json.loads(RECEIPT)
        del said["mac"]
        said = as_json(damaged_json(said, rng))[:-1]
        if rng.random() < 0.3:
            said = damaged(said, [RECEIPT], rng)
        raw = said + b',"mac":"' + receipt_v1._mac(said, KEY) + b'"}'
    try:
        read = receipt_v1.decode(raw, KEY)
    except receipt_v1.BadReceipt:
        return "refused"
    for refusal in read.refusals():
        refusal.is_about(raw)
    return "read"


STATUS = status_v1.encode(status_v1.Status("online", "e" * 16, "0.1.0"))
HELLO = hello_v1.encode(hello_v1.Hello("s1", NOW))
CONFIG = config_v1.encode(
    config_v1.Config(1, "gw-1", "s1", 5, NOW, (config_v1.Site("v1", "village-point", "村", "V"),), (
        config_v1.Room("r1", "v1", "chilled", "库", "R", (config_v1.Probe("p", 0),),
            (config_v1.RuleVersion(1, 0, "SB", ("strawberry",), 300, {}),),
            (config_v1.Action(NOW, "loading_started", "u1", {}),),
            (config_v1.Contact("u1", "operator", "+8613800000001"),)),)),
    lambda _message: bytes(64),
)  # fmt: skip


def status(rng: random.Random) -> str:
    try:
        _can_be_held(msgspec.to_builtins(status_v1.decode(_either(STATUS, rng))))
    except status_v1.BadStatus:
        return "refused"
    return "read"


def hello(rng: random.Random) -> str:
    try:
        hello_v1.decode(_either(HELLO, rng))
    except hello_v1.BadHello:
        return "refused"
    return "read"


def config(rng: random.Random) -> str:
    """Signed, whatever it says: what a server with a fault would sign."""
    raw = damaged(CONFIG, [CONFIG], rng)
    if rng.random() < 0.7:
        said = json.loads(CONFIG)
        del said["sig"]
        raw = as_json(damaged_json(said, rng))[:-1] + b',"sig":"' + b"0" * 128 + b'"}'
    try:
        config_v1.decode(raw, lambda _signature, _message: True)
    except config_v1.BadConfig:
        return "refused"
    return "read"


def _either(raw: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return damaged(raw, [raw], rng)
    return as_json(damaged_json(json.loads(raw), rng))


@dataclass(frozen=True, slots=True)
class Weighted:
    name: str
    target: Target
    weight: int


def all_targets() -> list[Weighted]:
    devices = Devices()
    return [
        Weighted("device message", devices.message, 50),
        Weighted("record among neighbours", devices.neighbour, 10),
        Weighted("batch", batch, 20),
        Weighted("receipt", receipt, 8),
        Weighted("status", status, 4),
        Weighted("hello", hello, 2),
        Weighted("config", config, 6),
        Weighted("undated batch", undated, 8),
        Weighted("tombstone or events", note, 4),
    ]
