"""Which limits hold in a room, and which rules cannot be (alarm decisions 5, 6, 16, 17)."""

import pytest

from domain.profile import PROFILES, Impossible, Limit, resolve
from tests.unit.domain.rooms import rule


def limit(code: str, profile: str, *commodities: str, interval_s: int = 300) -> Limit | None:
    return resolve(rule(profile, *commodities, interval_s=interval_s)).limit(code)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_can_be_resolved(profile: str) -> None:
    assert resolve(rule(profile, "potato_ware")).interval_ms == 300_000


@pytest.mark.parametrize(
    ("profile", "commodities", "code", "low"),
    [
        pytest.param("SB", (), "CRIT_FREEZE", -80, id="SB-without-goods"),
        pytest.param("SB", ("lettuce_head", "strawberry"), "CRIT_FREEZE", -20, id="highest-fp"),
        pytest.param("PS", (), "CRIT_FREEZE", -90, id="PS-without-goods"),
        pytest.param("MT", ("poultry_chilled",), "CRIT_FREEZE", -150, id="MT-is-fixed"),
        pytest.param("CU", (), "WARN_CHILL", 1000, id="CU-without-goods"),
        pytest.param("CU", ("banana_green",), "WARN_CHILL", 1200, id="CU-banana"),
        pytest.param("CU", ("banana_green",), "CRIT_LOW", 900, id="three-below-chilling"),
        pytest.param("AM", ("potato_ware",), "WARN_LOW", 200, id="AM-two-below-the-band"),
        pytest.param("AM", ("potato_ware",), "CRIT_LOW", -100, id="AM-five-below-the-band"),
    ],
)
def test_goods_move_the_low_limits(
    profile: str, commodities: tuple[str, ...], code: str, low: int
) -> None:
    found = limit(code, profile, *commodities)

    assert found is not None
    assert found.low == low


@pytest.mark.parametrize("profile", ["CU", "FI"])
def test_without_goods_these_profiles_know_no_freezing_point(profile: str) -> None:
    assert limit("CRIT_FREEZE", profile) is None


def test_the_danger_band_begins_at_the_lowest_of_the_goods() -> None:
    peach = limit("WARN_DANGER_BAND", "PS", "peach")
    both = limit("WARN_DANGER_BAND", "PS", "peach", "persimmon")

    assert peach is not None
    assert both is not None
    assert (peach.high, both.high) == (220, 200)


def test_frost_by_the_who_rule_is_inclusive() -> None:
    found = limit("WHO_FREEZE", "VX")

    assert found is not None
    assert (found.low, found.clear_low) == (-49, 0)  # -0.50 lies below, -0.49 does not


def test_the_same_limits_have_the_same_name_and_others_another() -> None:
    name = resolve(rule("SB")).name

    assert resolve(rule("SB", WARN_HIGH={"limit_c": 4.0})).name == name
    assert resolve(rule("SB", WARN_HIGH={"limit_c": 4.01})).name != name


@pytest.mark.parametrize(
    ("field", "made"),
    [
        pytest.param("profile", rule("XX"), id="unknown-profile"),
        pytest.param("commodities[1]", rule("SB", "broccoli", "unicorn"), id="unknown-goods"),
        pytest.param("commodities", rule("CU", "cucumber", "broccoli"), id="bands-do-not-meet"),
        pytest.param("commodities", rule("AM"), id="AM-without-goods"),
        pytest.param("interval_s", rule("SB", interval_s=5), id="interval-too-short"),
        pytest.param("interval_s", rule("FT", interval_s=600), id="profile-delay-too-short"),
        pytest.param(
            "overrides.WARN_HIGH.delay_min",
            rule("SB", WARN_HIGH={"delay_min": 3}),
            id="delay-below-an-interval",
        ),
        pytest.param(
            "overrides.WARN_HIGH.delay_min",
            rule("SB", WARN_HIGH={"delay_min": -1}),
            id="negative-delay",
        ),
        pytest.param(
            "overrides.WARN_HIGH.limit_c", rule("SB", WARN_HIGH={"limit_c": "4"}), id="text"
        ),
        pytest.param(
            "overrides.WARN_HIGH.limit_c", rule("SB", WARN_HIGH={"limit_c": True}), id="boolean"
        ),
        pytest.param(
            "overrides.WARN_HIGH.limit_c",
            rule("SB", WARN_HIGH={"limit_c": 7.01}),
            id="warning-above-critical",
        ),
        pytest.param(
            "overrides.CRIT_HIGH.limit_c",
            rule("SB", CRIT_HIGH={"limit_c": 15.5}),
            id="critical-above-ceiling",
        ),
        pytest.param(
            "overrides.CEILING.limit_c",
            rule("FZ", CEILING={"limit_c": 101}),
            id="outside-the-physical-range",
        ),
        pytest.param(
            "overrides.WARN_LOW.limit_c",
            rule("SB", WARN_LOW={"limit_c": -0.9}),
            id="low-warning-below-frost",
        ),
        pytest.param(
            "overrides.WARN_HIGH.hysteresis_c",
            rule("SB", WARN_HIGH={"hysteresis_c": 0}),
            id="no-hysteresis",
        ),
        pytest.param(
            "overrides.CEILING.delay_min", rule("SB", CEILING={"delay_min": 5}), id="ceiling-delay"
        ),
        pytest.param("overrides.GSP_OUT", rule("VX", GSP_OUT={"limit_c": 9}), id="fixed"),
        pytest.param(
            "overrides.CRIT_CHILL_CUM", rule("CU", CRIT_CHILL_CUM={"delay_min": 60}), id="the-dose"
        ),
        pytest.param("overrides.WARN_CHILL", rule("SB", WARN_CHILL={}), id="not-of-the-profile"),
        pytest.param("overrides.defrost_total_min", rule("FZ", defrost_total_min=61), id="defrost"),
        pytest.param(
            "overrides.WARN_HIGH.limit", rule("SB", WARN_HIGH={"limit": 4}), id="unknown-field"
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(field: str, made: object) -> None:
    with pytest.raises(Impossible) as refused:
        resolve(made)  # type: ignore[arg-type]  # pytest.param loses the type

    assert refused.value.field == field


def test_bands_that_touch_meet() -> None:
    resolve(rule("SB", "sweet_cherry", "broccoli"))  # up to 0, from 0


def test_a_profile_delay_that_is_too_short_can_be_mended_by_an_override() -> None:
    resolve(rule("FT", interval_s=600, CRIT_HIGH={"delay_min": 10}))


def test_a_delay_of_exactly_one_interval_is_allowed_and_so_is_none() -> None:
    resolve(rule("SB", WARN_HIGH={"delay_min": 5}))
    resolve(rule("SB", WARN_HIGH={"delay_min": 0}))


def test_limits_are_in_order_when_their_counts_are() -> None:
    resolve(rule("SB", WARN_HIGH={"limit_c": 7.004}))  # 7.00, as is that of CRIT_HIGH
