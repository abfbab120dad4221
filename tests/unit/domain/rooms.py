"""Short ways to say what a room saw, and rooms made up at random."""

import random
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from domain.judgement import Action, Asked, Fact, Judgement, Rule
from domain.quantity import QUANTITIES
from domain.reading import Columns, ProbeId, Series, winner
from domain.room import judge

NOON_MS = 1_780_315_200_000  # 2026-06-01T12:00:00Z
MINUTE_MS = 60_000


def at(minute: float) -> int:
    return NOON_MS + round(minute * MINUTE_MS)


def minute(at_ms: int | None) -> float | None:
    return None if at_ms is None else (at_ms - NOON_MS) / MINUTE_MS


def rule(
    profile: str = "SB",
    *commodities: str,
    interval_s: int = 300,
    from_ms: int = 0,
    **overrides: Any,
) -> Rule:
    return Rule("r", from_ms, profile, commodities, interval_s, overrides)


def series(probe: str = "p1", quantity: str = "temperature") -> Series:
    return Series(ProbeId(probe), quantity)


def columns(rows: Iterable[tuple[int, int, int]]) -> Columns:
    """Rows of (ms, count, quality) in any order, doubled or in conflict."""
    merged: dict[int, tuple[int, int]] = {}
    for at_ms, count, quality in rows:
        row = (quality, count)
        merged[at_ms] = winner(merged[at_ms], row) if at_ms in merged else row
    times = sorted(merged)
    return Columns(
        array("q", times),
        array("q", [merged[t][1] for t in times]),
        array("H", [merged[t][0] for t in times]),
    )


def points(
    said: Sequence[tuple[float, float]], quantity: str = "temperature", quality: int = 0
) -> Columns:
    """(minute, value) pairs as they are."""
    count = QUANTITIES[quantity].count
    return columns((at(m), count(value), quality) for m, value in said)


def steady(
    value: float, until: float, start: float = 0, every: float = 5, quantity: str = "temperature"
) -> Columns:
    """One value every five minutes, both ends included."""
    n = int((until - start) // every) + 1
    return points([(start + i * every, value) for i in range(n)], quantity)


def line(*corners: tuple[float, float], every: float = 5) -> Columns:
    """Straight lines between corners, sampled every five minutes."""
    out: list[tuple[float, float]] = []
    for (m0, v0), (m1, v1) in pairwise(corners):
        m = m0
        while m < m1:
            out.append((m, round(v0 + (v1 - v0) * (m - m0) / (m1 - m0), 2)))
            m += every
    out.append(corners[-1])
    return points(out)


def act(minute_: float, kind: str, **detail: Any) -> Action:
    return Action(at(minute_), kind, "u1", detail)


def judged(
    readings: Mapping[Series, Columns] | Columns,
    *actions: Action,
    by: Rule | Sequence[Rule] | None = None,
    until: float,
) -> Judgement:
    if isinstance(readings, Columns):
        readings = {series(): readings}
    rules = [rule()] if by is None else [by] if isinstance(by, Rule) else by
    return judge(Asked(rules, readings, actions), at(until))


def fired(judgement: Judgement) -> list[tuple[float | None, str]]:
    return [(minute(fact.fired_at_ms), fact.code) for fact in judgement.facts]


def spells(judgement: Judgement) -> list[tuple[str, float | None, float | None, float | None]]:
    """(code, began, fired, cleared) in minutes."""
    return [
        (f.code, minute(f.began_at_ms), minute(f.fired_at_ms), minute(f.cleared_at_ms))
        for f in judgement.facts
    ]


def the(code: str, judgement: Judgement) -> Fact:
    (fact,) = [fact for fact in judgement.facts if fact.code == code]
    return fact


def pauses(judgement: Judgement) -> list[tuple[str, float | None, float | None]]:
    return [(p.cause, minute(p.from_ms), minute(p.to_ms)) for p in judgement.pauses]


# --- rooms made up at random


Row = tuple[Series, int, int, int]
ROOMS = (
    ("SB", ("strawberry",)),
    ("CU", ("cucumber",)),
    ("PS", ("persimmon",)),
    ("MT", ()),
    ("FI", ("fish_freshwater_iced",)),
    ("FZ", ()),
    ("VX", ()),
    ("PC", ()),
    ("AM", ("potato_ware",)),
)
LEVEL = {"SB": 2, "CU": 11, "PS": 1, "MT": 3, "FI": 1, "FZ": -17, "VX": 6, "PC": 30, "AM": 6}


class MadeUp:
    """A room with probes, signals, people and trouble; the same for the same seed."""

    PROBES: tuple[int, ...] = (1, 1, 2, 3)
    SIGNAL_CHANCE = 0.6
    KINDS: tuple[int, ...] = (0, 0, 2, 5)  # of actions, each twice

    def __init__(self, seed: int, samples: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - made-up rooms, not secrets
        self.step_ms = self.random.choice((300_000, 600_000))
        self.span_ms = samples * self.step_ms
        profile, commodities = self.random.choice(ROOMS)
        self.level = LEVEL[profile]
        if profile == "CU" and self.random.random() < 0.5:
            self.level = 8
        overrides: dict[str, Any] = {}
        self.rules = [Rule("r", 0, profile, commodities, self.step_ms // 1000, overrides)]
        self.rows: list[Row] = []
        for probe in ("p1", "p2", "p3")[: self.random.choice(self.PROBES)]:
            self._walk(series(probe, self.random.choice(("temperature", "product_temperature"))))
        for quantity in ("door", "defrost", "mains", "compressor"):
            if self.random.random() < self.SIGNAL_CHANCE:
                self._switch(series(f"s-{quantity}", quantity))
        if self.random.random() < 0.3:
            self._sparse("ambient_temperature", 1500, 3500)
        if self.random.random() < 0.3:
            self._sparse("setpoint", self.level * 100 - 100, self.level * 100)
        if self.random.random() < 0.3:
            self._sparse("battery", 50, 300)
        if self.random.random() < 0.3:
            low = self.random.choice((6000, 8500))
            self._sparse("humidity", low, low + 1200)
        self.actions = self._people()

    def _when(self) -> int:
        return NOON_MS + self.random.randrange(max(self.span_ms, 1)) // 60_000 * 60_000

    def _walk(self, of: Series) -> None:
        rnd = self.random
        value, slope, t = self.level * 100.0, 0.0, NOON_MS
        flat = rnd.random() < 0.15
        while t < NOON_MS + self.span_ms:
            if rnd.random() < 0.1:
                slope = rnd.choice((-60, -25, -10, 0, 0, 10, 25, 60))
            if not flat:
                value += slope + rnd.gauss(0, 12) + (self.level * 100 - value) * 0.03
            count, quality = round(value), 0
            if rnd.random() < 0.03:
                count = rnd.choice((8500, -12700, round(value) + 1200, round(value) - 1500))
            if rnd.random() < 0.02:
                quality = rnd.choice((1, 4, 16, 32, 128))
            self.rows.append((of, t, count, quality))
            if rnd.random() < 0.02:
                self.rows.append((of, t, count + 7, 0))
            t += self.step_ms * (rnd.randrange(2, 14) if rnd.random() < 0.03 else 1)
            if rnd.random() < 0.05:
                t += rnd.randrange(-60_000, 60_000)

    def _switch(self, of: Series) -> None:
        t, value = NOON_MS + self.random.randrange(self.step_ms * 4 + 1), 1
        while t < NOON_MS + self.span_ms:
            self.rows.append((of, t, value, 0))
            value = value if self.random.random() < 0.2 else 1 - value
            t += self.random.choice((60_000, 300_000, 600_000, 1_800_000, 3_600_000, 14_400_000))

    def _sparse(self, quantity: str, low: int, high: int) -> None:
        t = NOON_MS
        while t < NOON_MS + self.span_ms:
            self.rows.append((series("x", quantity), t, self.random.randrange(low, high), 0))
            t += self.step_ms * self.random.choice((1, 1, 1, 3, 3, 20))

    def _people(self) -> list[Action]:
        rnd = self.random
        kinds = rnd.sample(
            (
                "loading_started", "loading_ended", "precool_started", "precool_done",
                "standby_started", "standby_ended", "maintenance_started",
                "maintenance_ended", "lot_in", "lot_out", "probe_removed", "rule_changed",
            ),
            rnd.choice(self.KINDS),
        )  # fmt: skip
        actions = [Action(self._when(), kind, "u", self._detail(kind)) for kind in kinds * 2]
        return sorted(actions, key=lambda a: (a.at_ms, a.kind, repr(a.detail)))

    def _detail(self, kind: str) -> dict[str, Any]:
        rnd = self.random
        if kind == "precool_started":
            return {"start_c": 20, "medium_c": 2, "allowed_h": rnd.choice((1, 3))}
        if kind in ("lot_in", "lot_out"):
            return {"lot": rnd.choice(("a", "b"))}
        if kind == "probe_removed":
            return {"probe": rnd.choice(("p1", "s-door", "s-mains"))}
        if kind == "rule_changed":
            bound = {"PC": 35, "VX": 20}.get(self.rules[0].profile)
            codes = {"SB": "WARN_HIGH", "MT": "CRIT_HIGH", "FZ": "WARN_HIGH"}
            code = codes.get(self.rules[0].profile)
            if bound is not None:
                return {"overrides": {"CEILING": {"limit_c": bound}}}
            return {"overrides": {code: {"delay_min": rnd.choice((20, 60))}} if code else {}}
        return {}

    def readings(self, rows: Iterable[Row] | None = None) -> dict[Series, Columns]:
        by_series: dict[Series, list[tuple[int, int, int]]] = {}
        for of, at_ms, count, quality in self.rows if rows is None else rows:
            by_series.setdefault(of, []).append((at_ms, count, quality))
        return {of: columns(found) for of, found in by_series.items()}
