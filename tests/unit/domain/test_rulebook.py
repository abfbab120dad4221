"""Every rule says where it comes from, and the page says what the data says."""

from datetime import date

import pytest

from api.console.language import messages
from domain import faults, plant, power, precooling, room, staleness, suppression
from domain.message import _WORDS as WORDS
from domain.message import DRILL
from domain.profile import DEFROST_TOTAL_MIN, MINUTE_MS, PROFILES, resolve
from domain.room_sensors import STUCK_PRODUCT_MS
from domain.rulebook import STANDARDS, Origin, limit_rules, other_rules, rule_of
from tests.support.rule_tables import PAGE, rewritten
from tests.unit.domain.rooms import rule

ORIGINS = [
    *((rule.id, rule.origin) for rule in limit_rules().values()),
    *((rule.id, rule.origin) for rule in other_rules().values()),
]
DELAYS = {  # as the rules themselves have them, ms
    **{code: ms for code, _, ms in suppression.DOOR_RULES},
    **{code: ms for code, _, ms in room.LOADING_RULES},
    **{code: ms for code, _, ms in power.WARN},
    **{code: ms for code, _, ms in plant.NEVER_STOPS},
    "DEFROST_TOO_LONG": DEFROST_TOTAL_MIN * MINUTE_MS,
    "POWER_LOSS_CRIT": power.CRIT_LATEST_MS,
    "COMP_NO_START": plant.NO_START_MS,
    "PRECOOL_SLOW_CRIT": precooling.CRIT_LATER_MS,
    "SENSOR_DISAGREE": faults.DISAGREE_MS,
    "SENSOR_STUCK": STUCK_PRODUCT_MS // 4,
    "DATA_GAP_CRIT": staleness.CRITICAL_MS,
    "WARN_RH": 360 * MINUTE_MS,
}


@pytest.mark.parametrize(("id", "origin"), ORIGINS)
def test_every_rule_states_an_origin_and_how_far_it_is_trusted(id: str, origin: Origin) -> None:
    assert origin.source
    assert origin.confidence in ("verified", "memory", "choice")
    if origin.source == "own":
        assert not origin.standard
        # That chill is a dose is well known; the 24 h are ours.
        assert origin.confidence == "choice" or id == "CU.CRIT_CHILL_CUM"


@pytest.mark.parametrize(("id", "origin"), [(i, o) for i, o in ORIGINS if o.standard])
def test_no_rule_is_trusted_further_than_what_was_seen_of_its_standard(
    id: str, origin: Origin
) -> None:
    seen = [STANDARDS[key] for key in origin.standard]

    assert all(standard.designation in origin.source for standard in seen)
    if any(standard.confidence != "verified" for standard in seen):
        assert origin.confidence != "verified"


def test_every_limit_of_every_profile_has_an_id_and_a_date() -> None:
    found = {(r.profile, r.code) for r in limit_rules().values()}

    for profile in PROFILES:
        resolved = resolve(rule(profile, "potato_ware"))
        codes = {limit.code for limit in resolved.limits}
        codes |= {resolved.chilling.code} if resolved.chilling else set()
        assert {(profile, code) for code in codes} <= found
    assert {r.effective for r in limit_rules().values()} == {date(2026, 1, 1)}


def test_whatever_a_person_may_be_told_of_is_a_rule_with_an_origin() -> None:
    codes = {r.code for r in limit_rules().values()} | set(other_rules())

    assert set(WORDS) - {DRILL} <= codes
    assert rule_of("SB", "WARN_HIGH") == limit_rules()["SB.WARN_HIGH"]
    assert rule_of("SB", "DOOR_OPEN_CRIT") == other_rules()["DOOR_OPEN_CRIT"]


@pytest.mark.parametrize("code", DELAYS)
def test_the_delay_that_is_stated_is_the_delay_that_runs(code: str) -> None:
    assert other_rules()[code].after_min * MINUTE_MS == DELAYS[code]


def test_the_page_of_the_rules_is_the_data_of_the_rules() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert rewritten(page) == page  # renew it: python -m tests.support.rule_tables
    assert "complies with" not in page.replace('nothing here says "complies with"', "")


def test_every_advice_that_has_words_is_a_rule_with_an_origin() -> None:
    words = {key.partition(".")[2] for key in messages("zh") if key.startswith("advice.")}
    advice = {rule.code for rule in other_rules().values() if rule.level == "advice"}

    for code in advice:
        assert any(word.startswith(f"{code}_") for word in words), code
    for word in words - {"title", "why"}:
        assert any(word.startswith(f"{code}_") for code in advice), word
