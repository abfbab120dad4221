"""The tables of docs/alarms.md that name every rule, made from the rules' data.

``python -m tests.support.rule_tables`` writes them anew; a test tells when they have gone stale.
"""

from pathlib import Path

from domain.profile import HYSTERESIS_C
from domain.rulebook import LimitRule, Origin, limit_rules, other_rules
from domain.suppression import paused_by

PAGE = Path(__file__).resolve().parents[2] / "docs" / "alarms.md"
ORIGINS = {"own": "ours"}
PROPERTIES = {
    "freezing_point": "freezing point",
    "chilling_threshold": "chilling threshold",
    "danger_band": "danger band",
    "band_min": "band minimum",
    "band_max": "band maximum",
}


def limits_table() -> str:
    lines = [
        "| profile | code | fires when | for | clears at | paused by | origin | confidence |",
        "|---|---|---|---|---|---|---|---|",
    ]
    profile = ""
    for rule in limit_rules().values():
        first = f"**{rule.profile}**" if rule.profile != profile else ""
        profile = rule.profile
        star = "*" if rule.fixed else ""
        cells = (
            first, f"`{rule.code}`{star}", _fires(rule), _delay(rule), _clears(rule), _paused(rule),
            _origin(rule.origin), rule.origin.confidence,
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def others_table() -> str:
    lines = [
        "| code | level | fires when | clears when | origin | confidence |",
        "|---|---|---|---|---|---|",
    ]
    for rule in other_rules().values():
        only = f". {' '.join(rule.profiles)}" if rule.profiles else ""
        level = {"either": "warning or critical"}.get(rule.level, rule.level)
        cells = (
            f"`{rule.code}`", level, rule.fires_en + only, rule.clears_en,
            _origin(rule.origin), rule.origin.confidence,
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _bound(rule: LimitRule, value: float | str) -> str:
    if not isinstance(value, str):
        return _number(value)
    text = PROPERTIES[value]
    if rule.otherwise is not None:
        text += f" (else {_number(rule.otherwise)})"
    if rule.offset:
        text += f" {'+' if rule.offset > 0 else '−'} {_number(abs(rule.offset))}"
    return text


def _fires(rule: LimitRule) -> str:
    said = []
    if rule.above is not None:
        said.append(f"> {_bound(rule, rule.above)}")
    if rule.below is not None:
        said.append(f"{'≤' if rule.inclusive else '<'} {_bound(rule, rule.below)}")
    return " or ".join(said)


def _delay(rule: LimitRule) -> str:
    if rule.code == "CRIT_CHILL_CUM":
        return f"{rule.delay_min // 60} h in all"
    if not rule.delay_min:
        return "at once"
    return f"{rule.delay_min // 60} h" if rule.delay_min % 60 == 0 and rule.delay_min > 60 else (
        f"{rule.delay_min} min"
    )  # fmt: skip


def _clears(rule: LimitRule) -> str:
    if rule.code == "WHO_FREEZE":
        return "≥ 0"
    if rule.code == "GSP_OUT":
        return "2.5 to 7.5"
    side = "≤ limit −" if rule.above is not None else "≥ limit +"
    return f"{side} {HYSTERESIS_C}"


def _paused(rule: LimitRule) -> str:
    return ", ".join(c for c in ("door", "defrost", "loading") if c in paused_by(rule.code)) or (
        "nothing"
    )


def _origin(origin: Origin) -> str:
    said = ORIGINS.get(origin.source, origin.source)
    return f"{said}, {origin.clause}" if origin.clause else said


def rewritten(page: str) -> str:
    for name, table in (("limits", limits_table()), ("others", others_table())):
        begin, end = (
            f"<!-- {name}: made by tests/support/rule_tables.py -->",
            f"<!-- {name} end -->",
        )
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n\n{table}\n\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
