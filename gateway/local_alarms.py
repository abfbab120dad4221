"""A gateway's own alarms: its rooms judged and told of, with or without the server.

One thread (``run``) looks at what came in, judges the rooms that it touches, decides, and does
what follows: the buzzer, the modem, a report to the server. The rules and the decision are the
server's own; what is new here is only who acts. It can fail without the readings' way noticing.
"""

import hashlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Protocol

from channels.ports import Outgoing, Reply
from disk.room import Full
from domain.decision import Notice, Seen, State, due, step
from domain.incident import DAY_MS, Known
from domain.message import Place, compose, reply_code
from domain.place import described
from domain.quantity import QUANTITIES
from domain.replies import Acknowledges, meaning
from gateway import memory
from gateway.buzzer import Buzzer
from gateway.config import Configured
from gateway.local_room import LocalRoom
from gateway.modem import Modem
from gateway.outbox import Outbox, Row
from gateway.recent import Recent
from gateway.settings import Settings
from gateway.telling import (
    FOLLOWS,
    Handed,
    Owed,
    Ring,
    acknowledged,
    concerns_us,
    ringing,
    still_so,
)
from wire import config_v1, events_v1
from wire.batch_v1 import Clock
from wire.config_v1 import Config
from wire.events_v1 import About, Acked, Event, Told

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
VIEW_EVERY_MS = 5_000
CALM_S, MISSED_AT_MOST_S = 2.0, 60.0
MOST_WAITING = 5_000  # rows; beyond it they are read from the outbox again
MOST_ACKS = 100
EVENTS_A_BATCH = 50
MOST_OWED = 500  # more rooms than a modem can speak of


class Link(Protocol):
    """What the uplink knows of the server."""

    def linked(self) -> bool: ...

    def down_for_s(self) -> float:
        """For how long the server has not been known to take what it is sent; 0: it does."""
        ...


@dataclass(frozen=True, slots=True)
class ValueNow:
    probe: str
    quantity: str
    count: int
    at_ms: int
    quality: int


@dataclass(frozen=True, slots=True)
class RoomNow:
    """``alarms``: what is active, gravest first. ``acked``: somebody has said so."""

    id: str
    site_zh: str
    site_en: str
    name_zh: str
    name_en: str
    governed: bool
    values: tuple[ValueNow, ...]
    alarms: tuple[Known, ...]
    can_ack: bool
    acked: bool


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows; replaced as a whole."""

    at_ms: int = 0
    configured: bool = False
    rooms: tuple[RoomNow, ...] = ()
    told: int = 0  # messages that the modem has sent and the server has yet to hear of


class LocalAlarms:
    def __init__(
        self,
        settings: Settings,
        *,
        outbox: Outbox,
        configured: Configured,
        link: Link,
        now_ms: Callable[[], int],
        clock: Callable[[], Clock],
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._configured = configured
        self._link = link
        self._now_ms, self._clock = now_ms, clock
        self._path = Path(settings.alarms_file)
        self._memory = memory.load(self._path)
        self._forgetful = False  # there was no room to write it down
        self._modem: Modem | None = None
        if settings.sms_folder:
            self._modem = Modem(Path(settings.sms_folder), self._on_reply, now_ms)
        self._buzzer: Buzzer | None = None
        if settings.alarm_command:
            self._buzzer = Buzzer(settings.alarm_command, self._memory.rung, self._on_rung)
        self._rung: dict[str, Ring] | None = None  # news of the buzzer's thread
        self._recent = Recent()
        self._rooms: dict[str, LocalRoom] = {}
        self._config: Config | None = None
        self._lock = threading.Lock()
        self._waiting: deque[Row] = deque()
        self._missed = False
        self._arrived_s = self._missed_s = 0.0
        self._acks: deque[tuple[str, str]] = deque(maxlen=MOST_ACKS)
        self._wake = threading.Event()
        self.view = View()
        self.failed = False

    # ---- called from other threads ---------------------------------------------------------

    def arrived(self, rows: Sequence[Row]) -> None:
        """These are on disk."""
        rows = [row for row in rows if row.at_ms >= self._recent.floor_ms]
        with self._lock:
            self._arrived_s = monotonic()
            if len(self._waiting) + len(rows) > MOST_WAITING:
                self._waiting.clear()
                self._missed_s = self._missed_s if self._missed else monotonic()
                self._missed = True
            else:
                self._waiting.extend(rows)
        self._wake.set()

    def acknowledge(self, room: str, by: str) -> bool:
        """False when there is nothing to acknowledge in that room."""
        if not any(r.id == room and r.can_ack for r in self.view.rooms):
            return False
        with self._lock:
            self._acks.append((room, by))
        self._wake.set()
        return True

    def active(self) -> int | None:
        """Alarms that are active now; None when nobody judges."""
        if self.failed or not self.view.configured:
            return None
        return sum(len(room.alarms) for room in self.view.rooms)

    def _on_reply(self, reply: Reply) -> None:
        """A text that came to the modem: an acknowledgement, or nothing that it can answer."""
        said = meaning(reply.text)
        rooms = (
            self._told_rooms(reply.from_phone, said.code) if isinstance(said, Acknowledges) else {}
        )
        log.info("a reply at the modem", extra={"acknowledges": sorted(rooms)})
        for room, person in rooms.items():
            self.acknowledge(room, person)

    def _told_rooms(self, phone: str, code: str) -> dict[str, str]:
        """Rooms that the person on this phone was told of by the modem, and who that is."""
        found = {}
        for room, local in list(self._rooms.items()):
            one = self._memory.state.rooms.get(room)
            person = next((c for c in local.config.contacts if c.phone == phone), None)
            if one is None or one.incident is None or person is None:
                continue
            number = one.incident.number
            if (room, number) in self._memory.ours and code in ("", reply_code(room, number)):
                found[room] = person.id
        return found

    def _on_rung(self, rung: dict[str, Ring]) -> None:
        self._rung = rung
        self._wake.set()

    # ---- the loop --------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        """Until ``stop``. A mistake of ours ends it, is said, and leaves the gateway running."""
        for name, part in (("buzzer", self._buzzer), ("modem", self._modem)):
            if part is not None:
                threading.Thread(target=part.run, args=(stop,), name=name, daemon=True).start()
        try:
            while not stop.is_set():
                self._turn(self._now_ms())
                self._wake.wait(LOOK_EVERY_S)
                self._wake.clear()
        except Exception:
            self.failed = True
            log.exception("local alarms have ended; readings are still kept and sent")
            self.view = View()
            stop.wait()

    def _turn(self, now_ms: int) -> None:
        before = self._memory
        touched, acked = self._take_config(now_ms)
        touched |= self._take_rows(now_ms)
        judged = {id for id, room in self._rooms.items() if room.due(now_ms)}
        for id in judged:
            self._rooms[id].judge(now_ms)
        acks = self._take_acks()
        acked |= {room for room, _ in acks}
        concerned = (judged | touched | acked | set(due(before.state, now_ms))) & set(self._rooms)
        if concerned:
            self._decide(concerned, acked & concerned, now_ms)
        self._report_acks(acks, now_ms)
        self._ring()
        self._tell(now_ms)
        if self._memory != before or self._forgetful:
            self._save()
        if concerned or touched or now_ms - self.view.at_ms not in range(VIEW_EVERY_MS):
            self.view = self._view_now(now_ms)

    # ---- in --------------------------------------------------------------------------------

    def _take_config(self, now_ms: int) -> tuple[set[str], set[str]]:
        """(rooms to look at, rooms that somebody has acknowledged at the server)."""
        config = self._configured.current
        if config is None or config is self._config:
            return set(), set()
        before = {} if self._config is None else {r.id: r for r in self._config.rooms}
        self._config = config
        moved = {r.id: r.probes for r in config.rooms} != {id: r.probes for id, r in before.items()}
        if moved:
            self._load(now_ms)
        else:
            for room in config.rooms:
                if room != before[room.id]:
                    self._rooms[room.id].configure(room)
        state = self._memory.state
        rooms = {id: one for id, one in state.rooms.items() if id in self._rooms}
        self._memory = replace(self._memory, state=replace(state, rooms=rooms))
        acked = {
            room.id
            for room in config.rooms
            if room.id in before
            and any(a.kind == "ack" and a not in before[room.id].actions for a in room.actions)
        }
        return set(self._rooms), acked

    def _load(self, now_ms: int) -> None:
        """The rooms anew, from what the outbox holds."""
        config = self._config
        if config is None:
            return
        self._recent = Recent()
        with self._lock:
            self._waiting.clear()
            self._missed = False
        since_ms = now_ms - self._recent.keep_ms
        for rows in self._outbox.readings(since_ms):
            self._recent.add(self._of_rooms(config, rows), now_ms)
        self._rooms = {room.id: LocalRoom(room, self._recent) for room in config.rooms}
        states = self._memory.state.rooms
        for id, room in self._rooms.items():
            room.listen(now_ms, states[id].known if id in states else ())
        log.info(
            "rooms are judged here", extra={"rooms": len(self._rooms), "held": len(self._recent)}
        )

    def _of_rooms(self, config: Config, rows: Iterable[Row]) -> list[Row]:
        probes = {p.probe for room in config.rooms for p in room.probes}
        return [r for r in rows if r.series.probe in probes and r.series.quantity in QUANTITIES]

    def _take_rows(self, now_ms: int) -> set[str]:
        with self._lock:
            rows, missed = list(self._waiting), self._missed
            self._waiting.clear()
            at_s = monotonic()
            calm = at_s - self._arrived_s > CALM_S or at_s - self._missed_s > MISSED_AT_MOST_S
        if self._config is None:
            return set()
        if missed and calm:  # a flood is read once, when it is over
            self._load(now_ms)
            return set(self._rooms)
        touched = self._recent.add(self._of_rooms(self._config, rows), now_ms)
        for series, (first_ms, last_ms) in touched.items():
            for room in self._rooms.values():
                room.touch(series, first_ms, last_ms, now_ms)
        return set()

    def _take_acks(self) -> list[tuple[str, str]]:
        with self._lock:
            acks = list(self._acks)
            self._acks.clear()
        return acks

    # ---- deciding --------------------------------------------------------------------------

    def _decide(self, rooms: set[str], acked: set[str], now_ms: int) -> None:
        floor_ms = max(now_ms - DAY_MS, self._recent.floor_ms)
        calendar = self._config.calendar if self._config else {}
        seen = Seen(
            {id: self._rooms[id].seen(now_ms, floor_ms) for id in rooms},
            {id: self._rooms[id].contacts(calendar, now_ms) for id in rooms},
            {id: self._rooms[id].config.site for id in rooms},
            frozenset(acked),
        )
        was = self._memory.state
        state, notices = step(was, now_ms, seen)
        for room in sorted(rooms):
            _log_news(room, was, state)
        owed = self._memory.owed
        if self._modem is not None and notices:
            mark = self._outbox.mark()
            owed += tuple(Owed(n, mark) for n in notices if n.channel == "sms" or n.kind in FOLLOWS)
        self._memory = replace(self._memory, state=state, owed=owed[-MOST_OWED:])

    def _ring(self) -> None:
        if self._buzzer is None:
            return
        if self._rung is not None:
            self._memory = replace(self._memory, rung=self._rung)
            self._rung = None
        self._buzzer.want(ringing(self._memory.state, warnings=self._settings.alarm_warnings))

    # ---- the modem -------------------------------------------------------------------------

    def _tell(self, now_ms: int) -> None:
        if self._modem is None:
            return
        alone = self._link.down_for_s() >= self._settings.sms_after_s
        left: list[Owed] = []
        for owed in self._memory.owed:
            if self._outbox.receipted(owed.mark):
                continue  # the server has what it takes to tell it
            if not alone or (
                concerns_us(owed.notice, self._memory.ours) and not self._send(owed.notice, now_ms)
            ):
                left.append(owed)
        self._memory = replace(self._memory, owed=tuple(left))
        self._follow_up(now_ms, alone=alone)

    def _send(self, notice: Notice, now_ms: int) -> bool:
        """False: try again later."""
        if len(self._memory.handed) >= MOST_OWED:
            return False  # the modem sends nothing
        about = still_so(notice, self._memory.state)
        person = self._person(notice.to)
        if not about or person is None or self._modem is None or self._config is None:
            return True  # over before it could be told, or nobody to tell
        told = replace(notice, about=about, codes=tuple(sorted({k.code for _, k in about})))
        named = {room for room, _ in about} | ({notice.room} if notice.room else set())
        code = reply_code(notice.room, notice.incident) if notice.incident else ""
        text = compose(told, {room: self._place(room, now_ms) for room in named}, person.lang, code)
        key = hashlib.blake2b(
            f"{self._settings.id}/{notice.key}".encode(), digest_size=16
        ).hexdigest()
        event = Told(
            key, now_ms, person.id, person.phone, notice.kind, notice.room, told.codes,
            tuple(
                About(room, k.code, k.level, k.began_ms, k.fired_ms, k.cleared_ms, k.peak)
                for room, k in about
            ),
            text,
        )  # fmt: skip
        ours = self._memory.ours
        if notice.incident:
            ours |= {(notice.room, notice.incident)}
        handed = (*self._memory.handed, Handed(event))
        self._memory = replace(self._memory, handed=handed, ours=ours)
        log.warning("given to the modem", extra={"kind": notice.kind, "codes": list(told.codes)})
        return True

    def _follow_up(self, now_ms: int, *, alone: bool) -> None:
        """Report what the modem has sent; take back what it has not, once the server is there."""
        if self._modem is None:
            return
        left: list[Handed] = []
        sent: list[Told] = []
        for handed in self._memory.handed:
            told = handed.event
            match self._modem.fate(told.key):
                case "sent":
                    sent.append(told)
                case "failed":
                    continue
                case _:
                    if not alone and self._modem.take_back(told.key):
                        continue
                    self._modem.hand_over(Outgoing(told.key, told.phone, told.text, told.kind))
                    left.append(handed)
        if sent and not self._report(sent, now_ms):
            return
        self._memory = replace(self._memory, handed=tuple(left))

    def _place(self, id: str, now_ms: int) -> Place:
        room = self._rooms.get(id)
        if room is None or self._config is None:
            return Place(id, id)
        sites = {s.id: (s.name_zh, s.name_en) for s in self._config.sites}
        return described(
            (room.config.name_zh or id, room.config.name_en or id),
            sites.get(room.config.site, ("", "")),
            room.rule(now_ms),
        )

    def _person(self, id: str) -> config_v1.Contact | None:
        return next(
            (c for r in self._rooms.values() for c in r.config.contacts if c.id == id), None
        )

    # ---- reporting -------------------------------------------------------------------------

    def _report_acks(self, acks: Sequence[tuple[str, str]], now_ms: int) -> None:
        events = []
        for n, (room, by) in enumerate(acks):
            named = f"{self._settings.id}/{self._outbox.epoch}/{now_ms}/{n}/{room}"
            key = hashlib.blake2b(named.encode(), digest_size=16).hexdigest()
            events.append(Acked(key, now_ms, room, by))
        self._memory = replace(self._memory, unreported=(*self._memory.unreported, *events))
        if self._memory.unreported and self._report(self._memory.unreported, now_ms):
            self._memory = replace(self._memory, unreported=())

    def _report(self, events: Sequence[Event], now_ms: int) -> bool:
        """On disk, in batches of their own, before they count as reported. What is reported twice
        is taken once, by its key."""
        try:
            for start in range(0, len(events), EVENTS_A_BATCH):
                part = list(events[start : start + EVENTS_A_BATCH])
                self._outbox.report(events_v1.encode(part), now_ms, self._clock())
        except Full:
            return False
        return True

    def _save(self) -> None:
        try:
            memory.save(self._path, self._memory)
        except OSError as error:
            if not self._forgetful:
                log.warning("local alarms are not remembered", extra={"error": str(error)})
            self._forgetful = True
        else:
            self._forgetful = False

    # ---- the page --------------------------------------------------------------------------

    def _view_now(self, now_ms: int) -> View:
        config = self._config
        if config is None:
            return View(now_ms)
        sites = {site.id: site for site in config.sites}
        rooms = []
        for id, room in self._rooms.items():
            site = sites.get(room.config.site)
            one = self._memory.state.rooms.get(id)
            active = sorted(
                (k for k in (one.known if one else ()) if k.active),
                key=lambda k: (k.level != "critical", k.fired_ms, k.code),
            )
            acked = one is not None and acknowledged(one)
            rooms.append(
                RoomNow(
                    id,
                    site.name_zh if site else "", site.name_en if site else "",
                    room.config.name_zh or id, room.config.name_en or id,
                    bool(room.config.rules), self._values(room, now_ms), tuple(active),
                    can_ack=not acked and any(k.told_critical for k in active), acked=acked,
                )
            )  # fmt: skip
        return View(now_ms, True, tuple(rooms), len(self._memory.handed))

    def _values(self, room: LocalRoom, now_ms: int) -> tuple[ValueNow, ...]:
        order = {name: rank for rank, name in enumerate(QUANTITIES)}
        found = []
        for series in room.present(now_ms):
            row = self._recent.latest(series)
            if row is not None:
                found.append(ValueNow(series.probe, series.quantity, row[1], row[0], row[2]))
        return tuple(sorted(found, key=lambda v: (order[v.quantity], v.probe)))


def _log_news(room: str, before: State, after: State) -> None:
    was = {k.code for k in before.rooms[room].known if k.active} if room in before.rooms else set()
    now = {k.code for k in after.rooms[room].known if k.active}
    for code in sorted(now - was):
        log.warning("local alarm", extra={"room": room, "code": code})
    for code in sorted(was - now):
        log.info("local alarm ended", extra={"room": room, "code": code})
