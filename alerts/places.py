"""Rooms in people's words: names, goods and limits for the texts."""

from collections.abc import Mapping

from alerts.subjects import TEST, is_room, rooms_behind
from domain.decision import Notice
from domain.judgement import Rule
from domain.message import Place
from domain.place import LONGEST_NAME, described
from domain.reading import RoomId
from store.records.ports import RecordsReader, Room, RuleVersion, Site


class Places:
    """As records have them; ``refresh`` after records changed."""

    def __init__(self, records: RecordsReader) -> None:
        self._records = records
        self._rooms: dict[RoomId, Room] = {}
        self._sites: dict[str, Site] = {}
        self._places: dict[str, Place] = {}

    def refresh(self) -> None:
        self._rooms.clear()
        self._sites.clear()
        self._places.clear()

    def _load(self) -> None:
        if not self._rooms:
            self._rooms = {r.id: r for r in self._records.rooms()}
            self._sites = {s.id: s for s in self._records.sites()}

    def site(self, room: str) -> str:
        """The site's name: what a list of sites without power shows."""
        self._load()
        found = self._rooms.get(RoomId(room))
        site = self._sites.get(found.site) if found else None
        return site.name_zh or site.id if site else room

    def name(self, room: str, zh: bool) -> str:
        place = self._place(room)
        return place.name_zh if zh else place.name_en

    def organisation(self, room: str) -> str:
        """Who is charged for what concerns a room: it runs it, else it owns it."""
        self._load()
        found = self._rooms.get(RoomId(room))
        return (found.operator or found.owner) if found else ""

    def of(self, notice: Notice) -> Mapping[str, Place]:
        rooms = {room for room, _ in notice.about} | ({notice.room} if notice.room else set())
        return {room: self._place(room) for room in rooms}

    def _place(self, room: str) -> Place:
        if room not in self._places:
            self._load()
            self._places[room] = self._describe(room)
        return self._places[room]

    def _describe(self, id: str) -> Place:
        if not is_room(id):
            return self._beyond(id)
        room = self._rooms.get(RoomId(id))
        if room is None:
            return Place(id, id)
        site = self._sites.get(room.site)
        rules = self._records.rules(RoomId(id))
        newest = max(rules, key=lambda v: (v.from_ms, v.m), default=None)
        return described(
            (room.name_zh or id, room.name_en or id),
            (site.name_zh, site.name_en) if site else ("", ""),
            _rule(newest) if newest else None,
        )

    def _beyond(self, subject: str) -> Place:
        """A drill is named by its site, a gateway by its site and the number of rooms."""
        rooms = [self._rooms[r] for r in rooms_behind(self._records, subject) if r in self._rooms]
        sites = list(dict.fromkeys(self._sites[r.site] for r in rooms))
        if not sites:
            return Place(subject, subject)
        zh = "、".join(s.name_zh or s.id for s in sites)[:LONGEST_NAME]
        en = ", ".join(s.name_en or s.id for s in sites)[:LONGEST_NAME]
        if subject.startswith(TEST):
            return Place(zh, en)
        return Place(f"{zh}网关({len(rooms)}间库房)", f"{en} gateway ({len(rooms)} rooms)")


def _rule(v: RuleVersion) -> Rule:
    return Rule("", v.from_ms, v.profile, tuple(v.commodities), v.interval_s, v.overrides)
