"""Ingest: off the broker, into the store, and a receipt back.

Two sessions, so that a backlog in flight never holds up a live message; one writer, which
is the thread that called ``run``. Gateways are told of their rooms by a thread of its own,
because reading the records must not hold up a message either.

While there is no room it leaves the broker: a clean session that is gone holds nothing there, so
that the broker does not fill what is left, and the gateways keep what they have.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import monotonic

from disk.room import Full
from domain.filling import FillRate
from domain.system_alarm import SERVER
from ingest.consume import Consumer
from ingest.gateway_config import Configs, sign_with
from ingest.inbox import Inbox
from ingest.keys import read_gateways, read_restored, read_secret
from ingest.quarantine import fulfil, wishes
from ingest.session import Session
from ingest.settings import Settings
from ingest.watermark import Watermark
from store.connect import open_readings
from store.disk import Disk
from store.system_alarms import Board
from wire import broker_process, hello_v1, topics
from wire.restore_v1 import Restored

log = logging.getLogger(__name__)

FULL_PAUSE_S = 5.0
COME_BACK_BYTES = 4 << 20  # above what readings leave free, so as not to go and come all the time
FILL_EVERY_S = 60.0
FILL_OVER_S, FILL_LEAST_S = 6 * 3_600.0, 1_800.0
FILLS_H = 24.0  # full sooner than this: somebody should know
QUIET_S = 300.0  # nothing came: do our own messages still pass the broker?
DEAF_AFTER = 2  # connections on which none did
LOOK_S = 0.5  # how long a stop or a wish may wait when nothing arrives


def run(settings: Settings, *, now_ms: Callable[[], int], stop: threading.Event) -> None:
    """Until ``stop`` is set. Raises ``AlreadyOpen`` when another ingest writes the same file."""
    board = Board(settings.system_path, "ingest", now_ms)
    disk = Disk(Path(settings.readings_path).parent, reserve_bytes=settings.disk_reserve_bytes)
    when_there_is_room(disk.require, stop.wait, board)
    if stop.is_set():
        return
    store = open_readings(
        settings.readings_path,
        write=True,
        floor_days=settings.floor_days,
        quarantine_bytes_per_source=settings.quarantine_bytes_per_source,
    )
    try:
        inbox = Inbox(settings.group_ms / 1000)
        greet = threading.Event()
        name = f"ingest-{store.store_id}-{secrets.token_hex(3)}"
        live = Session(
            f"{name}-live",
            {topics.BATCHES("live"): "live", topics.STATUSES: "status"},
            inbox,
            greet.set,
        )
        backlog = Session(
            f"{name}-backlog", {topics.BATCHES("backlog"): "backlog"}, inbox, greet.set
        )
        say = partial(live.publish, retain=True)
        restored = read_restored(settings.restored_path)
        gateways = read_gateways(settings.gateways)
        mark = Path(settings.watermark_path) if settings.watermark_path else None
        watermark = Watermark(mark, store.store_id, store.last_arrival(), board)
        consumer = Consumer(
            store, gateways, say, now_ms, restored, board,
            doubts_clock=settings.doubts_clock, watermark=watermark,
        )  # fmt: skip
        when_there_is_room(consumer.date_what_can_be, stop.wait, board)
        configs = _start_configs(settings, restored, say, now_ms, stop)
        hello = hello_v1.encode(hello_v1.Hello(store.store_id, now_ms()))
        folder = wishes(settings.readings_path)
        password = read_secret(settings.password_file)
        sessions = (live, backlog)
        for session in sessions:
            session.start(settings.broker_url, settings.username, password)
        log.info("ingest runs", extra={"store": store.store_id, "n": store.last_arrival()})
        suspect = False
        fills = Fills(disk, board)
        heard_s = monotonic()
        try:
            while not stop.is_set():
                suspected, suspect = suspect, consumer.suspects_clock()
                if suspected and not suspect:
                    greet.set()  # what was let pass comes again
                if greet.is_set() and live.ready and backlog.ready and not suspect:
                    greet.clear()
                    consumer.send_receipts()
                    live.publish(topics.HELLO, hello, retain=False)
                    if configs is not None:
                        configs.again()
                board.say("BROKER_AWAY", SERVER, on=not (live.ready and backlog.ready))
                fills.look()
                try:
                    disk.require()
                    taken = inbox.take(LOOK_S)
                    if taken is not None and suspect and taken[0] != "status":
                        consumer.let_pass(taken[1])
                    elif taken is not None:
                        consumer.consume(*taken)
                    for id_, reason in fulfil(folder, store, consumer).items():
                        log.info("quarantine retried", extra={"id": id_, "refused": reason})
                except Full as error:
                    inbox.refuse(refusing=True)
                    for session in sessions:
                        session.stop()
                    look = partial(disk.require, COME_BACK_BYTES)
                    until_there_is_room(error, look, stop.wait, board)
                    if stop.is_set():
                        break
                    inbox.refuse(refusing=False)
                    _start_broker_anew(settings)
                    for session in sessions:
                        session.start(settings.broker_url, settings.username, password)
                    continue
                if taken is not None:
                    heard_s = monotonic()
                elif monotonic() - heard_s > QUIET_S:
                    heard_s = monotonic()
                    greet.set()
                if live.deaf_for >= DEAF_AFTER:
                    live.deaf_for = 0
                    _start_broker_anew(settings)
        finally:
            inbox.close()
            for session in sessions:
                session.stop()
    finally:
        store.close()


def _start_configs(
    settings: Settings,
    restored: Sequence[Restored],
    publish: Callable[[str, bytes], None],
    now_ms: Callable[[], int],
    stop: threading.Event,
) -> Configs | None:
    if not settings.records_path:
        return None
    sign = sign_with(settings.signing_key_file)
    was = [one.records[0] for one in restored]
    configs = Configs(settings.gateways, sign, publish, now_ms, was)
    threading.Thread(
        target=configs.run, args=(settings.records_path, stop), name="config", daemon=True
    ).start()
    return configs


class Fills:
    """Says beforehand that the disk will be full, whatever fills it."""

    def __init__(self, disk: Disk, board: Board) -> None:
        self._disk, self._board = disk, board
        self._rate = FillRate(FILL_OVER_S, FILL_LEAST_S)
        self._at_s = 0.0

    def look(self) -> None:
        at_s = monotonic()
        if at_s < self._at_s:
            return
        self._at_s = at_s + FILL_EVERY_S
        hours = self._rate.hours_left(at_s, self._disk.room())
        soon = hours is not None and hours < FILLS_H
        self._board.say("DISK_FILLS", SERVER, on=soon, detail=f"full in {hours} h" if soon else "")


def _start_broker_anew(settings: Settings) -> None:
    """The embedded one, whose disk was full: what it could not write once, it writes no more."""
    if not settings.broker_pid_file:
        return
    try:
        home = Path(settings.readings_path).parent
        broker_process.start_anew(Path(settings.broker_pid_file), home)
    except OSError as error:
        log.error("central broker not started anew", extra={"reason": str(error)})  # noqa: TRY400 - the reason says it all
    else:
        log.warning("central broker started anew")


def when_there_is_room(
    work: Callable[[], None], wait: Callable[[float], bool], board: Board
) -> None:
    """Do it, as often as it takes; not at all when ``wait`` says to stop first."""
    try:
        work()
    except Full as error:
        until_there_is_room(error, work, wait, board)


def until_there_is_room(
    why: Full, look: Callable[[], None], wait: Callable[[float], bool], board: Board
) -> None:
    """Say so, once, and look again and again; also ends when ``wait`` says to stop."""
    log.error("disk full: nothing is stored", extra={"reason": str(why)})
    board.say("DISK_FULL", SERVER, on=True, detail=str(why))
    while not wait(FULL_PAUSE_S):
        try:
            look()
        except Full:
            continue
        log.warning("there is room again")
        board.say("DISK_FULL", SERVER, on=False)
        return
