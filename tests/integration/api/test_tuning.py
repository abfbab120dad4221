"""Which rules earn their alarms: by program and by page."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from coldtrail.init import init_data
from tests.integration.api.browser import page, send
from tests.integration.api.county import BEARER
from tests.support.console_county import DAY_MS, NOW_MS
from tests.support.servers import free_port
from tests.support.system import run_command


def worth(county: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = county.get("/api/v1/tuning", params=asked, headers=BEARER)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def alarms(county: httpx.Client) -> list[dict[str, Any]]:
    answer = county.get("/api/v1/alarms", params={"limit": 1000}, headers=BEARER)
    found: list[dict[str, Any]] = answer.json()["alarms"]
    return found


def test_every_alarm_that_fired_is_counted_under_its_rule(county: httpx.Client) -> None:
    counts: dict[str, int] = {}
    for fact in alarms(county):
        counts[fact["code"]] = counts.get(fact["code"], 0) + 1

    assert {one["code"]: one["count"] for one in worth(county)["rules"]} == counts


def test_a_room_or_a_month_can_be_asked_for(county: httpx.Client) -> None:
    june, may = worth(county, month="2026-06"), worth(county, month="2026-05")

    assert may["to_ms"] == june["from_ms"]
    total = sum(one["count"] for one in [*june["rules"], *may["rules"]])
    assert total == len([f for f in alarms(county) if f["fired_at_ms"] >= may["from_ms"]])
    meat = worth(county, room="meat", **{"from": NOW_MS - 3 * DAY_MS})
    assert {one["rooms"] for one in meat["rules"]} == {1}


def test_causes_and_acknowledgements_are_in_the_figures(own_county: httpx.Client) -> None:
    fact = next(f for f in alarms(own_county) if f["code"] == "CRIT_HIGH" and f["room"] == "berry")
    ack = {"id": "a1", "kind": "ack", "at": fact["fired_at_ms"] + 240_000, "by": "li"}
    own_county.post("/api/v1/rooms/berry/actions", json=ack, headers=BEARER)
    own_county.post(f"/api/v1/cases/{fact['id']}", json={"cause": "door"}, headers=BEARER)

    (one,) = [r for r in worth(own_county, room="berry")["rules"] if r["code"] == "CRIT_HIGH"]
    assert (one["real"], one["acked"], one["to_ack_ms"]) == (1, 1, 240_000)
    assert one["to_answer_ms"] == 240_000
    assert one["real_share"] == 1.0


def test_a_rule_whose_alarms_nobody_explains_is_on_the_list(county: httpx.Client) -> None:
    listed = {one["code"]: one["why"] for one in worth(county)["reconsider"]}

    assert listed["WARN_HIGH"] == ["unnamed"]


def test_false_twice_asks_for_another_rule_where_it_happened(doer: httpx.Client) -> None:
    gaps = [f for f in alarms(doer) if (f["room"], f["code"]) == ("leaf", "DATA_GAP_WARN")]
    assert len(gaps) > 1
    for fact in gaps[:2]:
        send(doer, f"/alarms/{fact['id']}", f"/alarms/{fact['id']}/case", {"cause": "false"})

    listed = {one["code"]: one for one in worth(doer)["reconsider"]}
    assert listed["DATA_GAP_WARN"]["why"][0] == "false_again"
    assert [one["room"] for one in listed["DATA_GAP_WARN"]["again"]] == ["leaf"]
    doer.get("/language", params={"to": "en"})
    assert "Called false twice within 7 days in one room" in page(doer, "/tuning")
    assert "change the rule rather than mute it" in page(doer, f"/alarms/{gaps[0]['id']}")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_is_there_in_both_languages(person: httpx.Client, lang: str) -> None:
    person.get("/language", params={"to": lang})
    text = page(person, "/tuning?month=2026-06")

    assert {"zh": "需要重新考虑的规则", "en": "Rules to reconsider"}[lang] in text
    assert 'href="/tuning"' in page(person, "/alarms")


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        pytest.param({"month": "2026-13"}, 422, "month", id="no-month"),
        pytest.param({"month": "2026-05", "to": NOW_MS}, 422, "month", id="both"),
        pytest.param({"from": NOW_MS, "to": NOW_MS}, 422, "to", id="empty"),
        pytest.param({"room": "nowhere"}, 404, "room", id="room"),
    ],
)
def test_what_cannot_be_counted_is_refused(
    county: httpx.Client, asked: dict[str, Any], status: int, field: str
) -> None:
    answer = county.get("/api/v1/tuning", params=asked, headers=BEARER)

    assert (answer.status_code, answer.json()["field"]) == (status, field)


command = partial(run_command, "tuning")


def test_the_command_says_what_the_program_learns(county: httpx.Client, data: Path) -> None:
    here = ("--month", "2026-06", "--data", str(data))

    done, told = command(*here, "--json"), command(*here)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == worth(county, month="2026-06")
    assert "Rules to reconsider" in told.stdout


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        pytest.param("zh", "CRIT_HIGH（温度严重偏高）", id="zh"),
        pytest.param("en", "CRIT_HIGH (Far too warm)", id="en"),
    ],
)
def test_the_command_has_each_code_in_words(data: Path, lang: str, said: str) -> None:
    assert said in command("--month", "2026-06", "--lang", lang, "--data", str(data)).stdout


def test_the_command_refuses_what_is_no_month(tmp_path: Path) -> None:
    init_data(tmp_path / "data", port_base=free_port())
    done = command("--month", "June", "--data", str(tmp_path / "data"))

    assert (done.returncode, done.stderr) == (2, "--month: not a month: give YYYY-MM\n")


def test_a_room_that_averages_outside_its_band_says_so_as_advice(person: httpx.Client) -> None:
    person.get("/language", params={"to": "en"})

    assert "above the 4 °C that these goods are meant to be kept at" in page(person, "/rooms/van")
    assert "meant to be kept at" not in page(person, "/rooms/frozen")
