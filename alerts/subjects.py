"""What has a ladder and is no room: a gateway that has fallen silent, a drill.

Each goes through the very steps that a room goes through, with a code, replies and an all-clear
of its own. A gateway is a room whose one probe is itself: while it is silent, its rooms' silent
probes are no news. A drill is one critical alarm that ends with its answer, or after an hour.
"""

from collections.abc import Iterable, Mapping, Sequence

from alerts.engine import Engine
from domain.incident import FOREVER_MS, HOUR_MS, RoomSeen, silence_due
from domain.judgement import Fact
from domain.message import DRILL
from domain.reading import ProbeId, RoomId, Series
from store.records.ports import Drill, RecordsReader

GATEWAY, TEST = "gateway:", "drill:"  # a room's id holds no colon
DRILL_LASTS_MS = HOUR_MS
Away = Sequence[tuple[int, int]]  # as in ``RoomSeen``
FEWEST_ROOMS = 2  # behind fewer, the room's own message says as much


def is_room(subject: str) -> bool:
    return ":" not in subject


def rooms_behind(records: RecordsReader, subject: str) -> list[RoomId]:
    """Whose people are concerned."""
    kind, _, id = subject.partition(":")
    if kind + ":" == GATEWAY:
        sites = {str(s.id) for s in records.sites() if s.gateway == id}
    elif kind + ":" == TEST:
        drill = records.drill(id)
        sites = {str(drill.site)} if drill else set()
    else:
        return [RoomId(subject)]
    return [room.id for room in records.rooms() if room.site in sites]


class Subjects:
    """As records and arrivals have them now; ``refresh`` after records changed."""

    def __init__(self, engine: Engine, records: RecordsReader) -> None:
        self._engine, self._records = engine, records
        self._gateway_of: dict[str, str] = {}
        self._rooms_of: dict[str, list[RoomId]] = {}
        self._drills: dict[str, Drill] = {}
        self._muted: set[str] = set()

    def refresh(self, now_ms: int) -> None:
        gateways = {s.id: s.gateway for s in self._records.sites() if s.gateway}
        rooms: dict[str, list[RoomId]] = {}
        for room in self._records.rooms():
            if room.site in gateways:
                rooms.setdefault(f"{GATEWAY}{gateways[room.site]}", []).append(room.id)
        self._rooms_of = {g: found for g, found in rooms.items() if len(found) >= FEWEST_ROOMS}
        self._gateway_of = {r: g for g, found in self._rooms_of.items() for r in found}
        drills = self._records.drills(now_ms - 2 * DRILL_LASTS_MS)
        self._drills = {f"{TEST}{d.id}": d for d in drills}

    def gateways_of(self, rooms: Iterable[str]) -> set[str]:
        return {self._gateway_of[r] for r in rooms if r in self._gateway_of}

    def heard_again(self, gateways: Iterable[str], now_ms: int, away: Away) -> set[RoomId]:
        """Rooms whose gateway speaks again: their own silence counts from now on."""
        found: set[RoomId] = set()
        for gateway in gateways:
            if self._quiet(gateway, now_ms, away):
                self._muted.add(gateway)
            elif gateway in self._muted:
                self._muted.remove(gateway)
                found.update(self._rooms_of.get(gateway, ()))
        return found

    def muted(self, room: str, now_ms: int, away: Away) -> bool:
        """The room's gateway has been silent for longer than its probes ever are."""
        gateway = self._gateway_of.get(room)
        return gateway is not None and self._quiet(gateway, now_ms, away)

    def seen(self, subject: str, now_ms: int, away: Away) -> RoomSeen:
        if drill := self._drills.get(subject):
            end_ms = min(drill.answered_ms or FOREVER_MS, drill.started_ms + DRILL_LASTS_MS)
            fact = Fact(DRILL, "critical", drill.started_ms, drill.started_ms, end_ms, None, 0, 0)
            return RoomSeen([fact], now_ms, 300)
        interval_s, heard = self._heard(subject, now_ms)
        return RoomSeen((), now_ms, interval_s, arrived_ms=heard, away=away)

    def known(self, subject: str) -> bool:
        """No room, and something may be said of it."""
        return not is_room(subject) and not self.forgettable(subject)

    def forgettable(self, subject: str) -> bool:
        """A drill that is long over."""
        return subject.startswith(TEST) and subject not in self._drills

    def _heard(self, gateway: str, now_ms: int) -> tuple[int, Mapping[Series, int]]:
        """The longest interval of its rooms, and when anything of them last arrived."""
        intervals: list[int] = []
        at_ms: list[int] = []
        for room in self._rooms_of.get(gateway, ()):
            if room in self._engine.rooms() and (rules := self._engine.watch(room).rules):
                at_ms += self._engine.links(room, now_ms).values()
                intervals.append(rules[-1].interval_s)
        series = Series(ProbeId(gateway), "gateway")
        return max(intervals, default=300), {series: max(at_ms)} if at_ms else {}

    def _quiet(self, gateway: str, now_ms: int, away: Away) -> bool:
        interval_s, heard = self._heard(gateway, now_ms)
        return any(now_ms > silence_due(at, 1_500 * interval_s, away) for at in heard.values())
