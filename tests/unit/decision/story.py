"""Cases in few words: minutes from noon at the cold store, one probe a room, strawberries."""

from collections.abc import Iterable, Sequence

from domain.incident import Contact
from domain.judgement import Action, Rule
from domain.message import Place
from domain.quantity import QUANTITIES
from domain.reading import ProbeId, Series
from domain.retelling import Acted, Addressee, Arrived, Told, ToldRoom, retell

MINUTE_MS = 60_000
NOON_MS = 1_780_286_400_000  # 2026-06-01 04:00 UTC, 12:00 local
MIDNIGHT_MS = NOON_MS + 12 * 60 * MINUTE_MS


def person(id: str, role: str = "operator", rooms: Iterable[str] | None = None,
           *, lang: str = "zh", quiet_hours: bool = True) -> Addressee:  # fmt: skip
    contact = Contact(id, role, "+8613800000001", lang, quiet_hours)
    return Addressee(contact, None if rooms is None else frozenset(rooms))


LADDER = [
    person("op"),
    person("second", "second"),
    person("town", "township"),
    person("county", "county"),
]


class Story:
    """Readings and actions by the minute; ``start_ms`` is minute 0."""

    def __init__(self, start_ms: int = NOON_MS, rooms: Sequence[str] = ("r1",)) -> None:
        self.start_ms = start_ms
        self.rooms = {
            room: ToldRoom(
                site=room,
                place=Place(room, room, "草莓", "strawberry"),
                rules=lambda _actions: [Rule("1", 0, "SB", ("strawberry",), 300, {})],
            )
            for room in rooms
        }
        self.events: list[Arrived | Acted] = []

    def at(self, minute: float) -> int:
        return self.start_ms + round(minute * MINUTE_MS)

    def minute(self, at_ms: int) -> float:
        return (at_ms - self.start_ms) / MINUTE_MS

    def steady(self, first: int, last: int, celsius: float, *, room: str = "r1",
               arriving: float | None = None) -> "Story":  # fmt: skip
        """A sample every five minutes, both ends inside."""
        for minute in range(first, last + 1, 5):
            self.one(minute, "temperature", celsius, room=room, arriving=arriving)
        return self

    def one(self, minute: float, quantity: str, value: float, *, room: str = "r1",
            arriving: float | None = None) -> "Story":  # fmt: skip
        at_ms = self.at(minute)
        probe = ProbeId(f"p-{room}" if quantity == "temperature" else f"s-{room}")
        self.events.append(
            Arrived(
                at_ms if arriving is None else self.at(arriving),
                room,
                Series(probe, quantity),
                at_ms,
                QUANTITIES[quantity].count(value),
            )
        )
        return self

    def does(self, minute: float, kind: str, room: str = "r1", *, probe: str = "") -> "Story":
        detail = {"reason": "x", "probe": probe}
        self.events.append(
            Acted(self.at(minute), room, Action(self.at(minute), kind, "op", detail))
        )
        return self

    def told(self, people: Sequence[Addressee], until: float) -> list[Told]:
        events = sorted(self.events, key=lambda e: e.arrived_ms)
        return retell(self.rooms, events, people, self.at(until))

    def tells(self, people: Sequence[Addressee], until: float) -> list[tuple[float, str, str, str]]:
        """(minute, person, kind, codes), voice marked with a star."""
        return [
            (
                self.minute(t.notice.at_ms),
                t.notice.to + ("*" if t.notice.channel == "voice" else ""),
                t.notice.kind,
                " ".join(t.notice.codes),
            )
            for t in self.told(people, until)
        ]
