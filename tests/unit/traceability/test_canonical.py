"""RFC 8785: the same value, the same bytes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceability.canonical import canonical


@pytest.mark.parametrize(
    ("value", "text"),
    [
        # RFC 8785, appendix B, and ECMA-262 Number::toString.
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (-5e-324, "-5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (1e23, "1e+23"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (333333333.33333329, "333333333.3333333"),
        (4.5, "4.5"),
        (120.0, "120"),
        (True, "true"),
        (None, "null"),
    ],
)
def test_numbers_are_printed_as_ecmascript_prints_them(value: Any, text: str) -> None:
    assert canonical(value) == text.encode()


def test_names_are_sorted_by_utf16_code_units() -> None:
    # RFC 8785, 3.2.3.
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]

    text = canonical(dict.fromkeys(names, 0)).decode()

    assert list(json.loads(text)) == [
        "\r",
        "1",
        "\u0080",
        "\u00f6",
        "\u20ac",
        "\U0001f600",
        "\ufb33",
    ]


def test_text_is_escaped_no_more_than_it_must_be() -> None:
    assert canonical('€$\u000f\nA\'B"\\\\"/') == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**53, {1: 2}, "\ud800", b"bytes", {"a": object()}]
)
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (each says something else)
        canonical(value)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abé€"), inner),
    max_leaves=20,
)


@given(values)
def test_reading_it_back_gives_the_value_and_the_same_bytes(value: Any) -> None:
    data = canonical(value)

    read = json.loads(data, parse_int=float)  # as ECMAScript reads it
    assert read == value
    assert canonical(read) == data
