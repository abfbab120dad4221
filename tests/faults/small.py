"""A part of a Coldtrail, as small as a question needs: a few real roles, forked, and what they write.

The same laws are asked of it as of a whole system (``tests.faults.oracle``); it begins in a tenth
of the time. A role may run as a variant of the program (``tests.faults.broken``). The fault of
each round is done at a moment that is sure to hurt, so that few rounds are enough.
"""

import json
import os
import random
import resource
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from coldtrail.init import NewGateway, init_data
from coldtrail.settings import Installation
from domain.quantity import QUANTITIES
from gateway.keys import tag_key
from store.records import open_records
from tests.faults.oracle import by_law, read_only, rows_of
from tests.faults.sent import Ledger, Reading, RoomSaid
from tests.faults.traffic import Device, Pack
from tests.support.alert_house import House
from tests.support.influx import influxd
from tests.support.lives import Lives
from tests.support.mqtt import stranger
from tests.support.servers import POLL_S, free_port, free_port_base, wait_until
from wire import receipt_v1, topics
from wire.batch_v1 import open_batch

GATEWAY = "gw1"
CLEAN_S = 0.7  # nothing is wrong for so long: the round is passed
PATIENCE_S = 60.0
SHORT_BYTES = 32 << 10
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

T = TypeVar("T")


class Small(ABC):
    """Every role that was started is killed when the block ends. ``variants``: by role."""

    def __init__(
        self, folder: Path, lives: Lives, variants: Mapping[str, str], more_toml: str = ""
    ) -> None:
        self.folder, self._lives, self._variants = folder, lives, variants
        self.data = folder / "data"
        self.sent = Ledger()
        self._stack = ExitStack()
        self._pids: dict[str, int] = {}
        self._ended: set[int] = set()
        self.influx_url: str | None = None
        self._more_toml = more_toml

    def __enter__(self) -> Self:
        try:
            self.installation: Installation = init_data(
                self.data,
                port_base=free_port_base(),
                gateways=[NewGateway(GATEWAY, cut_every_s=0.1)],
                more_toml=self._more_toml,
            )
            self.server = self.installation.server
            self.open()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            self.kill(*list(self._pids))

    @abstractmethod
    def open(self) -> None:
        """Start what this part of a system needs."""

    def enter(self, context: AbstractContextManager[T]) -> T:
        return self._stack.enter_context(context)

    # --- processes

    def start(self, *roles: str) -> None:
        for role in roles:
            self._pids[role] = self._lives.start(
                role,
                self.data,
                self.folder / f"{role}.log",
                self.folder / "clock",
                variant=self._variants.get(role, ""),
            )
            (self.data / "pids" / f"{role}.pid").write_text(f"{self._pids[role]}\n")

    def kill(self, *roles: str) -> None:
        """-9, and wait until they are gone."""
        gone = {self._pids[role] for role in roles if not self.has_ended(role)}
        for role in roles:
            self._pids.pop(role, None)
        for pid in gone:
            os.kill(pid, signal.SIGKILL)
        while not gone <= self._ended:
            self._ended |= self._lives.ended(1).keys()

    def pid(self, role: str) -> int:
        return self._pids[role]

    def has_ended(self, role: str) -> bool:
        self._ended |= self._lives.ended().keys()
        return self._pids.get(role, 0) in {0, *self._ended}

    def tend(self) -> None:
        """Whoever has ended and was not killed begins again: ingest and gateway end their broker
        after a full disk, and count on it."""
        for role in list(self._pids):
            if self.has_ended(role):
                self.start(role)

    def send(self, role: str, number: signal.Signals) -> None:
        os.kill(self._pids[role], number)

    def log(self, role: str) -> str:
        return (self.folder / f"{role}.log").read_text(errors="replace")

    # --- the end of a round

    def wrong(self, *, full: bool = True) -> dict[str, list[str]]:
        return by_law(self.data, self.sent, influx_url=self.influx_url, api=None, full=full)

    def settled(self, still_s: float) -> dict[str, list[str]]:
        """What is wrong for good: nothing, or what has stayed so for ``still_s``."""
        until_s = time.monotonic() + PATIENCE_S
        wrong, since_s = self.wrong(), time.monotonic()
        while True:
            self.tend()
            for_s = time.monotonic() - since_s
            if for_s > (still_s if wrong else CLEAN_S) or time.monotonic() > until_s:
                return wrong
            time.sleep(POLL_S)
            if (now := self.wrong()) != wrong:
                wrong, since_s = now, time.monotonic()


# --- from devices to the store


class Edge(Small):
    """Edge broker, gateway, central broker, ingest, and one who sends for all devices."""

    def open(self) -> None:
        open_records(self.server / "records.db").close()
        self.edge = self.installation.edges()[0]
        self._next_ms = int(time.time() * 1000) // 1000 * 1000 - 12 * HOUR_MS
        self._rng = random.Random(0)  # noqa: S311 - values, no secret
        self.start("broker", "edge-broker", "gateway", "ingest")
        password = (self.edge.keys / "installer.password").read_text().strip()
        self.device = self.enter(Device(self.sent, self.edge.port(0), password))
        self.say(5)
        self.acknowledged()
        wait_until(lambda: not self.wrong(full=False), 60, "the first readings are stored")

    def say(self, messages: int, size: int = 4) -> list[Pack]:
        packs = [self._pack(f"dev-{n % 4}", size) for n in range(messages)]
        self.device.say(packs)
        return packs

    def _pack(self, device: str, size: int) -> Pack:
        made = []
        for _ in range(size):
            self._next_ms += 1000
            count = self._rng.randrange(-8_999, 9_999)
            made.append(Reading(f"mqtt:{GATEWAY}:{device}", "temperature", self._next_ms, count))
        body = [
            {
                "n": r.quantity,
                "v": float(QUANTITIES[r.quantity].value(r.count)),
                "t": r.at_ms / 1000,
            }
            for r in made
        ]
        return Pack(f"devices/{device}/readings", json.dumps(body).encode(), tuple(made))

    def acknowledged(self) -> None:
        def every_one() -> bool:
            self.tend()
            return not self.device.unacknowledged()

        wait_until(every_one, 60, "every message is acknowledged")

    def last_arrival(self) -> int:
        [(n,)] = rows_of(self.server / "readings.db", "SELECT max(n) FROM arrival")
        return int(n)

    def batches(self) -> set[tuple[str, int]]:
        """Epoch and seq of those that the outbox holds."""
        with closing(read_only(self.edge.outbox)) as db:
            found = db.execute("SELECT e.name, b.seq FROM batch b JOIN epoch e ON e.no = b.epoch")
            return {(str(name), int(str(seq))) for name, seq in found.fetchall()}

    def cut(self) -> bool:
        """The outbox holds what it has in batches alone."""
        with closing(read_only(self.edge.outbox)) as db:
            return not db.execute("SELECT count(*) FROM incoming").fetchall()[0][0]


def kill_gateway(edge: Edge, rng: random.Random) -> None:
    """While there is no ingest, moments after the edge broker was told that it has the readings;
    some come in while it is dead."""
    edge.kill("ingest")
    edge.say(30)
    edge.acknowledged()
    time.sleep(rng.uniform(0.1, 0.3))  # the random instant of its death
    edge.kill("gateway")
    edge.say(10)
    edge.start("gateway", "ingest")
    edge.acknowledged()


def kill_ingest(edge: Edge, rng: random.Random) -> None:
    """Moments after readings came; more come while it is dead."""
    edge.say(30)
    edge.acknowledged()
    time.sleep(rng.uniform(0.1, 0.3))  # the random instant of its death
    edge.kill("ingest")
    edge.say(10)
    edge.acknowledged()
    wait_until(edge.cut, 30, "the gateway has cut what it has")
    edge.start("ingest")


def kill_broker(edge: Edge, _rng: random.Random) -> None:
    """The central one, with batches in it that nobody has read: there is no ingest."""
    gateway = edge.edge.gateway
    key = tag_key(edge.edge.keys / f"tag-{gateway.kid}.key")
    server = (edge.installation.keys / "ingest.password").read_text().strip()
    with stranger(edge.installation.port(1), "ingest", server, "recorder") as recorder:
        assert recorder.subscribe(f"ct/v1/{gateway.partition}/{gateway.id}/batch/+")

        def crossed() -> set[tuple[str, int]]:
            heads = [open_batch(payload, lambda _g, _k: key)[0] for _, payload in recorder.heard]
            return {(head.epoch, head.seq) for head in heads}

        before = edge.batches()
        edge.kill("ingest")
        for _ in range(2):  # the first is acknowledged to the gateway when the second crosses
            edge.say(10)
            edge.acknowledged()
            wait_until(edge.cut, 30, "the gateway has cut what it has")
            wait_until(lambda: edge.batches() - before <= crossed(), 30, "the broker has it")
    edge.kill("broker")
    edge.say(5)
    edge.start("broker", "ingest")
    edge.acknowledged()


def same_batches(edge: Edge, _rng: random.Random) -> None:
    """What crossed the central broker crosses it again when it has long been stored and receipted,
    and nothing else does; then the day goes on."""
    port, keys = edge.installation.port(1), edge.installation.keys
    gateway = edge.edge.gateway
    receipts = topics.receipt(gateway.partition, gateway.id)
    batches = f"ct/v1/{gateway.partition}/{gateway.id}/batch/+"
    key = tag_key(edge.edge.keys / f"tag-{gateway.kid}.key")
    server = (keys / "ingest.password").read_text().strip()
    own = (edge.edge.keys / "uplink.password").read_text().strip()
    with stranger(port, "ingest", server, "recorder") as recorder:
        assert recorder.subscribe(receipts)
        assert recorder.subscribe(batches)

        def receipted() -> list[receipt_v1.Receipt]:
            said = [payload for topic, payload in recorder.heard if topic == receipts]
            return [receipt_v1.decode(payload, key) for payload in said]

        def at_rest() -> bool:
            heard = receipted()
            return bool(heard) and heard[-1].n == edge.last_arrival() and not edge.wrong(full=False)

        edge.say(10)
        edge.acknowledged()
        wait_until(edge.cut, 30, "the gateway has cut what it has")
        wait_until(at_rest, 30, "all is stored, and its receipt was given")
        crossed = [one for one in recorder.heard if one[0] != receipts]
        assert crossed
        before = len(receipted())
        with stranger(port, f"gw-{gateway.id}", own, "again") as again:
            for topic, payload in crossed:
                again.publish(topic, payload)
        wait_until(lambda: len(receipted()) > before, 30, "a receipt for what was known")
    edge.say(10)
    edge.acknowledged()


def only_what_is_known(edge: Edge, _rng: random.Random) -> None:
    """What devices said they say again when it has long been stored, and nothing else does: a
    batch of which every reading is known. Then the day goes on."""

    def stored() -> int:
        [(batches,)] = rows_of(edge.server / "readings.db", "SELECT count(*) FROM batch")
        return int(batches)

    packs = edge.say(10)
    edge.acknowledged()
    wait_until(lambda: edge.cut() and not edge.wrong(full=False), 30, "all is stored")
    before = stored()
    edge.device.say(packs)
    edge.acknowledged()
    wait_until(lambda: edge.cut() and stored() > before, 30, "what was known has come again")
    edge.say(10)
    edge.acknowledged()


def outbox_at_its_limit(edge: Edge, _rng: random.Random) -> None:
    """There is no ingest for longer than the outbox is large."""
    edge.kill("ingest")
    for _ in range(25):
        edge.say(8, size=150)
        edge.acknowledged()
    wait_until(edge.cut, 60, "the gateway has cut what it has")
    edge.start("ingest")
    edge.say(4)
    edge.acknowledged()


def short_files(role: str, edge: Edge, _rng: random.Random) -> None:
    """While readings come no file of the role may grow beyond 32 KiB (``RLIMIT_FSIZE``), as if the
    disk were full. Should it end over that, it starts again without the limit."""
    endless = resource.RLIM_INFINITY
    pid = edge.pid(role)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (SHORT_BYTES, endless))
    edge.say(40, size=20)
    until_s = time.monotonic() + 1.5
    while time.monotonic() < until_s and not edge.has_ended(role):
        time.sleep(POLL_S)
    if not edge.has_ended(role):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (endless, endless))
    edge.say(5)
    edge.acknowledged()


# --- from the store to InfluxDB


class Follows(Small):
    """The store is written here, as ingest writes it; the role influx follows it."""

    max_body = 0

    def __init__(self, folder: Path, lives: Lives, variants: Mapping[str, str]) -> None:
        self._port = free_port()
        url = f"http://127.0.0.1:{self._port}"
        super().__init__(folder, lives, variants, f'[influx]\nurl = "{url}"\nkind = "1"')
        self.influx_url = url

    def open(self) -> None:
        self.house = self.enter(House(self.server))
        self.now_ms = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS
        self.start("influx")

    def serving(self) -> AbstractContextManager[str]:
        return influxd(self.folder, self._port, max_body=self.max_body)

    def unavailable(self) -> int:
        """How often it has found nobody."""
        return self.log("influx").count("InfluxDB unavailable")

    def bring(self, minutes: Sequence[int], celsius: float = 2.0) -> None:
        """Readings so many minutes ago, in one batch."""
        rows = [(self.now_ms - m * MINUTE_MS, celsius) for m in sorted(minutes, reverse=True)]
        self.house.arrive(rows, at_ms=int(time.time() * 1000))
        made = [
            Reading("mqtt:g1:p1", "temperature", at, QUANTITIES["temperature"].count(value))
            for at, value in rows
        ]
        self.sent.offer(made)
        self.sent.acknowledge(made)


class TakesLittle(Follows):
    """InfluxDB answers 413 to more than a kilobyte at once."""

    max_body = 1_000


def influx_away(follows: Follows, _rng: random.Random) -> None:
    """It goes, readings come, and it comes back."""
    with follows.serving():
        follows.bring(range(100, 200))
        wait_until(lambda: not follows.wrong(), 60, "InfluxDB has what came first")
    said = follows.unavailable()
    follows.bring(range(50, 100))
    wait_until(lambda: follows.unavailable() > said + 1, 60, "it has tried to write them")
    follows.enter(follows.serving())
    follows.bring(range(50))


def late_data(follows: Follows, _rng: random.Random) -> None:
    """The newest readings come first, those of before when they have been written."""
    follows.enter(follows.serving())
    follows.bring(range(50))
    wait_until(lambda: not follows.wrong(), 60, "the newest readings have been written")
    follows.bring(range(50, 100))


def takes_little(follows: Follows, _rng: random.Random) -> None:
    follows.enter(follows.serving())
    follows.bring(range(200))


# --- from the store to the phones


class Tells(Small):
    """The store is written here; alerts judges and tells over a real SMS centre. It is noon."""

    def __init__(self, folder: Path, lives: Lives, variants: Mapping[str, str]) -> None:
        noon = "2026-06-02T04:00:00Z"
        toml = f"[clock]\nstart = {noon}\n[alerts]\ntell_from = 2026-05-01T00:00:00Z"
        super().__init__(folder, lives, variants, toml)

    def open(self) -> None:
        house = self.house = self.enter(House(self.server))
        self._began_ms = self.installation.now_ms()()
        house.person("op", "operator", "+8613800000001", quiet_hours=False)
        self.sent.phones = {"op": "+8613800000001"}
        for room in ("r1", "r2"):
            probe = f"mqtt:g1:{room}"
            house.room(room, probe)
            self.sent.rooms[room] = RoomSaid(
                room, "SB", ("strawberry",), 300, house.began_ms, (probe,)
            )
        self.start("sms-centre", "alerts")
        self.bring("r1", range(600, 300, -5), 2.0)
        self.bring("r1", range(180, 60, -5), 2.0)
        self.bring("r2", range(600, 60, -5), 2.0)
        wait_until(lambda: not self.wrong(), 60, "what came first is judged")

    def bring(self, room: str, minutes: Sequence[int], celsius: float) -> None:
        """Readings so many minutes before the beginning, oldest first, in one batch."""
        rows = [(self._began_ms - m * MINUTE_MS, celsius) for m in minutes]
        probe = f"mqtt:g1:{room}"
        self.house.arrive(rows, at_ms=self.installation.now_ms()(), probe=probe)
        made = [
            Reading(probe, "temperature", at, QUANTITIES["temperature"].count(value))
            for at, value in rows
        ]
        self.sent.offer(made)
        self.sent.acknowledge(made)

    def again(self) -> None:
        """alerts begins a new life; returns when it is at its work."""
        lives = self.log("alerts").count("alerts runs")
        self.start("alerts")
        wait_until(lambda: self.log("alerts").count("alerts runs") > lives, 60, "alerts runs again")

    def at_head(self) -> bool:
        cursor = rows_of(self.server / "facts.db", "SELECT n FROM cursor")
        return bool(cursor) and cursor[0][0] == self.house.readings.last_arrival()

    def told(self) -> int:
        """Notices that are marked as sent, and parts on phones."""
        marked = rows_of(
            self.server / "notices.db",
            "SELECT count(*) FROM notices WHERE state IN ('sent', 'delivered')",
        )
        with closing(read_only(self.server / "sms-centre.db")) as db:
            [(parts,)] = db.execute("SELECT count(*) FROM part")
        return int(parts) + sum(int(n) for (n,) in marked)


def killed_at_the_head(tells: Tells, _rng: random.Random) -> None:
    """What was a gap was a warm spell; it dies as soon as its cursor says that it knows."""
    tells.bring("r1", range(295, 180, -5), 9.0)
    wait_until(tells.at_head, 60, "its cursor is at the head")
    tells.kill("alerts")
    tells.again()


def killed_as_it_tells(tells: Tells, _rng: random.Random) -> None:
    """It is warm now; it dies as soon as somebody was told, or is said to have been."""
    before = tells.told()
    tells.bring("r2", range(60, 0, -5), 9.0)
    wait_until(lambda: tells.told() > before, 60, "somebody has been told")
    tells.kill("alerts")
    tells.again()


def dead_meanwhile(tells: Tells, _rng: random.Random) -> None:
    """Something begins and ends while it is dead."""
    tells.kill("alerts")
    tells.bring("r1", range(60, 20, -5), 9.0)
    tells.bring("r1", range(20, 0, -5), 2.0)
    tells.again()
