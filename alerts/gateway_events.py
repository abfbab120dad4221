"""What gateways did while nobody could be reached: whom they told, who acknowledged there.

Each event is taken once, by its key. A message that a gateway's modem sent stands among the
notices as *told*; when the server later comes to the same alarm, the same person is not rung
again for it. An acknowledgement is posted to the api like a reply by SMS.
"""

import logging
from collections.abc import Sequence

import msgspec

from domain.decision import Notice
from domain.incident import FOREVER_MS, Known
from store.notices import GatewayAck, NewNotice, SqlNoticesStore
from store.ports import ReadingReader
from wire.events_v1 import About, Acked, BadEvents, Told, decode

log = logging.getLogger(__name__)

EVENTS_READ = "gateway_events_n"  # and of which store: another one's arrivals are others
RINGS = frozenset({"raise", "escalate"})
ENDS = frozenset({"past", "clear"})  # they tell of an end
BY_GATEWAY = "gateway:"  # begins the id of an action that a gateway reported


class GatewayEvents:
    def __init__(self, readings: ReadingReader, store: SqlNoticesStore) -> None:
        self._readings, self._store = readings, store
        self._cursor = f"{EVENTS_READ} {readings.store_id}"
        self._n = store.about(self._cursor) or 0
        if self._n > readings.last_arrival():  # put back from a copy
            self._n = 0
        self._head = -1  # the last arrival at the last look

    def take(self) -> int:
        """Keep what has arrived; how many events that were."""
        taken = 0
        head = self._readings.last_arrival()
        if head == self._head:
            return 0
        self._head = head
        while notes := self._readings.notes("event", self._n):
            told: list[NewNotice] = []
            acked: list[GatewayAck] = []
            for note in notes:
                try:
                    events = decode(note.body)
                except BadEvents as error:
                    log.warning(
                        "a gateway's report cannot be read",
                        extra={"gateway": note.batch.gateway, "reason": error.reason},
                    )
                    continue
                told += [_notice(e) for e in events if isinstance(e, Told)]
                acked += [
                    GatewayAck(f"{BY_GATEWAY}{e.key}", e.by, e.room, e.at_ms)
                    for e in events
                    if isinstance(e, Acked)
                ]
            n = max(note.n for note in notes)
            self._store.take_gateway(told, acked, self._cursor, n)
            log.info("gateways report", extra={"told": len(told), "acknowledged": len(acked)})
            self._n = n
            taken += len(told) + len(acked)
        return taken

    def told_already(self, notice: Notice) -> NewNotice | None:
        """The gateway's message that makes this one needless, if there is one."""
        if notice.kind not in RINGS | ENDS or not notice.about:
            return None
        rows = self._store.told_by_gateway(notice.room, notice.to)
        messages = [(row, msgspec.json.decode(row.body, type=Told)) for row in rows]
        climbs = notice.kind == "escalate"  # a raise is no answer to that
        rings = [m for _, m in messages if (m.kind == "escalate" if climbs else m.kind not in ENDS)]
        ends = [m for _, m in messages if m.kind in ENDS]
        heard = [_speaks_of(rings, *one) for one in notice.about]
        if notice.kind in ENDS:
            heard += [_speaks_of(ends, *one) for one in notice.about]
        if not all(heard):
            return None
        wanted = ends if notice.kind in ENDS else rings
        return next((row for row, m in messages if m in wanted), None)


def _speaks_of(messages: Sequence[Told], room: str, known: Known) -> bool:
    return any(
        about.room == room and about.code == known.code and _same(about, known)
        for message in messages
        for about in message.about
    )


def _same(about: About, known: Known) -> bool:
    """Two judgements of one alarm: they share some of their time."""
    end_ms = FOREVER_MS if known.cleared_ms is None else max(known.cleared_ms, known.fired_ms + 1)
    about_end_ms = (
        FOREVER_MS if about.cleared_ms is None else max(about.cleared_ms, about.fired_ms + 1)
    )
    return about.fired_ms < end_ms and known.fired_ms < about_end_ms


def _notice(told: Told) -> NewNotice:
    return NewNotice(
        told.key, told.at_ms, told.person, told.phone, "sms", told.kind, told.codes, told.room,
        0, "", told.text, (), msgspec.json.encode(told),
    )  # fmt: skip
