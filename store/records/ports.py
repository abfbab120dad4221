"""What people say, as values, and the two sides of the records store.

The api is the only writer (the command line, when nothing runs). Every change is one
entry *m* of the changes journal: from ``from_ms`` on, something is different for these
rooms. Nothing is edited in place that a judgement rests on: rules, assignments and
actions are appended with the instant from which they hold.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NewType, Protocol

from domain.calibration import Check, Papers
from domain.reading import LotId, PersonId, ProbeId, RoomId, SiteId
from domain.roster import ROLES as ROLES
from domain.roster import Shift

ChangeNo = NewType("ChangeNo", int)

SITE_KINDS = (
    "county-hub", "township-hub", "village-point", "collection-centre",
    "mobile-store", "vehicle", "locker",
)  # fmt: skip
ROOM_KINDS = (
    "chilled", "frozen", "fresh-keeping", "pre-cool", "sort", "pack", "dock", "compartment",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Region:
    """County, township or village; ``parent`` None for the top."""

    id: str
    parent: str | None
    kind: str  # county | township | village
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Site:
    id: SiteId
    region: str
    kind: str  # of SITE_KINDS
    name_zh: str
    name_en: str
    gateway: str | None = None
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True, slots=True)
class Room:
    id: RoomId
    site: SiteId
    kind: str  # of ROOM_KINDS
    name_zh: str
    name_en: str
    operator: str = ""  # organisation that runs it
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A probe measures a room from an instant to an instant (None: still)."""

    probe: ProbeId
    room: RoomId
    from_ms: int
    to_ms: int | None
    m: ChangeNo


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """In force in a room from ``from_ms`` until the next one's. ``overrides`` as in a replay case."""

    room: RoomId
    from_ms: int
    profile: str
    commodities: tuple[str, ...]
    interval_s: int
    overrides: Mapping[str, Any]
    recorded_at_ms: int
    by: str
    m: ChangeNo


@dataclass(frozen=True, slots=True)
class RecordedAction:
    """Kinds and ``detail`` fields are those of a replay case (loading_started, ack, lot_in, ...)."""

    id: str  # idempotency key: recording it again changes nothing
    room: RoomId
    kind: str
    at_ms: int
    by: str
    recorded_at_ms: int
    detail: Mapping[str, Any]
    m: ChangeNo


@dataclass(frozen=True, slots=True)
class RecordedCheck:
    id: str  # idempotency key
    probe: ProbeId
    check: Check
    by: str
    recorded_at_ms: int
    m: ChangeNo


@dataclass(frozen=True, slots=True)
class Person:
    id: PersonId
    name: str
    phone: str  # E.164
    lang: str  # zh | en
    quiet_hours: bool = True  # warnings wait for the morning digest at night
    channels: tuple[str, ...] = ()  # the ways to reach them, best first; none: as the settings say


@dataclass(frozen=True, slots=True)
class Duty:
    """``scope`` is a region, site or room id; the narrower scopes inherit. No ``shifts``: always."""

    person: PersonId
    role: str  # of ROLES
    scope_kind: str  # region | site | room
    scope: str
    shifts: tuple[Shift, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """A person as a room's ladder sees them, on duty or not. No ``shifts``: always on duty."""

    person: Person
    role: str
    shifts: tuple[Shift, ...] = ()


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A date that counts as another day: "H" a holiday, "1" to "7" Monday to Sunday."""

    day: str  # ISO date
    counts_as: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Silence:
    """A rule of a room is not told of from an instant to an instant; its facts stay facts.
    ``to_ms`` is when it really ends: an end that somebody brought forward stands here."""

    id: str  # idempotency key
    room: RoomId
    code: str
    reason: str
    from_ms: int
    to_ms: int
    by: str
    m: ChangeNo


@dataclass(frozen=True, slots=True)
class Drill:
    """A test alarm of a site. ``started_by`` "schedule" when its month began it."""

    id: str  # idempotency key
    site: SiteId
    started_ms: int
    started_by: str
    answered_ms: int | None
    answered_by: str
    channel: str  # of the answer: sms | console | api; "" while there is none
    m: ChangeNo


@dataclass(frozen=True, slots=True)
class DrillPlan:
    """Every site is drilled once a month: on this local day, from this minute of it on."""

    day: int  # 1 ... 28
    minute: int


@dataclass(frozen=True, slots=True)
class Lot:
    id: LotId
    code: str  # 60 random bits, what a buyer scans
    commodity: str
    name_zh: str
    name_en: str
    quantity_kg: str  # decimal text, as it was entered
    producer: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class EpcisEvent:
    """One captured event as it came (normalised JSON), in records' order of capture."""

    event_id: str
    event_time_ms: int
    record_time_ms: int
    body: Mapping[str, Any]
    m: ChangeNo


@dataclass(frozen=True, slots=True)
class NamedAlarm:
    """An alarm as it was known when somebody spoke of it: its code in its room, and the time
    [from, to) in which it rang. ``id``: what it was called then (``store.words``)."""

    id: str
    room: RoomId
    code: str
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Change:
    """Entry *m* of the journal. ``rooms`` empty: no room's judgement is touched."""

    m: ChangeNo
    kind: str  # region | site | room | assignment | papers | check | rule | action | lot | epcis | person | duty | duty_end | case | calendar | silence | drill | drill_plan | texts
    rooms: tuple[RoomId, ...]
    from_ms: int
    recorded_at_ms: int
    by: str
    subject: str  # id of what changed


class RecordsReader(Protocol):
    """Each call opens, reads at most 1,000 rows a page, and closes within 50 ms."""

    def store_id(self) -> str: ...
    def last_change(self) -> ChangeNo: ...
    def changes(self, after: int, limit: int = 500) -> list[Change]: ...
    def regions(self) -> list[Region]: ...
    def sites(self) -> list[Site]: ...
    def rooms(self) -> list[Room]: ...
    def assignments(self, room: RoomId | None = None) -> list[Assignment]: ...
    def papers(self, probe: ProbeId | None = None) -> list[Papers]:
        """By (probe, from); of one instant the papers recorded last."""
        ...

    def checks(self, probe: ProbeId | None = None) -> list[RecordedCheck]:
        """By (probe, at, m)."""
        ...

    def rules(self, room: RoomId) -> list[RuleVersion]:
        """Oldest first."""
        ...

    def actions(self, room: RoomId, upto_m: int | None = None) -> list[RecordedAction]:
        """By (at, m)."""
        ...

    def people(self) -> list[Person]: ...
    def duties(self) -> list[Duty]: ...
    def contacts(self, room: RoomId) -> list[Contact]:
        """The room's ladder: duties on it, its site and its regions."""
        ...

    def calendar(self) -> list[CalendarDay]: ...
    def texts_stopped(self) -> Mapping[PersonId, int]:
        """Who has had our texts stopped with the carrier's word, and when."""
        ...

    def silences(self, after_ms: int = 0) -> list[Silence]:
        """Those that end after the instant, by (from, m)."""
        ...

    def drills(self, after_ms: int = 0) -> list[Drill]:
        """Those begun after the instant, by (started, id)."""
        ...

    def drill(self, id: str) -> Drill | None: ...
    def drill_plan(self) -> DrillPlan | None: ...

    def lots(self) -> list[Lot]: ...
    def lot(self, id: LotId) -> Lot | None: ...
    def lot_by_code(self, code: str) -> Lot | None: ...
    def epcis_events(self, after_m: int = 0, limit: int = 500) -> list[EpcisEvent]:
        """In order of capture; traceability folds them by (eventTime, eventID)."""
        ...

    def cases(self, room: RoomId | None = None) -> list[Mapping[str, Any]]:
        """What people said of cases, newest first: ``{"fact_id", "room", "code",
        "from_ms", "to_ms", "said", "by", "recorded_at_ms", "m"}``; ``store.words`` says of which
        alarms. ``said`` holds some of cause, action, disposition (lot id to
        release | sort | downgrade | destroy), person, role (of the one who takes it, when that was
        said), note, closed; the newest word stands."""
        ...


class Records(RecordsReader, Protocol):
    """The writer's side. Each call is one transaction and returns its change.

    Raises ``store.records.Refused`` (field and reason) for an unknown id, an unknown kind or
    a value that cannot be; nothing is half-applied. Saying the same thing twice returns the
    first change.
    """

    def put_region(self, region: Region, *, by: str, now_ms: int) -> ChangeNo: ...
    def put_site(self, site: Site, *, by: str, now_ms: int) -> ChangeNo: ...
    def put_room(self, room: Room, *, by: str, now_ms: int) -> ChangeNo: ...
    def assign(
        self, probe: ProbeId, room: RoomId, from_ms: int, *, by: str, now_ms: int
    ) -> ChangeNo:
        """Ends the probe's assignment that holds at ``from_ms``."""
        ...

    def unassign(self, probe: ProbeId, at_ms: int, *, by: str, now_ms: int) -> ChangeNo: ...
    def swap(self, old: ProbeId, new: ProbeId, at_ms: int, *, by: str, now_ms: int) -> ChangeNo:
        """From that moment on the new probe measures the old one's room, and the old one none."""
        ...

    def put_papers(self, papers: Papers, *, by: str, now_ms: int) -> ChangeNo: ...
    def add_check(
        self, id: str, probe: ProbeId, check: Check, *, by: str, now_ms: int
    ) -> ChangeNo: ...
    def add_rule(
        self,
        room: RoomId,
        from_ms: int,
        profile: str,
        commodities: Sequence[str],
        interval_s: int,
        overrides: Mapping[str, Any],
        *,
        by: str,
        now_ms: int,
    ) -> ChangeNo:
        """Refused with the field when the rule is impossible (domain.profile decides)."""
        ...

    def add_action(
        self,
        id: str,
        room: RoomId,
        kind: str,
        at_ms: int,
        by: str,
        detail: Mapping[str, Any],
        *,
        now_ms: int,
    ) -> ChangeNo: ...
    def put_person(self, person: Person, *, by: str, now_ms: int) -> ChangeNo: ...
    def put_duty(self, duty: Duty, *, by: str, now_ms: int) -> ChangeNo: ...
    def end_duty(self, duty: Duty, *, by: str, now_ms: int) -> ChangeNo:
        """From now on the person is not told by this duty. Refused when it never was given."""
        ...

    def put_day(self, day: CalendarDay, *, by: str, now_ms: int) -> ChangeNo: ...
    def take_day(self, day: str, *, by: str, now_ms: int) -> ChangeNo:
        """The date counts as its own weekday again."""
        ...

    def stop_texts(self, person: PersonId, at_ms: int, *, by: str, now_ms: int) -> ChangeNo:
        """The person used the carrier's word: no text reaches them until ``allow_texts``."""
        ...

    def allow_texts(self, person: PersonId, *, by: str, now_ms: int) -> ChangeNo: ...
    def silence(
        self, id: str, room: RoomId, code: str, reason: str, hours: int, *, by: str, now_ms: int
    ) -> ChangeNo:
        """From now on, for so many hours. Refused for a rule that nothing may silence."""
        ...

    def end_silence(self, id: str, *, by: str, now_ms: int) -> ChangeNo: ...
    def start_drill(self, id: str, site: SiteId, *, by: str, now_ms: int) -> ChangeNo: ...
    def answer_drill(self, id: str, at_ms: int, channel: str, *, by: str, now_ms: int) -> ChangeNo:
        """The first answer stands."""
        ...

    def put_drill_plan(self, plan: DrillPlan | None, *, by: str, now_ms: int) -> ChangeNo:
        """None: no drill comes by itself."""
        ...

    def add_lot(self, lot: Lot, *, by: str, now_ms: int) -> ChangeNo: ...
    def capture(
        self, events: Sequence[Mapping[str, Any]], *, by: str, now_ms: int
    ) -> list[ChangeNo]:
        """Validated EPCIS events; a repeated eventID is idempotent, with other content refused;
        an error declaration repeats its event's id. Events that move a lot into or out of a
        room also record the room's lot_in or lot_out action."""
        ...

    def say_of_case(
        self, alarm: NamedAlarm, said: Mapping[str, Any], *, by: str, now_ms: int
    ) -> ChangeNo: ...
    def settle_cases(self, find: Callable[[str], NamedAlarm | None]) -> int:
        """Notes from before alarms were named are given the name of what ``find`` has under
        their id; how many were."""
        ...
