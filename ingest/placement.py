"""Where each probe was, and when: what the tags of its points say.

Tags are part of a point's identity in InfluxDB, so when somebody corrects where a probe
was, the points of that time are removed and written again.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from store.records.ports import Assignment, Room

UNASSIGNED = "unassigned"
END_OF_TIME_MS = 1 << 53


class Stay(NamedTuple):
    """``from_ms <= measured_at < to_ms``."""

    from_ms: int
    to_ms: int
    room: str
    site: str


Placement = dict[str, list[Stay]]  # probe -> its stays, any order


def placement(assignments: Iterable[Assignment], rooms: Iterable[Room]) -> Placement:
    sites = {room.id: room.site for room in rooms}
    found: Placement = {}
    for one in assignments:
        to_ms = END_OF_TIME_MS if one.to_ms is None else one.to_ms
        site = sites.get(one.room)
        found.setdefault(one.probe, []).append(
            Stay(one.from_ms, to_ms, one.room, site if site is not None else UNASSIGNED)
        )
    return found


def pieces(stays: Sequence[Stay], from_ms: int, to_ms: int) -> list[Stay]:
    """The span cut where the probe changed its place; gaps are stays in no room. Of stays
    that overlap the one begun last holds."""
    cuts = {from_ms, to_ms}
    for stay in stays:
        cuts.update(cut for cut in (stay.from_ms, stay.to_ms) if from_ms < cut < to_ms)
    return [Stay(start, end, *_place(stays, start)) for start, end in pairwise(sorted(cuts))]


def moved(before: Placement, after: Placement) -> list[tuple[str, int, int]]:
    """(probe, from, to) of every span whose tags are no longer the same."""
    found: list[tuple[str, int, int]] = []
    for probe in sorted(before.keys() | after.keys()):
        old, new = before.get(probe, []), after.get(probe, [])
        if sorted(old) == sorted(new):
            continue
        for stay in pieces([*old, *new], 0, END_OF_TIME_MS):
            if _place(old, stay.from_ms) == _place(new, stay.from_ms):
                continue
            if found and found[-1][0] == probe and found[-1][2] == stay.from_ms:
                found[-1] = (probe, found[-1][1], stay.to_ms)
            else:
                found.append((probe, stay.from_ms, stay.to_ms))
    return found


def _place(stays: Sequence[Stay], at_ms: int) -> tuple[str, str]:
    """(room, site) at one instant."""
    holding = [stay for stay in stays if stay.from_ms <= at_ms < stay.to_ms]
    if not holding:
        return UNASSIGNED, UNASSIGNED
    last = max(holding)
    return last.room, last.site
