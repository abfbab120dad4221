"""Places, lots and events as people would record them; alarms as the rules would have made them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from domain.reading import LotId, ProbeId, RoomId, SiteId
from store.facts_ports import StoredFact, StoredFlag, StoredPause
from store.records import SqlRecords, open_records
from store.records.ports import Lot, Region, Room, Site
from traceability.epcis import Move, to_event

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
NOON_MS = 1_780_315_200_000  # 2026-06-01T12:00:00Z
BASE_URL = "https://cold.example"
AIR = ProbeId("ieee:00158d0001a2b3c4")
ROOM = RoomId("berries")
OTHER_ROOM = RoomId("apples")
SITE = SiteId("van-1")
LOT = LotId("lot-1")
CODE = "0123456789ab"


def county(folder: Path) -> SqlRecords:
    """One site with two rooms; a probe in the first since a day before noon, by rule SB."""
    records = open_records(folder / "records.db")
    said: dict[str, Any] = {"by": "init", "now_ms": NOON_MS - 24 * HOUR_MS}
    records.put_region(Region("county", None, "county", "县", "County"), **said)
    records.put_site(Site(SITE, "county", "mobile-store", "一号车", "Van 1"), **said)
    for room in (ROOM, OTHER_ROOM):
        records.put_room(Room(room, SITE, "chilled", "冷间", room.title()), **said)
    records.add_rule(ROOM, 0, "SB", ["strawberry"], 300, {}, **said)
    records.assign(AIR, ROOM, NOON_MS - 24 * HOUR_MS, **said)
    return records


def strawberries(id: LotId = LOT, code: str = CODE) -> Lot:
    return Lot(id, code, "strawberry", "草莓", "Strawberry", "120.5", "Li Wei", NOON_MS)


def move(kind: str, at_ms: int, room: str | None = ROOM, lot: str = LOT) -> dict[str, Any]:
    return dict(to_event(Move(kind, lot, at_ms, room=room, site=SITE, pack="p1"), BASE_URL))


class JudgedFacts:
    """What alerts would have written: ``raised`` by hand, everything else judged at once."""

    def __init__(self) -> None:
        self.judged_to = (10**9, 10**9)
        self._versions: list[StoredFact] = []

    def raise_(
        self, code: str, began_ms: int, cleared_ms: int | None, level: str = "critical"
    ) -> str:
        """A fact's id."""
        seq = len(self._versions) + 1
        id = f"f{seq}"
        self._versions.append(
            StoredFact(
                id=id, version=1, room=ROOM, code=code, level=level, began_at_ms=began_ms,
                fired_at_ms=began_ms + 30 * MINUTE_MS, cleared_at_ms=cleared_ms, peak=8.0,
                degree_minutes=220.0, minutes_unknown=0.0, rule="m5:abc", withdrawn=False,
                n=1, m=1, core="1", seq=seq,
            )
        )  # fmt: skip
        return id

    def facts(
        self,
        room: RoomId | None = None,
        *,
        active: bool | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int = 1000,
    ) -> list[StoredFact]:
        return [
            fact
            for fact in self._versions
            if room in (None, fact.room)
            and (from_ms is None or fact.cleared_at_ms is None or fact.cleared_at_ms > from_ms)
            and (to_ms is None or fact.began_at_ms < to_ms)
        ]

    def fact(self, id: str) -> list[StoredFact]:
        return [fact for fact in self._versions if fact.id == id]

    def versions_after(self, seq: int, limit: int = 500) -> list[StoredFact]:
        return [fact for fact in self._versions if fact.seq > seq][:limit]

    def pauses(self, room: RoomId, from_ms: int, to_ms: int) -> list[StoredPause]:
        return []

    def flags(self, room: RoomId, from_ms: int, to_ms: int) -> list[StoredFlag]:
        return []

    def judged(self) -> Mapping[RoomId, tuple[int, int, int]]:
        return {}

    def cursor(self) -> tuple[int, int]:
        return self.judged_to


def every(
    minutes: int, values: Sequence[int], start_ms: int = NOON_MS
) -> list[tuple[int, int, int]]:
    """(at_ms, count, quality) rows, one value after the other."""
    return [(start_ms + i * minutes * MINUTE_MS, count, 0) for i, count in enumerate(values)]
