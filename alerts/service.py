"""The alerts role: readings and records in, facts out, people told.

The main loop looks at the journals a few times a second, judges, decides and writes. What was
written is carried by a thread for each channel, and to the api by one more, so that a slow
carrier delays neither a judgement nor another carrier. A reply comes in on the channel's own
thread: it is stored there, and the main loop is woken.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from alerts.carriers import Carriers
from alerts.engine import Engine
from alerts.escalation import Rosters
from alerts.gateway_events import GatewayEvents
from alerts.heartbeat import Heartbeat
from alerts.keep_alive import KeepAlive
from alerts.notices import Notifier
from alerts.places import Places
from alerts.routes import Routes, Way
from alerts.sending import IDLE_S, Api, Sender
from alerts.settings import Settings
from alerts.system_alarms import SystemWatch
from alerts.upkeep import Upkeep
from channels.connect import carries, connect
from channels.listener import Listener, token_in
from channels.ports import Channel, Hears, Reply, TryLater
from disk.room import Full, free_bytes
from domain.system_alarm import SERVER
from store.connect import open_readings
from store.errors import NotReady
from store.facts import open_facts
from store.notices import open_notices
from store.ports import ReadingReader
from store.records import open_records_reader
from store.records.reader import SqlRecordsReader
from store.system_alarms import Board

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
ABOUT = "part:alerts"
BEGUN = "begun_ms"
FULL_PAUSE_S = 5.0
BEGIN_BYTES, LEAST_BYTES = 4 << 20, 1 << 20  # free, to begin and to go on


class NoChannel(Exception):
    """Nobody could be told anything."""


def run(settings: Settings, *, now_ms: Callable[[], int], stop: threading.Event) -> None:
    """Until ``stop`` is set. Raises what is a mistake of ours or of the settings.

    When there is no room to write, nothing can be told without the risk of telling it again and
    again. So everything is let go of, and begun anew from what is on disk when there is room.
    """
    board = Board(settings.system_path, "alerts", now_ms)
    folder = Path(settings.notices_path).parent
    while not stop.is_set():
        try:
            _require(folder, BEGIN_BYTES)
            board.say("DISK_FULL", SERVER, on=False)
            _live(settings, board, now_ms, stop)
        except Full as error:
            log.error("disk full: waiting for room", extra={"reason": str(error)})  # noqa: TRY400 - the reason says it all
            board.say("DISK_FULL", SERVER, on=True, detail=str(error))
            while free_bytes(folder) < BEGIN_BYTES and not stop.wait(FULL_PAUSE_S):
                pass
            stop.wait(FULL_PAUSE_S)


def _require(folder: Path, bytes_: int) -> None:
    """``Full`` before SQLite has to say so: what is sent must find room in the log of sendings."""
    if (free := free_bytes(folder)) < bytes_:
        raise Full(f"{free >> 10} KiB free")


def _live(
    settings: Settings, board: Board, now_ms: Callable[[], int], stop: threading.Event
) -> None:
    """One life of everything, until ``stop`` or an error. Raises ``Full``."""
    ended = threading.Event()
    with contextlib.ExitStack() as stack:
        facts = stack.enter_context(contextlib.closing(open_facts(settings.facts_path)))
        notices = stack.enter_context(contextlib.closing(open_notices(settings.notices_path)))
        notices.put_about(BEGUN, now_ms())  # it can be written: what is sent can be noted
        opened = _when_ready(settings, board, stop)
        if opened is None:
            return
        readings, records = opened
        stack.callback(readings.close)
        stack.callback(records.close)

        wake = threading.Event()
        engine = Engine(readings, records, facts)
        while engine.beginning() and not stop.is_set():  # nothing is told on half of what is known
            engine.follow(now_ms())
        gateways = GatewayEvents(readings, notices)
        ways = settings.ways()
        routes = Routes({w.name: Way(carries(w), w.by_default) for w in ways})
        sender = Sender(notices, facts, Rosters(records, routes), Places(records), now_ms, routes)

        def on_reply(reply: Reply) -> None:
            with _told_to_come_again():
                notices.keep_reply(reply.provider_id, reply.from_phone, reply.text, reply.at_ms)
            wake.set()

        def on_receipt(provider_id: str, state: str) -> None:
            with _told_to_come_again():
                sender.on_receipt(provider_id, state)

        channels: dict[str, Channel] = {}
        for way in ways:
            try:
                channels[way.name] = connect(
                    way, on_reply=on_reply, on_receipt=on_receipt, now_ms=now_ms
                )
            except (OSError, ValueError) as error:  # the others go on without it
                log.exception("a channel cannot be used", extra={"channel": way.name})
                sender.leave_out(way.name, str(error))
                routes = routes.without(way.name)
            else:
                stack.callback(channels[way.name].close)
        if not channels:
            raise NoChannel("none of the channels can be used: the log says why")
        _listen_for_pushes(stack, settings, channels)
        notifier = Notifier(
            engine, records, facts, notices, now_ms(), settings.tell_from_ms, gateways, routes
        )
        failed: list[BaseException] = []

        def fail(error: BaseException) -> None:
            failed.append(error)
            wake.set()

        keep_alive = KeepAlive(
            notices, sender, Rosters(records, routes), {w.name: w.test_phone for w in ways},
            settings.owners, now_ms, board,
        )  # fmt: skip
        system = SystemWatch(
            board, settings.system_path, readings, records, notices, Rosters(records, routes),
            settings.owners, now_ms, settings.clock_rate,
        )  # fmt: skip
        upkeep = Upkeep(readings, records, notices, Rosters(records, routes))
        carriers = Carriers(sender, channels, keep_alive, now_ms, fail)
        told = threading.Event()
        api = Api(settings.api_url, settings.api_token_file, notices)

        def carry() -> None:
            try:
                while not (stop.is_set() or ended.is_set()):
                    told.clear()
                    carriers.wake()
                    if not carriers.look_after() + api.post_due(now_ms()):
                        told.wait(IDLE_S)
            except BaseException as error:  # noqa: BLE001 - the main loop raises it
                fail(error)

        carriers.start()
        stack.callback(carriers.stop)
        thread = threading.Thread(target=carry, name="telling", daemon=True)
        thread.start()
        stack.callback(thread.join, 10)
        stack.callback(told.set)
        beat = Heartbeat(settings.heartbeat_url)
        stack.callback(beat.close)
        log.info("alerts runs", extra={"rooms": len(list(engine.rooms()))})
        try:
            for _ in _rounds(stop, wake):
                if failed:
                    raise failed[0]
                _require(Path(settings.notices_path).parent, LEAST_BYTES)
                judged = engine.follow(now_ms())
                gateways.take()  # before anything is told of what was judged
                said = notifier.read_replies(now_ms()) + notifier.turn(now_ms(), judged)
                if said + system.turn() + upkeep.turn(now_ms()):
                    told.set()
                beat.judged()
                if engine.hurries(now_ms()):
                    wake.set()
        finally:
            ended.set()


@contextlib.contextmanager
def _told_to_come_again() -> Iterator[None]:
    """Whoever brings a reply or a receipt keeps it while there is no room here."""
    try:
        yield
    except Full as error:
        raise TryLater(str(error)) from error


def _listen_for_pushes(
    stack: contextlib.ExitStack, settings: Settings, channels: Mapping[str, Channel]
) -> None:
    """Only where a provider pushes. After the channels: closed before them."""
    hears = {name: one for name, one in channels.items() if isinstance(one, Hears)}
    if hears and settings.push_port:
        token = token_in(Path(settings.push_token_file))
        stack.callback(Listener(settings.push_port, token, hears).close)


def _rounds(stop: threading.Event, wake: threading.Event) -> Iterator[None]:
    while not stop.is_set():
        yield
        wake.wait(LOOK_EVERY_S)
        wake.clear()


def _when_ready(
    settings: Settings, board: Board, stop: threading.Event
) -> tuple[ReadingReader, SqlRecordsReader] | None:
    """Ingest makes the readings and the api the records: wait for both. None: told to stop."""
    while not stop.is_set():
        try:
            opened = _open(settings)
        except NotReady as error:
            log.info("waiting for a file", extra={"reason": str(error)})
            board.say("PART_WAITS", ABOUT, on=True, detail=str(error))
        else:
            board.say("PART_WAITS", ABOUT, on=False)
            return opened
        stop.wait(LOOK_EVERY_S)
    return None


def _open(settings: Settings) -> tuple[ReadingReader, SqlRecordsReader]:
    records = open_records_reader(settings.records_path)
    try:
        return open_readings(settings.readings_path, write=False), records
    except NotReady:
        records.close()
        raise
