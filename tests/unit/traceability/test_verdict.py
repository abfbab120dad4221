"""pass, attention, fail, no data."""

from typing import Any

import pytest

from traceability.verdict import verdict

HOUR_MS = 3_600_000


def fact(code: str, level: str = "critical", disposition: str | None = None) -> dict[str, Any]:
    return {"id": "f1", "code": code, "level": level, "rule": "m1:r", "disposition": disposition}


def stay(*facts: dict[str, Any], unknown_ms: int = 0, n: int = 100) -> dict[str, Any]:
    return {
        "facts": facts, "series": [{"n": n}], "length_ms": 100 * HOUR_MS, "unknown_ms": unknown_ms,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stays", "expected"),
    [
        pytest.param([stay()], "pass", id="nothing-happened"),
        pytest.param([], "no data", id="never-in-a-room"),
        pytest.param([stay(fact("WARN_HIGH", "warning"))], "attention", id="warning"),
        pytest.param([stay(fact("CRIT_HIGH"))], "fail", id="critical"),
        pytest.param([stay(fact("CEILING"))], "fail", id="ceiling"),
        pytest.param([stay(fact("CRIT_HIGH", disposition="release"))], "attention", id="released"),
        pytest.param([stay(fact("CRIT_HIGH", disposition="destroy"))], "fail", id="destroyed"),
        pytest.param([stay(fact("POWER_LOSS_CRIT"))], "attention", id="power-is-not-the-goods"),
        pytest.param([stay(), stay(fact("CRIT_FREEZE"))], "fail", id="one-stay-is-enough"),
        pytest.param([stay(unknown_ms=5 * HOUR_MS)], "pass", id="five-percent-unknown"),
        pytest.param([stay(unknown_ms=5 * HOUR_MS + 1)], "attention", id="more-than-five"),
        pytest.param([stay(unknown_ms=50 * HOUR_MS)], "attention", id="half-unknown"),
        pytest.param([stay(unknown_ms=50 * HOUR_MS + 1)], "no data", id="more-than-half"),
        pytest.param(
            [stay(fact("CRIT_HIGH"), unknown_ms=99 * HOUR_MS)], "fail", id="known-bad-is-bad"
        ),
        pytest.param(
            [stay(), stay(n=0, unknown_ms=9 * HOUR_MS)], "attention", id="a-stay-without-readings"
        ),
    ],
)
def test_the_worst_of_what_is_known_decides(stays: list[dict[str, Any]], expected: str) -> None:
    assert verdict(stays, [])["verdict"] == expected


def test_papers_that_contradict_one_another_need_attention() -> None:
    assert verdict([stay()], [{"event_id": "e", "reason": "r"}])["verdict"] == "attention"


def test_each_reason_names_the_alarm_and_the_rule_behind_it() -> None:
    assert verdict([stay(), stay(fact("CRIT_HIGH"))], []) == {
        "verdict": "fail",
        "rule": "coldtrail-verdict-1",
        "reasons": [{"stay": 1, "because": "CRIT_HIGH", "fact": "f1", "rule": "m1:r"}],
    }
