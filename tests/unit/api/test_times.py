"""Instants and sessions: what programs write, and who may come in."""

from zoneinfo import ZoneInfo

import pytest

from api.console.language import Words, messages, preferred
from api.console.pages import safe_path
from api.readings import bucket_width_ms, cursor, read_cursor, values
from api.sessions import LASTS_MS, Gate
from api.times import instant_ms
from domain.quantity import QUANTITIES

KEY = b"k" * 32
NOW_MS = 1_780_380_000_000


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("1780380000000", NOW_MS, id="milliseconds"),
        pytest.param("2026-06-02T06:00:00Z", NOW_MS, id="utc"),
        pytest.param("2026-06-02T14:00:00+08:00", NOW_MS, id="with-offset"),
        pytest.param("2026-06-02T14:00:00 08:00", NOW_MS, id="a-plus-that-came-as-a-space"),
        pytest.param("2026-06-02T06:00:00.250Z", NOW_MS + 250, id="fraction"),
    ],
)
def test_an_instant_may_be_milliseconds_or_rfc_3339(given: str, expected: int) -> None:
    assert instant_ms(given) == expected


@pytest.mark.parametrize(
    "given", ["2026-06-02T06:00:00", "yesterday", "", "1e12", "-5", True, None]
)
def test_what_is_not_an_instant_is_refused(given: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic takes any
        instant_ms(given)


def test_values_print_exactly_at_their_resolution() -> None:
    temperature = QUANTITIES["temperature"]

    assert values([410, -5, 0, 1999], temperature) == [4.1, -0.05, 0.0, 19.99]
    for count in range(-9000, 10_001):
        assert float(str(temperature.value(count))) == values([count], temperature)[0]


def test_a_cursor_comes_back_as_it_went() -> None:
    assert read_cursor(cursor(NOW_MS, 3)) == (3, NOW_MS)


@pytest.mark.parametrize(
    ("hours", "points", "expected_min"),
    [(24, 288, 5), (24 * 7, 288, 35), (24 * 14, 288, 120), (1, 3600, 1 / 60)],
)
def test_buckets_are_whole_minutes_or_hours(hours: int, points: int, expected_min: float) -> None:
    assert bucket_width_ms(0, hours * 3_600_000, points) / 60_000 == pytest.approx(
        expected_min, rel=0.02
    )


def test_a_cookie_made_here_is_known_here_until_it_expires() -> None:
    gate = Gate("token", KEY)
    cookie = gate.new_cookie(NOW_MS)

    session = gate.session(cookie, NOW_MS + 1)

    assert session is not None
    assert session.person == "admin"
    assert gate.session(cookie, NOW_MS + LASTS_MS) is None
    assert Gate("token", b"x" * 32).session(cookie, NOW_MS) is None


@pytest.mark.parametrize("cookie", ["", ".", "..", "9.x.y", "9999999999999.abc.", None, "é.é.é"])
def test_a_cookie_made_elsewhere_is_nobodys(cookie: str | None) -> None:
    assert Gate("token", KEY).session(cookie, NOW_MS) is None


def test_a_link_is_used_once() -> None:
    gate = Gate("token", KEY)
    link = gate.new_link(NOW_MS)

    assert gate.use_link(link, NOW_MS + 1)
    assert not gate.use_link(link, NOW_MS + 2)


def test_a_cookie_is_no_link() -> None:
    gate = Gate("token", KEY)

    assert not gate.use_link(gate.new_cookie(NOW_MS), NOW_MS)


def test_an_empty_token_file_lets_nobody_in() -> None:
    assert not Gate("", KEY).knows("")


def test_both_languages_have_every_word() -> None:
    zh, en = messages("zh"), messages("en")

    assert zh.keys() == en.keys()
    assert all(zh.values())
    assert all(en.values())


@pytest.mark.parametrize(
    ("cookie", "accept", "expected"),
    [
        (None, "en-GB,en;q=0.9", "en"),
        (None, "fr,zh-CN;q=0.5", "zh"),
        ("zh", "en", "zh"),
        ("xx", "", "zh"),
    ],
)
def test_the_language_is_the_persons(cookie: str | None, accept: str, expected: str) -> None:
    assert preferred(cookie, accept) == expected


@pytest.mark.parametrize(
    ("ago_s", "expected"),
    [
        (0, "just now"),
        (90, "90 s ago"),
        (600, "10 min ago"),
        (7 * 3600, "7 h ago"),
        (-600, "10 min ahead"),
    ],
)
def test_every_number_can_say_its_age(ago_s: int, expected: str) -> None:
    words = Words("en", ZoneInfo("Asia/Shanghai"), NOW_MS)

    assert words.age(NOW_MS - ago_s * 1000) == expected


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil", "x", "/a\nb"]
)
def test_nobody_is_sent_to_another_site(path: str) -> None:
    assert safe_path(path) == "/"
