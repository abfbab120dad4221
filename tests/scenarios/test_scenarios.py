"""The acceptance cases: what a replay must print, in any order of arrival."""

import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coldtrail.case import Faulty, parse_case
from coldtrail.replay import retrace

CASES = sorted(Path(__file__).parent.glob("*.json"))
FACTS = ("alarms", "pauses", "flagged")
TOLD = ("at", "to", "channel", "kind", "codes")


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    return found


def replayed(case: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(retrace(parse_case(case)))
    found: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return found


def told(notices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    heard = [n for n in notices if n["channel"] in ("sms", "voice")]
    bare = [{**{key: n[key] for key in TOLD}, "codes": sorted(n["codes"])} for n in heard]
    return sorted(bare, key=repr)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_replay_prints_what_the_case_expects(path: Path) -> None:
    case = load(path)
    expected = case["expect"]
    if "refused" in expected:
        with pytest.raises(Faulty, match=expected["refused"]):
            parse_case(case)
        return

    found = replayed(case)

    for key in FACTS:
        assert found[key] == expected[key]
    if "notices" in expected:
        assert told(found["notices"]) == told(expected["notices"])
        texts = {(n["at"], n["to"], n["kind"]): n["text"] for n in found["notices"]}
        for notice in expected["notices"]:
            text = texts[notice["at"], notice["to"], notice["kind"]]
            assert len(text) <= notice.get("text_max", 10_000)
            assert all(part in text for part in notice.get("text_contains", ()))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_order_of_arrival_changes_no_fact(path: Path) -> None:
    case = load(path)
    if "refused" in case["expect"]:
        pytest.skip("refused in any order")
    case.pop("contacts", None)  # what is told depends on arrival, by its nature
    expected = {key: replayed(case)[key] for key in FACTS}
    rnd = random.Random(path.stem)  # noqa: S311 - an order of arrival, no secret
    for _ in range(3):
        rows = case["readings"] + rnd.sample(case["readings"], len(case["readings"]) // 5)
        rnd.shuffle(rows)

        found = replayed({**case, "readings": rows})

        assert {key: found[key] for key in FACTS} == expected
