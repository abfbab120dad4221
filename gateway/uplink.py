"""Batches to the server, receipts back: two lanes, a window each, and patience.

The broker between is a pipe: that it took a batch says nothing. A batch is in flight until
the server's receipt names it; without one it is sent again on a growing, jittered timer, on
reconnection, and when the server says hello. Live batches go newest first, the backlog
oldest first, each within a window of bytes of its own, so that a backlog waits for the
present and never the other way round.

Only the pinned store's receipts count. A receipt of another store, or for more than was
cut, changes nothing and is told as an incident. So is a config that is not the server's, or
not newer than the one that is held.
"""

import logging
import os
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Literal
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from disk.room import Full
from disk.whole import PRIVATE, write_whole
from domain.filling import FillRate
from gateway.clock import BootClock
from gateway.config import Configured, Refused
from gateway.outbox import Impossible, Outbox, Unfit
from gateway.settings import Settings
from wire import events_v1, hello_v1, receipt_v1, restore_v1, status_v1, topics
from wire.batch_v1 import Clock

log = logging.getLogger(__name__)

TICK_S = 0.25
SHORT_S = 5.0  # a connection that ended sooner may have been taken over by a namesake: no race
FIRST_RESEND_S = 15.0
LAST_RESEND_S = 300.0
STATUS_EVERY_S = 30.0
CUTS_A_STATUS = 5  # on a metered link, where batches are rare, a status must be rarer
SAVE_EVERY_S = 30.0
EVICT_EVERY_S = 3_600.0
HELLO_EVERY_S = 2.0
KNOWN_STORES = 64  # whose successor is believed
TRY_REFUSED_S = 600.0
MOST_TRIED = 50  # at once
RATE_OVER_S = 600.0
FILL_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Event:
    kind: Literal["up", "down", "receipt", "config", "hello", "wake"]
    payload: bytes = b""


@dataclass(slots=True)
class _Flight:
    size: int
    live: bool
    resend_at_s: float
    said: mqtt.MQTTMessageInfo


def status_every_s(cut_every_s: float) -> float:
    """How long a gateway says nothing new of itself; the end of its connection is told by the
    broker at once, whatever this is."""
    return max(STATUS_EVERY_S, CUTS_A_STATUS * cut_every_s)


def address_of(url: str) -> tuple[str, int]:
    """Host and port of a broker; without a port the scheme's own (IANA: mqtt 1883, mqtts 8883)."""
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or (8883 if parts.scheme == "mqtts" else 1883)


class StorePin:
    """The one store whose receipts count, remembered in a file: its last line. Above it those that
    it followed: a server put back twice from one backup signs twice for what that backup knew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = path.read_text().split() if path.exists() else []

    @property
    def store(self) -> str:
        """ "" while none is pinned."""
        return self._known[-1] if self._known else ""

    @property
    def known(self) -> Sequence[str]:
        """The pinned store and those before it, oldest first."""
        return tuple(self._known)

    def move(self, store: str) -> None:
        """Pin this one."""
        if store != self.store:
            known = [*self._known, store][-KNOWN_STORES:]
            write_whole(self._path, "\n".join(known), mode=PRIVATE)
            self._known = known


class Uplink:
    """One thread (``run``) and paho's; ``wake`` may be called from any."""

    def __init__(
        self,
        settings: Settings,
        *,
        outbox: Outbox,
        configured: Configured,
        key: bytes,
        password: str,
        version: str,
        now_ms: Callable[[], int],
        clock: Callable[[], Clock],
        boot_clock: BootClock | None = None,
        full: Callable[[], bool],
        alarms: Callable[[], int | None],
        hours_off: Callable[[], dict[str, int]] = dict,
        stop: threading.Event,
        first_resend_s: float = FIRST_RESEND_S,
    ) -> None:
        self._settings = settings
        self._first_resend_s = first_resend_s
        self._outbox = outbox
        self._configured = configured
        self._key = key
        self._password = password
        self._version = version
        self._now_ms = now_ms
        self._clock = clock
        self._boot_clock = boot_clock
        self._full = full
        self._hours_off = hours_off
        self._alarms = alarms
        self._stop = stop
        self._pin = StorePin(Path(settings.store_id_file))
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._in_flight: dict[int, _Flight] = {}
        self._attempts: dict[int, int] = {}
        self._rate = FillRate(RATE_OVER_S, STATUS_EVERY_S)
        self._up = self._greeted = False
        self._status_at_s = self._hello_at_s = 0.0
        self._save_at_s = monotonic() + SAVE_EVERY_S
        self._evict_at_s = monotonic()
        self._was_full = False
        self._receipt_refused = ""
        self._try_at_s = monotonic()
        self._try_many = 1
        self._tried = 0  # the last of the refused batches that went again
        self._unkept: bytes | None = None  # a config that found no room on the disk
        self._answered_s = monotonic()
        self._fill_at_s = 0.0
        self.full_in_h: float | None = None
        self._topic = {
            lane: topics.batch(settings.partition, settings.id, lane)
            for lane in ("live", "backlog")
        }
        self._status_topic = topics.status(settings.partition, settings.id)
        self._receipt_topic = topics.receipt(settings.partition, settings.id)
        self._config_topic = topics.config(settings.partition, settings.id)

    def linked(self) -> bool:
        return self._up

    def down_for_s(self) -> float:
        """For how long the server has not been known to take what it is sent."""
        if self._up and self._outbox.idle():
            self._answered_s = monotonic()
        return monotonic() - self._answered_s

    def wake(self) -> None:
        self._events.put(Event("wake"))

    def run(self) -> None:
        """Until ``stop``. Each connection has a client of its own, so that nothing that an
        old one held back is sent twice."""
        failures = 0
        while not self._stop.is_set():
            self._events = SimpleQueue()  # nothing of an old connection is heard on a new one
            self._in_flight.clear()
            client = self._new_client()
            try:
                client.connect(*address_of(self._settings.uplink_url), keepalive=30)
            except OSError as error:
                failures += 1
                pause_s = min(0.5 * 2**failures, 30.0) * random.uniform(0.5, 1.0)  # noqa: S311  # jitter
                if failures in (1, 10):
                    log.warning("uplink unavailable", extra={"error": str(error)})
                self._housekeeping()
                self._stop.wait(pause_s)
                continue
            client.loop_start()
            began_s = monotonic()
            try:
                if self._serve(client):
                    failures = 0
                    if monotonic() - began_s < SHORT_S:
                        self._stop.wait(random.uniform(0.5, 1.5))  # noqa: S311  # jitter
                else:
                    failures += 1
                    self._stop.wait(min(0.5 * 2**failures, 30.0) * random.uniform(0.5, 1.0))  # noqa: S311  # jitter
            finally:
                self._up = False
                client.disconnect()
                client.loop_stop()

    def _serve(self, client: mqtt.Client) -> bool:
        """Until the connection ends; True if it ever was one."""
        was_up = False
        while not self._stop.is_set():
            for event in self._next_events():
                match event.kind:
                    case "up":
                        was_up = self._up = True
                        self._status_at_s = 0.0
                    case "down":
                        return was_up
                    case "receipt":
                        self._on_receipt(event.payload)
                    case "config":
                        self._on_config(event.payload)
                    case "hello":
                        self._on_hello(event.payload)
                    case "wake":
                        pass
            if self._up:
                self._answer_hello()
                self._tell_status(client)
                if not self._send_due(client):
                    return was_up
            self._housekeeping()
        if self._up:
            client.publish(self._status_topic, self._status("offline"), 1, retain=True)
        return was_up

    def _next_events(self) -> list[Event]:
        """What has happened; waits a moment for the first."""
        events: list[Event] = []
        try:
            events.append(self._events.get(timeout=TICK_S))
            while True:
                events.append(self._events.get_nowait())
        except Empty:
            return events

    # ---- sending -----------------------------------------------------------------------

    def _send_due(self, client: mqtt.Client) -> bool:
        """False when the broker has not even acknowledged what is due again: a new connection
        then, because paho would queue one more copy at each attempt."""
        at_s = monotonic()
        for id in [i for i, flight in self._in_flight.items() if flight.resend_at_s <= at_s]:
            if not self._in_flight.pop(id).said.is_published():
                log.warning("central broker acknowledges nothing: connecting anew")
                return False
        settings = self._settings
        self._fill(client, True, settings.window_bytes_live, at_s)
        self._fill(client, False, settings.window_bytes_backlog, at_s)
        self._try_refused(client, at_s)
        return True

    def _try_refused(self, client: mqtt.Client, at_s: float) -> None:
        """Why the server refused may be mended: one of those goes again now and then, and once it
        is taken the others do."""
        if at_s < self._try_at_s:
            return
        self._try_at_s = at_s + TRY_REFUSED_S * random.uniform(0.75, 1.25)  # noqa: S311  # jitter
        many, self._try_many = self._try_many, 1
        for id in self._outbox.to_try(self._tried, many):
            payload = self._outbox.payload(id)
            if payload is not None:
                client.publish(self._topic["backlog"], payload, 1)
            self._tried = id

    def _fill(self, client: mqtt.Client, live: bool, window: int, at_s: float) -> None:
        room = window - sum(f.size for f in self._in_flight.values() if f.live is live)
        if room <= 0:
            return
        topic = self._topic["live" if live else "backlog"]
        for batch in self._outbox.due(live, self._now_ms(), self._in_flight, room):
            payload = self._outbox.payload(batch.id)
            if payload is None:
                continue
            said = client.publish(topic, payload, 1)
            attempt = self._attempts.get(batch.id, 0)
            self._attempts[batch.id] = attempt + 1
            patience_s = min(self._first_resend_s * 2**attempt, LAST_RESEND_S)
            resend_at_s = at_s + patience_s * random.uniform(0.75, 1.25)  # noqa: S311  # jitter
            self._in_flight[batch.id] = _Flight(batch.size, live, resend_at_s, said)

    # ---- listening ---------------------------------------------------------------------

    def _on_receipt(self, payload: bytes) -> None:
        try:
            receipt = receipt_v1.decode(payload, self._key)
        except receipt_v1.BadReceipt as error:
            log.error("receipt that our server did not make", extra={"reason": error.reason})  # noqa: TRY400
            self._refuse_receipt(error.reason)
            return
        try:
            if receipt.store != self._pin.store and not self._pinned(receipt):
                log.error("receipt of another store, ignored", extra={"store": receipt.store})
                self._refuse_receipt("another store")
                return
        except (OSError, Full) as error:  # no room to remember whose it is: not counted before that
            log.warning("the server's store is not remembered", extra={"error": str(error)})
            return
        refused, lacking = self._outbox.refused(), self._outbox.lacking
        try:
            done = self._outbox.apply(receipt)
        except Impossible as error:
            log.error("receipt for more than was cut, ignored", extra={"detail": str(error)})  # noqa: TRY400
            self._refuse_receipt("for more than was cut")
            return
        self._refuse_receipt("")
        self._answered_s = monotonic()
        for id in done:
            self._in_flight.pop(id, None)
            self._attempts.pop(id, None)
        if lacking != self._outbox.lacking:
            self._status_at_s = 0.0
            if not lacking:
                log.error("the server's receipts lack what they had", extra={"n": receipt.n})
        if refused != (now := self._outbox.refused()):
            self._status_at_s = 0.0
            if refused.keys() - now.keys():  # taken after all
                self._try_many, self._try_at_s = MOST_TRIED, 0.0

    def _refuse_receipt(self, why: str) -> None:
        """People hear of it at once, and that it is over."""
        if why != self._receipt_refused:
            self._receipt_refused = why
            self._status_at_s = 0.0

    def _on_config(self, payload: bytes) -> None:
        unkept, self._unkept = self._unkept, None
        try:
            config = self._configured.offer(payload)
        except OSError as error:  # no room: held and tried again, what was held before counts
            self._unkept = payload
            if unkept is None:
                log.warning("config not kept", extra={"error": str(error)})
        except Refused as error:
            log.error("config refused", extra={"reason": str(error)})  # noqa: TRY400
            now_ms = self._now_ms()
            held = Unfit(self._config_topic, str(error), payload, now_ms)
            try:
                self._outbox.take([], [held], now_ms, self._clock(), cut=False)
            except Full:
                return  # counted; its bytes are what readings need the room for
        else:
            if config is not None:
                log.info("config accepted", extra={"m": config.m, "rooms": len(config.rooms)})
                self._status_at_s = 0.0

    def _pinned(self, receipt: receipt_v1.Receipt) -> bool:
        """Another store than the pinned one is believed where none is pinned, and where the
        server signed that it was put back: then what is still held goes again, because that
        store never had it. Pinned last, so that a crash in between only sends it once more.
        ``Full`` and ``OSError`` when there is no room to write that down."""
        if self._pin.store:
            if not restore_v1.leads(
                receipt.restored, self._pin.known, receipt.store, self._configured.genuine
            ):
                return False
            log.warning("the server was restored", extra={"store": receipt.store})
        if self._pin.store or self._outbox.heard():
            self._outbox.forget_receipts()
            self._in_flight.clear()
            self._attempts.clear()
        self._pin.move(receipt.store)
        return True

    def _on_hello(self, payload: bytes) -> None:
        try:
            hello = hello_v1.decode(payload)
        except hello_v1.BadHello as error:
            log.warning("unreadable hello", extra={"reason": error.reason})
            return
        log.info("server says hello", extra={"store": hello.store})
        self._greeted = True

    def _answer_hello(self) -> None:
        """By sending everything again. One right after another is heeded a moment later: what was
        sent for the one before may have been lost with the server that said it."""
        if not self._greeted or monotonic() - self._hello_at_s < HELLO_EVERY_S:
            return
        self._greeted = False
        self._hello_at_s = monotonic()
        self._in_flight.clear()
        self._attempts.clear()
        self._try_at_s = 0.0
        self._status_at_s = 0.0  # first of all the time here, by which the server checks its own

    # ---- about itself ------------------------------------------------------------------

    def _tell_status(self, client: mqtt.Client) -> None:
        full = self._full()
        every_s = status_every_s(self._settings.cut_every_s)
        if monotonic() - self._status_at_s < every_s and full == self._was_full:
            return
        self._status_at_s, self._was_full = monotonic(), full
        state = "full" if full else "online"
        client.publish(self._status_topic, self._status(state), 1, retain=True)

    def _status(self, state: str) -> bytes:
        backlog = self._outbox.backlog()
        clock = self._clock()
        step = self._boot_clock.last_step if self._boot_clock else None
        config = self._configured.current
        return status_v1.encode(
            status_v1.Status(
                state,
                self._outbox.epoch,
                self._version,
                oldest_ms=backlog.oldest_ms,
                newest_ms=backlog.newest_ms,
                backlog=status_v1.Backlog(backlog.batches, backlog.readings, backlog.bytes),
                # What is receipted makes room when it is needed, so it does not fill the outbox.
                full_in_h=self.full_in_h,
                clock=status_v1.Clock(
                    clock.trusted,
                    self._now_ms(),
                    clock.boot,
                    step.at_ms if step else None,
                    step.by_ms if step else 0,
                ),
                quarantined=self._outbox.quarantined()[0],
                refused=len(self._outbox.refused()),
                config=status_v1.Config(config.store, config.m) if config else None,
                configs_refused=self._configured.refused,
                hours_off=self._shown_hours_off(),
                alarms=self._alarms(),
                receipts_refused=self._receipt_refused,
                receipted=status_v1.Receipted(
                    self._pin.store, self._outbox.receipted_n, self._outbox.lacking
                )
                if self._pin.store
                else None,
            )
        )

    def _shown_hours_off(self) -> dict[str, int]:
        short = [(topic, h) for topic, h in self._hours_off().items() if len(topic) <= 200]
        return dict(short[: status_v1.MAX_HOURS_OFF])

    def _report_step(self) -> None:
        """That the clock was set is an event: it explains what comes after."""
        step = self._boot_clock.take_step() if self._boot_clock else None
        if step is None or self._boot_clock is None:
            return
        log.warning("the clock was set", extra={"by_ms": step.by_ms})
        event = events_v1.ClockSet(os.urandom(8).hex(), step.at_ms, step.by_ms)
        try:
            self._outbox.report(events_v1.encode([event]), self._now_ms(), self._clock())
        except Full:
            self._boot_clock.give_back(step)
        else:
            self._status_at_s = 0.0

    def _housekeeping(self) -> None:
        self._report_step()
        at_s = monotonic()
        if at_s >= self._fill_at_s:
            self._fill_at_s = at_s + FILL_EVERY_S
            backlog, level = self._outbox.backlog(), self._outbox.level()
            self.full_in_h = self._rate.hours_left(at_s, level.limit - backlog.bytes)
        if at_s >= self._save_at_s:
            self._save_at_s = at_s + SAVE_EVERY_S
            self._outbox.save()
            if self._unkept is not None:
                self._on_config(self._unkept)
        if at_s >= self._evict_at_s:
            gone = self._outbox.evict(self._now_ms())
            self._evict_at_s = at_s + (1.0 if gone else EVICT_EVERY_S)

    # ---- paho --------------------------------------------------------------------------

    def _new_client(self) -> mqtt.Client:
        settings = self._settings
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"coldtrail-uplink-{settings.id}",
            clean_session=True,
            reconnect_on_failure=False,
        )
        client.username_pw_set(settings.uplink_username, self._password)
        if urlsplit(settings.uplink_url).scheme == "mqtts":
            client.tls_set()
        client.max_inflight_messages_set(1_000)
        client.will_set(self._status_topic, self._status("offline"), 1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            log.warning("central broker refused us", extra={"reason": str(reason)})
            return
        client.subscribe([(self._receipt_topic, 1), (self._config_topic, 1), (topics.HELLO, 1)])
        self._events.put(Event("up"))

    def _on_disconnect(
        self, _client: mqtt.Client, _data: Any, _flags: Any, _reason: Any, _properties: Any
    ) -> None:
        self._events.put(Event("down"))

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        kinds: dict[str, Literal["hello", "config", "receipt"]] = {
            topics.HELLO: "hello",
            self._config_topic: "config",
        }
        self._events.put(Event(kinds.get(message.topic, "receipt"), bytes(message.payload)))
