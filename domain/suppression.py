"""Known causes: what pauses a limit rule for a bounded time, and what switches it off.

Alarm practice, section 5; alarm decisions 19, 20, 31, 32. A pause drops a running timer and
never closes an alarm; *off* does. Doors and heaters pause for a bounded time only, and say so
themselves when they take longer.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from domain.activity import Activity
from domain.judgement import Pause
from domain.limits import Bounds
from domain.profile import MINUTE_MS, NEVER, PRECOOL_CEILING, Limit, ResolvedRule
from domain.signals import Run
from domain.span import FOREVER, Alarm, Slice, Span, clock_alarms, covered

DOOR_PAUSE_MS = 10 * MINUTE_MS
DOOR_RULES = (
    ("DOOR_OPEN_WARN", "warning", 10 * MINUTE_MS),
    ("DOOR_OPEN_CRIT", "critical", 30 * MINUTE_MS),
)
DEFROST_AFTER_MS = 20 * MINUTE_MS

_EMPTY = frozenset({"standby", "maintenance"})
_COOLING = _EMPTY | {"precool"}
_OFF_BY = {
    "CEILING": frozenset({"standby"}),
    "WARN_HIGH": _COOLING,
    "WARN_DANGER_BAND": _COOLING,
    "CRIT_HIGH": _COOLING,
    "GSP_OUT": _COOLING,
    "WHO_HEAT": _COOLING,
    "PREDICT_HIGH": _COOLING,
    "WARN_LOW": _EMPTY,
    "WARN_CHILL": _EMPTY,
    "CRIT_LOW": _EMPTY,
    "CRIT_FREEZE": _EMPTY,
    "CRIT_CHILL_CUM": _EMPTY,
    "WHO_FREEZE": _EMPTY,
    "PREDICT_FREEZE": _EMPTY,
    "WARN_RH": _EMPTY,
    "COMP_NO_START": _EMPTY,
    "COMP_NEVER_STOPS": frozenset({"maintenance", "precool"}),
}
_WARNING_WAITS = frozenset({"door", "defrost", "loading"})
_PAUSED_BY = {
    "WARN_HIGH": _WARNING_WAITS,
    "WARN_LOW": _WARNING_WAITS,
    "WARN_CHILL": _WARNING_WAITS,
    "WARN_DANGER_BAND": _WARNING_WAITS,
    "CRIT_HIGH": frozenset({"defrost"}),
    "CRIT_LOW": frozenset({"defrost"}),
    "CRIT_FREEZE": frozenset({"defrost"}),
    "CRIT_CHILL_CUM": frozenset({"defrost"}),
    "COMP_NO_START": frozenset({"defrost"}),
    "PREDICT_HIGH": frozenset({"defrost", "loading"}),
    "PREDICT_FREEZE": frozenset({"defrost", "loading"}),
}


def off_by(code: str) -> frozenset[str]:
    """Causes that switch the rule off (alarm decisions 20, 29, 47): nearly all are off while a
    room is being mended."""
    return _OFF_BY.get(code, frozenset({"maintenance"}))


def paused_by(code: str) -> frozenset[str]:
    """Causes that make the rule wait (alarm decisions 16, 35, 47)."""
    return _PAUSED_BY.get(code, frozenset())


# --- how long a door or a heater counts as an excuse


@dataclass(frozen=True, slots=True)
class Excuses:
    """What one signal made of the slice. ``spans`` reach into it; ``pauses`` ended in it;
    ``lasting`` are known to have begun and may still end otherwise."""

    spans: list[Span]
    pauses: list[Pause]
    lasting: list[Pause]
    alarms: list[Alarm]


def door_excuses(source: str, runs: Sequence[Run], cuts: Sequence[Span], slice_: Slice) -> Excuses:
    spans: list[Span] = []
    pauses: list[Pause] = []
    lasting: list[Pause] = []
    alarms: list[Alarm] = []
    for run in runs:
        if run.value != 1:
            continue
        end = min(run.end, run.begin + DOOR_PAUSE_MS)
        spans.append((run.begin, end))
        (lasting if run.end == FOREVER else pauses).append(Pause("door", run.begin, end))
        alarms += clock_alarms(source, DOOR_RULES, (run.begin, run.end), cuts, slice_)
    return Excuses(spans, pauses, lasting, alarms)


@dataclass(frozen=True, slots=True)
class DefrostState:
    """A defrost since ``begin_ms``; ``off_ms`` None while the heater is on."""

    begin_ms: int
    off_ms: int | None = None


def defrost_excuses(
    source: str,
    state: DefrostState | None,
    runs: Sequence[Run],
    total_ms_at: Callable[[int], int],
    cuts: Sequence[Span],
    slice_: Slice,
) -> tuple[DefrostState | None, Excuses]:
    """A heater that returns before the pause has ended continues the same defrost.

    ``total_ms_at(begin)``: the bound (45 min unless overridden) in force when it began.
    """
    excuses = Excuses([], [], [], [])
    if state is None and all(run.value != 1 for run in runs):
        return None, excuses

    def pause_end(begin: int, off: int | None) -> int:
        bound = begin + total_ms_at(begin)
        return bound if off is None else min(off + DEFROST_AFTER_MS, bound)

    def finish(begin: int, off: int | None) -> None:
        end = pause_end(begin, off)
        excuses.spans.append((begin, end))
        excuses.pauses.append(Pause("defrost", begin, end))

    def too_long(begin: int, end: int) -> None:
        rules = (("DEFROST_TOO_LONG", "warning", total_ms_at(begin)),)
        excuses.alarms.extend(clock_alarms(source, rules, (begin, end), cuts, slice_))

    begin = state.begin_ms if state else None
    off = state.off_ms if state else None
    for run in runs:
        if run.value != 1:
            continue
        if begin is None:
            begin = run.begin
        elif off is not None and run.begin < pause_end(begin, off):
            off = None
        elif off is not None:
            finish(begin, off)
            begin, off = run.begin, None
        if run.end == FOREVER:
            break
        if run.end >= begin + total_ms_at(begin):
            finish(begin, None)
            too_long(begin, run.end)
            begin = off = None
        else:
            off = run.end
    if begin is not None and off is not None and pause_end(begin, off) <= slice_.upto_ms:
        finish(begin, off)
        begin = None
    if begin is None:
        return None, excuses
    end = pause_end(begin, off)
    excuses.spans.append((begin, end))
    excuses.lasting.append(Pause("defrost", begin, end))
    if off is None:
        too_long(begin, FOREVER)
    return DefrostState(begin, off), excuses


def activity_pauses(activity: Activity) -> Iterator[Pause]:
    for begin, end in activity.loading:
        yield Pause("loading", begin, end)
    for cooling in activity.precooling:
        yield Pause("precool", cooling.begin, cooling.end)
    for begin, end in activity.standby:
        yield Pause("standby", begin, None if end == FOREVER else end)
    for begin, end in activity.maintenance:
        yield Pause("maintenance", begin, end)


# --- what holds for the limit rules from one instant to the next


@dataclass(frozen=True, slots=True)
class Regime(Bounds):
    """All that holds over a room from ``from_ms`` on."""

    humidity: Limit | None
    dose: Limit | None
    dose_paused: bool
    dose_off: bool

    def since(self, from_ms: int) -> "Regime":
        return Regime(
            from_ms, self.limits, self.calm_low, self.calm_high,
            self.humidity, self.dose, self.dose_paused, self.dose_off,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Causes:
    """Spans of one room that reach into a slice."""

    door: Sequence[Span]
    defrost: Sequence[Span]
    activity: Activity


def regimes(
    rules: Sequence[tuple[int, ResolvedRule]], causes: Causes, slice_: Slice
) -> list[Regime]:
    """The first holds at the slice's start, each further one from its ``from_ms`` on."""
    did = causes.activity
    spans: dict[str, Sequence[Span]] = {
        "door": causes.door,
        "defrost": causes.defrost,
        "loading": did.loading,
        "precool": did.spans("precool"),
        "standby": did.standby,
        "maintenance": did.maintenance,
    }
    edges = {slice_.after_ms}
    edges.update(begin for begin, _ in rules if slice_.holds(begin))
    edges.update(
        edge for each in spans.values() for span in each for edge in span if slice_.holds(edge)
    )
    out: list[Regime] = []
    for at in sorted(edges):
        rule = next(rule for begin, rule in reversed(rules) if begin <= at)
        doing = frozenset([cause for cause, each in spans.items() if each and covered(each, at)])
        out.append(_regime(rule, doing).since(at))
    return out


@lru_cache(maxsize=4096)
def _regime(rule: ResolvedRule, doing: frozenset[str]) -> Regime:
    limits: list[tuple[Limit, bool]] = []
    for limit in rule.limits:
        if off_by(limit.code) & doing:
            continue
        paused = bool(paused_by(limit.code) & doing)
        if "precool" in doing and limit.code == "CEILING":
            limit = _ceiling_while_precooling(limit)
        limits.append((limit, paused))
    return Regime(
        from_ms=0,
        limits=tuple(limits),
        humidity=None if off_by("WARN_RH") & doing else rule.humidity,
        dose=rule.chilling,
        dose_paused=bool(paused_by("CRIT_CHILL_CUM") & doing),
        dose_off=bool(off_by("CRIT_CHILL_CUM") & doing),
        calm_low=max((max(x.low, x.reference_low) for x, _ in limits), default=-NEVER),
        calm_high=min((min(x.high, x.reference_high) for x, _ in limits), default=NEVER),
    )


def _ceiling_while_precooling(limit: Limit) -> Limit:
    hysteresis = limit.high - limit.clear_high
    return replace(
        limit,
        high=PRECOOL_CEILING,
        clear_high=PRECOOL_CEILING - hysteresis,
        reference_high=PRECOOL_CEILING,
    )
