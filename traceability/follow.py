"""Follows arrivals, changes and facts; keeps each lot's record, and issues certificates.

A lot becomes *due* when something touches one of its stays. It is made again once the
alarm rules have judged what touched it, so that a certificate never shows new readings
beside old alarms; while a backlog drains into its rooms it waits for a pause, so that
what came late together gives one new version and not fifty.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.exposure import GAP_INTERVALS
from domain.lot import lot_object
from domain.reading import LotId, ProbeId, RoomId
from domain.stay import Stay
from store.facts_ports import StoredFact
from store.ports import Arrival
from store.records.ports import Change, EpcisEvent, Lot
from traceability.certificate import Position, content_digest, issue
from traceability.database import Cursor, Due, Issued, TraceDatabase
from traceability.lot_record import LONGEST_REACH_MS, QUANTITIES, LotRecord, Stores, make
from traceability.marks import BACKLOG_LONGEST_MS, BACKLOG_QUIET_MS, Marks
from wire.status_v1 import BadStatus, decode

log = logging.getLogger(__name__)

PAGE = 500
# A lot in a room that reports is made again this often at most: its record is 100 kB after two
# weeks, and the evidence that it shows lies three intervals back anyway.
LIVE_EVERY_MS = 300_000
LIVE_SHARE = 100  # and never costs more than a hundredth of the time
OLD_READINGS_MS = 300_000  # what waits longer than this at a gateway is a backlog
NO_DATA_WAIT_MS = 3_600_000
UNJUDGED_LONGEST_MS = 60_000  # then the record is shown without a certificate
LOOK_AGAIN_MS = 500
WAIT_MS = 30_000  # for readings on their way, or rules that are far behind
EXTEND_MS = 6 * 3_600_000  # the evidence of a lot that stays is certified this far apart


@dataclass(frozen=True, slots=True)
class Issuer:
    """``url_of`` gives a lot's page by its code; None leaves it out."""

    key: Ed25519PrivateKey
    url_of: Callable[[str], str | None]


class Follower:
    """One thread. ``poll`` until it says that nothing was left to do, then wait a little."""

    def __init__(
        self, stores: Stores, database: TraceDatabase, issuer: Issuer, now_ms: Callable[[], int]
    ) -> None:
        self._stores = stores
        self._database = database
        self._issuer = issuer
        self._now_ms = now_ms
        # Facts may have been made anew while nobody followed them: look at all of them again.
        self._seq = 0
        self._facts_at = (0, 0)
        self._made_ms: dict[LotId, int] = {}  # when a live lot may be made next
        self._cursor = self._resume()
        self._stays: dict[RoomId, list[Stay]] = {}
        self._rooms_of: dict[ProbeId, list[tuple[RoomId, int, int | None]]] = {}
        self._learn()

    def poll(self) -> bool:
        """Read the journals once, make what is due. True: call again at once."""
        more = self._follow()
        more |= self._follow_facts()
        return self._make_due() or more

    def _resume(self) -> Cursor:
        """Where the journals were left; another store than the one followed, or an older copy
        of it, starts at zero."""
        cursor = self._database.cursor()
        records = self._stores.records.store_id()
        if cursor.records_store != records or cursor.m > self._stores.records.last_change():
            cursor = replace(cursor, records_store=records, m=0)
            self._database.forget_records(cursor)
        readings = self._stores.readings.store_id
        if cursor.readings_store != readings or cursor.n > self._stores.readings.last_arrival():
            cursor = replace(cursor, readings_store=readings, n=0)
        return cursor

    def _learn(self) -> None:
        """Which probe was in which room, and which lots were."""
        self._rooms_of = {}
        for held in self._stores.records.assignments():
            self._rooms_of.setdefault(held.probe, []).append((held.room, held.from_ms, held.to_ms))
        self._stays = {}
        for stay in self._database.stays():
            self._stays.setdefault(stay.room, []).append(stay)

    def _follow(self) -> bool:
        changes = self._stores.records.changes(self._cursor.m, PAGE)
        arrivals = self._stores.readings.arrivals(self._cursor.n, PAGE)
        if not changes and not arrivals:
            return False
        n = arrivals[-1].n if arrivals else self._cursor.n
        marks = Marks(self._database.marked(), self._now_ms())
        if changes:
            self._follow_changes(changes, marks, n)
        for arrival in arrivals:
            self._follow_arrival(arrival, marks)
        m = changes[-1].m if changes else self._cursor.m
        cursor = replace(self._cursor, n=n, m=m)
        self._database.advance(cursor, marks.due.values())
        self._cursor = cursor
        return len(changes) == PAGE or len(arrivals) == PAGE

    def _follow_changes(self, changes: list[Change], marks: Marks, n: int) -> None:
        last = changes[-1].m
        events: list[EpcisEvent] = []
        if any(change.kind == "epcis" for change in changes):
            captured = self._stores.records.epcis_events(self._cursor.m, PAGE)
            events = [event for event in captured if event.m <= last]
        moved = self._database.fold(events)
        if moved or any(change.kind == "assignment" for change in changes):
            self._learn()
        for lot in moved:
            marks.soon(lot, n=n, m=last)
        for change in changes:
            for lot in self._touched_by(change):
                marks.soon(lot, n=n, m=change.m)

    def _touched_by(self, change: Change) -> Iterable[LotId]:
        match change.kind:
            case "lot":
                return [LotId(change.subject)]
            case "assignment" | "papers" | "rule" | "action":
                return self._lots(change.rooms, change.from_ms, None)
            case "room":
                return self._lots([RoomId(change.subject)], None, None)
            case "site":
                site = change.subject
                rooms = [room.id for room in self._stores.records.rooms() if room.site == site]
                return self._lots(rooms, None, None)
            case "case":
                versions = self._stores.facts.fact(change.subject)
                return self._lots({fact.room for fact in versions}, None, None)
            case _:
                return ()

    def _lots(self, rooms: Iterable[RoomId], from_ms: int | None, to_ms: int | None) -> list[LotId]:
        """Lots that were in one of the rooms at some time of [from, to]."""
        return [
            LotId(stay.object.removeprefix("lot:"))
            for room in rooms
            for stay in self._stays.get(room, ())
            if (to_ms is None or stay.from_ms <= to_ms)
            and (from_ms is None or stay.to_ms is None or stay.to_ms > from_ms)
        ]

    def _follow_arrival(self, arrival: Arrival, marks: Marks) -> None:
        for span in arrival.spans:
            if span.series.quantity not in QUANTITIES:
                continue
            first_ms = span.first_ms - LONGEST_REACH_MS
            last_ms = span.last_ms + LONGEST_REACH_MS
            for room, from_ms, to_ms in self._rooms_of.get(span.series.probe, ()):
                if from_ms <= span.last_ms and (to_ms is None or to_ms > span.first_ms):
                    for lot in self._lots([room], first_ms, last_ms):
                        if arrival.backlog:
                            marks.backlog(lot, n=arrival.n)
                        else:
                            marks.live(lot, self._made_ms.get(lot, 0), n=arrival.n)

    def _follow_facts(self) -> bool:
        at = self._stores.facts.cursor()
        if at < self._facts_at:
            self._seq = 0  # made anew
        self._facts_at = at
        versions: list[StoredFact] = self._stores.facts.versions_after(self._seq, PAGE)
        if not versions:
            return False
        marks = Marks(self._database.marked(), self._now_ms())
        for fact in versions:
            for lot in self._lots([fact.room], fact.began_at_ms, fact.cleared_at_ms):
                marks.judged(lot)
        self._database.mark(marks.due.values())
        self._seq = versions[-1].seq
        return len(versions) == PAGE

    def _make_due(self) -> bool:
        due = self._database.due(self._now_ms())
        judged = self._stores.facts.cursor()
        made = False
        for one in due:
            made |= self._make(one, judged)
        return made

    def _make(self, due: Due, judged: tuple[int, int]) -> bool:
        now_ms = self._now_ms()
        behind = judged[0] < due.n or judged[1] < due.m
        if behind and now_ms - due.since_ms < UNJUDGED_LONGEST_MS:
            self._database.mark([replace(due, not_before_ms=now_ms + LOOK_AGAIN_MS)])
            return False
        lot = self._stores.records.lot(due.lot)
        if lot is None:  # another's goods; or ours, captured before they were recorded
            self._database.settle(due.lot, "", None, None, None, now_ms)
            return False
        events, folded = self._database.journey(lot.id)
        record = make(lot, events, folded, self._stores)
        certificate, again = None, None
        if record is not None:
            if behind:
                again = replace(due, since_ms=now_ms, not_before_ms=now_ms + WAIT_MS)
            elif self._draining(folded.of(lot_object(lot.id)), due, now_ms):
                again = replace(due, not_before_ms=now_ms + BACKLOG_QUIET_MS)
            elif self._still_coming_in(folded.of(lot_object(lot.id))[-1], now_ms) or (
                not record.known and now_ms < _first_wait_ms(events)
            ):
                again = replace(due, not_before_ms=now_ms + WAIT_MS)
            else:
                certificate = self._certificate(lot, events, record, judged, now_ms)
        self._database.settle(lot.id, lot.code, record, certificate, again, now_ms)
        cost_ms = self._now_ms() - now_ms
        self._made_ms[lot.id] = now_ms + max(LIVE_EVERY_MS, LIVE_SHARE * cost_ms)
        return True

    def _draining(self, stays: Iterable[Stay], due: Due, now_ms: int) -> bool:
        """A gateway of the lot's rooms says that it still has readings of long ago to hand over.
        Its word delays a certificate, and no longer than a backlog may."""
        if now_ms - due.since_ms >= BACKLOG_LONGEST_MS:
            return False
        rooms = {stay.room for stay in stays}
        sites = {room.site for room in self._stores.records.rooms() if room.id in rooms}
        gateways = {site.gateway for site in self._stores.records.sites() if site.id in sites}
        for gateway, (body, _) in self._stores.readings.statuses().items():
            if gateway in gateways:
                try:
                    status = decode(body)
                except BadStatus:
                    continue
                oldest_ms = status.oldest_ms
                if (
                    status.state == "online"
                    and oldest_ms is not None
                    and oldest_ms < now_ms - OLD_READINGS_MS
                ):
                    return True
        return False

    def _still_coming_in(self, last: Stay, now_ms: int) -> bool:
        """The lot has just left: the last readings of its stay are on their way."""
        if last.to_ms is None:
            return False
        rules = self._stores.records.rules(last.room)
        interval_ms = rules[-1].interval_s * 1000 if rules else 0
        if now_ms >= last.to_ms + GAP_INTERVALS * interval_ms:
            return False
        probes = {
            held.probe
            for held in self._stores.records.assignments(last.room)
            if held.from_ms < last.to_ms and (held.to_ms is None or held.to_ms > last.to_ms)
        }
        series = [
            s for s in self._stores.readings.series()
            if s.probe in probes and s.quantity in QUANTITIES
        ]  # fmt: skip
        newest = self._stores.readings.latest(series)
        return any(one.at_ms < last.to_ms for one in newest)

    def _certificate(
        self,
        lot: Lot,
        events: list[EpcisEvent],
        record: LotRecord,
        judged: tuple[int, int],
        now_ms: int,
    ) -> dict[str, object] | None:
        """The next version as a row; None when there is nothing new to certify."""
        before = self._database.issued(lot.id)
        because = self._because(lot, events, record, before)
        if because is None:
            return None
        version = 1 if before is None else before.version + 1
        position = Position(
            self._cursor.readings_store, judged[0], self._cursor.records_store, judged[1]
        )
        data = issue(
            record,
            self._issuer.key,
            position,
            version=version,
            previous=None if before is None else before.data,
            because=because,
            now_ms=now_ms,
            url=self._issuer.url_of(lot.code),
        )
        log.info(
            "certificate issued", extra={"lot": lot.id, "version": version, "because": because}
        )
        return {
            "version": version,
            "issued_at_ms": now_ms,
            "until_ms": record.until_ms,
            "verdict": record.body["verdict"]["verdict"],
            "because": because,
            "content_sha256": content_digest(record.body),
            "bytes": data,
        }

    def _because(
        self, lot: Lot, events: list[EpcisEvent], record: LotRecord, before: Issued | None
    ) -> str | None:
        """Compared at the time up to which the version before had evidence: what has come
        since then in its turn is not late."""
        if before is None:
            return "first" if record.known or not record.open else None
        again: LotRecord | None = record
        if record.until_ms != before.until_ms:
            _, folded = self._database.journey(lot.id)
            again = make(lot, events, folded, self._stores, before.until_ms)
        if again is None or content_digest(again.body) != before.content_sha256:
            return _difference(before, record if again is None else again)
        if record.open and record.until_ms - before.until_ms >= EXTEND_MS:
            return "extended"
        return None


def _first_wait_ms(events: Iterable[EpcisEvent]) -> int:
    """A lot without any reading is certified as such only after a while: they may yet come."""
    return max(event.record_time_ms for event in events) + NO_DATA_WAIT_MS


def _difference(before: Issued, record: LotRecord) -> str:
    """What makes the new version: an event, readings that came late, or a judgement."""
    document = json.loads(before.data)
    body = record.body
    if any(document[part] != body[part] for part in ("lot", "journey", "contradictions")):
        return "event"
    if [stay["series"] for stay in document["stays"]] != [stay["series"] for stay in body["stays"]]:
        return "late data"
    return "judgement"
