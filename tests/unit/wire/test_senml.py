"""SenML packs: resolved as RFC 8428 says, and hostile ones cost nobody else anything."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.senml import BadPack, Problem, Record, parse

T = 1_780_000_000


def test_the_multiple_datapoints_example_resolves_base_fields() -> None:
    pack = parse(
        b'[{"bn":"urn:dev:mac:24befffe804ff1ad/","bt":1.780020076001e+09,"bu":"Cel",'
        b'"n":"temperature","v":22.5},{"n":"humidity","u":"%RH","t":-5,"v":20}]'
    )

    assert pack.records == [
        Record(0, "urn:dev:mac:24befffe804ff1ad/temperature", "Cel", Decimal("22.5"),
               1_780_020_076_001, None),
        Record(1, "urn:dev:mac:24befffe804ff1ad/humidity", "%RH", Decimal(20),
               1_780_020_071_001, None),
    ]  # fmt: skip
    assert pack.problems == []


def test_times_below_two_to_the_28_are_relative_to_the_arrival() -> None:
    pack = parse(b'[{"n":"temperature","v":1,"t":-300},{"n":"temperature","v":2}]')

    assert [(r.at_ms, r.relative_ms) for r in pack.records] == [(None, -300_000), (None, 0)]


def test_the_border_between_relative_and_absolute_is_two_to_the_28() -> None:
    pack = parse(b'[{"n":"a","v":1,"t":268435455.999},{"n":"a","v":1,"t":268435456}]')

    assert [r.at_ms for r in pack.records] == [None, 268_435_456_000]


def test_base_value_is_added_exactly_and_stands_alone_where_there_is_no_value() -> None:
    pack = parse(b'[{"bn":"x/","bv":0.1,"n":"t","v":0.2},{"n":"t"}]')

    assert [r.value for r in pack.records] == [Decimal("0.3"), Decimal("0.1")]


def test_a_boolean_is_one_or_zero() -> None:
    pack = parse(b'[{"n":"door","vb":true},{"n":"door","vb":false}]')

    assert [r.value for r in pack.records] == [1, 0]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param('{"n":"x","v":NaN}', "v is not a number", id="nan"),
        pytest.param('{"n":"x","v":-Infinity}', "v is not a number", id="infinity"),
        pytest.param('{"n":"x","v":"4.2"}', "v is not a number", id="text"),
        pytest.param('{"n":"x","v":true}', "v is not a number", id="true"),
        pytest.param('{"n":"x","v":1e400}', "out of all proportion", id="huge"),
        pytest.param('{"n":"x","v":1e99999999999999999999}', "v is not a number", id="exponent"),
        pytest.param('{"n":"x","v":' + "9" * 6_000 + "}", "v is not a number", id="digits"),
        pytest.param('{"n":"x","vs":"hot"}', "text or data", id="vs"),
        pytest.param('{"n":"x","s":4}', "a sum is not kept", id="sum"),
        pytest.param('{"n":"x"}', "no value", id="nothing"),
        pytest.param('{"n":"x","v":1,"vb":true}', "more than one value", id="two-values"),
        pytest.param('{"n":"a b","v":1}', "name", id="space-in-name"),
        pytest.param('{"n":7,"v":1}', "no short text", id="number-as-name"),
        pytest.param('{"n":"x","v":1,"t":"noon"}', "t is not a number", id="text-as-time"),
        pytest.param("[]", "not an object", id="list-as-record"),
    ],
)
def test_a_bad_record_is_named_and_its_neighbours_stay(bad: str, reason: str) -> None:
    pack = parse(f'[{{"n":"a","v":1}},{bad},{{"n":"b","v":2}}]'.encode())

    assert [r.name for r in pack.records] == ["a", "b"]
    [problem] = pack.problems
    assert problem.index == 1
    assert reason in problem.reason


def test_a_broken_base_time_spoils_what_rests_on_it_until_it_is_set_anew() -> None:
    pack = parse(
        f'[{{"bn":"d/","bt":"x","n":"a","v":1}},{{"bn":"d2/","n":"b","v":2}},'
        f'{{"bt":{T},"n":"c","v":3}}]'.encode()
    )

    assert [r.name for r in pack.records] == ["d2/c"]
    assert pack.problems == [
        Problem(0, "base field: bt is not a number"),
        Problem(1, "base field: bt is not a number"),
    ]


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'[{"n":"a","v":1}',
        b'[{"bver":11,"n":"a","v":1}]', b'[{"n":"a","v":1,"must_":1}]',
    ],
)  # fmt: skip
def test_what_is_no_pack_is_refused_as_a_whole(payload: bytes) -> None:
    with pytest.raises(BadPack):
        parse(payload)


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_parsing_gives_a_pack_or_a_bad_pack(payload: bytes) -> None:
    try:
        parse(payload)
    except BadPack as error:
        assert error.reason  # noqa: PT017  # either outcome is right


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
labels = st.sampled_from(
    ["bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "s", "t"]
)


@given(st.lists(st.dictionaries(labels, scalars, max_size=5), max_size=6))
def test_whatever_the_fields_hold_every_record_is_accounted_for(
    content: list[dict[str, object]],
) -> None:

    try:
        pack = parse(json.dumps(content).encode())
    except BadPack:
        return
    seen = {r.index for r in pack.records} | {p.index for p in pack.problems}
    base_only = {
        i for i, fields in enumerate(content)
        if not fields.keys() - {"bn", "bt", "bu", "bv", "bs", "bver"}
    }  # fmt: skip
    assert seen | base_only == set(range(len(content)))
