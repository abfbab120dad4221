"""A rule tried on what is stored: by program, by page and by command. Nothing is written."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.api.browser import page, send
from tests.integration.api.county import BEARER
from tests.support.console_county import DAY_MS, NOW_MS
from tests.support.system import run_command

SPAN = {"from": NOW_MS - 3 * DAY_MS, "to": NOW_MS}


def tried(county: httpx.Client, **asked: Any) -> httpx.Response:
    return county.post("/api/v1/dry-run", json=SPAN | asked, headers=BEARER)


def changes(answer: httpx.Response) -> list[tuple[str, str, str]]:
    assert answer.status_code == 200, answer.text
    return [
        (room["room"], change["kind"], change["code"])
        for room in answer.json()["rooms"]
        for change in room["changes"]
    ]


def test_the_rule_that_is_in_force_makes_no_difference_in_any_room(county: httpx.Client) -> None:
    answer = tried(county)

    assert changes(answer) == []
    assert {room["room"] for room in answer.json()["rooms"]} >= {"berry", "meat", "van"}


def test_what_is_judged_as_it_was_is_what_the_record_has(county: httpx.Client) -> None:
    for room in tried(county).json()["rooms"]:
        recorded = county.get(
            "/api/v1/alarms",
            params={"room": room["room"], "from": SPAN["from"], "limit": 1000},
            headers=BEARER,
        ).json()["alarms"]
        counts: dict[str, int] = {}
        for fact in recorded:
            counts[fact["code"]] = counts.get(fact["code"], 0) + 1

        assert counts == room["before"], room["room"]


def test_a_longer_delay_loses_and_moves_alarms_and_names_those_in_the_record(
    county: httpx.Client,
) -> None:
    answer = tried(county, rooms=["meat"], also={"WARN_HIGH": {"delay_min": 60}})

    assert changes(answer) == [("meat", "moved", "WARN_HIGH")]
    (change,) = answer.json()["rooms"][0]["changes"]
    assert change["later_min"] > 0
    fact = county.get(f"/api/v1/alarms/{change['alarm']}", headers=BEARER).json()["versions"][-1]
    assert fact["fired_at_ms"] == change["before"]["fired_at_ms"]
    assert answer.json()["rooms"][0]["proposal"]["overrides"] == {"WARN_HIGH": {"delay_min": 60}}


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        pytest.param({"rooms": ["nowhere"]}, 404, "rooms", id="room"),
        pytest.param({"rooms": ["meat"], "profile": "XX"}, 422, "profile", id="profile"),
        pytest.param(
            {"rooms": ["meat"], "also": {"WARN_HIGH": {"delay_min": 1}}}, 422,
            "overrides.WARN_HIGH.delay_min", id="delay",
        ),
        pytest.param({"from": NOW_MS, "to": NOW_MS}, 422, "to", id="span"),
        pytest.param({"limit": 1}, 422, "limit", id="unknown"),
        pytest.param({"rooms": ["meat"] * 101}, 413, "rooms", id="too-many"),
    ],
)  # fmt: skip
def test_what_cannot_be_tried_is_refused_with_its_field(
    county: httpx.Client, asked: dict[str, Any], status: int, field: str
) -> None:
    answer = tried(county, **asked)

    assert (answer.status_code, answer.json()["field"]) == (status, field)


def test_of_all_rooms_those_that_cannot_have_the_rule_are_named(county: httpx.Client) -> None:
    answer = tried(county, also={"WARN_DANGER_BAND": {"limit_c": 1.5}})

    assert {one["room"] for one in answer.json()["refused"]} >= {"berry", "meat"}
    assert "peach" in {one["room"] for one in answer.json()["rooms"]}


def test_trying_writes_nothing(county: httpx.Client) -> None:
    before = county.get("/api/v1/rooms/meat", headers=BEARER).json()["rules"]
    tried(county, rooms=["meat"], also={"WARN_HIGH": {"limit_c": 3}})

    assert county.get("/api/v1/rooms/meat", headers=BEARER).json()["rules"] == before


FORM = "/rooms/meat/try?days=7&which=this&profile=MT&interval_s=300&delay_min:WARN_HIGH=60"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_shows_the_difference(person: httpx.Client, lang: str) -> None:
    person.get("/language", params={"to": lang})
    text = page(person, FORM)

    assert {"zh": "移动", "en": "moved"}[lang] in text
    assert {"zh": "晚 40 分钟", "en": "40 min later"}[lang] in text
    assert "Traceback" not in text


def test_the_page_names_the_limit_that_cannot_be(person: httpx.Client) -> None:
    text = page(person, FORM.replace("=60", "=3"), 422)

    assert "overrides.WARN_HIGH.delay_min" in text
    assert 'value="3"' in text  # what was typed is still there


def test_what_was_tried_can_be_put_in_force_for_the_room(doer: httpx.Client) -> None:
    fields = {"profile": "MT", "interval_s": "300", "delay_min:WARN_HIGH": "60", "days": "7"}
    send(doer, FORM, "/rooms/meat/try", fields)

    rules = doer.get("/api/v1/rooms/meat", headers=BEARER).json()["rules"]
    assert rules[-1]["overrides"] == {"WARN_HIGH": {"delay_min": 60.0}}
    assert rules[-1]["from_ms"] == NOW_MS


# --- by command


command = partial(run_command, "dry-run")
TO = ("--from", str(SPAN["from"]), "--to", str(SPAN["to"]))


def test_the_command_says_what_the_program_learns(county: httpx.Client, data: Path) -> None:
    done = command(*TO, "--set", "WARN_HIGH.delay_min=60", "--json", "--data", str(data))

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == tried(county, also={"WARN_HIGH": {"delay_min": 60}}).json()


def test_the_command_prints_what_differs_and_a_sum(data: Path) -> None:
    done = command("meat", "leaf", *TO, "--set", "WARN_HIGH.delay_min=60", "--data", str(data))

    assert done.returncode == 0, done.stderr
    assert "WARN_HIGH (Too warm) +40 min" in done.stdout
    assert "moved" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(("nowhere",), 1, "there is no room 'nowhere'", id="room"),
        pytest.param(("meat", "--set", "WARN_HIGH"), 2, "CODE.FIELD=NUMBER", id="set"),
        pytest.param(
            ("meat", "--set", "WARN_HIGH.delay_min=1"), 1, "overrides.WARN_HIGH.delay_min",
            id="delay",
        ),
        pytest.param(("--from", "later"), 2, "not an instant", id="from"),
    ],
)  # fmt: skip
def test_the_command_says_what_cannot_be_tried(
    data: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = command(*arguments, "--data", str(data))

    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
