"""Points as InfluxDB reads them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.quantity import QUANTITIES
from domain.reading import ProbeId, RoomId, Series
from ingest.line_protocol import Prefixes, alarm_line, lines, printer, tag
from store.facts_ports import StoredFact
from tests.support.batches import NOON_MS, columns

PREFIX = "temperature,probe=p,room=r,site=s "


def test_values_are_printed_as_people_write_them() -> None:
    assert lines(PREFIX, "temperature", columns((NOON_MS, 410, 0), (NOON_MS + 1, -5, 0))) == [
        f"{PREFIX}value=4.1 {NOON_MS}",
        f"{PREFIX}value=-0.05 {NOON_MS + 1}",
    ]


@pytest.mark.parametrize(
    ("quality", "fields"),
    [
        pytest.param(0, "value=4.1", id="good"),
        pytest.param(1, "value=4.1,quality=1i", id="clock-estimated"),
        pytest.param(2, "suspect=4.1,quality=2i", id="outside-range"),
        pytest.param(129, "suspect=4.1,quality=129i", id="in-conflict"),
    ],
)
def test_what_the_rules_would_not_trust_is_no_value(quality: int, fields: str) -> None:
    assert lines(PREFIX, "temperature", columns((NOON_MS, 410, quality))) == [
        f"{PREFIX}{fields} {NOON_MS}"
    ]


@given(st.sampled_from(sorted(QUANTITIES)), st.integers(-(2**31), 2**31 - 1))
def test_every_count_is_printed_exactly(quantity: str, count: int) -> None:
    assert Decimal(printer(quantity)(count)) == QUANTITIES[quantity].value(count)


def test_tags_are_escaped_and_never_empty() -> None:
    assert tag("mqtt:g1:back, room=2") == r"mqtt:g1:back\,\ room\=2"
    assert tag("") == "unassigned"
    series = Series(ProbeId("p 1"), "humidity")
    assert Prefixes().of(series, "r1", "") == r"humidity,probe=p\ 1,room=r1,site=unassigned "


def test_an_alarm_stands_at_the_instant_it_fired() -> None:
    fact = StoredFact(
        "f1", 2, RoomId("r1"), "CRIT_HIGH", "critical", NOON_MS - 60_000, NOON_MS, None, 8.0,
        220.0, 0.0, "rule", withdrawn=False, n=1, m=1, core="1", seq=9,
    )  # fmt: skip

    assert alarm_line(fact, "s1") == (
        "alarm,code=CRIT_HIGH,level=critical,room=r1,site=s1 "
        f'id="f1",title="CRIT_HIGH r1",version=2i,began={NOON_MS - 60_000}i,'
        f"degree_minutes=220.0,minutes_unknown=0.0,peak=8.0 {NOON_MS}"
    )
