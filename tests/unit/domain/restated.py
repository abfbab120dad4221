"""All rules once more, as slowly and literally as the alarm decisions say them.

No state, no slices, no shortcuts: every question is asked of the whole history. What it says
and what ``domain.room.judge`` says must be the same (``test_rules_restated``). Numbers in
brackets are the decisions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

from domain.commodity import COMMODITIES
from domain.judgement import Asked, Fact, Rule
from domain.profile import Limit, ResolvedRule, resolve
from domain.reading import Columns, Series

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
EVER = 2**62
NEVER = 10**15
Span = tuple[int, int]
Sample = tuple[int, int]
WARNINGS = ("WARN_HIGH", "WARN_LOW", "WARN_CHILL", "WARN_DANGER_BAND")
HIGH_OFF = ("WARN_HIGH", "WARN_DANGER_BAND", "CRIT_HIGH", "GSP_OUT", "WHO_HEAT")
PREDICTS = {"SB", "MT", "FI", "FZ", "FT"}


@dataclass(frozen=True)
class Told:
    """One alarm of one source."""

    source: str
    code: str
    level: str
    began: int
    fired: int
    cleared: int | None
    peak: int | None = None
    excess: int = 0
    unknown: int = 0


def within(spans: Sequence[Span], at: int) -> bool:
    return any(a <= at < b for a, b in spans)


def pieces(span: Span, cuts: Sequence[Span]) -> list[Span]:
    """What is left of the span, cut by cut."""
    left = [span]
    for a, b in cuts:
        left = [
            (x, y)
            for begin, end in left
            for x, y in ((begin, min(end, a)), (max(begin, b), end))
            if x < y
        ]
    return left


class Room:
    """One room's whole input, asked at the horizon."""

    def __init__(self, asked: Asked, horizon: int) -> None:
        self.horizon = horizon
        self.actions = [a for a in asked.actions if a.at_ms <= horizon]
        self.rule0: Rule = asked.rules[0]
        self.changes = [a for a in self.actions if a.kind == "rule_changed"]
        self.interval = self.rule0.interval_s * 1000
        self.gap = 3 * self.interval
        self.goods = [COMMODITIES[key] for key in self.rule0.commodities]
        self.flags: set[tuple[int, str, str, str]] = set()
        self.valid: dict[Series, list[Sample]] = {}
        self.in_range: dict[Series, list[tuple[int, bool]]] = {}
        self.resolved: dict[int, ResolvedRule] = {}
        for series, rows in asked.readings.items():
            self._screen(series, rows)
        self.samples = {
            s: v for s, v in self.valid.items() if s.quantity in ("temperature", "product_temperature")
        }  # fmt: skip
        self.maintenance = self.sessions("maintenance_started", "maintenance_ended", 4 * HOUR)
        self.loadings = self._sessions("loading_started", "loading_ended", 45 * MINUTE)
        self.loading = [
            (a, min(b, a + 45 * MINUTE))
            for a, b in self.loadings
            if len([x for x, _ in self.loadings if a - DAY < x < a]) < 4
        ]
        self.precool = self.sessions("precool_started", "precool_done", 24 * HOUR)
        self._standby()
        self.off_all = [*self.standby, *self.maintenance]

    # --- B: which samples count

    def _screen(self, series: Series, rows: Columns) -> None:
        sample = series.quantity in ("temperature", "product_temperature")
        low, high = {
            "humidity": (0, 10_000), "battery": (0, 1000), "setpoint": (-9000, 10_000),
            "door": (0, 1), "mains": (0, 1), "compressor": (0, 1), "defrost": (0, 1),
        }.get(series.quantity, (-4500, 6000))  # fmt: skip
        good: list[Sample] = []
        ranged: list[tuple[int, bool]] = []
        for at, count, bits in rows:
            if at > self.horizon:
                continue
            if bits & 128:
                self.flags.add((at, series.probe, series.quantity, "CONFLICT"))
                continue
            out = not low <= count <= high
            if out:
                self.flags.add((at, series.probe, series.quantity, "SENSOR_RANGE"))
            if bits & (16 | 32 | 64):
                continue
            ranged.append((at, out))
            if not out:
                good.append((at, count))
        self.in_range[series] = ranged
        if sample:
            good = self._without_jumps(series, good)
        self.valid[series] = good

    def _without_jumps(self, series: Series, good: list[Sample]) -> list[Sample]:  # [11]
        kept: list[Sample] = []
        i = 0
        while i < len(good):
            if kept and good[i][0] - kept[-1][0] <= self.interval:
                a = kept[-1]
                if abs(good[i][1] - a[1]) > 800:
                    back = next(
                        (
                            j
                            for j in (i + 1, i + 2)
                            if j < len(good)
                            and abs(good[j][1] - a[1]) <= 200
                            and good[j][0] - a[0] <= self.gap
                        ),
                        None,
                    )
                    if back is not None:
                        for at, _ in good[i:back]:
                            self.flags.add((at, series.probe, series.quantity, "SENSOR_JUMP"))
                        i = back
                        kept.append(good[i])
                        i += 1
                        continue
            kept.append(good[i])
            i += 1
        return kept

    # --- E: people

    def _sessions(self, start: str, end: str, bound: int) -> list[Span]:  # [36]
        out: list[Span] = []
        running: int | None = None
        for a in self.actions:
            if a.kind == start:
                if running is None:
                    running = a.at_ms
                elif a.at_ms - running >= bound:
                    out.append((running, a.at_ms))
                    running = a.at_ms
            elif a.kind == end and running is not None:
                out.append((running, a.at_ms))
                running = None
        if running is not None:
            out.append((running, EVER))
        return out

    def sessions(self, start: str, end: str, bound: int) -> list[Span]:
        return [(a, min(b, a + bound)) for a, b in self._sessions(start, end, bound) if a < b]

    def _standby(self) -> None:  # [38, 39]
        lots: set[Any] = set()
        self.stock: list[Span] = []
        self.standby: list[Span] = []
        self.contradiction: list[Span] = []
        mode, since, stocked = "", 0, 0
        for a in self.actions:
            if a.kind == "standby_started" and not mode:
                mode, since = ("stocked" if lots else "idle"), a.at_ms
            elif a.kind == "standby_ended" and mode:
                (self.standby if mode == "idle" else self.contradiction).append((since, a.at_ms))
                mode = ""
            elif a.kind == "lot_in":
                if not lots:
                    stocked = a.at_ms
                lots.add(a.detail["lot"])
                if mode == "idle":
                    self.standby.append((since, a.at_ms))
                    mode, since = "stocked", a.at_ms
            elif a.kind == "lot_out" and a.detail["lot"] in lots:
                lots.discard(a.detail["lot"])
                if not lots:
                    self.stock.append((stocked, a.at_ms))
                    if mode == "stocked":
                        self.contradiction.append((since, a.at_ms))
                        mode = ""
        if lots:
            self.stock.append((stocked, EVER))
        if mode:
            (self.standby if mode == "idle" else self.contradiction).append((since, EVER))
        if not any(a.kind in ("lot_in", "lot_out") for a in self.actions):
            self.stock = [(-EVER, EVER)]
        for spans in (self.stock, self.standby, self.contradiction):
            spans[:] = [(a, b) for a, b in spans if a < b]

    def removals(self, probe: str) -> list[int]:
        return [
            a.at_ms
            for a in self.actions
            if a.kind == "probe_removed" and a.detail["probe"] == probe
        ]

    def rule_at(self, at: int) -> ResolvedRule:
        overrides: Mapping[str, Any] = self.rule0.overrides
        key = 0
        for change in self.changes:
            if change.at_ms <= at:
                overrides, key = change.detail["overrides"], change.at_ms
        if key not in self.resolved:
            self.resolved[key] = resolve(replace(self.rule0, overrides=overrides))
        return self.resolved[key]

    # --- E: signals

    def runs(self, quantity: str) -> list[tuple[str, int, int, int]]:
        """(source, value, from, to): each signal probe is its own series."""
        out = []
        for series, readings in self.valid.items():
            if series.quantity != quantity:
                continue
            marks: list[tuple[int, int, int | None]] = [(at, 0, v) for at, v in readings]
            marks += [(at, 1, None) for at in self.removals(series.probe)]
            value: int | None = None
            since = 0
            for at, _, new in sorted(marks, key=lambda m: m[:2]):
                if new != value:
                    if value is not None and at > since:
                        out.append((f"{series}", value, since, at))
                    value, since = new, at
            if value is not None:
                out.append((f"{series}", value, since, EVER))
        return out

    def when(self, quantity: str, value: int) -> list[Span]:
        return [(a, b) for _, v, a, b in self.runs(quantity) if v == value]

    def clock(
        self, source: str, code: str, level: str, span: Span, delay: int, cuts: Sequence[Span]
    ) -> list[Told]:  # [29]
        out = []
        for a, b in pieces(span, cuts):
            if a + delay < b and a + delay <= self.horizon:
                out.append(
                    Told(source, code, level, a, a + delay, b if b <= self.horizon else None)
                )
        return out

    def defrosts(self) -> list[tuple[str, int, int, int, bool]]:  # [32]
        """(source, start, pause end, flag off, on at the bound)."""
        out = []
        for source in {s for s, *_ in self.runs("defrost")}:
            spans = [(a, b) for s, v, a, b in self.runs("defrost") if s == source and v == 1]
            i = 0
            while i < len(spans):
                start, off = spans[i]
                bound = start + self.rule_at(start).defrost_ms
                i += 1
                while (
                    i < len(spans) and off < bound and spans[i][0] < min(off + 20 * MINUTE, bound)
                ):
                    off = spans[i][1]
                    i += 1
                out.append((source, start, min(off + 20 * MINUTE, bound), off, off > bound))
        return out


def facts_of(asked: Asked, horizon: int) -> set[Fact]:
    room = Room(asked, horizon)
    told = [*limits(room), *doses(room), *devices(room), *clocks(room)]
    told += predictions(room, told)
    told += powers(room, told)
    return united(told)


def united(told: Sequence[Told]) -> set[Fact]:  # [15]
    out: set[Fact] = set()
    left = sorted(told, key=lambda t: t.fired)
    while left:
        group = [left.pop(0)]
        grew = True
        while grew:
            end = max(EVER if t.cleared is None else t.cleared for t in group)
            begin = min(t.fired for t in group)
            more = [
                t
                for t in left
                if t.code == group[0].code
                and t.fired < end
                and begin < (EVER if t.cleared is None else t.cleared)
            ]
            grew = bool(more)
            group += more
            left = [t for t in left if t not in more]
        end = max(EVER if t.cleared is None else t.cleared for t in group)
        peaks = [t.peak for t in group if t.peak is not None]
        code = group[0].code
        low = code in (
            "WARN_LOW",
            "WARN_CHILL",
            "CRIT_LOW",
            "CRIT_FREEZE",
            "CRIT_CHILL_CUM",
            "WHO_FREEZE",
        )
        worst = None if not peaks else min(peaks) if low else max(peaks)
        if code == "GSP_OUT" and peaks:
            worst = max(peaks, key=lambda p: max(p - 800, 200 - p))
        sums: dict[str, list[int]] = {}
        for t in group:
            each = sums.setdefault(t.source, [0, 0])
            each[0] += t.excess
            each[1] += t.unknown
        out.add(
            Fact(
                code, "critical" if any(t.level == "critical" for t in group) else "warning",
                min(t.began for t in group), min(t.fired for t in group),
                None if end == EVER else end, worst,
                max(x for x, _ in sums.values()), max(x for _, x in sums.values()),
            )
        )  # fmt: skip
    return out


# --- C, D


def _limit(room: Room, code: str, at: int) -> Limit | None:
    """The rule at that instant; None: off."""
    rule = room.rule_at(at)
    limit = rule.limit(code) if code != "WARN_RH" else rule.humidity
    if limit is None or within(room.standby, at):
        return None
    if code != "CEILING" and within(room.maintenance, at):
        return None
    if within(room.precool, at):
        if code in HIGH_OFF:
            return None
        if code == "CEILING":
            return replace(limit, high=4000, clear_high=3950, reference_high=4000)
    return limit


def _slow(room: Room, limit: Limit | None, probe: str, at: int) -> Limit | None:
    """With the probe's lag off its delay."""
    lags = [
        a.detail["lag_ms"]
        for a in room.actions
        if a.kind == "probe_lag" and a.detail["probe"] == probe and a.at_ms <= at
    ]
    if limit is None or not lags or not limit.delay_ms or limit.code[:4] in ("WHO_", "GSP_"):
        return limit
    if limit.code == "WARN_RH":
        return limit
    return replace(limit, delay_ms=max(limit.delay_ms - lags[-1], room.interval))


def _paused(room: Room, code: str, at: int) -> bool:
    defrost = [(a, b) for _, a, b, _, _ in room.defrosts()]
    if code in WARNINGS:
        door = [(a, min(b, a + 10 * MINUTE)) for a, b in room.when("door", 1)]
        return within(defrost, at) or within(door, at) or within(room.loading, at)
    return code.startswith("CRIT_") and within(defrost, at)


def limits(room: Room) -> list[Told]:
    out = []
    codes = {x.code for x in room.rule_at(room.horizon).limits}
    for code in codes:
        for series, samples in room.samples.items():
            out += _limit_rule(room, code, series, samples)
    for series, samples in room.valid.items():
        if series.quantity == "humidity":
            found = _limit_rule(room, "WARN_RH", series, samples)
            out += [replace(t, peak=None, excess=0, unknown=0) for t in found]
    return out


def _stops(room: Room, code: str, probe: str) -> list[int]:
    """Instants at which an active alarm of the code closes whatever the values."""
    edges = {e for s in (*room.standby, *room.maintenance, *room.precool) for e in s}
    edges |= {c.at_ms for c in room.changes}
    edges |= {a.at_ms for a in room.actions if a.kind == "probe_lag"}
    found = set(room.removals(probe))
    for at in edges:
        if at >= EVER:
            continue
        before = _slow(room, _limit(room, code, at - 1), probe, at - 1)
        after = _slow(room, _limit(room, code, at), probe, at)

        def bare(limit: Limit | None) -> Limit | None:
            return limit and replace(limit, reference_high=0, reference_low=0)

        if bare(before) != bare(after):
            found.add(at)
    return sorted(at for at in found if at <= room.horizon)


def _limit_rule(room: Room, code: str, series: Series, samples: list[Sample]) -> list[Told]:
    stops = _stops(room, code, series.probe)
    removed = room.removals(series.probe)
    out: list[Told] = []
    first: int | None = None
    fired: int | None = None
    began = good = 0

    def close(at: int | None) -> None:
        nonlocal fired
        if fired is not None:
            out.append(_excursion(room, code, series, samples, began, fired, at))
        fired = None

    for i, (at, count) in enumerate(samples):
        before = samples[i - 1][0] if i else -EVER
        stopped = [s for s in stops if before < s <= at]
        if stopped:
            close(stopped[0])
            first, good = None, 0
        limit = _slow(room, _limit(room, code, at), series.probe, at)
        if limit is None or at in removed:
            continue
        if i and at - before > room.gap:
            first, good = None, 0
        if fired is not None:
            good = good + 1 if limit.clear_low <= count <= limit.clear_high else 0
            if good == 2:
                close(at)
                good = 0
            continue
        if not limit.low <= count <= limit.high and not _paused(room, code, at):
            first = i if first is None else first
            if at - samples[first][0] >= limit.delay_ms:
                began, fired, first, good = first, i, None, 0
        else:
            first = None
    last = samples[-1][0] if samples else -EVER
    close(next((s for s in stops if s > last), None))
    return out


def _excursion(
    room: Room, code: str, series: Series, samples: list[Sample],
    began: int, fired: int, cleared: int | None,
) -> Told:  # fmt: skip
    def reference(i: int) -> Limit:
        found = _limit(room, code, samples[i][0])
        assert found is not None
        return found

    def beyond(i: int) -> int:
        limit = _limit(room, code, samples[i][0])
        if limit is None:
            return 0
        count = samples[i][1]
        return max(count - limit.reference_high, limit.reference_low - count, 0)

    start = began
    removed = room.removals(series.probe)
    while (
        start > 0
        and samples[start][0] - samples[start - 1][0] <= room.gap
        and beyond(start - 1) > 0
        and not any(samples[start - 1][0] <= r <= samples[start][0] for r in removed)
        and not _was_off(room, code, samples[start - 1][0], samples[start][0])
    ):
        start -= 1
    end = samples[-1][0] if cleared is None else cleared
    span = [i for i in range(start, len(samples)) if samples[i][0] <= end]
    excess = unknown = 0
    for i in span:
        following = _following(samples, i, removed, end)
        stretch = min(following, end) - samples[i][0]
        if following - samples[i][0] > room.gap:
            unknown += stretch
        else:
            excess += beyond(i) * stretch
    limit = reference(fired)
    counts = [samples[i][1] for i in span]
    if limit.low <= -NEVER:
        peak = max(counts)
    elif limit.high >= NEVER:
        peak = min(counts)
    else:
        peak = max(counts, key=lambda c: max(c - limit.high, limit.low - c))
    return Told(
        f"{series}", code, limit.level, samples[began][0], samples[fired][0], cleared,
        peak, excess, unknown,
    )  # fmt: skip


def _following(samples: list[Sample], i: int, removed: Sequence[int], end: int) -> int:
    """When the series was next heard; the end, if it was not, or had left the room by then."""
    if i + 1 == len(samples):
        return end
    at, following = samples[i][0], samples[i + 1][0]
    return end if any(at <= r < following for r in removed) else following


def _was_off(room: Room, code: str, after: int, upto: int) -> bool:
    edges = [e for s in (*room.standby, *room.maintenance, *room.precool) for e in s]
    return any(_limit(room, code, e) is None for e in edges if after < e <= upto)


def doses(room: Room) -> list[Told]:  # [22]
    limit = room.rule_at(0).chilling
    out = []
    for series, samples in room.samples.items() if limit else ():
        assert limit is not None
        removed = room.removals(series.probe)
        for begin, end in room.stock:
            edges = [-EVER, *removed, EVER]
            for left, right in pairwise(edges):
                mine = [
                    i
                    for i, (at, _) in enumerate(samples)
                    if begin <= at < end and left < at < right
                ]
                out += _dose(room, series, samples, mine, limit, min(end, right), left)
    return out


def _dose(
    room: Room, series: Series, samples: list[Sample], mine: list[int],
    limit: Limit, end: int, left: int,
) -> list[Told]:  # fmt: skip
    total = good = 0
    began: int | None = None
    fired: int | None = None
    cleared: int | None = None
    for i in mine:
        at, count = samples[i]
        before = samples[i - 1][0] if i and samples[i - 1][0] > left else None
        if fired is not None:
            offs = [a for a, _ in room.off_all if (before or 0) < a <= at and a > samples[fired][0]]
            if offs and cleared is None:
                cleared = min(offs)
            if cleared is None:
                if before is not None and at - before > room.gap:
                    good = 0
                good = good + 1 if count >= limit.clear_low else 0
                if good == 2:
                    cleared = at
            continue
        if count >= limit.low:
            continue
        if began is None:
            began = i
        total += room.interval if before is None else min(room.interval, at - before)
        defrost = [(a, b) for _, a, b, _, _ in room.defrosts()]
        if total >= DAY and not within(defrost, at) and not within(room.off_all, at):
            fired = i
    if fired is None or began is None:
        return []
    if cleared is None:
        stops = [a for a, _ in room.off_all if a > samples[fired][0]]
        stop = min([end, *stops])
        cleared = stop if stop <= room.horizon else None
    over = samples[mine[-1]][0] if cleared is None else cleared
    span = [i for i in mine if i >= began and samples[i][0] <= over]
    # A sample at the very end still belongs to what ends there.
    tail = [i for i, (at, _) in enumerate(samples) if at == over and i not in span]
    excess = unknown = 0
    for i in span:
        following = _following(samples, i, room.removals(series.probe), over)
        stretch = min(following, over) - samples[i][0]
        if following - samples[i][0] > room.gap:
            unknown += stretch
        else:
            excess += max(limit.reference_low - samples[i][1], 0) * stretch
    peak = min(samples[i][1] for i in [*span, *tail])
    return [
        Told(f"{series}", "CRIT_CHILL_CUM", "critical", samples[began][0], samples[fired][0],
             cleared, peak, excess, unknown)
    ]  # fmt: skip


# --- E: clock rules


def clocks(room: Room) -> list[Told]:
    out: list[Told] = []
    cuts = room.maintenance
    for source, value, a, b in room.runs("door"):
        if value == 1:
            out += room.clock(source, "DOOR_OPEN_WARN", "warning", (a, b), 10 * MINUTE, cuts)
            out += room.clock(source, "DOOR_OPEN_CRIT", "critical", (a, b), 30 * MINUTE, cuts)
    for source, a, _, off, on in room.defrosts():
        if on:
            bound = room.rule_at(a).defrost_ms
            out += room.clock(source, "DEFROST_TOO_LONG", "warning", (a, off), bound, cuts)
    for a, b in room.loadings:
        out += room.clock("", "LOADING_TOO_LONG", "warning", (a, b), 45 * MINUTE, cuts)
    for span in room.contradiction:
        out += room.clock("", "STANDBY_WITH_STOCK", "warning", span, 0, cuts)
    for source, value, a, b in room.runs("mains"):
        if value == 0:
            out += room.clock(source, "POWER_LOSS_WARN", "warning", (a, b), 2 * MINUTE, cuts)
    for series, samples in room.samples.items():  # [34]
        removed = room.removals(series.probe)
        for i, (at, _) in enumerate(samples):
            if at in removed:
                continue
            ends = [samples[i + 1][0]] if i + 1 < len(samples) else [EVER]
            ends += [r for r in removed if r > at]
            for code, level, delay in (
                ("DATA_GAP_WARN", "warning", room.gap),
                ("DATA_GAP_CRIT", "critical", max(HOUR, room.gap)),
            ):
                out += room.clock(f"{series}", code, level, (at, min(ends)), delay, cuts)
    out += _precool(room)
    return out


def _precool(room: Room) -> list[Told]:  # [40]
    out: list[Told] = []
    for begin, end in room.precool:
        (start,) = [a for a in room.actions if a.kind == "precool_started" and a.at_ms == begin][:1]
        goal = Fraction(str(start.detail["medium_c"])) + Fraction(
            Fraction(str(start.detail["start_c"])) - Fraction(str(start.detail["medium_c"])), 8
        )
        reached = end
        products = {s: v for s, v in room.samples.items() if s.quantity == "product_temperature"}
        marks = sorted(
            {at for v in products.values() for at, _ in v}
            | {r for s in products for r in room.removals(s.probe)}
        )
        for now in marks:
            if not begin <= now < end:
                continue
            latest = []
            for s, v in products.items():
                gone = max((r for r in room.removals(s.probe) if r <= now), default=-EVER)
                heard = [c for at, c in v if begin <= at <= now and at > gone]
                latest += heard[-1:]
            if latest and all(Fraction(c, 100) <= goal for c in latest):
                reached = now
                break
        allowed = int(Fraction(str(start.detail["allowed_h"])) * HOUR)
        for code, level, delay in (
            ("PRECOOL_SLOW_WARN", "warning", allowed),
            ("PRECOOL_SLOW_CRIT", "critical", allowed + 2 * HOUR),
        ):
            out += room.clock("", code, level, (begin, reached), delay, room.maintenance)
    return out


def powers(room: Room, told: Sequence[Told]) -> list[Told]:  # [33]
    out: list[Told] = []
    predicted = [(t.fired, t.cleared or EVER) for t in told if t.code == "PREDICT_HIGH"]
    ambient = {s: v for s, v in room.valid.items() if s.quantity == "ambient_temperature"}

    def danger(at: int) -> bool:
        if within(predicted, at):
            return True
        for s, v in ambient.items():
            gone = max((r for r in room.removals(s.probe) if r <= at), default=-EVER)
            known = [c for t, c in v if gone < t <= at]
            if known and known[-1] > 2500:
                return True
        return False

    moments = {at for v in ambient.values() for at, _ in v} | {a for a, _ in predicted}
    for source, value, a, b in room.runs("mains"):
        if value != 0:
            continue
        for begin, end in pieces((a, b), room.maintenance):
            early, late = begin + 30 * MINUTE, begin + HOUR
            candidates = sorted({early, late} | {m for m in moments if early <= m <= late})
            fired = next(m for m in candidates if m == late or danger(m))
            if fired < end and fired <= room.horizon:
                cleared = end if end <= room.horizon else None
                out.append(Told(source, "POWER_LOSS_CRIT", "critical", begin, fired, cleared))
    return out


def predictions(room: Room, told: Sequence[Told]) -> list[Told]:  # [35]
    out: list[Told] = []
    for code, sign, ahead, warnings, critical in (
        ("PREDICT_HIGH", 1, 2, ("WARN_HIGH", "WARN_DANGER_BAND"), "CRIT_HIGH"),
        ("PREDICT_FREEZE", -1, 1, ("WARN_LOW", "WARN_CHILL"), "CRIT_FREEZE"),
    ):
        profiles = PREDICTS if sign > 0 else {"SB"}
        if room.rule0.profile not in profiles:
            continue
        off = [*room.off_all, *(room.precool if sign > 0 else [])]
        for series, samples in room.samples.items():
            mine = [
                (t.fired, EVER if t.cleared is None else t.cleared)
                for t in told
                if t.code in (*warnings, critical) and f"{series.probe!r}" in t.source
            ]
            out += _predict(room, series, samples, code, sign, ahead, warnings, critical, off, mine)
    return out


def _predict(
    room: Room, series: Series, samples: list[Sample], code: str, sign: int, ahead: int,
    warnings: tuple[str, ...], critical: str, off: list[Span], limited: list[Span],
) -> list[Told]:  # fmt: skip
    out: list[Told] = []
    removed = room.removals(series.probe)
    stops = sorted({a for a, _ in off if a <= room.horizon} | set(removed))
    fired: int | None = None
    good = 0

    def close(at: int | None) -> None:
        nonlocal fired
        if fired is not None:
            out.append(Told(f"{series}", code, "warning", fired, fired, at))
        fired = None

    doors = room.when("door", 1)
    defrost = [(a, b) for _, a, b, _, _ in room.defrosts()]
    stopped_plant = [*room.when("mains", 0)]
    stopped_plant += [(a + HOUR, b) for a, b in room.when("compressor", 0)]
    for i, (at, count) in enumerate(samples):
        before = samples[i - 1][0] if i else -EVER
        stop = [s for s in stops if before < s <= at]
        if stop:
            close(stop[0])
            good = 0
        if at in removed or (fired is None and within(off, at)):
            continue
        if at - before > room.gap:
            good = 0
        gone = max((r for r in removed if r <= at), default=-EVER)
        window = [(t, c) for t, c in samples if at - 30 * MINUTE <= t <= at and t > gone]
        if len(window) < 7:
            continue
        n = len(window)
        xs = [Fraction(t - at, HOUR) for t, _ in window]
        ys = [Fraction(c, 100) for _, c in window]
        mx, my = sum(xs) / n, sum(ys) / n
        sxx = sum((x - mx) ** 2 for x in xs)
        sxy = sum((x - mx) * (y - my) for x, y in zip(xs, ys, strict=True))
        syy = sum((y - my) ** 2 for y in ys)
        slope = sign * sxy / sxx
        r2 = sxy**2 / (sxx * syy) if syy else Fraction(0)
        if fired is not None:
            good = good + 1 if slope < 1 else 0
            if good == 2:
                close(at)
                good = 0
            continue
        rule = room.rule_at(at)
        limit = rule.limit(critical)
        warning = next((w for x in warnings if (w := rule.limit(x))), None)
        if limit is None or warning is None:
            continue
        edge = limit.high if sign > 0 else limit.low
        warn = warning.high if sign > 0 else warning.low
        value = Fraction(count, 100)
        gate = sign * count >= sign * warn or (sign > 0 and within(stopped_plant, at))
        door = any(a <= at and at - 45 * MINUTE < b for a, b in doors)
        if (
            slope >= 1
            and r2 >= Fraction(8, 10)
            and sign * value + slope * ahead >= sign * Fraction(edge, 100)
            and sign * count <= sign * edge
            and gate
            and not door
            and not within(defrost, at)
            and not within(room.loading, at)
            and not within(limited, at)
        ):
            fired, good = at, 0
    last = samples[-1][0] if samples else -EVER
    close(next((s for s in stops if s > last), None))
    return out


# --- F: devices


def devices(room: Room) -> list[Told]:
    out: list[Told] = []
    for series, samples in room.samples.items():
        out += _range(room, series)
        out += _stuck(room, series, samples)
        if series.quantity == "temperature":
            out += _disagree(room, series, samples)
            out += _no_start(room, series, samples)
    for series, readings in room.valid.items():
        if series.quantity == "battery":
            out += _battery(room, series, readings)
    return out + _never_stops(room)


def _consecutive(
    room: Room, series: Series, samples: Sequence[Sample], code: str, delay: int,
    off: Sequence[Span], holds: Callable[[int, int], bool], clears: Callable[[int, int], bool],
) -> list[Told]:  # fmt: skip
    out: list[Told] = []
    removed = room.removals(series.probe)
    stops = sorted({a for a, _ in off if a <= room.horizon} | set(removed))
    first: int | None = None
    fired: int | None = None
    began = good = 0
    heard = -EVER
    for at, count in samples:
        stop = [s for s in stops if heard < s <= at]
        if stop:
            if fired is not None:
                out.append(Told(f"{series}", code, "warning", began, fired, stop[0]))
            first = fired = None
            good = 0
        previous, heard = heard, at
        if within(off, at) or at in removed:
            continue
        if at - previous > room.gap:
            first, good = None, 0
        if fired is not None:
            good = good + 1 if clears(at, count) else 0
            if good == 2:
                out.append(Told(f"{series}", code, "warning", began, fired, at))
                fired, good = None, 0
            continue
        if not holds(at, count):
            first = None
            continue
        first = at if first is None else first
        if at - first >= delay:
            began, fired, first, good = first, at, None, 0
    if fired is not None:
        stopped = next((s for s in stops if s > heard), None)
        out.append(Told(f"{series}", code, "warning", began, fired, stopped))
    return out


def _range(room: Room, series: Series) -> list[Told]:  # [43]
    out: list[Told] = []
    removed = room.removals(series.probe)
    stops = sorted({a for a, _ in room.maintenance if a <= room.horizon} | set(removed))
    bad: int | None = None
    fired: int | None = None
    began = good = 0
    level = ""
    heard = -EVER

    def close(at: int | None) -> None:
        nonlocal fired
        if fired is not None:
            out.append(Told(f"{series}", "SENSOR_RANGE", level, began, fired, at))
        fired = None

    for at, outside in room.in_range[series]:
        stop = [s for s in stops if heard < s <= at]
        if stop:
            close(stop[0])
            bad, good = None, 0
        heard = at
        if within(room.maintenance, at) or at in removed:
            continue
        if fired is not None:
            good = 0 if outside else good + 1
            if good == 2:
                close(at)
                good, bad = 0, None
        elif not outside:
            bad = None
        elif bad is None:
            bad = at
        else:
            others = []
            for s, v in room.samples.items():
                gone = max((r for r in room.removals(s.probe) if r <= at), default=-EVER)
                others += [
                    t
                    for t, _ in v
                    if s.probe != series.probe and at - room.gap <= t <= at and t > gone
                ]
            began, fired, bad, good = bad, at, None, 0
            level = "critical" if within(room.stock, at) and not others else "warning"
    close(next((s for s in stops if s > heard), None))
    return out


def _stuck(room: Room, series: Series, samples: list[Sample]) -> list[Told]:  # [44]
    slow = series.quantity == "product_temperature" or room.rule0.profile in ("FZ", "FT")
    long = (24 if slow else 6) * HOUR
    removed = room.removals(series.probe)
    stops = sorted({a for a, _ in room.maintenance if a <= room.horizon} | set(removed))
    out: list[Told] = []
    fired: int | None = None
    began = 0
    starts = sorted(
        a
        for source, v, a, _ in room.runs("compressor")
        if v == 1
        and any(s == source and v0 == 0 and b0 == a for s, v0, _, b0 in room.runs("compressor"))
    )
    for i, (at, _) in enumerate(samples):
        before = samples[i - 1][0] if i else -EVER
        stop = [s for s in stops if before < s <= at]
        if stop and fired is not None:
            out.append(Told(f"{series}", "SENSOR_STUCK", "warning", began, fired, stop[0]))
            fired = None
        if within(room.maintenance, at) or at in removed:
            continue
        low = high = samples[i][1]
        j = i
        while j > 0:
            t, c = samples[j - 1]
            low2, high2 = min(low, c), max(high, c)
            if (
                samples[j][0] - t > room.gap
                or high2 - low2 > 10
                or within(room.maintenance, t)
                or any(t < s <= samples[j][0] or t == s for s in stops)
            ):
                break
            low, high, j = low2, high2, j - 1
        run = samples[j][0]
        if at - run < long:
            if fired is not None:
                out.append(Told(f"{series}", "SENSOR_STUCK", "warning", began, fired, at))
                fired = None
            continue
        if fired is None:
            cycled = len([s for s in starts if run < s <= at]) >= 2
            moved = False
            for other, v in room.samples.items():
                if other == series:
                    continue
                gone = room.removals(other.probe)
                counts = [(t, c) for t, c in v if run < t <= at and t not in gone]
                moved = moved or any(
                    abs(c1 - c2) >= 100
                    for k, (t1, c1) in enumerate(counts)
                    for t2, c2 in counts[:k]
                    if not any(t2 <= r <= t1 for r in gone)
                )
            if cycled or moved:
                began, fired = run, at
    if fired is not None:
        last = samples[-1][0]
        stopped = next((s for s in stops if s > last), None)
        out.append(Told(f"{series}", "SENSOR_STUCK", "warning", began, fired, stopped))
    return out


def _disagree(room: Room, series: Series, samples: list[Sample]) -> list[Told]:  # [45]
    all_ = {s: v for s, v in room.samples.items() if s.quantity == "temperature"}

    def apart(at: int, count: int) -> Fraction:
        fresh = []
        for s, v in all_.items():
            gone = max((r for r in room.removals(s.probe) if r <= at), default=-EVER)
            latest = [(t, c) for t, c in v if gone < t <= at][-1:]
            fresh += [c for t, c in latest if at - t <= room.gap]
        fresh.sort()
        if len(fresh) < 2:
            return Fraction(0)
        middle = Fraction(fresh[(len(fresh) - 1) // 2] + fresh[len(fresh) // 2], 2)
        return abs(count - middle)

    return _consecutive(
        room, series, samples, "SENSOR_DISAGREE", 30 * MINUTE, room.maintenance,
        lambda at, count: apart(at, count) > 300, lambda at, count: apart(at, count) <= 250,
    )  # fmt: skip


def _no_start(room: Room, series: Series, samples: list[Sample]) -> list[Told]:  # [47]
    points = sorted(
        (at, v) for s, r in room.valid.items() if s.quantity == "setpoint" for at, v in r
    )
    defrost = [(a, b) for _, a, b, _, _ in room.defrosts()]

    def wants(at: int, count: int) -> bool:
        known = [v for t, v in points if t <= at]
        return (
            bool(known)
            and count >= known[-1] + 200
            and within(room.when("compressor", 0), at)
            and not within(room.when("compressor", 1), at)
            and not within(room.when("mains", 0), at)
        )

    return _consecutive(
        room, series, samples, "COMP_NO_START", 15 * MINUTE, room.off_all,
        lambda at, count: wants(at, count) and not within(defrost, at),
        lambda at, count: not wants(at, count),
    )  # fmt: skip


def _never_stops(room: Room) -> list[Told]:
    points = sorted(
        (at, v) for s, r in room.valid.items() if s.quantity == "setpoint" for at, v in r
    )
    if not points:
        return []
    edges = [points[0][0]]
    for s, v in room.samples.items():
        if s.quantity == "temperature":
            for at, count in v:
                known = [w for t, w in points if t <= at]
                if known and count <= known[-1]:
                    edges.append(at)
    edges = sorted(set(edges))
    out: list[Told] = []
    for source, value, a, b in room.runs("compressor"):
        if value != 1:
            continue
        for i, edge in enumerate(edges):
            begin = max(a, edge)
            end = min([b, *edges[i + 1 : i + 2]])
            if begin < end:
                cuts = [*room.maintenance, *room.precool]
                out += room.clock(
                    source, "COMP_NEVER_STOPS", "warning", (begin, end), 6 * HOUR, cuts
                )
    return out


def _battery(room: Room, series: Series, readings: list[Sample]) -> list[Told]:  # [46]
    out: list[Told] = []
    removed = room.removals(series.probe)
    stops = sorted({a for a, _ in room.maintenance if a <= room.horizon} | set(removed))
    for code, level, below, clear in (
        ("LOW_BATTERY_WARN", "warning", 200, 250),
        ("LOW_BATTERY_CRIT", "critical", 100, 150),
    ):
        fired: int | None = None
        heard = -EVER
        for at, _ in readings:
            stop = [s for s in stops if heard < s <= at]
            if stop and fired is not None:
                out.append(Told(f"{series}", code, level, fired, fired, stop[0]))
                fired = None
            heard = at
            if at in removed:
                continue
            gone = max((r for r in removed if r <= at), default=-EVER)
            best = max(c for t, c in readings if at - DAY < t <= at and t > gone)
            if fired is None and best < below and not within(room.maintenance, at):
                fired = at
            elif fired is not None and best >= clear:
                out.append(Told(f"{series}", code, level, fired, fired, at))
                fired = None
        if fired is not None:
            out.append(
                Told(
                    f"{series}",
                    code,
                    level,
                    fired,
                    fired,
                    next((s for s in stops if s > heard), None),
                )
            )
    return out
