"""Alarms of the system itself: what gateways show of themselves, and telling people of all.

Parts on this machine say what is the matter with them in ``store.system_alarms``; a gateway says
it in its status, its tombstones say it in the store. Both end on the same board, and those who
run the platform are told: at once of what is critical, by day of the rest, once of the end.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

import msgspec

from alerts.escalation import Rosters
from alerts.places import Places
from domain.incident import DAY_MS, HOUR_MS
from domain.system_alarm import Telling, decide, words
from store.notices import NewNotice, SqlNoticesStore
from store.ports import ReadingReader
from store.records.ports import RecordsReader
from store.system_alarms import Board, read
from wire import tombstone_v1
from wire.status_v1 import BadStatus, Status, decode

LOOK_MS = 1_000
GATEWAYS_MS = 5_000
FILLS_H = 24.0
LOST_FOR_MS = 3 * DAY_MS  # for so long a loss is shown
UNREACHED_FOR_MS = DAY_MS  # unless something reaches them before


def of_status(status: Status) -> dict[str, str]:
    """Code to detail: what a gateway shows of itself."""
    found: dict[str, str] = {}
    if status.state == "full":
        found["GATEWAY_FULL"] = "acknowledges nothing"
    elif status.full_in_h is not None and status.full_in_h <= FILLS_H:
        found["GATEWAY_FILLS"] = f"full in {status.full_in_h} h"
    if status.refused:
        found["BATCHES_REFUSED"] = f"{status.refused} batches"
    if status.configs_refused:
        found["CONFIG_REFUSED"] = f"{status.configs_refused} configs"
    if status.state != "offline" and not status.clock.trusted:
        found["CLOCK_UNTRUSTED"] = ""
    if status.receipts_refused:
        found["RECEIPT_REFUSED"] = status.receipts_refused
    return found


OF_STATUS = (
    "GATEWAY_FULL", "GATEWAY_FILLS", "BATCHES_REFUSED", "CONFIG_REFUSED", "CLOCK_UNTRUSTED",
    "RECEIPT_REFUSED",
)  # fmt: skip


class SystemWatch:
    """``turn`` is cheap and may be called as often as one likes."""

    def __init__(
        self,
        board: Board,
        folder: str,
        readings: ReadingReader,
        records: RecordsReader,
        store: SqlNoticesStore,
        rosters: Rosters,
        owners: Sequence[str],
        now_ms: Callable[[], int],
        clock_rate: float = 1.0,
    ) -> None:
        self._rate = clock_rate
        self._board, self._folder = board, folder
        self._readings, self._records = readings, records
        self._store, self._rosters = store, rosters
        self._places = Places(records)
        self._seen_m: int | None = None  # the change up to which people were looked at
        self._owners, self._now_ms = owners, now_ms
        self._told = store.told_system_alarms()
        self._look_ms = self._gateways_ms = 0
        self._stones_n = 0
        self._lost: dict[str, tuple[int, str]] = {}  # gateway: when it said so, what went

    def turn(self) -> int:
        """How many notices were written."""
        now_ms = self._now_ms()
        if not self._folder or abs(now_ms - self._look_ms) < LOOK_MS:
            return 0
        self._look_ms = now_ms
        if abs(now_ms - self._gateways_ms) >= GATEWAYS_MS:
            self._gateways_ms = now_ms
            self._gateways(now_ms)
            self._people()
        tellings, known = decide(read(self._folder, now_ms), self._told, now_ms, self._rate)
        if known == self._told:
            return 0
        fresh = [notice for one in tellings for notice in self._notices(one, now_ms)]
        self._store.tell_system_alarms(known, fresh)
        self._told = known
        return len(fresh)

    def _gateways(self, now_ms: int) -> None:
        shown: dict[str, dict[str, str]] = {code: {} for code in OF_STATUS}
        for gateway, (body, _) in self._readings.statuses().items():
            try:
                status = decode(body)
            except BadStatus:
                continue
            for code, detail in of_status(status).items():
                shown[code][f"gateway:{gateway}"] = detail
        for code, abouts in shown.items():
            self._board.keep(code, abouts)
        self._board.keep("READINGS_LOST", self._losses(now_ms))
        self._board.keep("NOT_REACHED", self._unreached(now_ms))

    def _unreached(self, now_ms: int) -> Mapping[str, str]:
        people = self._rosters.people()
        return {
            f"person:{people[id].name}": why
            for id, why in self._store.unreached(now_ms - UNREACHED_FOR_MS).items()
            if id in people
        }

    def _people(self) -> None:
        """Rooms whose operators have all had our messages stopped."""
        head = self._records.last_change()
        if head == self._seen_m:
            return
        self._seen_m = head
        self._rosters.refresh()
        self._places.refresh()
        found = self._rosters.forsaken()
        names = {room: self._places.name(room, zh=True) for room in found}
        self._board.keep("NO_OPERATOR", {f"room:{names[room]}": who for room, who in found.items()})

    def _losses(self, now_ms: int) -> Mapping[str, str]:
        while page := self._readings.notes("tombstone", self._stones_n):
            self._stones_n = page[-1].n
            for note in page:  # ingest has checked each
                try:
                    stone = tombstone_v1.decode(note.body)
                except tombstone_v1.BadTombstone:
                    continue  # an earlier ingest let it in
                what = f"{stone.readings} readings of {stone.epoch}, {stone.first} to {stone.last}"
                self._lost[f"gateway:{note.batch.gateway}"] = (note.cut_at_ms, what)
        return {
            about: what
            for about, (at_ms, what) in self._lost.items()
            if now_ms - at_ms < LOST_FOR_MS
        }

    def _notices(self, one: Telling, now_ms: int) -> list[NewNotice]:
        """Derived by key: said twice, it is written once."""
        told = []
        self._rosters.refresh()
        for person in self._rosters.runs_the_platform(self._owners):
            filled = words(
                one.code, one.abouts, one.since_ms, person.lang, over=one.kind == "clear"
            )
            when = now_ms // HOUR_MS if one.kind == "repeat" else one.since_ms
            seed = f"system/{one.kind}/{one.code}/{one.abouts}/{when}/{person.id}".encode()
            told.append(
                NewNotice(
                    blake2b(seed, digest_size=16).hexdigest(), now_ms, person.id, person.phone,
                    "sms", one.kind, [one.code], f"system:{one.code}", 0, "", filled.text(), (),
                    msgspec.json.encode(filled),
                )
            )  # fmt: skip
        return told
