"""pass, attention, fail or no data: what a lot's record amounts to, and why.

A function of what the certificate itself shows, so that whoever holds it can judge again.
``coldtrail-verdict-1``:

- *fail*: in some stay a critical alarm of temperature, unless its case was closed for this
  lot with "release";
- *no data*: no stay, or less than half of the time in rooms is known;
- *attention*: any other alarm during a stay, a released critical one, less than 95 % of
  the time known, a stay without readings, or papers that contradict one another;
- *pass*: none of these.
"""

from collections.abc import Mapping, Sequence
from typing import Any

RULE = "coldtrail-verdict-1"
LEAST_KNOWN_PERMILLE = 500
PASS_KNOWN_PERMILLE = 950
GOODS_CODES = frozenset(
    {"CRIT_HIGH", "CRIT_LOW", "CRIT_FREEZE", "CRIT_CHILL_CUM", "CEILING", "WHO_HEAT", "WHO_FREEZE"}
)


def verdict(
    stays: Sequence[Mapping[str, Any]], contradictions: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """``stays`` and ``contradictions`` as a certificate has them."""
    reasons: list[dict[str, Any]] = []
    worst = "pass"
    for number, stay in enumerate(stays):
        for fact in stay["facts"]:
            severity, why = _of_fact(fact)
            worst = _worse(worst, severity)
            reasons.append(
                {"stay": number, "because": why, "fact": fact["id"], "rule": fact["rule"]}
            )
        if not any(series["n"] for series in stay["series"]):
            worst = _worse(worst, "attention")
            reasons.append({"stay": number, "because": "no readings"})
    if contradictions:
        worst = _worse(worst, "attention")
        reasons.append({"because": f"{len(contradictions)} contradiction(s) in the journey"})
    length_ms = sum(stay["length_ms"] for stay in stays)
    known_ms = length_ms - sum(stay["unknown_ms"] for stay in stays)
    if known_ms * 1000 < LEAST_KNOWN_PERMILLE * length_ms or not length_ms:
        worst = _worse(worst, "no data")
        reasons.append({"because": "less than half of the time is known"})
    elif known_ms * 1000 < PASS_KNOWN_PERMILLE * length_ms:
        worst = _worse(worst, "attention")
        reasons.append({"because": "less than 95 % of the time is known"})
    return {"verdict": worst, "rule": RULE, "reasons": reasons}


_ORDER = ("pass", "attention", "no data", "fail")


def _worse(one: str, other: str) -> str:
    return max(one, other, key=_ORDER.index)


def _of_fact(fact: Mapping[str, Any]) -> tuple[str, str]:
    if fact["level"] != "critical" or fact["code"] not in GOODS_CODES:
        return "attention", str(fact["code"])
    if fact["disposition"] == "release":
        return "attention", f"{fact['code']}, released"
    return "fail", str(fact["code"])
