"""A room's day, fortnight or stay as SVG: pure, from values to markup.

Across, everything is a percentage, so that the drawing fills a phone and a desk alike while
its letters keep their size; down, pixels. What is not known is hatched, never bridged by a
line. Colour is never the only sign: limits are dashed and named, alarms carry a bar and a
mark, pauses are dotted and named.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

NAME_HEIGHT = 12  # px: nearer than this, two names run into each other
APART = 17  # per cent of a phone's width that the words of a time need
TOP, BOTTOM = 8, 40  # above the plot; below it: alarms, pauses and the times


@dataclass(frozen=True, slots=True)
class Point:
    """A bucket that starts at ``at_ms``; in the unit of the chart. ``low == high`` for one reading."""

    at_ms: int
    low: float
    mean: float
    high: float


@dataclass(frozen=True, slots=True)
class Trace:
    """``step_ms``: farther apart than this and the two points are not joined."""

    name: str
    points: Sequence[Point]
    step_ms: int


@dataclass(frozen=True, slots=True)
class Limit:
    value: float
    label: str
    level: str  # warning | critical
    side: str  # high | low


@dataclass(frozen=True, slots=True)
class Span:
    """``kind`` is a class of the style sheet: gap, pause, warning, critical. None: until the end."""

    kind: str
    from_ms: int
    to_ms: int | None
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """``id`` is unique on its page; ``ticks`` are (instant, words under it)."""

    id: str
    title: str
    unit: str
    from_ms: int
    to_ms: int
    traces: Sequence[Trace]
    limits: Sequence[Limit] = ()
    spans: Sequence[Span] = ()
    ticks: Sequence[tuple[int, str]] = ()
    now_ms: int | None = None
    height: int = 260
    empty: str = ""  # what stands there when nothing was measured


def gaps(points: Iterable[int], from_ms: int, to_ms: int, longest_ms: int) -> list[tuple[int, int]]:
    """Spans without a point for longer than ``longest_ms``, the ends included: after the last
    point only up to ``to_ms``, which should not be later than now."""
    found: list[tuple[int, int]] = []
    before = from_ms
    for at_ms in (*points, to_ms):
        if at_ms - before > longest_ms:
            found.append((before, at_ms))
        before = max(before, at_ms)
    return found


def y_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values inside [low, high]: steps of 0.5, 1, 2, 5, 10, …"""
    for step in (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 10_000, 50_000):
        first = -int(-low // step)
        values = [k * step for k in range(first, int(high // step) + 1)]
        if len(values) <= most:
            return values
    return []


class _Frame:
    """From instants to per cent, from values to pixels."""

    def __init__(self, chart: Chart) -> None:
        self._from_ms = chart.from_ms
        self._width_ms = max(chart.to_ms - chart.from_ms, 1)
        self.plot_bottom = chart.height - BOTTOM
        values = [v for trace in chart.traces for p in trace.points for v in (p.low, p.high)]
        low, high = (min(values), max(values)) if values else (0.0, 10.0)
        # Limits within reach are shown; a far ceiling must not flatten the line.
        reach = max((high - low) * 0.35, 1.5)
        near = [x.value for x in chart.limits if low - reach <= x.value <= high + reach]
        low, high = min([low, *near]), max([high, *near])
        margin = max((high - low) * 0.08, 0.4)
        self.low, self.high = low - margin, high + margin

    def x(self, at_ms: int) -> float:
        """Per cent, within the plot."""
        return min(max((at_ms - self._from_ms) * 100 / self._width_ms, 0.0), 100.0)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.plot_bottom - share * (self.plot_bottom - TOP)


def _n(value: float) -> str:
    """At most one digit after the point: a tenth of a pixel is enough."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def _path_x(per_cent: float) -> str:
    return str(round(per_cent * 10))  # the inner drawing is 1000 wide


def _runs(trace: Trace) -> list[list[Point]]:
    """Points cut where two neighbours are too far apart to be joined."""
    runs: list[list[Point]] = []
    for point in trace.points:
        if runs and point.at_ms - runs[-1][-1].at_ms <= trace.step_ms:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _trace(trace: Trace, frame: _Frame, number: int) -> str:
    band: list[str] = []
    line: list[str] = []
    for run in _runs(trace):
        xs = [_path_x(frame.x(p.at_ms)) for p in run]
        line.append(
            "M" + "L".join(f"{x} {_n(frame.y(p.mean))}" for x, p in zip(xs, run, strict=True))
        )
        if len(run) == 1:
            line.append("h1")  # a lone reading is a dot, not nothing
        if any(p.high > p.low for p in run):
            upper = [f"{x} {_n(frame.y(p.high))}" for x, p in zip(xs, run, strict=True)]
            lower = [f"{x} {_n(frame.y(p.low))}" for x, p in zip(xs, run, strict=True)]
            band.append("M" + "L".join([*upper, *reversed(lower)]) + "Z")
    drawn = f'<path class="band t{number}" d="{"".join(band)}"/>' if band else ""
    return f'{drawn}<path class="line t{number}" d="{"".join(line)}"/>'


def _span(span: Span, chart: Chart, frame: _Frame) -> str:
    end_ms = chart.to_ms if span.to_ms is None else span.to_ms
    if end_ms <= chart.from_ms or span.from_ms >= chart.to_ms:
        return ""
    x = frame.x(span.from_ms)
    width = max(frame.x(end_ms) - x, 0.3)
    place = f'x="{_n(x)}%" width="{_n(width) if width >= 0.3 else "0.3"}%"'
    title = f"<title>{escape(span.label)}</title>"
    depth = frame.plot_bottom - TOP
    if span.kind == "gap":
        fill = f'fill="url(#{chart.id}-gap)"'
        return f'<rect {place} y="{TOP}" height="{depth}" {fill}>{title}</rect>'
    if span.kind == "pause":
        fill = f'fill="url(#{chart.id}-pause)"'
        return f'<rect {place} y="{TOP}" height="{depth}" {fill}>{title}</rect>'
    bar = f'<rect {place} y="{frame.plot_bottom + 3}" height="8" class="bar {span.kind}">{title}</rect>'
    return bar + f'<rect {place} y="{TOP}" height="{depth}" class="veil {span.kind}"/>'


def number(value: float) -> str:
    """As few digits as the value has, with a true minus sign."""
    return f"{value:g}".replace("-", "−")


def _limits(limits: Sequence[Limit], frame: _Frame) -> str:
    """Lines for all within the frame; a name that would lie on another one is left out."""
    parts: list[str] = []
    named_at: list[float] = []
    inside = [limit for limit in limits if frame.low <= limit.value <= frame.high]
    for limit in sorted(inside, key=lambda limit: limit.level == "critical"):
        y = frame.y(limit.value)
        parts.append(
            f'<line class="limit {limit.level}" x1="0" x2="100%" y1="{_n(y)}" y2="{_n(y)}"/>'
        )
        beside = y - 4 if limit.side == "high" else y + 12
        if all(abs(beside - other) >= NAME_HEIGHT for other in named_at):
            named_at.append(beside)
            parts.append(
                f'<text class="limit-name" x="99.5%" y="{_n(beside)}" text-anchor="end">'
                f"{escape(limit.label)}</text>"
            )
    return "".join(parts)


def _scale(chart: Chart, frame: _Frame) -> str:
    parts: list[str] = []
    shown = [value for value in y_ticks(frame.low, frame.high) if frame.y(value) > TOP + 6]
    for value in shown:
        y = _n(frame.y(value))
        words = number(value) + (f" {escape(chart.unit)}" if value == shown[-1] else "")
        parts.append(f'<line class="grid" x1="0" x2="100%" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="scale" x="4" y="{_n(frame.y(value) - 3)}">{words}</text>')
    last = -100.0
    for at_ms, words in chart.ticks:
        x = frame.x(at_ms)
        if x - last < APART:
            continue
        last = x
        anchor = "start" if x < 6 else "end" if x > 92 else "middle"
        parts.append(
            f'<line class="grid" x1="{_n(x)}%" x2="{_n(x)}%" y1="{TOP}" y2="{frame.plot_bottom}"/>'
            f'<text class="scale" x="{_n(x)}%" y="{chart.height - 10}" text-anchor="{anchor}">'
            f"{escape(words)}</text>"
        )
    return "".join(parts)


def svg(chart: Chart) -> str:
    """The whole drawing. Text in it is escaped; the style sheet colours it by class."""
    frame = _Frame(chart)
    depth = frame.plot_bottom - TOP
    id = chart.id
    parts = [
        f'<svg class="chart" width="100%" height="{chart.height}" role="img" '
        f'aria-labelledby="{id}-t" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{id}-t">{escape(chart.title)}</title>'
        f'<defs><pattern id="{id}-gap" width="7" height="7" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="7" height="7" class="gap-ground"/>'
        '<line x1="0" x2="0" y1="0" y2="7" class="gap-line"/></pattern>'
        f'<pattern id="{id}-pause" width="6" height="6" patternUnits="userSpaceOnUse">'
        '<circle cx="2" cy="2" r="1" class="pause-dot"/></pattern></defs>'
        f'<rect class="ground" width="100%" y="{TOP}" height="{depth}"/>'
    ]
    parts.extend(_span(span, chart, frame) for span in chart.spans)
    parts.append(_scale(chart, frame))
    parts.append(_limits(chart.limits, frame))
    traces = "".join(_trace(t, frame, i % 4) for i, t in enumerate(chart.traces) if t.points)
    if traces:
        parts.append(
            f'<svg x="0" y="0" width="100%" height="{chart.height}" '
            f'viewBox="0 0 1000 {chart.height}" preserveAspectRatio="none">{traces}</svg>'
        )
    else:
        middle = _n(TOP + depth / 2)
        parts.append(
            f'<text class="empty" x="50%" y="{middle}" text-anchor="middle">'
            f"{escape(chart.empty)}</text>"
        )
    if chart.now_ms is not None and chart.from_ms < chart.now_ms < chart.to_ms:
        x = _n(frame.x(chart.now_ms))
        parts.append(f'<line class="now" x1="{x}%" x2="{x}%" y1="{TOP}" y2="{frame.plot_bottom}"/>')
    parts.append("</svg>")
    return "".join(parts)
