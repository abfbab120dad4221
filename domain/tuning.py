"""What each rule's alarms were worth, and which rules to think about again.

Alarm practice, sections 9 and 11: an alarm exists only if somebody must act. A cause that people
name is what tells; "false" twice in seven days on one rule of one room asks for another rule, not
for a mute; a rule of which fewer than 30 % of the alarms had a real cause is flagged. Silence says
something too: an alarm that nobody answers and nobody names a cause for helped nobody.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median_low

FALSE = "false"
LEAST_REAL = Fraction(30, 100)
FALSE_WITHIN_MS = 7 * 24 * 3600 * 1000
FALSE_TIMES = 2
REASONS = ("false_again", "few_real", "unnamed")


@dataclass(frozen=True, slots=True)
class Answered:
    """One alarm, and what became of it. ``acked_ms``: acknowledged while it lasted. ``named_ms``:
    when its cause was named."""

    id: str
    room: str
    code: str
    level: str
    fired_ms: int
    cleared_ms: int | None
    acked_ms: int | None = None
    cause: str | None = None
    named_ms: int | None = None

    @property
    def real(self) -> bool:
        return self.cause is not None and self.cause != FALSE

    @property
    def answer_ms(self) -> int | None:
        """How long until somebody acknowledged it or named its cause, whichever came first."""
        heard = [ms for ms in (self.acked_ms, self.named_ms) if ms is not None]
        return max(min(heard) - self.fired_ms, 0) if heard else None


@dataclass(frozen=True, slots=True)
class Figures:
    """``acked``: acknowledged while active. ``to_ack_ms``, ``to_answer_ms``: the middle one (of
    an even number the quicker); None when there is none. ``rooms``: how many had it."""

    code: str
    level: str
    count: int
    rooms: int
    acked: int
    named: int
    real: int
    false: int
    to_ack_ms: int | None
    to_answer_ms: int | None

    @property
    def real_share(self) -> Fraction:
        return Fraction(self.real, self.count)


@dataclass(frozen=True, slots=True)
class Again:
    """A rule of one room that was called false twice within seven days; ``alarms`` says which."""

    room: str
    code: str
    alarms: tuple[Answered, ...]


@dataclass(frozen=True, slots=True)
class Reconsider:
    """``why``, the gravest first: false_again (in ``rooms``), few_real (causes were named, and
    few were real), unnamed (hardly anybody named a cause, so nobody can say what it is worth)."""

    figures: Figures
    why: tuple[str, ...]
    again: tuple[Again, ...]


def figures(alarms: Iterable[Answered]) -> list[Figures]:
    """One row a code, the most frequent first."""
    by_code: dict[str, list[Answered]] = {}
    for alarm in alarms:
        by_code.setdefault(alarm.code, []).append(alarm)
    found = [_figures(code, same) for code, same in by_code.items()]
    return sorted(found, key=lambda one: (-one.count, one.code))


def _figures(code: str, alarms: Sequence[Answered]) -> Figures:
    to_ack = [a.acked_ms - a.fired_ms for a in alarms if a.acked_ms is not None]
    to_answer = [ms for a in alarms if (ms := a.answer_ms) is not None]
    return Figures(
        code=code,
        level="critical" if any(a.level == "critical" for a in alarms) else "warning",
        count=len(alarms),
        rooms=len({a.room for a in alarms}),
        acked=len(to_ack),
        named=sum(a.cause is not None for a in alarms),
        real=sum(a.real for a in alarms),
        false=sum(a.cause == FALSE for a in alarms),
        to_ack_ms=median_low(to_ack) if to_ack else None,
        to_answer_ms=median_low(to_answer) if to_answer else None,
    )


def false_again(alarms: Iterable[Answered]) -> list[Again]:
    """By (room, code); of each all that lie within seven days of another one called false."""
    called: dict[tuple[str, str], list[Answered]] = {}
    for alarm in sorted(alarms, key=lambda a: (a.fired_ms, a.id)):
        if alarm.cause == FALSE:
            called.setdefault((alarm.room, alarm.code), []).append(alarm)
    found: list[Again] = []
    for (room, code), same in sorted(called.items()):
        near = tuple(
            alarm
            for i, alarm in enumerate(same)
            if any(
                abs(other.fired_ms - alarm.fired_ms) <= FALSE_WITHIN_MS
                for j, other in enumerate(same)
                if i != j
            )
        )
        if len(near) >= FALSE_TIMES:
            found.append(Again(room, code, near))
    return found


def reconsider(alarms: Sequence[Answered]) -> list[Reconsider]:
    """The rules to think about again: what was called false twice first, then by the smallest
    share of real causes, then the most frequent."""
    again: dict[str, list[Again]] = {}
    for one in false_again(alarms):
        again.setdefault(one.code, []).append(one)
    found: list[Reconsider] = []
    for one_rule in figures(alarms):
        why = []
        if one_rule.code in again:
            why.append("false_again")
        if one_rule.real_share < LEAST_REAL:
            of_named = one_rule.named and Fraction(one_rule.real, one_rule.named) < LEAST_REAL
            why.append("few_real" if of_named else "unnamed")
        if why:
            found.append(Reconsider(one_rule, tuple(why), tuple(again.get(one_rule.code, ()))))
    return sorted(
        found,
        key=lambda r: (
            REASONS.index(r.why[0]), r.figures.real_share, -r.figures.count, r.figures.code,
        ),
    )  # fmt: skip
