"""What people were doing in a room: loading, pre-cooling, standing by, mending, moving lots.

Follows from the actions alone (alarm decisions 36 to 41). An end without a start says
nothing; a forgotten end is bounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from domain.judgement import Action
from domain.profile import MINUTE_MS
from domain.span import FOREVER, SINCE_EVER, Span

HOUR_MS = 60 * MINUTE_MS
LOADING_MS = 45 * MINUTE_MS
MAINTENANCE_MS = 4 * HOUR_MS
PRECOOL_MS = 24 * HOUR_MS
LOADINGS_A_DAY = 4
BOUNDS = {
    "loading_started": LOADING_MS,
    "maintenance_started": MAINTENANCE_MS,
    "precool_started": PRECOOL_MS,
}


@dataclass(frozen=True, slots=True)
class Precooling:
    """``goal``: the temperature at 7/8 of the way, in counts, exact. ``allowed_ms`` until then."""

    begin: int
    end: int
    goal: Fraction
    allowed_ms: int


@dataclass(frozen=True, slots=True)
class Activity:
    """Spans sorted and not overlapping; FOREVER ends what goes on."""

    loading: tuple[Span, ...]  # the bounded pauses
    loadings: tuple[Span, ...]  # from start to the end that was said
    maintenance: tuple[Span, ...]
    precooling: tuple[Precooling, ...]
    standby: tuple[Span, ...]  # as a pause
    stocked_standby: tuple[Span, ...]  # standing by although goods are in
    stocked: tuple[Span, ...]
    removals: tuple[tuple[int, str], ...]  # (instant, probe)
    lags: tuple[tuple[int, str, int], ...]  # (from, probe, time constant in ms)

    def spans(self, cause: str) -> tuple[Span, ...]:
        """When people's work excused the room: loading, precool, standby or maintenance."""
        match cause:
            case "loading":
                return self.loading
            case "precool":
                return tuple((cooling.begin, cooling.end) for cooling in self.precooling)
            case "standby":
                return self.standby
            case "maintenance":
                return self.maintenance
            case _:
                return ()


def activity(actions: Sequence[Action]) -> Activity:
    """``actions`` by (at, order recorded)."""
    loadings = _sessions(actions, "loading_started", "loading_ended", LOADING_MS)
    loading = tuple(
        (begin.at_ms, min(end, begin.at_ms + LOADING_MS))
        for i, (begin, end) in enumerate(loadings)
        if end > begin.at_ms and not _too_many(loadings, i)
    )
    maintenance = tuple(
        (begin.at_ms, min(end, begin.at_ms + MAINTENANCE_MS))
        for begin, end in _sessions(
            actions, "maintenance_started", "maintenance_ended", MAINTENANCE_MS
        )
        if end > begin.at_ms
    )
    precooling = tuple(
        _precooling(begin, min(end, begin.at_ms + PRECOOL_MS))
        for begin, end in _sessions(actions, "precool_started", "precool_done", PRECOOL_MS)
        if end > begin.at_ms
    )
    standby, stocked_standby, stocked = _standby_and_stock(actions)
    return Activity(
        loading=loading,
        loadings=tuple((begin.at_ms, end) for begin, end in loadings),
        maintenance=maintenance,
        precooling=precooling,
        standby=standby,
        stocked_standby=stocked_standby,
        stocked=stocked,
        removals=tuple(
            (action.at_ms, str(action.detail.get("probe", "")))
            for action in actions
            if action.kind == "probe_removed"
        ),
        lags=tuple(
            (action.at_ms, str(action.detail["probe"]), int(action.detail["lag_ms"]))
            for action in actions
            if action.kind == "probe_lag"
        ),
    )


def _sessions(
    actions: Sequence[Action], started: str, ended: str, bound_ms: int
) -> list[tuple[Action, int]]:
    out: list[tuple[Action, int]] = []
    running: Action | None = None
    for action in actions:
        if action.kind == started:
            if running is not None and action.at_ms < running.at_ms + bound_ms:
                continue
            if running is not None:
                out.append((running, action.at_ms))
            running = action
        elif action.kind == ended and running is not None:
            out.append((running, action.at_ms))
            running = None
    if running is not None:
        out.append((running, FOREVER))
    return out


def _too_many(loadings: Sequence[tuple[Action, int]], i: int) -> bool:
    at = loadings[i][0].at_ms
    day = [begin for begin, _ in loadings[:i] if at - 24 * HOUR_MS < begin.at_ms < at]
    return len(day) >= LOADINGS_A_DAY


def _precooling(start: Action, end: int) -> Precooling:
    first = _exact(start.detail["start_c"])
    medium = _exact(start.detail["medium_c"])
    return Precooling(
        begin=start.at_ms,
        end=end,
        goal=100 * (medium + (first - medium) / 8),
        allowed_ms=int(_exact(start.detail["allowed_h"]) * HOUR_MS),
    )


def _exact(number: Any) -> Fraction:
    return Fraction(number if isinstance(number, Decimal) else Decimal(repr(number)))


def _standby_and_stock(
    actions: Sequence[Action],
) -> tuple[tuple[Span, ...], tuple[Span, ...], tuple[Span, ...]]:
    known = any(action.kind in ("lot_in", "lot_out") for action in actions)
    lots: set[str] = set()
    pauses: list[Span] = []
    contradictions: list[Span] = []
    stock: list[Span] = []
    stocked_from: int | None = None
    pause_from: int | None = None
    contradiction_from: int | None = None
    for action in actions:
        at = action.at_ms
        lot = str(action.detail.get("lot", ""))
        match action.kind:
            case "standby_started" if pause_from is None and contradiction_from is None:
                if lots:
                    contradiction_from = at
                else:
                    pause_from = at
            case "lot_in":
                lots.add(lot)
                if stocked_from is None:
                    stocked_from = at
                if pause_from is not None:
                    pauses.append((pause_from, at))
                    pause_from, contradiction_from = None, at
            case "lot_out" if lot in lots:
                lots.discard(lot)
                if not lots and stocked_from is not None:
                    stock.append((stocked_from, at))
                    stocked_from = None
                    if contradiction_from is not None:
                        contradictions.append((contradiction_from, at))
                        contradiction_from = None
            case "standby_ended":
                if pause_from is not None:
                    pauses.append((pause_from, at))
                if contradiction_from is not None:
                    contradictions.append((contradiction_from, at))
                pause_from = contradiction_from = None
            case _:
                pass
    if stocked_from is not None:
        stock.append((stocked_from, FOREVER))
    if pause_from is not None:
        pauses.append((pause_from, FOREVER))
    if contradiction_from is not None:
        contradictions.append((contradiction_from, FOREVER))
    if not known:
        stock = [(SINCE_EVER, FOREVER)]
    return (
        tuple(span for span in pauses if span[0] < span[1]),
        tuple(span for span in contradictions if span[0] < span[1]),
        tuple(span for span in stock if span[0] < span[1]),
    )


def lately(actions: Sequence[Action], since_ms: int) -> list[Action]:
    """The actions that still say something about the time from a day after ``since_ms`` on: what
    was done since, and of what was done before, whatever was under way. ``actions`` by (at,
    order recorded); so is the answer."""
    before = [a for a in actions if a.at_ms < since_ms]
    kept: dict[int, Action] = {i: a for i, a in enumerate(actions) if a.at_ms >= since_ms}
    latest: dict[str, int] = {}
    lots: dict[str, int] = {}
    for i, action in enumerate(before):
        match action.kind:
            case "lot_in":
                lots.setdefault(str(action.detail.get("lot", "")), i)
            case "lot_out":
                was_in = lots.pop(str(action.detail.get("lot", "")), None) is not None
                if was_in and not lots:
                    latest.pop("standby_started", None)
                latest["lot_out"] = i  # that lots are counted here is to be known
            case "standby_ended":
                latest.pop("standby_started", None)
            case "standby_started":
                latest.setdefault("standby_started", i)
            case "loading_ended" | "maintenance_ended":
                latest.pop(action.kind.replace("_ended", "_started"), None)
            case "precool_done":
                latest.pop("precool_started", None)
            case "loading_started" | "maintenance_started" | "precool_started":
                running = latest.get(action.kind)
                if running is None or action.at_ms >= before[running].at_ms + BOUNDS[action.kind]:
                    latest[action.kind] = i
            case "rule_changed":
                latest[action.kind] = i
            case "probe_lag":
                latest[f"{action.kind} {action.detail['probe']}"] = i
            case _:
                pass
    kept.update({i: actions[i] for i in (*latest.values(), *lots.values())})
    return [kept[i] for i in sorted(kept)]
