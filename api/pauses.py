"""Pauses in force now, of every room: asked once for each step of the judging, not for each page."""

import time
from collections.abc import Sequence

from api.sources import Sources
from domain.reading import RoomId
from store.facts_ports import StoredPause

OLDEST_S = 2.0  # a pause that was to come is seen this late at most


class Pauses:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._asked_at: tuple[tuple[int, int], int] | None = None  # cursor, rooms
        self._asked_s = 0.0
        self._found: dict[RoomId, list[StoredPause]] = {}

    def now(self, rooms: Sequence[RoomId], now_ms: int) -> dict[RoomId, list[StoredPause]]:
        """Empty lists when nothing is judged yet."""
        cursor = self._sources.facts.ask(lambda reader: reader.cursor())
        if cursor is None:
            return {room: [] for room in rooms}
        at = (cursor, len(rooms))
        if self._asked_at != at or time.monotonic() - self._asked_s > OLDEST_S:
            self._found = {room: self._of(room, now_ms) for room in rooms}
            self._asked_at, self._asked_s = at, time.monotonic()
        return {
            room: [p for p in self._found.get(room, ()) if p.to_ms is None or p.to_ms > now_ms]
            for room in rooms
        }

    def _of(self, room: RoomId, now_ms: int) -> list[StoredPause]:
        return self._sources.facts.ask(lambda f: f.pauses(room, now_ms, now_ms + 1)) or []
