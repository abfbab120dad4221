"""Charts are drawn from values alone: what is not known stays not known, and text stays text."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.charts import Chart, Limit, Point, Span, Trace, gaps, svg, y_ticks

HOUR_MS = 3_600_000
SVG = "{http://www.w3.org/2000/svg}"


def point(hour: float, low: float, high: float | None = None) -> Point:
    high = low if high is None else high
    return Point(int(hour * HOUR_MS), low, (low + high) / 2, high)


def drawn(*points: Point, limits: tuple[Limit, ...] = (), spans: tuple[Span, ...] = ()) -> str:
    trace = Trace("air", points, HOUR_MS)
    return svg(
        Chart("c", "room", "°C", 0, 24 * HOUR_MS, [trace], limits, spans, empty="nothing measured")
    )


def paths(markup: str, kind: str) -> list[str]:
    root = ET.fromstring(markup)  # noqa: S314 - our own text
    return [
        str(path.get("d"))
        for path in root.iter(SVG + "path")
        if kind in str(path.get("class")).split()
    ]


def test_a_line_is_not_drawn_across_a_gap() -> None:
    (line,) = paths(drawn(point(1, 2.0), point(2, 3.0), point(9, 4.0), point(10, 4.0)), "line")

    assert line.count("M") == 2


def test_buckets_with_one_value_have_no_band() -> None:
    assert paths(drawn(point(1, 2.0), point(2, 3.0)), "band") == []
    assert len(paths(drawn(point(1, 2.0, 3.0), point(2, 3.0, 4.0)), "band")) == 1


def test_a_lone_reading_is_seen() -> None:
    (line,) = paths(drawn(point(5, 2.0)), "line")

    assert line.endswith("h1")


def test_nothing_measured_says_so() -> None:
    assert "nothing measured" in drawn()


def test_names_cannot_bring_markup() -> None:
    evil = "</title><script>alert(1)</script>"
    text = svg(
        Chart("c", evil, evil, 0, HOUR_MS, [], spans=[Span("gap", 0, 9, evil)], ticks=[(5, evil)])
    )

    ET.fromstring(text)  # noqa: S314 - our own text
    assert "<script" not in text


def test_a_limit_far_away_does_not_flatten_the_line() -> None:
    near = Limit(4.0, ">4", "warning", "high")
    far = Limit(60.0, ">60", "critical", "high")

    text = drawn(point(1, 2.0), point(2, 3.5), limits=(near, far))

    assert "&gt;4" in text
    assert "&gt;60" not in text


def test_limits_close_together_do_not_write_over_each_other() -> None:
    one, other = Limit(0.0, "<0", "warning", "low"), Limit(-0.05, "<-0.05", "critical", "low")

    text = drawn(point(1, 0.2), point(2, 3.5), limits=(other, one))

    assert text.count('class="limit ') == 2
    assert text.count("limit-name") == 1


def test_an_open_alarm_is_drawn_to_the_end() -> None:
    text = drawn(point(1, 2.0), spans=(Span("critical", 12 * HOUR_MS, None, "too warm"),))

    assert 'x="50%" width="50%"' in text


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        pytest.param([], [(0, 100)], id="nothing-at-all"),
        pytest.param([10, 20, 90], [(20, 90)], id="a-hole-inside"),
        pytest.param([40, 50, 60], [(0, 40), (60, 100)], id="both-ends"),
        pytest.param([30, 60, 90], [], id="exactly-the-longest-is-no-gap"),
    ],
)
def test_gaps_are_where_nothing_was_measured(
    points: list[int], expected: list[tuple[int, int]]
) -> None:
    assert gaps(points, 0, 100, 30) == expected


@given(st.floats(-90, 100), st.floats(0.5, 200))
def test_ticks_are_few_and_inside(low: float, span: float) -> None:
    ticks = y_ticks(low, low + span)

    assert len(ticks) <= 5
    assert all(low <= tick <= low + span for tick in ticks)


@given(
    st.lists(
        st.tuples(st.integers(0, 24 * HOUR_MS - 1), st.floats(-90, 100)),
        max_size=40,
        unique_by=lambda p: p[0],
    )
)
def test_whatever_was_measured_gives_a_drawing_inside_its_frame(
    rows: list[tuple[int, float]],
) -> None:
    text = drawn(*(Point(t, v, v, v) for t, v in sorted(rows)))

    for line in paths(text, "line"):
        numbers = line.replace("M", " ").replace("L", " ").replace("h", " ").split()
        assert all(0 <= float(n) <= 1000 for n in numbers)
