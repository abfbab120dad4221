"""The faults: what is done to a running system while a round's readings come in.

Each is entered in the middle of the sending and left before the system is asked to settle; what
happens at one instant (a kill) is over when it is entered. Everything random comes from the
scene's generator, so that a round can be had again.
"""

import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from coldtrail import settings
from domain.quantity import QUANTITIES
from tests.faults.house import House, listens
from tests.faults.sent import Reading
from tests.faults.traffic import Device, Pack
from tests.support.cutting_proxy import Mood
from tests.support.mqtt import Stranger, stranger
from wire import hello_v1, topics

KILLED = (
    "gateway", "ingest", "influx", "alerts", "api", "traceability", "edge-broker", "broker",
    "sms-centre",
)  # fmt: skip
STOPPED = ("gateway", "ingest", "influx", "alerts", "api", "edge-broker", "broker")
CLOCKS = ("gateway", "ingest", "alerts", "traceability", "influx")
LINKS: Mapping[str, str] = {
    "device": "device to edge broker",
    "uplink": "gateway to central broker",
    "ingest": "ingest to central broker",
    "influx": "follower to InfluxDB",
}
SHORT_BYTES = 32 << 10
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


@dataclass
class Scene:
    """``said``: packs of this start so far, oldest first. ``heard``: batches as they crossed the
    central broker, newest last."""

    house: House
    device: Device
    rng: random.Random
    said: list[Pack]
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    def within(self, low: float, high: float) -> None:
        self.house.pause(self.rng.uniform(low, high))


Fault = Callable[[Scene], AbstractContextManager[None]]


@contextmanager
def kill(role: str, scene: Scene) -> Iterator[None]:
    """-9 at a random moment; now and then again while it starts."""
    scene.within(0, 0.3)
    scene.house.kill(role)
    if scene.rng.random() < 0.3:
        scene.within(0.05, 0.6)
        scene.house.kill(role)
    yield


@contextmanager
def kill_each(scene: Scene) -> Iterator[None]:
    """Every role and both brokers, one after another in any order, while others still start."""
    roles = list(KILLED)
    scene.rng.shuffle(roles)
    for role in roles:
        scene.house.kill(role)
        scene.within(0.02, 0.25)
    yield


@contextmanager
def stop(role: str, scene: Scene) -> Iterator[None]:
    scene.within(0, 0.2)
    scene.house.send(role, signal.SIGSTOP)
    try:
        yield
        scene.within(0.1, 1.5)
    finally:
        scene.house.send(role, signal.SIGCONT)


@contextmanager
def link(name: str, mood: Mood, scene: Scene) -> Iterator[None]:
    proxy = scene.house.links[name]
    scene.within(0, 0.2)
    proxy.mood = mood
    try:
        yield
        scene.within(0.1, 1.0)
    finally:
        proxy.mood = "open"


@contextmanager
def full_disk(name: str, scene: Scene) -> Iterator[None]:
    """Filled again and again: what is given back at a full disk is taken as well."""
    disk = scene.house.disks[name]
    try:
        disk.fill()
        yield
        for _ in range(scene.rng.randint(3, 15)):
            disk.fill()
            scene.house.pause(0.1)
    finally:
        disk.free()


@contextmanager
def short_files(role: str, scene: Scene) -> Iterator[None]:
    """No file of this role may grow beyond 32 KiB (``RLIMIT_FSIZE``): writing fails as on a broken
    disk. Whoever ends over it starts again without the limit."""
    pid = scene.house.pid(role)
    if pid is None:
        yield
        return
    endless = resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (SHORT_BYTES, endless))
    try:
        yield
        scene.within(0.2, 1.0)
    finally:
        if scene.house.pid(role) == pid:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (endless, endless))


@contextmanager
def kill_influxd(scene: Scene) -> Iterator[None]:
    scene.within(0, 0.5)
    scene.house.kill_influxd()
    yield


@contextmanager
def clock_at_start(role: str, scene: Scene) -> Iterator[None]:
    """It starts again with a clock minutes or hours off, and once more with the right one."""
    house = scene.house
    house.set_clock(role, _off_ms(scene.rng))
    house.kill(role)
    yield
    scene.within(0.2, 1.0)
    house.set_clock(role, 0)
    house.kill(role)


@contextmanager
def clock_steps(role: str, scene: Scene) -> Iterator[None]:
    """Its clock steps while it runs, and back."""
    scene.house.set_clock(role, _off_ms(scene.rng))
    try:
        yield
        scene.within(0.2, 0.8)
    finally:
        scene.house.set_clock(role, 0)


def _off_ms(rng: random.Random) -> int:
    sign = rng.choice((-1, 1))
    return sign * rng.choice((3 * MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 8 * HOUR_MS, 12 * HOUR_MS))


@contextmanager
def all_again(number: int, scene: Scene) -> Iterator[None]:
    """Everything ends at once and starts in any order, some of it a little later."""
    roles = list(scene.house.roles)
    scene.rng.shuffle(roles)
    scene.house.end(roles, number)
    for role in roles:
        scene.house.begin([role])
        if scene.rng.random() < 0.3:
            scene.within(0, 0.4)
    yield


@contextmanager
def go_back(
    keep: Callable[[House, Path], None], put_back: Callable[[House, Path], None], scene: Scene
) -> Iterator[None]:
    """What the server has is kept; more comes; the server has no more than what was kept."""
    kept = scene.house.folder / "kept"
    keep(scene.house, kept)
    yield
    scene.within(0.1, 1.0)
    put_back(scene.house, kept)
    shutil.rmtree(kept)


@contextmanager
def upgrade(scene: Scene) -> Iterator[None]:
    """What an earlier version of the program has begun is gone on with by this one. Never drawn:
    it is how a start may begin."""
    scene.house.upgrade()
    yield


@contextmanager
def same_packs(scene: Scene) -> Iterator[None]:
    """Devices send again what they sent long ago, in any order."""
    again = scene.rng.sample(scene.said, min(len(scene.said), 40))
    scene.device.say(again)
    yield


@contextmanager
def other_values(scene: Scene) -> Iterator[None]:
    """A device contradicts itself: other values for instants that it has spoken of."""
    packs = [p for p in scene.said if p.readings and p.readings[0].quantity == "temperature"]
    for pack in scene.rng.sample(packs, min(len(packs), 2)):
        one = scene.rng.choice(pack.readings)
        count = one.count + scene.rng.choice((-7, 5, 300))
        value = float(QUANTITIES[one.quantity].value(count))
        body = [{"n": one.quantity, "v": value, "t": one.at_ms / 1000}]
        other = Reading(one.probe, one.quantity, one.at_ms, count)
        scene.device.say([Pack(pack.topic, json.dumps(body).encode(), (other,))])
    yield


@contextmanager
def same_batches(scene: Scene) -> Iterator[None]:
    """Whole batches come again at the central broker, on either lane, in any order."""
    yield
    house = scene.house
    again = scene.rng.sample(scene.heard, min(len(scene.heard), 20))
    with _as_gateway(scene, f"again-{scene.rng.random()}") as gateway:
        for _, payload in again + again[:5]:
            lane: topics.Lane = scene.rng.choice(("live", "backlog"))
            topic = topics.batch(house.edge.gateway.partition, house.gateway, lane)
            _publish(gateway, topic, payload)


@contextmanager
def hellos(scene: Scene) -> Iterator[None]:
    """The server says hello although nothing has happened, twice as itself and once as another."""
    house = scene.house
    with closing(sqlite3.connect(house.data / "server" / "readings.db", timeout=10)) as db:
        [(store,)] = db.execute("SELECT value FROM meta WHERE key = 'store_id'")
    password = (house.installation.keys / "ingest.password").read_text().strip()
    with _let_in(scene, "ingest", password, "hello") as server:
        for said in (store, "another", store):
            hello = hello_v1.Hello(said, int(time.time() * 1000))
            _publish(server, topics.HELLO, hello_v1.encode(hello))
            scene.within(0, 0.3)
    yield


@contextmanager
def second_session(scene: Scene) -> Iterator[None]:
    """Somebody with the gateway's name and client id connects, and so throws it out."""
    for _ in range(scene.rng.randint(1, 3)):
        with _as_gateway(scene, f"coldtrail-uplink-{scene.house.gateway}"):
            scene.within(0, 0.3)
    yield


@contextmanager
def cloned_gateway(scene: Scene) -> Iterator[None]:
    """The gateway's card is copied while it runs, and the copy runs as well for a while."""
    house = scene.house
    twin = house.folder / f"twin-{len(scene.said)}"
    home = twin / "gateway"
    shutil.copytree(house.middle, twin, symlinks=True, ignore=shutil.ignore_patterns("gateway"))
    text = (house.data / settings.FILE).read_text().splitlines()
    base = house.installation.file.port_base
    (twin / settings.FILE).write_text(
        "\n".join(f"port_base = {base + 20}" if t.startswith("port_base") else t for t in text)
    )
    house.send("gateway", signal.SIGSTOP)
    try:
        home.mkdir()
        shutil.copytree(house.edge.keys, home / "keys")
        for path in house.edge.home.glob("[!f]*"):
            if path.is_file() and path.suffix not in (".ballast", ".lock"):
                shutil.copy(path, home)
    finally:
        house.send("gateway", signal.SIGCONT)
    pid = house.second("gateway", twin)
    try:
        yield
        scene.within(0.5, 1.5)
    finally:
        os.kill(pid, signal.SIGKILL)
        shutil.rmtree(twin)


UPGRADE, KILL_EACH, RESTORE = "upgraded", "kill one after another", "server restored"
SET_BACK = "server set back"
GO_BACK = {RESTORE, SET_BACK}  # to an earlier state of the server


def kinds(*, disks: bool) -> dict[str, Fault]:
    """By name, those that may be drawn. ``disks``: small file systems could be mounted."""
    found: dict[str, Fault] = {f"kill {role}": partial(kill, role) for role in KILLED}
    found |= {f"stop {role}": partial(stop, role) for role in STOPPED}
    moods: tuple[Mood, ...] = ("cut", "deaf", "stall", "slow", "nervous")
    for name in LINKS:
        found |= {f"link {name} {mood}": partial(link, name, mood) for mood in moods}
    if disks:
        found |= {f"full disk {name}": partial(full_disk, name) for name in ("gateway", "server")}
    found |= {f"short files {r}": partial(short_files, r) for r in ("gateway", "ingest", "alerts")}
    found |= {
        "kill InfluxDB": kill_influxd,
        "clock gateway at start": partial(clock_at_start, "gateway"),
        **{f"clock {r} steps": partial(clock_steps, r) for r in CLOCKS},
        KILL_EACH: kill_each,
        RESTORE: partial(go_back, House.back_up, House.put_back),
        SET_BACK: partial(go_back, House.snapshot, House.set_back),
        "all killed": partial(all_again, signal.SIGKILL),
        "all ended": partial(all_again, signal.SIGTERM),
        "same packs": same_packs,
        "same batches": same_batches,
        "other values": other_values,
        "hello": hellos,
        "second session": second_session,
        "cloned gateway": cloned_gateway,
    }
    return found


class Recorder:
    """Hears every batch that crosses the central broker, as its operator might."""

    def __init__(self, house: House, heard: list[tuple[str, bytes]]) -> None:
        self._heard = heard
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="recorder")
        password = (house.installation.keys / "ingest.password").read_text().strip()
        self._client.username_pw_set("ingest", password)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("ct/v1/+/+/batch/+", 0)
        self._client.on_message = self._hear
        self._client.connect_async("127.0.0.1", house.installation.port(1))
        self._client.loop_start()

    def _hear(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self._heard.append((message.topic, bytes(message.payload)))
        del self._heard[:-300]

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _as_gateway(scene: Scene, client_id: str) -> AbstractContextManager[Stranger | None]:
    password = (scene.house.edge.keys / "uplink.password").read_text().strip()
    return _let_in(scene, f"gw-{scene.house.gateway}", password, client_id)


@contextmanager
def _let_in(scene: Scene, user: str, password: str, client_id: str) -> Iterator[Stranger | None]:
    """None when the broker does not answer: another fault may have stopped it."""
    port = scene.house.installation.port(1)
    scene.house.wait(lambda: listens(port), 30, "the central broker listens")
    with ExitStack() as stack:
        one = None
        with suppress(AssertionError, OSError):
            one = stack.enter_context(stranger(port, user, password, client_id))
        yield one


def _publish(one: Stranger | None, topic: str, payload: bytes) -> None:
    """It may be lost: nobody relies on it."""
    if one is not None:
        one.client.publish(topic, payload, 1)
