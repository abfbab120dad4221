"""Where each lot was, from when to when: its stays in rooms, folded from events.

Events are folded in (eventTime, eventID) order, whatever the order in which they came,
so the same set of events always gives the same stays. What does not fit (taken out of a
room that it was not in) is a ``Misfit`` beside the stays, never an exception: goods have
moved, whatever the papers say.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from domain.lot import ENDING, LEAVING, TAKING, LotEvent, ObjectId, room_of
from domain.reading import RoomId


@dataclass(frozen=True, slots=True)
class Stay:
    """``from_ms <= t < to_ms``; None: still there."""

    object: ObjectId
    room: RoomId
    from_ms: int
    to_ms: int | None
    came_by: str  # event that brought it
    left_by: str | None


@dataclass(frozen=True, slots=True)
class Misfit:
    event: str
    object: ObjectId
    reason: str


@dataclass(frozen=True, slots=True)
class Folded:
    """Stays by (object, from); ``sources``: what an object was made from (split, merged)."""

    stays: tuple[Stay, ...]
    misfits: tuple[Misfit, ...]
    sources: dict[ObjectId, tuple[ObjectId, ...]]

    def of(self, object: ObjectId) -> tuple[Stay, ...]:
        return tuple(stay for stay in self.stays if stay.object == object)


@dataclass(slots=True)
class _Fold:
    open: dict[ObjectId, Stay] = field(default_factory=dict)
    done: list[Stay] = field(default_factory=list)
    inside: dict[ObjectId, dict[ObjectId, None]] = field(default_factory=dict)  # parent: contents
    ended: dict[ObjectId, str] = field(default_factory=dict)
    misfits: list[Misfit] = field(default_factory=list)
    sources: dict[ObjectId, tuple[ObjectId, ...]] = field(default_factory=dict)

    def with_contents(self, objects: Iterable[ObjectId]) -> list[ObjectId]:
        found: dict[ObjectId, None] = {}
        waiting = list(objects)
        while waiting:
            one = waiting.pop(0)
            if one not in found:
                found[one] = None
                waiting.extend(self.inside.get(one, ()))
        return list(found)

    def leave(self, event: LotEvent, object: ObjectId) -> None:
        stay = self.open.pop(object, None)
        if stay is not None:
            self.done.append(
                Stay(object, stay.room, stay.from_ms, event.at_ms, stay.came_by, event.id)
            )

    def enter(self, event: LotEvent, object: ObjectId, room: RoomId) -> None:
        stay = self.open.get(object)
        if stay is not None and stay.room == room:
            return
        self.leave(event, object)
        self.open[object] = Stay(object, room, event.at_ms, None, event.id, None)

    def misfit(self, event: LotEvent, object: ObjectId, reason: str) -> None:
        self.misfits.append(Misfit(event.id, object, reason))

    def move(self, event: LotEvent, object: ObjectId) -> None:
        """What the event's places and step mean for one object."""
        if object in self.ended:
            self.misfit(event, object, f"moved after it ended with {self.ended[object]}")
            return
        seen, after = room_of(event.seen_at), room_of(event.now_at)
        stay = self.open.get(object)
        here = None if stay is None else stay.room
        leaves = event.step in LEAVING or event.step in ENDING or event.action == "DELETE"
        takes = event.step in TAKING and seen is not None
        away = event.now_at is not None and after is None
        if seen is not None and seen != here and (leaves or takes or away) and seen != after:
            where = "in no room" if here is None else f"in {here}"
            self.misfit(event, object, f"taken out of {seen}, but it was {where}")
        if after is not None and not leaves:
            self.enter(event, object, after)
        elif leaves or takes or away:
            self.leave(event, object)
        if event.step in ENDING or (event.action == "DELETE" and event.type == "ObjectEvent"):
            self.ended[object] = event.id


def fold(events: Iterable[LotEvent]) -> Folded:
    """Every object's stays. Events declared to be errors, and their declarations, are left out."""
    given = list(events)
    errors = {event.id for event in given if event.in_error}
    state = _Fold()
    for event in sorted(given, key=lambda event: (event.at_ms, event.id)):
        if event.id not in errors:
            _apply(state, event)
    stays = sorted([*state.done, *state.open.values()], key=lambda s: (s.object, s.from_ms))
    return Folded(
        tuple(stay for stay in stays if stay.to_ms is None or stay.to_ms > stay.from_ms),
        tuple(state.misfits),
        state.sources,
    )


def _apply(state: _Fold, event: LotEvent) -> None:
    if event.type == "TransformationEvent":
        _transform(state, event)
    elif event.type in ("AggregationEvent", "AssociationEvent"):
        _aggregate(state, event)
    else:
        parent = () if event.parent is None else (event.parent,)
        for object in state.with_contents((*event.objects, *parent)):
            state.move(event, object)


def _aggregate(state: _Fold, event: LotEvent) -> None:
    """ADD puts children into the parent, DELETE takes them (all, when none is named) out;
    parent and children are where the event says. Taking out ends no goods."""
    parent = event.parent
    contents = state.inside.setdefault(parent, {}) if parent is not None else {}
    moved = state.with_contents((*event.objects, *(() if parent is None else (parent,))))
    if event.action == "ADD":
        contents.update(dict.fromkeys(event.objects))
    elif event.action == "DELETE":
        for child in event.objects or tuple(contents):
            if contents.pop(child, child) is not None and parent is not None:
                state.misfit(event, child, f"unpacked from {parent}, but it was not in it")
        event = _observed(event)
    for object in moved:
        state.move(event, object)


def _transform(state: _Fold, event: LotEvent) -> None:
    """Inputs end, outputs begin; an output is where the event says, else where its inputs were."""
    rooms = {state.open[o].room for o in event.objects if o in state.open}
    room = room_of(event.now_at)
    if room is None and event.now_at is None and len(rooms) == 1:
        room = rooms.pop()
    for object in event.objects:
        if object in state.ended:
            state.misfit(event, object, f"used after it ended with {state.ended[object]}")
        if object not in event.outputs:
            state.leave(event, object)
            state.ended[object] = event.id
    for object in event.outputs:
        state.sources[object] = tuple(o for o in event.objects if o != object)
        if room is not None:
            state.enter(event, object, room)


def _observed(event: LotEvent) -> LotEvent:
    return LotEvent(
        event.id, event.at_ms, event.type, "OBSERVE", event.step, event.objects,
        event.parent, event.outputs, event.seen_at, event.now_at, event.in_error,
    )  # fmt: skip
