"""From a reading at the gateway to the notice in its outbox, live and while a backlog drains.

    python -m bench notice_latency [--rooms N]

A whole installation (``coldtrail up``): a device publishes one reading above the ceiling in a
room, four rooms a second, each once; counted until the notice is on disk in ``notices.db``. The
gateway cuts a batch a second and alerts looks at the journals four times a second, so 0.7 s is
what waiting alone makes on average. First with 20 other readings a second, then with ingest
stopped until the gateway holds weeks of eighty probes, and started again.
"""

import argparse
import json
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import apsw

from bench.machine import load, note
from bench.told import Outbox, told, waits
from domain.reading import PersonId, ProbeId, RoomId, SiteId
from store.records import open_records
from store.records.ports import Duty, Person, Region, Room, Site
from tests.support.servers import free_port_base, require, wait_until
from tests.support.system import System
from tests.support.workload import Publisher

MINUTE_MS, DAY_MS = 60_000, 86_400_000
OTHERS, OTHER_DAYS, STEP_MS = 80, 4, MINUTE_MS
ROOMS_A_SECOND = 4


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def make_places(system: System, rooms: int) -> None:
    records = open_records(system.data / "server" / "records.db")
    since_ms = now_ms() - 30 * DAY_MS
    said: dict[str, Any] = {"by": "bench", "now_ms": now_ms()}
    records.put_region(Region("c", None, "county", "县", "County"), **said)
    for number in range(2 * rooms + 1):  # one more, to see that alerts tells
        room, person = RoomId(f"told-{number}"), PersonId(f"p{number}")
        site = SiteId(f"s{number}")
        records.put_site(Site(site, "c", "village-point", f"点{number}", f"Point {number}"), **said)
        records.put_room(Room(room, site, "chilled", f"库{number}", f"Room {number}"), **said)
        records.assign(ProbeId(f"mqtt:gw1:told-{number}"), room, since_ms, **said)
        records.add_rule(room, since_ms, "SB", ["strawberry"], 300, {}, **said)
        phone = f"+86138{number:08}"
        records.put_person(Person(person, f"P{number}", phone, "zh", quiet_hours=False), **said)
        records.put_duty(Duty(person, "operator", "room", room), **said)
    records.put_site(Site(SiteId("others"), "c", "village-point", "点", "Others"), **said)
    for number in range(OTHERS // 2):
        room = RoomId(f"other-{number}")
        records.put_room(Room(room, SiteId("others"), "chilled", "库", "Room"), **said)
        records.add_rule(room, since_ms, "SB", ["strawberry"], 300, {}, **said)
        for probe in (2 * number, 2 * number + 1):
            records.assign(ProbeId(f"mqtt:gw1:other-{probe}"), room, since_ms, **said)
    records.close()


def pack(rows: list[tuple[int, float]]) -> bytes:
    return json.dumps(
        [{"n": "temperature", "u": "Cel", "t": at_ms / 1000, "v": v} for at_ms, v in rows]
    ).encode()


def memory_of_probes() -> list[tuple[str, bytes]]:
    """Packs of 240, oldest first, with a warm spell of an hour now and then."""
    start_ms = now_ms() - OTHER_DAYS * DAY_MS - 60 * MINUTE_MS
    steps = OTHER_DAYS * DAY_MS // STEP_MS
    found = []
    for begin in range(0, steps, 240):
        for probe in range(OTHERS):
            rows = [
                (start_ms + i * STEP_MS, 8.0 if (i + 97 * (probe // 2)) % 2_000 < 60 else 2 + i % 9 / 10)
                for i in range(begin, min(begin + 240, steps))
            ]  # fmt: skip
            found.append((f"devices/other-{probe}/readings", pack(rows)))
    return found


def fire(publisher: Publisher, numbers: range) -> dict[str, float]:
    said = {}
    begun = time.perf_counter()
    for place, number in enumerate(numbers):
        time.sleep(max(0.0, begun + place / ROOMS_A_SECOND - time.perf_counter()))
        said[f"told-{number}"] = time.perf_counter()
        publisher.offer(iter([(f"devices/told-{number}/readings", pack([(now_ms(), 16.5)]))]))
    return said


def held(system: System) -> int:
    """Readings in the gateway's batches."""
    path = system.data / "gateway" / "outbox.db"
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return int(db.execute("SELECT coalesce(sum(readings), 0) FROM batch").fetchall()[0][0])
    finally:
        db.close()


def settled(system: System) -> bool:
    followers = system.pipeline()["followers"]
    return all(follower["behind"] == 0 for follower in followers.values())


def live(system: System, publisher: Publisher, outbox: Outbox, rooms: int) -> None:
    stop = threading.Event()

    def others() -> None:
        number = 0
        with Publisher.of(system) as second:
            while not stop.wait(0.05):
                number += 1
                topic = f"devices/other-{number % OTHERS}/readings"
                second.offer(iter([(topic, pack([(now_ms(), 2 + number % 9 / 10)]))]))

    thread = threading.Thread(target=others)
    thread.start()
    said = fire(publisher, range(rooms))
    took = waits(said, outbox)
    stop.set()
    thread.join()
    told("reading at the gateway → notice in its outbox, live", said, took)


def draining(system: System, publisher: Publisher, outbox: Outbox, rooms: int) -> None:
    packs = memory_of_probes()
    before = system.pipeline()["rows"]
    total = before + OTHERS * (OTHER_DAYS * DAY_MS // STEP_MS)
    system.signal("ingest", signal.SIGSTOP)
    begun = time.monotonic()
    with Publisher.of(system) as probes:
        probes.offer(iter(packs))
        probes.wait_acked(len(packs), 300)
    wait_until(lambda: held(system) >= total - before, 300, "the gateway holds all of it")
    note(
        f"the gateway took {total - before:,} readings in {time.monotonic() - begun:.0f} s, {load()}"
    )
    begun = time.monotonic()
    system.signal("ingest", signal.SIGCONT)
    ended: list[float] = []

    def watch() -> None:
        wait_until(lambda: system.pipeline()["rows"] >= total, 300, "the backlog is stored")
        ended.append(time.monotonic() - begun)
        wait_until(lambda: settled(system), 300, "everything is judged")
        ended.append(time.monotonic() - begun)

    thread = threading.Thread(target=watch)
    thread.start()
    said = fire(publisher, range(rooms, 2 * rooms))
    fired_s = time.monotonic() - begun
    took = waits(said, outbox)
    thread.join()
    note(f"drained in {ended[0]:.0f} s, judged after {ended[1]:.0f} s; notices asked for over"
         f" the first {fired_s:.0f} s")  # fmt: skip
    told(f"the same while {total - before:,} readings of backlog drain", said, took)


def main() -> None:
    options = argparse.ArgumentParser(description="From a reading to its notice.")
    options.add_argument("--rooms", type=int, default=120, help="in each of both parts")
    rooms = options.parse_args().rooms
    require("nats-server")
    with tempfile.TemporaryDirectory() as folder:
        system = System(Path(folder) / "data", free_port_base())
        system.prepare()
        make_places(system, rooms)
        with system, Publisher.of(system) as publisher:
            start_ms = now_ms()
            normal = [(start_ms - minutes * MINUTE_MS, 2.5) for minutes in (11, 6, 1)]
            publisher.offer(
                (f"devices/told-{n}/readings", pack(normal)) for n in range(2 * rooms + 1)
            )
            wait_until(
                lambda: system.pipeline()["rows"] >= 6 * rooms + 3, 60, "the rooms are heard"
            )
            wait_until(lambda: settled(system), 60, "the rooms are judged")
            outbox = Outbox(system.data / "server" / "notices.db")
            first = fire(publisher, range(2 * rooms, 2 * rooms + 1))
            waits(first, outbox, 60)
            live(system, publisher, outbox, rooms)
            draining(system, publisher, outbox, rooms)
            outbox.close()


if __name__ == "__main__":
    main()
