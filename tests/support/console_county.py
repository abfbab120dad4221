"""A small county with something to see on every page, in real stores, judged by the real rules.

Readings are straight lines between given points, five minutes apart. Alarms, notices,
stays and certificates are made by the roles' own code; nothing is written past them.
"""

import secrets
import threading
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import alerts.service
import traceability.service
from alerts.settings import Settings as AlertsSettings
from api.settings import Settings
from domain.quantity import QUANTITIES
from domain.reading import Columns, GatewayId, LotId, PersonId, ProbeId, RoomId, Series, SiteId
from store.connect import open_readings
from store.errors import NotReady
from store.facts import open_facts_reader
from store.notices import open_notices_reader
from store.ports import AdmittedBatch, BatchId
from store.records import SqlRecords, open_records, open_records_reader
from store.records.ports import Duty, Lot, Person, Region, Room, Site
from tests.support.servers import wait_until
from traceability.epcis import Move, to_event
from traceability.reader import open_trace_reader
from traceability.settings import Settings as TraceSettings
from wire.status_v1 import Clock, Config, Status, encode
from wire.tombstone_v1 import Tombstone
from wire.tombstone_v1 import encode as encode_tombstone

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
NOW_MS = 1_780_380_000_000  # 2026-06-02T06:00:00Z: 14:00 where the county lies
STEP_MS = 5 * MINUTE_MS
BASE_URL = "https://cold.example"
TOKEN = "a-token-of-the-administrator"  # noqa: S105 - of a test
CODE = "k7m2p9qr4tvx"

Points = Sequence[tuple[float, float]]  # (hours before now, value), oldest first


def line(points: Points, *, step_ms: int = STEP_MS) -> list[tuple[int, float]]:
    """Samples on straight lines between the points."""
    found: list[tuple[int, float]] = []
    for (a_h, a), (b_h, b) in pairwise(points):
        start_ms, end_ms = NOW_MS - int(a_h * HOUR_MS), NOW_MS - int(b_h * HOUR_MS)
        for at_ms in range(start_ms, end_ms, step_ms):
            share = (at_ms - start_ms) / (end_ms - start_ms)
            found.append((at_ms, a + (b - a) * share))
    return found


def wave(low: float, high: float, from_h: float, to_h: float = 0.0) -> list[tuple[int, float]]:
    """A saw-tooth of 50 minutes, as a thermostat makes it."""
    half = 25 / 60
    hours = [from_h - i * half for i in range(int((from_h - to_h) / half) + 1)] + [to_h]
    return line([(h, high if i % 2 else low) for i, h in enumerate(hours)])


class Builder:
    """Closes its writers on ``done``; then the roles may open the files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "keys").mkdir(parents=True, exist_ok=True)
        self.records: SqlRecords = open_records(folder / "records.db")
        self.readings = open_readings(folder / "readings.db", write=True)
        self.said: Mapping[str, Any] = {"by": "init", "now_ms": NOW_MS - 20 * DAY_MS}
        self._seq = 0

    def arrive(self, probe: str, quantity: str, rows: Sequence[tuple[int, float]]) -> None:
        self._seq += 1
        unit = QUANTITIES[quantity]
        columns = Columns(
            array("q", [at_ms for at_ms, _ in rows]),
            array("q", [unit.count(round(value, 2)) for _, value in rows]),
            array("H", [0] * len(rows)),
        )
        name = BatchId(GatewayId("gw-east"), "epoch-1", self._seq)
        series = Series(ProbeId(probe), quantity)
        batch = AdmittedBatch(
            name, secrets.token_bytes(16), "readings", [(series, columns)], NOW_MS
        )
        self.readings.write([batch], NOW_MS - 1_000)

    def given_up(self, batches: int, readings: int) -> None:
        """The gateway was full, and so many of its batches went before the server had them."""
        seqs = range(self._seq + 1, self._seq + 1 + batches)
        self._seq = seqs.stop
        stone = Tombstone(
            "epoch-1", seqs.start, tuple(bytes([seq % 256]) * 32 for seq in seqs), readings,
            NOW_MS - 40 * DAY_MS, NOW_MS - 39 * DAY_MS, "the outbox reached its limit",
        )  # fmt: skip
        name = BatchId(GatewayId("gw-east"), "epoch-1", self._seq)
        batch = AdmittedBatch(
            name, secrets.token_bytes(16), "tombstone", [], NOW_MS - DAY_MS, encode_tombstone(stone)
        )
        self.readings.write([batch], NOW_MS - 1_000)

    def place(self, id: str, site: str, zh: str, en: str, kind: str = "chilled") -> RoomId:
        self.records.put_room(Room(RoomId(id), SiteId(site), kind, zh, en), **self.said)
        return RoomId(id)

    def rule(self, room: str, profile: str, *goods: str) -> None:
        since = NOW_MS - 20 * DAY_MS
        self.records.add_rule(RoomId(room), since, profile, list(goods), 300, {}, **self.said)

    def probe(self, probe: str, room: str) -> None:
        self.records.assign(ProbeId(probe), RoomId(room), NOW_MS - 15 * DAY_MS, **self.said)

    def done(self) -> None:
        self.records.close()
        self.readings.close()


def build(folder: Path) -> Settings:
    """Stores in ``folder`` as of NOW_MS, every role's file made; what the api is told."""
    builder = Builder(folder)
    _places(builder)
    _readings(builder)
    _lots(builder)
    builder.done()
    return _judged(folder)


def _places(b: Builder) -> None:
    put, said = b.records, b.said
    put.put_region(Region("qing", None, "county", "青禾县", "Qinghe county"), **said)
    put.put_region(Region("east", "qing", "township", "东河镇", "Donghe township"), **said)
    put.put_region(Region("west", "qing", "township", "西岭镇", "Xiling township"), **said)
    for id, region, kind, zh, en in (
        ("hub", "qing", "county-hub", "县冷链中心", "County cold hub"),
        ("liu", "east", "village-point", "柳林村冷库", "Liulin village store"),
        ("he", "east", "collection-centre", "河口集配中心", "Hekou collection centre"),
        ("van-1", "west", "mobile-store", "一号移动冷库", "Mobile store 1"),
    ):
        gateway = "gw-east" if id == "liu" else None
        put.put_site(Site(SiteId(id), region, kind, zh, en, gateway), **said)
    for id, site, zh, en, kind, profile, goods, probes in (
        ("berry", "liu", "草莓间", "Strawberry room", "chilled", "SB", ("strawberry",), 2),
        ("leaf", "liu", "叶菜间", "Leafy greens room", "fresh-keeping", "SB", ("lettuce_leaf",), 1),
        ("cuke", "he", "黄瓜间", "Cucumber room", "chilled", "CU", ("cucumber",), 1),
        ("meat", "he", "鲜肉间", "Meat room", "chilled", "MT", (), 1),
        ("frozen", "hub", "一号冷冻间", "Frozen room 1", "frozen", "FZ", (), 1),
        ("peach", "hub", "桃子间", "Peach room", "fresh-keeping", "PS", ("peach",), 1),
        ("van", "van-1", "车厢", "Compartment", "compartment", "SB", (), 1),
    ):
        b.place(id, site, zh, en, kind)
        b.rule(id, profile, *goods)
        for n in range(probes):
            b.probe(f"ieee:00158d000{id}{n}", id)
    for id, name, phone, role in (
        ("li", "李卫", "+8613800000001", "operator"),
        ("wang", "王芳", "+8613800000002", "second"),
    ):
        put.put_person(Person(PersonId(id), name, phone, "zh", quiet_hours=False), **said)
        put.put_duty(Duty(PersonId(id), role, "region", "qing"), **said)


def _readings(b: Builder) -> None:
    warm = wave(1.2, 3.4, 72, 1.1) + line([(1.1, 3.2), (1.0, 7.6), (0.5, 8.3), (0.01, 8.9)])
    b.arrive("ieee:00158d000berry0", "temperature", warm)
    b.arrive(
        "ieee:00158d000berry1", "product_temperature",
        line([(h, 2.1 + 0.5 * (h % 2)) for h in range(72, 1, -1)] + [(1.1, 2.4), (0.01, 4.2)]),
    )  # fmt: skip
    b.arrive("ieee:00158d000berry0", "humidity", line([(72, 92.0), (0.01, 90.5)]))
    b.arrive("ieee:00158d000berry0", "door", [(NOW_MS - 30 * HOUR_MS, 0)])
    b.arrive("ieee:00158d000berry0", "mains", [(NOW_MS - 30 * HOUR_MS, 1)])
    quiet = wave(1.0, 3.3, 72, 30) + wave(1.0, 3.3, 24, 5.7)  # hours of silence, then none at all
    b.arrive("ieee:00158d000leaf0", "temperature", quiet)
    cool = wave(11.0, 12.8, 72, 40) + line([(40, 12.0), (39, 9.2), (36, 9.3), (35, 11.5)])
    b.arrive("ieee:00158d000cuke0", "temperature", cool + wave(11.0, 12.6, 35))
    rise = wave(0.8, 3.2, 72, 10) + line([(10, 2.5), (9, 6.0), (7.5, 6.4), (6.8, 2.0)])
    b.arrive("ieee:00158d000meat0", "temperature", rise + wave(0.8, 3.2, 6.8))
    defrost = wave(-21.0, -19.0, 72, 12) + line([(12, -20), (11.6, -13), (11.1, -19.5)])
    b.arrive("ieee:00158d000frozen0", "temperature", defrost + wave(-21.0, -19.0, 11.1))
    turns = [(NOW_MS - int(h * HOUR_MS), v) for h, v in ((12.0, 1), (11.6, 0))]
    b.arrive("ieee:00158d000frozen0", "defrost", turns)
    b.arrive("ieee:00158d000peach0", "temperature", wave(-0.2, 0.9, 72))
    b.arrive("ieee:00158d000van0", "temperature", line([(20, 3.0), (6, 3.2), (0.01, 19.4)]))
    b.arrive("mqtt:gw-east:shed", "temperature", line([(3, 14.0), (0.01, 17.2)]))
    by, at_ms = "li", NOW_MS - 7 * HOUR_MS
    b.records.add_action("s1", RoomId("van"), "standby_started", at_ms, by, {}, now_ms=at_ms)
    loading_ms = NOW_MS - 28 * HOUR_MS
    for n, kind in enumerate(("loading_started", "loading_ended")):
        at_ms = loading_ms + n * 20 * MINUTE_MS
        b.records.add_action(f"l{n}", RoomId("berry"), kind, at_ms, by, {}, now_ms=at_ms)
    b.readings.quarantine("gw-east", "devices/x/readings", "not JSON", b"\x00garbage", NOW_MS - 1)
    hours_off = {"tele/shed/SENSOR": 8}
    status = encode(
        Status(
            "online", "epoch-1", "0.1.0", clock=Clock(trusted=True), hours_off=hours_off,
            config=Config("records", 42), configs_refused=1, alarms=2,
        )
    )  # fmt: skip
    b.readings.put_status(GatewayId("gw-east"), status, NOW_MS - 4_000)
    b.given_up(batches=2, readings=1_200)


def _lots(b: Builder) -> None:
    for id, code, goods, zh, en, kg, who in (
        ("lot-berry", CODE, "strawberry", "草莓", "Strawberry", "320", "柳林合作社"),
        (
            "lot-pork",
            "p3wz8n6c5dfg",
            "pork_chilled",
            "冷鲜猪肉",
            "Chilled pork",
            "1250.5",
            "河口屠宰场",
        ),
    ):
        lot = Lot(LotId(id), code, goods, zh, en, kg, who, NOW_MS - 2 * DAY_MS)
        b.records.add_lot(lot, by="li", now_ms=NOW_MS - 2 * DAY_MS)
    moves = (
        ("received", "lot-berry", 44.0, None, "liu"),
        ("put_in", "lot-berry", 43.5, "berry", "liu"),
        ("received", "lot-pork", 40.0, None, "he"),
        ("put_in", "lot-pork", 39.8, "meat", "he"),
        ("taken_out", "lot-pork", 3.0, "meat", "he"),
        ("packed", "lot-pork", 2.5, None, "he"),
        ("shipped", "lot-pork", 2.0, None, "he"),
    )
    for kind, lot_id, hours, room, site in moves:
        at_ms = NOW_MS - int(hours * HOUR_MS)
        move = Move(kind, lot_id, at_ms, room=room, site=site, pack="box-17")
        b.records.capture([to_event(move, BASE_URL)], by="li", now_ms=at_ms + 40_000)


def settings_of(folder: Path) -> Settings:
    """What the api is told of a county in ``folder``."""
    return Settings(
        port=0,
        readings_path=str(folder / "readings.db"),
        records_path=str(folder / "records.db"),
        facts_path=str(folder / "facts.db"),
        notices_path=str(folder / "notices.db"),
        trace_path=str(folder / "trace.db"),
        admin_token_file=str(folder / "keys" / "admin.token"),
        session_key_file=str(folder / "keys" / "session.key"),
        base_url=BASE_URL,
        channels=["sms", "call"],
    )


def _judged(folder: Path) -> Settings:
    settings = settings_of(folder)
    Path(settings.admin_token_file).write_text(TOKEN)
    signing = folder / "keys" / "signing.key"
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    signing.write_bytes(pem)
    told = AlertsSettings(
        readings_path=settings.readings_path, records_path=settings.records_path,
        facts_path=settings.facts_path, notices_path=settings.notices_path, sms_url="log:",
        sms_password_file="", api_url="http://127.0.0.1:9",
        api_token_file=settings.admin_token_file, tell_from_ms=NOW_MS - 2 * HOUR_MS,
    )  # fmt: skip
    traced = TraceSettings(
        readings_path=settings.readings_path, records_path=settings.records_path,
        facts_path=settings.facts_path, trace_path=settings.trace_path,
        signing_key_file=str(signing), base_url=BASE_URL,
    )  # fmt: skip
    while_running(
        lambda stop: alerts.service.run(told, now_ms=_now, stop=stop), lambda: _told(folder)
    )
    while_running(
        lambda stop: traceability.service.run(traced, now_ms=_Ticking(), stop=stop),
        lambda: _certified(folder),
    )
    return settings


def _now() -> int:
    return NOW_MS


class _Ticking:
    """A clock that goes on at each look, for those who wait for a quiet second."""

    def __init__(self) -> None:
        self._now_ms = NOW_MS

    def __call__(self) -> int:
        self._now_ms += 200
        return self._now_ms


def while_running(role: Callable[[threading.Event], None], until: Callable[[], bool]) -> None:
    stop = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            role(stop)
        except BaseException as error:  # noqa: BLE001 - raised below, in the test's own thread
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: failed or until(), 60, "the role has done its work")
    finally:
        stop.set()
        thread.join(20)
    if failed:
        raise failed[0]


def _told(folder: Path) -> bool:
    readings = open_readings(folder / "readings.db", write=False)
    records = open_records_reader(folder / "records.db")
    try:
        head = (readings.last_arrival(), records.last_change())
    finally:
        readings.close()
        records.close()
    try:
        with (
            closing(open_facts_reader(folder / "facts.db")) as facts,
            closing(open_notices_reader(folder / "notices.db")) as notices,
        ):
            return facts.cursor() == head and bool(notices.notices(RoomId("berry")))
    except NotReady:
        return False


def _certified(folder: Path) -> bool:
    try:
        trace = open_trace_reader(folder / "trace.db")
    except NotReady:
        return False
    try:
        return all(trace.versions(LotId(id)) for id in ("lot-berry", "lot-pork"))
    finally:
        trace.close()
