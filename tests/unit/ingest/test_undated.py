"""Readings without an instant get it when their boot's offset is known, in whatever order the two
come, once; those of a boot that never learns it stay, and are shown with their bounds."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.reading import GatewayId, Quality
from gateway.outbox import UNDATED_WAIT_MS, Outbox, Row, Sealer
from ingest.admit import Gateway
from ingest.consume import Consumer
from ingest.inbox import Message
from store.connect import open_readings
from store.memory import MemoryStore
from store.ports import ReadingStore
from tests.support.batches import AIR, KEY, NOON_MS, columns
from wire import topics, undated_v1
from wire.batch_v1 import Clock, Header, pack_readings, seal_batch

ROOT = Path(__file__).resolve().parents[3]
TOPIC = topics.batch(7, "g1", "live")
GATEWAY = Gateway("g1", 7, {"k1": KEY})
ESTIMATED = int(Quality.CLOCK_ESTIMATED)
Reading = tuple[int, int, int]
STORES: dict[str, Callable[[Path], ReadingStore]] = {
    "memory": lambda _folder: MemoryStore(),
    "sqlite": lambda folder: open_readings(folder / "readings.db", write=True),
}


def consumer(store: ReadingStore) -> Consumer:
    return Consumer(store, [GATEWAY], lambda _t, _p: None, lambda: NOON_MS)


def heard(payload: bytes) -> Message:
    return Message(TOPIC, payload, lambda: None)


def stored(store: ReadingStore) -> list[Reading]:
    return list(store.between(AIR, 0, 1 << 52))


def sealed(seq: int, kind: str, clock: Clock, body: bytes) -> bytes:
    return seal_batch(Header(1, kind, "g1", "k1", "e1", seq, b"", NOON_MS, clock), body, KEY)


def undated(seq: int, boot: str, *rows: Reading) -> bytes:
    body = undated_v1.encode(undated_v1.Undated(boot, None, [(AIR, columns(*rows))]))
    return sealed(seq, "undated", Clock(False, None, boot), body)


def dated(seq: int, boot: str, offset: int | None, *rows: Reading) -> bytes:
    clock = Clock(offset is not None, offset, boot)
    return sealed(seq, "readings", clock, pack_readings([(AIR, columns(*rows))]))


PAYLOADS = [
    undated(1, "b1", (1_000, 400, ESTIMATED), (2_000, 410, ESTIMATED)),
    undated(2, "b1", (3_000, 420, ESTIMATED)),
    undated(3, "b2", (1_000, 430, ESTIMATED)),  # the same time of another boot
    undated(4, "b3", (1_000, 440, ESTIMATED)),  # which never learns its offset
    dated(5, "b2", NOON_MS - 500_000, (NOON_MS - 400_000, 450, 0)),
    dated(6, "b1", NOON_MS - 900_000, (NOON_MS - 899_000, 400, ESTIMATED)),  # dated there as well
    dated(7, "b1", NOON_MS - 900_000, (NOON_MS - 800_000, 470, 0)),
]
EXPECTED = sorted([
    (NOON_MS - 899_000, 400, ESTIMATED), (NOON_MS - 898_000, 410, ESTIMATED),
    (NOON_MS - 897_000, 420, ESTIMATED), (NOON_MS - 499_000, 430, ESTIMATED),
    (NOON_MS - 400_000, 450, 0), (NOON_MS - 800_000, 470, 0),
])  # fmt: skip


@pytest.mark.parametrize("home", STORES)
@settings(max_examples=60, deadline=None)
@given(
    order=st.permutations(range(len(PAYLOADS))),
    again=st.lists(st.integers(0, len(PAYLOADS) - 1), max_size=4),
    cuts=st.lists(st.integers(1, len(PAYLOADS)), max_size=4),
)
def test_any_order_of_batches_and_offsets_gives_the_same_store(
    home: str, order: list[int], again: list[int], cuts: list[int]
) -> None:
    """In groups of any size, some batches twice: the same readings, each once, no conflict."""
    payloads = [PAYLOADS[i] for i in [*order, *again]]
    with TemporaryDirectory() as folder, closing(STORES[home](Path(folder))) as store:
        server = consumer(store)
        edges = sorted({0, *cuts, len(payloads)})
        for start, end in pairwise(edges):
            server.consume("live", [heard(payload) for payload in payloads[start:end]])

        assert stored(store) == EXPECTED
        assert store.totals()["conflicts"] == 0
        assert [one.boot for one in store.undated()] == ["b3"]
        assert store.undated(known=True) == []
        assert store.ledger(GatewayId("g1"))["e1"].through == len(PAYLOADS)


@pytest.mark.parametrize("home", STORES)
def test_what_gets_its_time_later_is_an_arrival_of_the_past(home: str, tmp_path: Path) -> None:
    with closing(STORES[home](tmp_path)) as store:
        server = consumer(store)
        server.consume("live", [heard(undated(1, "b1", (1_000, 400, ESTIMATED)))])
        assert [(a.spans, a.backlog) for a in store.arrivals(0)] == [([], False)]
        server.consume("live", [heard(dated(2, "b1", NOON_MS - 900_000, (NOON_MS, 450, 0)))])

        last = store.arrivals(0)[-1]
        assert last.backlog
        assert [(s.first_ms, s.rows) for s in last.spans] == [(NOON_MS - 899_000, 1)]


@pytest.mark.parametrize("home", STORES)
def test_a_server_that_died_between_the_two_goes_on_at_its_start(home: str, tmp_path: Path) -> None:
    """Both are in the store, and nobody had put them together yet."""
    store = STORES[home](tmp_path)
    server = consumer(store)
    server.date_what_can_be = lambda: None  # type: ignore[method-assign]  # it died before this
    server.consume("live", [heard(PAYLOADS[0]), heard(PAYLOADS[5])])
    if home == "sqlite":
        store.close()
        store = STORES[home](tmp_path)
    assert len(store.undated(known=True)) == 1
    with closing(store):
        consumer(store).date_what_can_be()

        assert stored(store) == [EXPECTED[0], EXPECTED[1]]
        assert store.undated() == []


@pytest.mark.parametrize("home", STORES)
def test_a_reading_that_may_not_enter_is_quarantined_and_its_neighbour_is_not(
    home: str, tmp_path: Path
) -> None:
    offset = 1_577_836_800_000 - 1_500  # half of them measured before 2020
    with closing(STORES[home](tmp_path)) as store:
        consumer(store).consume(
            "live",
            [heard(undated(1, "b1", (1_000, 400, 1), (2_000, 410, 1))),
             heard(dated(2, "b1", offset, (NOON_MS, 450, 0)))],
        )  # fmt: skip

        assert [count for _, count, _ in stored(store)] == [410, 450]
        assert "before 2020" in store.quarantined()[0].reason


# -- the gateway and the server together -------------------------------------------------------


class Machine:
    """A gateway's outbox on a machine without an RTC: at each boot its clock says 1970 and its
    time since boot begins anew. The truth is known here alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.truth_ms = NOON_MS
        self.boot, self._began_ms = 0, NOON_MS
        self.sent: list[bytes] = []
        self.measured: dict[int, int] = {}  # value: when it really was
        self.never_dated: set[int] = set()
        self.outbox = self._open()
        self.offset: int | None = None

    def _open(self) -> Outbox:
        return Outbox(
            self._folder / "outbox.db", Sealer("g1", "k1", KEY), disk_reserve_bytes=0,
            ballast_bytes=1 << 16,
        )  # fmt: skip

    def name(self) -> str:
        return f"boot-{self.boot}"

    def since_boot_ms(self) -> int:
        return self.truth_ms - self._began_ms

    def clock(self) -> Clock:
        return Clock(self.offset is not None, self.offset, self.name())

    def now_ms(self) -> int:
        return self.truth_ms if self.offset is not None else self.since_boot_ms()

    def reads(self, *, cut: bool) -> None:
        """One reading of a device without a time."""
        value = len(self.measured) + 1
        self.measured[value] = self.truth_ms
        dated, undated = [], []
        if self.offset is not None:
            dated = [Row(AIR, self.truth_ms, value, 0)]
        else:
            undated = [Row(AIR, self.since_boot_ms(), value, ESTIMATED)]
        self._take(dated, undated, cut)

    def cut(self) -> None:
        self._take([], [], True)

    def _take(self, dated: list[Row], undated: list[Row], cut: bool) -> None:
        self.outbox.take(
            dated, [], self.now_ms(), self.clock(), cut=cut, undated=undated,
            since_boot_ms=self.since_boot_ms(),
        )  # fmt: skip

    def learns_the_time(self) -> None:
        if self.offset is None:
            assert self.outbox.keep_boot_offset(self.name(), self._began_ms, self.truth_ms)
            self.offset = self._began_ms

    def starts_again(self) -> None:
        """The process alone."""
        self._collect()
        self.outbox.close()
        self.outbox = self._open()
        self.offset = self.outbox.boot_offset(self.name())

    def reboots(self) -> None:
        self.truth_ms += 30_000
        if self.offset is None:
            self.never_dated.add(self.boot)
        self.boot, self._began_ms = self.boot + 1, self.truth_ms
        self.starts_again()

    def _collect(self) -> None:
        for waiting in self.outbox.waiting():
            payload = self.outbox.payload(waiting.id)
            if payload is not None and payload not in self.sent:
                self.sent.append(payload)

    def ends(self) -> None:
        """All that is pending is cut, as after enough time."""
        self.truth_ms += UNDATED_WAIT_MS + 1
        self.cut()
        self._collect()
        self.outbox.close()


@contextmanager
def machine() -> Iterator[Machine]:
    with TemporaryDirectory() as folder:
        made = Machine(Path(folder))
        yield made


STEPS = st.sampled_from(["read", "read", "cut", "wait", "trust", "restart", "reboot"])


@settings(max_examples=80, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_every_reading_of_a_machine_without_a_clock_is_stored_once_or_kept_undated(
    steps: list[str], shuffled: random.Random
) -> None:
    """Whatever happens to machine and process, in whatever order the batches come."""
    with machine() as gateway:
        boots: dict[int, int] = {}
        for step in steps:
            gateway.truth_ms += 1_000
            match step:
                case "read":
                    gateway.reads(cut=False)
                    boots[len(gateway.measured)] = gateway.boot
                case "cut":
                    gateway.cut()
                case "wait":
                    gateway.truth_ms += UNDATED_WAIT_MS
                    gateway.cut()
                case "trust":
                    gateway.learns_the_time()
                case "restart":
                    gateway.starts_again()
                case _:
                    gateway.reboots()
        gateway.ends()
        if gateway.offset is None:
            gateway.never_dated.add(gateway.boot)
        shuffled.shuffle(gateway.sent)
        store = MemoryStore()
        server = consumer(store)
        for payload in gateway.sent:
            server.consume("live", [heard(payload)])

        waiting = [
            count
            for one in store.undated()
            for _, found in undated_v1.decode(one.body).rows
            for count in found.count
        ]
        assert sorted(waiting + [count for _, count, _ in stored(store)]) == sorted(
            gateway.measured
        )
        assert store.totals()["conflicts"] == 0
        for at_ms, count, _ in stored(store):
            assert at_ms == gateway.measured[count]
        assert {boots[count] for count in waiting} <= gateway.never_dated


def test_three_boots_without_a_clock_and_one_that_learns_the_time() -> None:
    with machine() as gateway:
        for _ in range(3):
            gateway.reads(cut=False)
            gateway.truth_ms += 5_000
            gateway.reads(cut=True)
            gateway.reboots()
        gateway.reads(cut=True)
        gateway.truth_ms += 7_000
        gateway.learns_the_time()
        gateway.reads(cut=True)
        gateway.ends()
        store = MemoryStore()
        consumer(store).consume("live", [heard(payload) for payload in gateway.sent])

        assert [count for _, count, _ in stored(store)] == [7, 8]
        assert [at for at, _, _ in stored(store)] == [gateway.measured[7], gateway.measured[8]]
        assert [one.boot for one in store.undated()] == ["boot-0", "boot-1", "boot-2"]


DYING = """
import os, signal, sys
from pathlib import Path
from ingest.consume import Consumer
from tests.unit.ingest.test_undated import PAYLOADS, consumer, heard
from store.connect import open_readings

store, left = open_readings(Path(sys.argv[1]), write=True), int(sys.argv[2])
keep = store.date

def date(*args):
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return keep(*args)

store.date = date
consumer(store).consume("live", [heard(payload) for payload in PAYLOADS])
"""


@pytest.mark.parametrize("dated", [0, 1, 2])
def test_a_server_killed_while_it_dates_has_each_reading_once_at_its_next_start(
    tmp_path: Path, dated: int
) -> None:
    """Killed with -9 when so many of the three batches that can be dated are."""
    path = tmp_path / "readings.db"
    died = subprocess.run(
        [sys.executable, "-c", DYING, str(path), str(dated)], cwd=ROOT, check=False
    )
    assert died.returncode == -signal.SIGKILL
    with closing(open_readings(path, write=True)) as store:
        assert len(store.undated(known=True)) == 3 - dated
        server = consumer(store)
        server.date_what_can_be()
        server.consume("live", [heard(payload) for payload in PAYLOADS])  # no receipt was sent

        assert stored(store) == EXPECTED
        assert store.totals()["conflicts"] == 0
        assert [one.boot for one in store.undated()] == ["b3"]
