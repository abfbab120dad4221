"""From the edge broker to the outbox: acknowledged only after the commit.

paho's thread puts messages on a bounded queue; one writer drains it, decodes, commits a
group, and acknowledges each message of the group. An acknowledgement is sent only on the
connection that brought the message: message numbers start anew with each connection, and a
late one would acknowledge a stranger's message.

Once there is no room, the connection is dropped and nothing is acknowledged; the broker
keeps what it holds for this session, and the gateway comes back when there is room.

When nothing has come for a while a message of our own is sent through the broker. One whose
store has failed brings it never back, though it answers everything else: it is started anew. So
it is when its disk was full to the last bytes.

What comes another way (HTTP, a poller) takes the same queue, and is answered at the same
moment.
"""

import logging
import os
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from disk.room import Full
from domain import admission
from domain.reading import ProbeId, Quality, Series
from gateway import decoders, quarantine
from gateway.clock import ArrivalClock, since_boot_ms
from gateway.decoders.certificates import Certificates
from gateway.edge_broker import Unavailable
from gateway.hours_off import HOUR_MS, HoursOff, Offsets, hours_ahead
from gateway.outbox import Outbox, Row, Unfit, Waiting
from wire.batch_v1 import MAX_PROBE_ID, MAX_READINGS, Clock
from wire.broker_process import START_BYTES

log = logging.getLogger(__name__)

FILTER = "#"  # also what stands on a topic of nobody: acknowledged means kept
SERVERS_OWN = ("_INBOX/", "$")
GROUP_MESSAGES = 64
GROUP_BYTES = 1 << 18
PACK_BYTES = 1 << 15  # a probe's memory, not its present: cut at once
GROUP_S = 0.02  # how long a commit waits for company
QUEUE_MESSAGES = 4_000
QUEUE_BYTES = 8 << 20
IDLE_CUT_EVERY_S = 60.0  # while nobody listens, small batches would only cost
FULL_RETRY_S = 5.0
CHARGE_RETRY_S = 1.0
SENTINEL_RETRY_S = 2.0
DEAF_AFTER = 6  # so many of our own messages did not come back: it does not. It cuts the
# connection after 5 s without a success (measured), so they go over several
HAND_IN_S = 30.0
RETRY_S = 1.0
RETRY_AT_ONCE = 50
_REASONS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: readings on disk, and why not all of it is one."""

    stored: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """``answer`` is set for what did not come through the broker: its sender waits for the
    commit, and is told None when there was none and it must keep what it has."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    retained: bool
    late: bool  # delivered again, or queued before this connection: it arrived at some time before
    connection: int
    answer: Callable[[Outcome | None], None] | None = None


class Inbox:
    """Messages between paho's thread and the writer. Full: ``put`` waits, which stops the
    reading of the socket, which stops the broker."""

    def __init__(self) -> None:
        self._items: deque[Message] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closed = False
        self._refusing = False

    def put(self, message: Message) -> None:
        with self._changed:
            self._changed.wait_for(self._has_room)
            if self._refusing:
                _tell_nothing_was_kept([message])
                return
            self._items.append(message)
            self._bytes += len(message.payload)
            self._changed.notify_all()

    def take(self, timeout_s: float) -> list[Message]:
        """What has arrived, at most a group; empty after the timeout."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, timeout_s)
            if self._items and len(self._items) < GROUP_MESSAGES:
                self._changed.wait_for(
                    lambda: len(self._items) >= GROUP_MESSAGES or self._closed, GROUP_S
                )
            group: list[Message] = []
            size = 0
            while self._items and len(group) < GROUP_MESSAGES and size < GROUP_BYTES:
                group.append(self._items.popleft())
                size += len(group[-1].payload)
            self._bytes -= size
            self._changed.notify_all()
            return group

    def clear(self) -> None:
        """Drop what the broker brought and is not committed: it sends it again."""
        with self._changed:
            self._items = deque(message for message in self._items if message.answer is not None)
            self._bytes = sum(len(message.payload) for message in self._items)
            self._changed.notify_all()

    def refuse(self, *, refusing: bool) -> None:
        """While refusing, ``put`` drops at once, so that nobody waits for room."""
        with self._changed:
            self._refusing = refusing
            _tell_nothing_was_kept(self._items)
            self._items.clear()
            self._bytes = 0
            self._changed.notify_all()

    def close(self) -> None:
        """For good: nobody waits any longer, and what comes is dropped."""
        with self._changed:
            self._closed = True
        self.refuse(refusing=True)

    def _has_room(self) -> bool:
        return self._refusing or (len(self._items) < QUEUE_MESSAGES and self._bytes < QUEUE_BYTES)


def _tell_nothing_was_kept(messages: Iterable[Message]) -> None:
    for message in messages:
        if message.answer is not None:
            message.answer(None)


class Admission:
    """Messages to rows and quarantine. Holds the arrival clock, and what devices said at their
    birth: ``learnt`` is what must be on disk before the message that said it is acknowledged.

    A reading without a time that comes while the clock is not trusted has no instant yet: it is
    added to ``undated``, its time counted from the machine's start. Who calls empties both.
    """

    def __init__(
        self,
        gateway: str,
        foreign: Sequence[decoders.Decoder] = (),
        certificates: Mapping[str, bytes] = MappingProxyType({}),
        since_boot_ms: Callable[[], int] = since_boot_ms,
    ) -> None:
        self._gateway = gateway
        self._foreign = foreign
        self._arrivals = ArrivalClock()
        self._since_boot_ms = since_boot_ms
        self._boot_arrivals = ArrivalClock()
        self.undated: list[Row] = []
        self._births = Certificates(certificates)
        self.learnt: dict[str, bytes] = {}
        self.offsets: Mapping[str, int] = {}  # topic to the hours that its time is ahead
        self.hours_off = HoursOff()

    def admit(
        self,
        message: Message,
        now_ms: int,
        clock_trusted: bool,
        arrived: tuple[int, ArrivalClock] | None = None,
    ) -> tuple[list[Row], Unfit | None]:
        """``arrived``: when, of a message that is tried once more now, and the clock of all
        those that are, in the order of their arrival."""
        arrivals = self._arrivals if arrived is None else arrived[1]
        received_at_ms = arrivals.now(now_ms) if arrived is None else arrived[0]
        try:
            decoded = decoders.decode(
                message.topic, message.payload, received_at_ms, self._births, self._foreign
            )
        except decoders.NotMine as error:
            kept = message.payload[: decoders.MAX_PAYLOAD]
            reason = _storable(error.reason)
            return [], Unfit(message.topic, reason, kept, received_at_ms, message.late)
        if self._births.learn(message.topic, message.payload):
            self.learnt[message.topic] = message.payload
        readings = [self._in_utc(item, message.topic) for item in decoded]
        hours = 0
        if clock_trusted and not message.late and arrived is None:
            hours = self._watch_hours(message.topic, readings, now_ms)
        rows: list[Row] = []
        reasons: list[str] = []
        for item in readings:
            if isinstance(item, decoders.Unusable):
                reasons.append(item.reason)
                continue
            objection = admission.objection(
                item.quantity,
                item.at_ms if item.timed or clock_trusted else admission.EARLIEST_MS,
                now_ms if clock_trusted else None,
            )
            if objection is not None:
                local = f": {hours} h, local time sent as UTC?" if hours > 0 else ""
                reasons.append(objection + local)
                continue
            waits = not item.timed and not clock_trusted and arrived is None
            if waits:
                row = self._undated_row(item, message.late)
            else:
                row = self._row(item, message.late, clock_trusted, arrivals)
            if len(row.series.probe) > MAX_PROBE_ID:
                reasons.append("a probe's id is too long")
            elif not row.series.probe.isprintable():
                reasons.append("a probe's id has a character that cannot be shown")
            else:
                (self.undated if waits else rows).append(row)
        if not reasons:
            return rows, None
        shown = "; ".join(dict.fromkeys(reasons[:_REASONS_SHOWN]))
        more = (
            f"; and {len(reasons) - _REASONS_SHOWN} more" if len(reasons) > _REASONS_SHOWN else ""
        )
        reason = _storable(shown + more)
        return rows, Unfit(message.topic, reason, message.payload, received_at_ms, message.late)

    def _in_utc(
        self, item: decoders.DeviceReading | decoders.Unusable, topic: str
    ) -> decoders.DeviceReading | decoders.Unusable:
        hours = self.offsets.get(topic, 0)
        if isinstance(item, decoders.Unusable) or not hours or not item.timed:
            return item
        return replace(item, at_ms=item.at_ms - hours * HOUR_MS)

    def _watch_hours(
        self,
        topic: str,
        readings: Sequence[decoders.DeviceReading | decoders.Unusable],
        now_ms: int,
    ) -> int:
        """By how many hours the message is off, as a zone would explain it."""
        newest = max(
            (i.at_ms for i in readings if isinstance(i, decoders.DeviceReading) and i.timed),
            default=None,
        )
        if newest is None:
            return 0
        if self.hours_off.saw(topic, newest - now_ms, now_ms):
            log.warning(
                "local time sent as UTC: set the device's offset",
                extra={"topic": topic, "hours": hours_ahead(newest - now_ms)},
            )
        return hours_ahead(newest - now_ms)

    def _undated_row(self, item: decoders.DeviceReading, late: bool) -> Row:
        series = self._series(item)
        at_ms = self._boot_arrivals.free(series, self._boot_arrivals.now(self._since_boot_ms()))
        bits = Quality.CLOCK_ESTIMATED | (Quality.INTERVAL_ONLY if late else 0)
        return Row(series, at_ms, item.count, admission.quality(item.quantity, item.count, bits))

    def _series(self, item: decoders.DeviceReading) -> Series:
        probe = item.probe if item.own_id else f"mqtt:{self._gateway}:{item.probe}"
        return Series(ProbeId(probe), item.quantity)

    def _row(
        self,
        item: decoders.DeviceReading,
        late: bool,
        clock_trusted: bool,
        arrivals: ArrivalClock,
    ) -> Row:
        series = self._series(item)
        bits, at_ms = 0, item.at_ms
        if not item.timed:
            at_ms = arrivals.free(series, at_ms)
            if late:
                bits |= Quality.INTERVAL_ONLY
            if not clock_trusted:
                bits |= Quality.CLOCK_ESTIMATED
        return Row(series, at_ms, item.count, admission.quality(item.quantity, item.count, bits))


def _storable(text: str) -> str:
    """JSON can name half a character, which is no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


class Receiver:
    """Two threads of one edge connection: paho's and the writer's (``run``)."""

    def __init__(
        self,
        *,
        gateway: str,
        url: str,
        username: str,
        password: str,
        outbox: Outbox,
        now_ms: Callable[[], int],
        clock: Callable[[], Clock],
        cut_every_s: float,
        quiet_s: float,
        linked: Callable[[], bool],
        on_kept: Callable[[list[Row]], None],
        on_cut: Callable[[list[Waiting]], None],
        take_charge: Callable[[], None],
        start_broker_anew: Callable[[], None],
        stop: threading.Event,
        users_changed: Callable[[], bool],
        foreign: Sequence[decoders.Decoder] = (),
        offsets_file: Path | None = None,
        since_boot_ms: Callable[[], int] = since_boot_ms,
    ) -> None:
        self._outbox = outbox
        self._now_ms = now_ms
        self._clock = clock
        self._cut_every_s = cut_every_s
        self._quiet_s = quiet_s
        self._linked = linked
        self._on_kept, self._on_cut = on_kept, on_cut
        self._take_charge = take_charge
        self._start_broker_anew = start_broker_anew
        self._users_changed = users_changed
        self._offsets = Offsets(offsets_file)
        self._retry_at_s = monotonic()
        self._stop = stop
        self._inbox = Inbox()
        self._since_boot_ms = since_boot_ms
        self._admission = Admission(gateway, foreign, outbox.certificates(), since_boot_ms)
        self._admission.offsets = self._offsets.hours
        self._connection = 0
        self._sentinels = f"devices/{gateway}/sentinel/"
        self._sentinel = ""
        self._caught_up = False
        self._announce_at_s = monotonic()
        self._heard_s = monotonic()  # when the broker last brought something
        self._unanswered = 0  # of our own messages, since it last brought something
        self._deaf = False  # it did not bring it
        self._subscribed = threading.Event()
        self._charged = False
        self._cut_at_s = monotonic()
        self._charge_at_s = monotonic()
        self._room_at_s = 0.0
        self.full = False
        self._address = urlsplit(url)
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"coldtrail-gateway-{gateway}",
            clean_session=False,
            manual_ack=True,
        )
        self._client.username_pw_set(username, password)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 8)

    def run(self) -> None:
        """Until ``stop``: then what was read is committed, cut, and acknowledged."""
        threading.Thread(target=self._keep_connected, name="edge-connect", daemon=True).start()
        try:
            while not self._stop.is_set():
                self._step(self._inbox.take(self._patience_s()))
                self._charge()
                self._announce()
                self._try_again()
                self._look_for_room()
        finally:
            self._inbox.close()
            self._client.disconnect()
            self._client.loop_stop()
        if not self.full:
            with suppress(Full):  # they are on disk, and cut at the next start
                self._commit([], cut=self._outbox.pending() > 0)

    def hand_in(self, topic: str, payload: bytes) -> Outcome | None:
        """A message that did not come through the broker: what became of it, once it is on
        disk. None when it was not kept; the sender still has it then. Any thread but ours."""
        told: list[Outcome | None] = []
        done = threading.Event()

        def answer(outcome: Outcome | None) -> None:
            told.append(outcome)
            done.set()

        self._inbox.put(Message(topic, payload, 0, 0, False, False, 0, answer))
        return told[0] if done.wait(HAND_IN_S) else None

    def _charge(self) -> None:
        """Subscribed: the broker may let devices in. Tried again until it did, and done again
        when there are other devices."""
        if monotonic() < self._charge_at_s:
            return
        if self._charged and self._users_changed():
            self._subscribed.set()
        self._charge_at_s = monotonic() + CHARGE_RETRY_S
        if not self._subscribed.is_set():
            return
        try:
            self._take_charge()
        except Unavailable as error:
            log.warning("edge broker not in our charge yet", extra={"error": str(error)})
        else:
            self._subscribed.clear()
            self._charged = True

    def _try_again(self) -> None:
        """Once a second: what somebody asked for, and what a new offset concerns, is put to the
        decoders once more. What is stored now leaves quarantine in the same commit."""
        if monotonic() < self._retry_at_s:
            return
        self._retry_at_s = monotonic() + RETRY_S
        topics = self._offsets.changed()
        self._admission.offsets = self._offsets.hours
        asked = quarantine.take_wishes(self._outbox.path)
        held = self._outbox.held(asked, topics) if topics or asked else []
        arrivals = ArrivalClock()
        for i in range(0, len(held), RETRY_AT_ONCE):
            try:
                self._retry(held[i : i + RETRY_AT_ONCE], arrivals)
            except Full as error:
                log.warning("no room to try again", extra={"error": str(error)})
                return

    def _retry(self, held: Sequence[tuple[int, Unfit]], arrivals: ArrivalClock) -> None:
        now_ms, clock = self._now_ms(), self._clock()
        rows: list[Row] = []
        released: list[int] = []
        for id, item in held:
            message = Message(item.topic, item.payload, 0, 0, False, item.late, 0)
            arrived = (item.received_at_ms, arrivals)
            more, bad = self._admission.admit(message, now_ms, clock.trusted, arrived)
            rows += more
            if bad is None:
                released.append(id)
        self._outbox.take(
            rows, [], now_ms, clock, cut=False, certificates=self._admission.learnt,
            released=released,
        )  # fmt: skip
        self._admission.learnt.clear()
        log.info(
            "tried again",
            extra={"released": len(released), "still_held": len(held) - len(released)},
        )

    def connected(self) -> bool:
        """Our subscription at the edge broker stands. Any thread."""
        return bool(self._sentinel)

    def hours_off(self) -> dict[str, int]:
        """Topics whose devices send local time as UTC, and by how many hours. Any thread."""
        return self._admission.hours_off.found(self._now_ms())

    def _announce(self) -> None:
        """Send this connection's sentinel through the same queue that the devices' messages
        take: what comes before it was waiting, so its arrival is not now."""
        now_s = monotonic()
        quiet = now_s - self._heard_s > self._quiet_s
        if not self._sentinel or now_s < self._announce_at_s or (self._caught_up and not quiet):
            return
        self._announce_at_s = now_s + SENTINEL_RETRY_S
        if self._unanswered >= DEAF_AFTER:
            self._renew_broker()
            return
        self._unanswered += 1
        self._client.publish(self._sentinel, b"", 1)

    def _renew_broker(self) -> None:
        """What it could not write once, it writes no more: messages, what is retained, sessions."""
        self._unanswered = 0
        try:
            self._start_broker_anew()
        except Unavailable as error:
            if not self._deaf:
                log.error("edge broker keeps nothing", extra={"error": str(error)})  # noqa: TRY400  # the reason says it all
        else:
            log.error("edge broker keeps nothing: started anew")
        self._deaf = True

    def _keep_connected(self) -> None:
        """The first connection; paho makes the later ones itself."""
        while not self._stop.is_set():
            try:
                self._client.connect(
                    self._address.hostname or "127.0.0.1", self._address.port or 1883, keepalive=30
                )
            except OSError as error:
                log.warning("edge broker unavailable", extra={"error": str(error)})
                self._stop.wait(0.5 + random.random())  # noqa: S311  # jitter, no secret
            else:
                self._client.loop_start()
                return

    def _step(self, group: list[Message]) -> None:
        due = monotonic() - self._cut_at_s >= self._interval_s()
        pending = self._outbox.pending()
        much = pending >= MAX_READINGS or sum(len(m.payload) for m in group) >= PACK_BYTES
        cut = (due and bool(group or pending)) or much
        if not group and not cut:
            return
        try:
            outcomes = self._commit(group, cut=cut)
        except Full as error:
            _tell_nothing_was_kept(group)
            self._wait_for_room(error)
            return
        for message, outcome in zip(group, outcomes, strict=True):
            if message.answer is not None:
                message.answer(outcome)
            elif message.qos and message.connection == self._connection:
                self._client.ack(message.mid, message.qos)

    def _commit(self, group: list[Message], *, cut: bool) -> list[Outcome]:
        now_ms = self._now_ms()
        clock = self._clock()
        rows: list[Row] = []
        unfit: list[Unfit] = []
        undated: list[Row] = []
        outcomes: list[Outcome] = []
        for message in group:
            if message.retained:  # the broker's memory of something old, not a measurement now
                outcomes.append(Outcome(0))
                continue
            more, bad = self._admission.admit(message, now_ms, clock.trusted)
            rows += more
            if bad is not None:
                unfit.append(bad)
            waiting = self._admission.undated
            outcomes.append(Outcome(len(more) + len(waiting), bad.reason if bad else ""))
            undated += waiting
            waiting.clear()
        if not rows and not unfit and not undated and not cut:
            return outcomes
        at_boot_ms = self._since_boot_ms()
        made = self._outbox.take(
            rows, unfit, now_ms, clock, cut=cut, certificates=self._admission.learnt,
            undated=undated, since_boot_ms=at_boot_ms,
        )  # fmt: skip
        self._admission.learnt.clear()
        if rows or undated:
            # Whoever rings on the spot asks what is warm now, not what time it is.
            here = [row._replace(at_ms=row.at_ms + now_ms - at_boot_ms) for row in undated]
            self._on_kept(rows + here)
        if cut:
            self._cut_at_s = monotonic()
        if made:
            self._on_cut(made)
        return outcomes

    def _look_for_room(self) -> None:
        """Also while nothing arrives: on a full disk the broker brings nothing, and somebody has to
        say why."""
        if monotonic() < self._room_at_s:
            return
        self._room_at_s = monotonic() + FULL_RETRY_S
        try:
            self._outbox.make_room(self._now_ms(), self._clock())
        except Full as error:
            self._wait_for_room(error)

    def _wait_for_room(self, error: Full) -> None:
        log.error("outbox is full: nothing is acknowledged", extra={"error": str(error)})
        self.full = True
        self._inbox.refuse(refusing=True)
        self._client.disconnect()
        self._client.loop_stop()
        lowest = self._outbox.disk_free()
        while not self._stop.wait(FULL_RETRY_S):
            lowest = min(lowest, self._outbox.disk_free())
            try:
                self._commit([], cut=self._outbox.pending() > 0)
                self._outbox.make_room(self._now_ms(), self._clock())
                self._outbox.save()  # and holds its ballast again, before readings take the room
            except Full:
                continue
            self.full = False
            log.warning("outbox has room again")
            if lowest < START_BYTES:
                self._renew_broker()
            self._inbox.refuse(refusing=False)
            self._keep_connected()
            return

    def _interval_s(self) -> float:
        return self._cut_every_s if self._linked() else max(self._cut_every_s, IDLE_CUT_EVERY_S)

    def _patience_s(self) -> float:
        if not self._outbox.pending():
            return 0.5
        return min(max(self._cut_at_s + self._interval_s() - monotonic(), 0.001), 0.5)

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            log.warning("edge broker refused us", extra={"reason": str(reason)})
            return
        self._connection += 1
        self._caught_up = False
        client.subscribe(FILTER, qos=1)

    def _on_disconnect(
        self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        self._sentinel = ""
        self._connection += 1  # what is still being committed may not be acknowledged any more
        self._inbox.clear()  # what is not, comes again
        if not self._stop.is_set():
            log.warning("edge broker disconnected", extra={"reason": str(reason)})

    def _on_subscribe(
        self, _client: mqtt.Client, _data: Any, _mid: int, reasons: list[Any], _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("edge broker refused our subscription")
            return
        log.info("edge broker connected")
        self._sentinel = self._sentinels + os.urandom(8).hex()
        self._announce_at_s = monotonic()
        self._charge_at_s = monotonic()
        self._subscribed.set()

    def _on_message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.qos:  # what is not kept by the broker proves nothing of its store
            self._heard_s = monotonic()
            self._unanswered = 0
            self._deaf = False
        if message.topic.startswith(self._sentinels):
            self._caught_up = self._caught_up or message.topic == self._sentinel
            client.ack(message.mid, message.qos)
            return
        if message.topic.startswith(SERVERS_OWN):
            return  # the answers to our own requests; no device may publish there
        late = message.dup or not self._caught_up
        self._inbox.put(
            Message(
                message.topic, bytes(message.payload), message.mid, message.qos,
                message.retain, late, self._connection,
            )
        )  # fmt: skip
