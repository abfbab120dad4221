"""Ingest: off the broker, into the store, and a receipt back.

Two sessions, so that a backlog in flight never holds up a live message; one writer, which
is the thread that called ``run``. Gateways are told of their rooms by a thread of its own,
because reading the records must not hold up a message either.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from functools import partial

from domain.system_alarm import SERVER
from ingest.consume import Consumer
from ingest.gateway_config import Configs, sign_with
from ingest.inbox import Inbox
from ingest.keys import read_gateways, read_restored, read_secret
from ingest.quarantine import fulfil, wishes
from ingest.session import Session
from ingest.settings import Settings
from store.connect import open_readings
from store.errors import Full
from store.system_alarms import Board
from wire import hello_v1, topics
from wire.restore_v1 import Restored

log = logging.getLogger(__name__)

FULL_PAUSE_S = 5.0
LOOK_S = 0.5  # how long a stop or a wish may wait when nothing arrives


def run(settings: Settings, *, now_ms: Callable[[], int], stop: threading.Event) -> None:
    """Until ``stop`` is set. Raises ``AlreadyOpen`` when another ingest writes the same file."""
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
        board = Board(settings.system_path, "ingest", now_ms)
        gateways = read_gateways(settings.gateways)
        consumer = Consumer(
            store, gateways, say, now_ms, restored, board, doubts_clock=settings.doubts_clock
        )
        when_there_is_room(consumer.date_what_can_be, stop.wait, board)
        configs = _start_configs(settings, restored, say, now_ms, stop)
        hello = hello_v1.encode(hello_v1.Hello(store.store_id, now_ms()))
        folder = wishes(settings.readings_path)
        password = read_secret(settings.password_file)
        for session in (live, backlog):
            session.start(settings.broker_url, settings.username, password)
        log.info("ingest runs", extra={"store": store.store_id, "n": store.last_arrival()})
        suspect = False
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
                taken = inbox.take(LOOK_S)
                if taken is not None and suspect and taken[0] != "status":
                    consumer.let_pass(taken[1])
                elif taken is not None:
                    when_there_is_room(partial(consumer.consume, *taken), stop.wait, board)
                for id_, reason in fulfil(folder, store, consumer).items():
                    log.info("quarantine retried", extra={"id": id_, "refused": reason})
        finally:
            inbox.close()
            for session in (live, backlog):
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


def when_there_is_room(
    work: Callable[[], None], wait: Callable[[float], bool], board: Board
) -> None:
    """Do the work, again and again while the disk is full; nothing is acknowledged meanwhile.

    Gives up, without having done it, when ``wait`` says to stop.
    """
    while True:
        try:
            work()
        except Full as error:
            log.error("disk full: nothing is stored", extra={"reason": str(error)})  # noqa: TRY400 - the reason says it all
            board.say("DISK_FULL", SERVER, on=True, detail=str(error))
            if wait(FULL_PAUSE_S):
                return
        else:
            board.say("DISK_FULL", SERVER, on=False)
            return
