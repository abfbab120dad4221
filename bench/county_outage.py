"""A county comes back: 72 hours of 100 gateways with ten probes each, at once.

    python -m bench county_outage [--hours N] [--profile]

The real broker, ingest, api and alerts. The load generator speaks as the 100 gateways do, each
with its own user, key, epoch and connection: every batch sealed before the clock starts (600
readings: ten probes, an hour of minutes), all of them sent at once on the backlog lane, as after an
outage of the link. What the generator itself costs is told, because it shares the cores.
Meanwhile another gateway is live: ten readings of five rooms twice a second until their receipt,
and a room above its ceiling twice a second until its notice is on disk. In the end the alarms of
twenty rooms are compared with what the rules make of the readings that were generated.
"""

import argparse
import pstats
import random
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bench import profile
from bench.machine import cpu_s, figure, note, percentile
from bench.told import Outbox, told, waits
from coldtrail.init import NewGateway, init_data
from coldtrail.settings import Edge, Installation
from domain.judgement import Asked, Fact, Rule
from domain.reading import Columns, PersonId, ProbeId, RoomId, Series, SiteId
from domain.room import judge
from store.connect import open_readings
from store.facts import open_facts_reader
from store.records import open_records, open_records_reader
from store.records.ports import Duty, Person, Region, Room, Site
from tests.support.servers import free_port_base, require, wait_until
from wire import receipt_v1, topics
from wire.batch_v1 import Clock, Header, digest, pack_readings, seal_batch

ROOT = Path(__file__).resolve().parents[1]
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
GATEWAYS, PROBES, ROOMS = 100, 10, 5  # of each gateway: two probes a room
SAMPLED_ROOMS = 20
LIVE_ROOMS = 50  # two probes each
ROLES = ("broker", "api", "ingest", "alerts")
PROFILED = ("ingest", "alerts")
LONGEST_S = 1_800


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def room_of(gateway: int, probe: int) -> str:
    return f"r{gateway}-{probe % ROOMS}"


def series_of(gateway: int, probe: int) -> Series:
    return Series(ProbeId(f"mqtt:g{gateway}:p{probe}"), "temperature")


def measured(gateway: int, probe: int, start_ms: int, minutes: int) -> Columns:
    """A saw-tooth; the room's warm spells, of an hour on average, one a day."""
    chance = random.Random(gateway * ROOMS + probe % ROOMS)  # noqa: S311 - reproducible
    counts = array("q", [180 + (i * 7 + probe * 31 + gateway) % 120 for i in range(minutes)])
    for _ in range(max(1, minutes // 1_440)):
        begin, height = chance.randrange(minutes), chance.choice((300, 500, 700, -280))
        for i in range(begin, min(minutes, begin + chance.randrange(20, 100))):
            counts[i] += height
    shift = (gateway * 97 + probe * 13) % 60 * 1000
    times = array("q", range(start_ms + shift, start_ms + shift + minutes * MINUTE_MS, MINUTE_MS))
    return Columns(times, counts, array("H", bytes(2 * minutes)))


def batches(edge: Edge, gateway: int, hours: int, start_ms: int) -> list[bytes]:
    key = (edge.keys / f"tag-{edge.gateway.kid}.key").read_bytes()
    columns = {p: measured(gateway, p, start_ms, 60 * hours) for p in range(PROBES)}
    found: list[bytes] = []
    for hour in range(hours):
        cut = slice(60 * hour, 60 * hour + 60)
        rows = [
            (series_of(gateway, p), Columns(c.at_ms[cut], c.count[cut], c.quality[cut]))
            for p, c in columns.items()
        ]
        before = digest(found[-1]) if found else b""
        header = Header(1, "readings", edge.gateway.id, edge.gateway.kid, "past", hour + 1,
                        before, now_ms(), Clock(trusted=True))  # fmt: skip
        found.append(seal_batch(header, pack_readings(rows), key))
    return found


def make_places(installation: Installation, told_rooms: int) -> None:
    records = open_records(installation.server / "records.db")
    since_ms = now_ms() - 30 * 24 * HOUR_MS
    said: dict[str, Any] = {"by": "bench", "now_ms": since_ms}
    records.put_region(Region("c", None, "county", "县", "County"), **said)

    def room(id: str, site: str, probes: Sequence[str]) -> None:
        records.put_room(Room(RoomId(id), SiteId(site), "chilled", id, id), **said)
        records.add_rule(RoomId(id), since_ms, "SB", ["strawberry"], 300, {}, **said)
        for probe in probes:
            records.assign(ProbeId(probe), RoomId(id), since_ms, **said)

    for g in range(GATEWAYS):
        records.put_site(
            Site(SiteId(f"s{g}"), "c", "village-point", f"点{g}", f"Point {g}"), **said
        )
        for r in range(ROOMS):
            room(f"r{g}-{r}", f"s{g}", [series_of(g, p).probe for p in (r, r + ROOMS)])
    for n in range(told_rooms):
        records.put_site(Site(SiteId(f"t{n}"), "c", "village-point", f"站{n}", f"Stop {n}"), **said)
        room(f"told-{n}", f"t{n}", [f"mqtt:live:told-{n}"])
        person = Person(PersonId(f"p{n}"), f"P{n}", f"+86138{n:08}", "zh", quiet_hours=False)
        records.put_person(person, **said)
        records.put_duty(Duty(person.id, "operator", "room", f"told-{n}"), **said)
    for n in range(LIVE_ROOMS):
        room(f"live-{n}", "s0", [f"mqtt:live:p{2 * n}", f"mqtt:live:p{2 * n + 1}"])
    records.close()


class Uplink:
    """One gateway's connection: publishes, and knows what its receipts name."""

    def __init__(self, installation: Installation, edge: Edge, epoch: str) -> None:
        g = edge.gateway
        self._key = (edge.keys / f"tag-{g.kid}.key").read_bytes()
        self._epoch, self._partition, self._id = epoch, g.partition, g.id
        self.through = 0
        self.receipted_s: dict[int, float] = {}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"bench-{g.id}")
        self._client.username_pw_set(
            f"gw-{g.id}", (edge.keys / "uplink.password").read_text().strip()
        )
        self._client.max_inflight_messages_set(1_000)
        self._client.on_message = self._on_receipt
        self._client.connect("127.0.0.1", installation.port(1))
        self._client.subscribe(topics.receipt(g.partition, g.id), qos=1)
        self._client.loop_start()

    def _on_receipt(self, _c: mqtt.Client, _u: object, message: mqtt.MQTTMessage) -> None:
        at_s = time.perf_counter()
        receipt = receipt_v1.decode(bytes(message.payload), self._key)
        through = receipt.epochs.get(self._epoch, (0, []))[0]
        for seq in range(self.through + 1, through + 1):
            self.receipted_s[seq] = at_s
        self.through = max(self.through, through)

    def send(self, lane: topics.Lane, payload: bytes) -> None:
        self._client.publish(topics.batch(self._partition, self._id, lane), payload, qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Live:
    """A gateway that goes on as ever: 1,200 readings a minute of 100 probes, and the alarms."""

    def __init__(self, installation: Installation, edge: Edge, rooms: int) -> None:
        self._edge, self._rooms = edge, rooms
        self._key = (edge.keys / f"tag-{edge.gateway.kid}.key").read_bytes()
        self._link = Uplink(installation, edge, "live")
        self._seq, self._before = 0, b""
        self.sent_s: dict[int, float] = {}
        self.said: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _send(self, rows: list[tuple[Series, Columns]]) -> None:
        self._seq += 1
        header = Header(1, "readings", self._edge.gateway.id, self._edge.gateway.kid, "live",
                        self._seq, self._before, now_ms(), Clock(trusted=True))  # fmt: skip
        payload = seal_batch(header, pack_readings(rows), self._key)
        self._before = digest(payload)
        self.sent_s[self._seq] = time.perf_counter()
        self._link.send("live", payload)

    def normal(self) -> None:
        """Every room is heard before it grows warm."""
        at_ms = now_ms() - 2 * MINUTE_MS
        for n in range(self._rooms):
            self._send([one(f"told-{n}", at_ms, 250)])
        wait_until(lambda: self._link.through >= self._seq, LONGEST_S, "the rooms are heard")

    def first(self) -> str:
        """One alarm before the others: alerts has started when it is told."""
        room = f"told-{self._rooms - 1}"
        self._send([one(room, now_ms(), 1_650)])
        return room

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        tick = 0
        begun = time.perf_counter()
        while not self._stop.wait(max(0.0, begun + tick / 4 - time.perf_counter())):
            tick += 1
            at_ms = now_ms()
            if tick % 2:
                first = tick // 2 * PROBES
                probes = [(first + p) % (2 * LIVE_ROOMS) for p in range(PROBES)]
                self._send([one(f"p{p}", at_ms, 220 + tick % 90) for p in probes])
            elif tick // 2 < self._rooms - 1:
                room = f"told-{tick // 2}"
                self.said[room] = time.perf_counter()
                self._send([one(room, at_ms, 1_650)])

    def stop(self) -> list[float]:
        """Seconds from each batch to its receipt."""
        self._stop.set()
        self._thread.join()
        wait_until(lambda: self._link.through >= self._seq, LONGEST_S, "the live receipts")
        self._link.close()
        return [self._link.receipted_s[seq] - at for seq, at in self.sent_s.items()]


def one(probe: str, at_ms: int, count: int) -> tuple[Series, Columns]:
    series = Series(ProbeId(f"mqtt:live:{probe}"), "temperature")
    return series, Columns(array("q", [at_ms]), array("q", [count]), array("H", [0]))


@contextmanager
def roles(installation: Installation, profile_to: Path | None) -> Iterator[dict[str, int]]:
    """Each as its own process; their pids. ``profile_to``: a folder in which ingest and alerts
    leave their profiles when they are asked to stop."""
    processes = {}
    try:
        for role in ROLES:
            with (installation.folder / "logs" / f"{role}.log").open("ab") as log:
                looked = (
                    ["-m", "cProfile", "-o", str(profile_to / f"{role}.profile")]
                    if profile_to and role in PROFILED
                    else []
                )
                processes[role] = subprocess.Popen(
                    [
                        sys.executable, *looked,
                        "-m", "coldtrail.roles", role, "--data", str(installation.folder),
                    ],
                    cwd=ROOT, stdout=log, stderr=log,
                )  # fmt: skip
            if role == "api":  # it makes the tables that the others wait for
                time.sleep(3)
        yield {role: process.pid for role, process in processes.items()}
    finally:
        if profile_to:
            for role in PROFILED:
                processes[role].terminate()
                processes[role].wait(60)
        for process in processes.values():
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class Heads:
    rows: int
    judged: bool


def heads(installation: Installation) -> Heads:
    readings = open_readings(installation.server / "readings.db", write=False)
    records = open_records_reader(installation.server / "records.db")
    facts = open_facts_reader(installation.server / "facts.db")
    try:
        n, m = facts.cursor()
        # The live gateway goes on, so the cursor is allowed the arrivals of the last second.
        judged = readings.last_arrival() - n <= 10 and m == records.last_change()
        return Heads(readings.totals()["rows"], judged)
    finally:
        facts.close()
        records.close()
        readings.close()


def same_alarms(installation: Installation, hours: int, start_ms: int) -> tuple[int, int]:
    """(alarms compared, rooms that differ)."""
    facts = open_facts_reader(installation.server / "facts.db")
    records = open_records_reader(installation.server / "records.db")
    chance = random.Random(5)  # noqa: S311 - reproducible
    compared = wrong = 0
    for _ in range(SAMPLED_ROOMS):
        g, r = chance.randrange(GATEWAYS), chance.randrange(ROOMS)
        room = RoomId(f"r{g}-{r}")
        horizon_ms = facts.judged()[room][2]
        rule = records.rules(room)[0]
        asked = Asked(
            (Rule(str(rule.m), rule.from_ms, rule.profile, tuple(rule.commodities), rule.interval_s, rule.overrides),),
            {series_of(g, p): measured(g, p, start_ms, 60 * hours) for p in (r, r + ROOMS)},
            [],
        )  # fmt: skip
        expected = sorted(shown(fact) for fact in judge(asked, horizon_ms).facts)
        found = sorted(
            (f.code, f.began_at_ms, f.fired_at_ms, f.cleared_at_ms or 0,
             None if f.peak is None else round(f.peak * 100), f.degree_minutes)
            for f in facts.facts(room)
        )  # fmt: skip
        compared += len(expected)
        wrong += found != expected
        if found != expected:
            note(f"{room}: {len(found)} recorded, {len(expected)} expected")
    facts.close()
    records.close()
    return compared, wrong


def shown(fact: Fact) -> tuple[str, int, int, int, int | None, float]:
    return (fact.code, fact.began_at_ms, fact.fired_at_ms, fact.cleared_at_ms or 0, fact.peak,
            fact.degree_minutes)  # fmt: skip


def measure(folder: Path, hours: int, told_rooms: int, *, profiled: bool) -> None:
    ids = [*(f"g{g}" for g in range(GATEWAYS)), "live"]
    installation = init_data(
        folder, port_base=free_port_base(400),
        gateways=[NewGateway(id) for id in ids],
        more_toml='[alerts]\nsms_url = "log:"\n',
    )  # fmt: skip
    make_places(installation, told_rooms)
    start_ms = (now_ms() // HOUR_MS - hours - 1) * HOUR_MS
    *edges, live_edge = installation.edges()
    past = [batches(edge, g, hours, start_ms) for g, edge in enumerate(edges)]
    total = GATEWAYS * PROBES * 60 * hours
    note(
        f"{total:,} readings in {sum(map(len, past)):,} batches, {sum(len(b) for p in past for b in p) / total:.1f} B each"
    )
    profile_to = folder if profiled else None
    with roles(installation, profile_to) as pids:
        wait_until(lambda: _ready(installation), LONGEST_S, "the roles are ready")
        live = Live(installation, live_edge, told_rooms)
        live.normal()
        wait_until(lambda: heads(installation).judged, LONGEST_S, "the rooms are judged")
        outbox = Outbox(installation.server / "notices.db")
        first = live.first()
        wait_until(lambda: first in outbox.seen, LONGEST_S, "alerts tells")
        links = [Uplink(installation, edge, "past") for edge in edges]
        cpu = {role: cpu_s(pid) for role, pid in pids.items()}
        base = heads(installation).rows
        live.sent_s.clear()
        live.start()
        begun, own_s = time.perf_counter(), time.process_time()
        for hour in range(hours):
            for link, batch in zip(links, past, strict=True):
                link.send("backlog", batch[hour])
        wait_until(lambda: all(link.through >= hours for link in links), LONGEST_S, "all receipted")
        stored_s = time.perf_counter() - begun
        own_s = time.process_time() - own_s
        ingest_cpu = cpu_s(pids["ingest"]) - cpu["ingest"]
        while not heads(installation).judged:  # seldom: looking locks the file for a moment
            time.sleep(1)
        judged_s = time.perf_counter() - begun
        took = live.stop()
        noticed = waits(live.said, outbox)
        alerts_cpu = cpu_s(pids["alerts"]) - cpu["alerts"]
        rows = heads(installation).rows - base
        for link in links:
            link.close()
        outbox.close()
        compared, wrong = same_alarms(installation, hours, start_ms)
    if profile_to:
        for role in PROFILED:
            found = pstats.Stats(str(profile_to / f"{role}.profile"))
            profile.tell(found, f"{role}'s main loop, waiting included")
    what = f"{hours} h × {GATEWAYS} gateways × {PROBES} probes"
    slow = sorted(
        (outbox.seen[r] - at, at - begun) for r, at in live.said.items() if r in outbox.seen
    )
    note(
        "slowest notices: "
        + ", ".join(f"{took_s:.1f} s after {at:.0f} s" for took_s, at in slow[-6:])
    )
    lost = total + PROBES * (len(took) - len(live.said)) + len(live.said) - rows
    figure(f"{what}: {total:,} readings, from the first sent to the last receipt",
           f"{stored_s:.0f} s = {total / stored_s:,.0f} readings/s (CPU: ingest {ingest_cpu:.0f} s, generator {own_s:.0f} s; lost {lost})",
           "100,000/s")  # fmt: skip
    figure(f"{what}: judged after the last receipt ({GATEWAYS * ROOMS} rooms)",
           f"{judged_s - stored_s:.0f} s (alerts {alerts_cpu:.0f} s CPU in all)", "180 s")  # fmt: skip
    figure(f"{what}: live batch → receipt meanwhile",
           f"p50 {percentile(took, 0.5):.2f} s, p99 {percentile(took, 0.99):.2f} s, max {max(took):.2f} s"
           f" ({len(took)} batches)", "p99 2 s")  # fmt: skip
    told(f"{what}: live batch → notice in its outbox meanwhile", live.said, noticed)
    figure(f"{what}: alarms of {SAMPLED_ROOMS} rooms against the rules over what was sent",
           f"{compared} alarms, {wrong} rooms differ", "0 differ")  # fmt: skip


def _ready(installation: Installation) -> bool:
    try:
        heads(installation)
        return (installation.server / "notices.db").exists()
    except Exception:  # noqa: BLE001 - any of three files that are not there yet
        return False


def main() -> None:
    options = argparse.ArgumentParser(description="72 hours of 100 gateways at once.")
    options.add_argument("--hours", type=int, default=72)
    options.add_argument("--told", type=int, default=600, help="rooms that grow warm meanwhile")
    options.add_argument("--profile", action="store_true", help="also where the time goes")
    chosen = options.parse_args()
    require("nats-server")
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder) / "data", chosen.hours, chosen.told, profiled=chosen.profile)


if __name__ == "__main__":
    main()
