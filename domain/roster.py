"""Who is on duty at an instant: shifts by day of the week, days that count as another, and who
stands in when nobody is.

A shift belongs to the day on which it begins: the night from Saturday to Sunday is Saturday's.
The calendar says of single dates what they count as: a holiday, or another day of the week (in
China a Sunday beside a long holiday is often worked). Days and minutes are local.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from domain.incident import DAY_MS, LOCAL_OFFSET_MS, MINUTE_MS

ROLES = ("operator", "second", "township", "county")  # the ladder, in order
HOLIDAY = "H"
DAYS = "1234567" + HOLIDAY  # Monday is 1 (ISO 8601)
_A_DAY_MIN = DAY_MS // MINUTE_MS
_EPOCH = date(1970, 1, 1).toordinal()

Calendar = Mapping[str, str]
"""ISO date to one of DAYS; a date that is not in it is what its weekday says."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Minutes of the local day, ``to_minute`` excluded; where it is not after ``from_minute`` it
    lies on the next day. ``first_day`` and ``last_day``: ISO dates, both included, "" unbounded."""

    days: str = DAYS
    from_minute: int = 0
    to_minute: int = _A_DAY_MIN
    first_day: str = ""
    last_day: str = ""


@dataclass(frozen=True, slots=True)
class OnLadder:
    """One person with one role for a room. No shifts: always on duty. ``reachable``: not after
    they have had our texts stopped."""

    person: str
    role: str
    shifts: Sequence[Shift] = ()
    reachable: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """``instead``: why a person is told who is not on duty for this: ``off_duty`` (nobody of the
    role is) or ``no_operator`` (the room has none, so the next step hears first). "": on duty."""

    person: str
    role: str
    instead: str = ""


def on_duty(shifts: Sequence[Shift], calendar: Calendar, at_ms: int) -> bool:
    if not shifts:
        return True
    day, minute = divmod((at_ms + LOCAL_OFFSET_MS) // MINUTE_MS, _A_DAY_MIN)
    return any(_covers(shift, calendar, day, minute) for shift in shifts)


def _covers(shift: Shift, calendar: Calendar, day: int, minute: int) -> bool:
    over_midnight = shift.to_minute <= shift.from_minute
    end = shift.to_minute + (_A_DAY_MIN if over_midnight else 0)
    if shift.from_minute <= minute < end and _begins(shift, calendar, day):
        return True
    return minute + _A_DAY_MIN < end and _begins(shift, calendar, day - 1)


def _begins(shift: Shift, calendar: Calendar, day: int) -> bool:
    when = date.fromordinal(_EPOCH + day)
    iso = when.isoformat()
    if iso < shift.first_day or (shift.last_day and iso > shift.last_day):
        return False
    return calendar.get(iso, str(when.isoweekday())) in shift.days


def ladder(people: Sequence[OnLadder], calendar: Calendar, at_ms: int) -> list[Told]:
    """Whom each step of the ladder would tell at this instant, in its order.

    Nobody is left out for want of somebody on duty: where a role has people and none of them is
    on duty, all of them are told; where there is no operator at all, the next step hears first.
    """
    found: list[Told] = []
    for role in ROLES:
        mine = [p for p in people if p.role == role and p.reachable]
        now = [p for p in mine if on_duty(p.shifts, calendar, at_ms)]
        found += [Told(p.person, role, "" if now else "off_duty") for p in now or mine]
    if found and found[0].role != ROLES[0]:
        first = found[0].role
        found = [Told(p.person, ROLES[0], "no_operator") for p in found if p.role == first] + found
    return found
