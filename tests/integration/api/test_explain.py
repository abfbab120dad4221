"""Why it rings, why not: by program, by page and by command, over the small county."""

import json
import shutil
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.integration.api.browser import page, sign_in
from tests.integration.api.county import BEARER, served
from tests.support.console_county import HOUR_MS, MINUTE_MS, NOW_MS, settings_of
from tests.support.system import run_command


def asked(county: httpx.Client, room: str, at_ms: int | None = None) -> httpx.Response:
    fields = {} if at_ms is None else {"at": str(at_ms)}
    return county.get(f"/api/v1/rooms/{room}/explain", params=fields, headers=BEARER)


def rules(answer: httpx.Response) -> dict[str, dict[str, object]]:
    assert answer.status_code == 200, answer.text
    return {one["code"]: one for one in answer.json()["rules"]}


def test_a_program_learns_what_fires_with_limit_origin_and_sentence(county: httpx.Client) -> None:
    found = rules(asked(county, "berry"))

    warm = found["CRIT_HIGH"]
    assert warm["status"] == "firing"
    assert warm["limit"] == {
        "above": 7.0, "below": None, "inclusive": False, "delay_min": 30.0,
        "clears_at_most": 6.5, "clears_at_least": None,
    }  # fmt: skip
    assert warm["id"] == "SB.CRIT_HIGH"
    assert str(warm["en"]).startswith("Above 7.00 °C since ")
    assert "触发" in str(warm["zh"])
    freeze = found["CRIT_FREEZE"]
    assert (freeze["status"], freeze["commodity"]) == ("calm", "strawberry")


def test_what_fires_now_is_what_the_record_has_as_active(county: httpx.Client) -> None:
    for room in ("berry", "leaf", "cuke", "meat", "frozen", "peach", "van"):
        active = county.get(
            "/api/v1/alarms", params={"room": room, "active": "true"}, headers=BEARER
        ).json()["alarms"]
        firing = {c for c, one in rules(asked(county, room)).items() if one["status"] == "firing"}

        assert firing == {fact["code"] for fact in active}, room


def test_a_promised_moment_is_when_the_record_has_the_alarm(county: httpx.Client) -> None:
    fact = next(
        f
        for f in county.get("/api/v1/alarms", params={"room": "berry"}, headers=BEARER).json()["alarms"]
        if f["code"] == "CRIT_HIGH"
    )  # fmt: skip
    before = rules(asked(county, "berry", fact["fired_at_ms"] - 10 * MINUTE_MS))["CRIT_HIGH"]

    assert (before["status"], before["since_ms"], before["due_ms"]) == (
        "pending", fact["began_at_ms"], fact["fired_at_ms"],
    )  # fmt: skip


def test_an_empty_room_says_what_standby_switched_off(county: httpx.Client) -> None:
    ceiling = rules(asked(county, "van"))["CEILING"]

    assert ceiling["status"] == "off"
    assert [one["cause"] for one in ceiling["causes"]] == ["standby"]  # type: ignore[attr-defined] # decoded JSON


def test_before_anything_was_measured_nothing_is_called_calm(
    county: httpx.Client, person: httpx.Client
) -> None:
    days = 24 * HOUR_MS
    before_readings, before_rules = NOW_MS - 10 * days, NOW_MS - 21 * days

    (blind,) = asked(county, "berry", before_readings).json()["notes"]["en"]
    assert "does not mean that it was well" in blind
    notes = asked(county, "berry", before_rules).json()["notes"]
    assert [len(said) for said in notes.values()] == [2, 2]
    assert asked(county, "berry").json()["notes"] == {"zh": [], "en": []}
    silent = asked(county, "leaf").json()
    assert silent["notes"]["en"] == [], "it was measured once; now its rules have no data"
    assert rules(asked(county, "leaf"))["WARN_HIGH"]["status"] == "no_data"
    person.get("/language", params={"to": "zh"})
    text = page(person, f"/rooms/berry/explain?at={before_readings}")
    assert "不等于正常" in text
    assert "没有规则在告警或计时" not in text


def test_during_maintenance_every_rule_but_the_ceiling_says_that_it_is_off(
    own_county: httpx.Client,
) -> None:
    body = {"id": "m1", "kind": "maintenance_started", "at": NOW_MS - HOUR_MS, "by": "li",
            "detail": {"reason": "换风机"}}  # fmt: skip
    said = own_county.post("/api/v1/rooms/berry/actions", json=body, headers=BEARER)
    assert said.status_code == 201, said.text

    found = rules(asked(own_county, "berry"))
    of_samples = ("WARN_HIGH", "CRIT_HIGH", "CRIT_FREEZE", "DATA_GAP_WARN")
    assert {found[code]["status"] for code in of_samples} == {"off"}
    assert found["CEILING"]["status"] == "calm"
    assert found["CRIT_HIGH"]["causes"][0]["cause"] == "maintenance"  # type: ignore[index] # decoded JSON


def test_the_answer_without_facts_is_the_same(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "county"
    shutil.copytree(built, folder)
    with served(settings_of(folder)) as client:
        at_ms = NOW_MS - 7 * HOUR_MS
        kept = asked(client, "meat", at_ms).json()
    (folder / "facts.db").unlink()
    with served(settings_of(folder)) as client:
        assert asked(client, "meat", at_ms).json() == kept


@pytest.mark.parametrize(
    ("room", "at_ms", "status"), [("nowhere", None, 404), ("berry", NOW_MS + 1, 422)]
)
def test_what_cannot_be_explained_is_refused(
    county: httpx.Client, room: str, at_ms: int | None, status: int
) -> None:
    assert asked(county, room, at_ms).status_code == status


def test_a_silenced_rule_is_judged_and_says_that_nobody_is_told(own_county: httpx.Client) -> None:
    said = {"id": "s1", "room": "berry", "code": "WARN_HIGH", "reason": "probe moved", "hours": 2}
    answer = own_county.post("/api/v1/silences", json=said, headers=BEARER)
    assert answer.status_code == 201, answer.text

    found = asked(own_county, "berry")

    assert rules(found)["WARN_HIGH"]["status"] == "firing"
    (silence,) = found.json()["silences"]
    assert (silence["code"], silence["reason"]) == ("WARN_HIGH", "probe moved")
    with httpx.Client(base_url=own_county.base_url, timeout=20) as client:
        sign_in(client)
        client.get("/language", params={"to": "en"})
        assert "judged all the same, told to nobody" in page(client, "/rooms/berry/explain")


def test_an_alarm_says_why_it_was_raised(county: httpx.Client, person: httpx.Client) -> None:
    fact = county.get("/api/v1/alarms", params={"room": "meat"}, headers=BEARER).json()["alarms"][0]

    why = county.get(f"/api/v1/alarms/{fact['id']}", headers=BEARER).json()["why"]

    assert "fired at" in why["en"]
    person.get("/language", params={"to": "en"})
    text = page(person, f"/alarms/{fact['id']}")
    assert "Why it was raised" in text
    assert f"/rooms/meat/explain?at={fact['fired_at_ms']}" in text


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("room", ["berry", "leaf", "van", "frozen"])
def test_the_page_says_it_in_both_languages(person: httpx.Client, room: str, lang: str) -> None:
    person.get("/language", params={"to": lang})
    text = page(person, f"/rooms/{room}/explain")

    assert ("An alarm needs:" in text) == (lang == "en")
    assert ("触发条件：" in text) == (lang == "zh")
    assert len(text) < 80_000


def test_the_page_takes_a_forms_time_in_the_countys_own_zone(person: httpx.Client) -> None:
    person.get("/language", params={"to": "en"})
    text = page(person, "/rooms/berry/explain?at=2026-06-02T13%3A20")

    assert "Timer running" in text
    assert "It fires if it stays above 7.00 °C until 13:30." in text


def test_the_rooms_page_leads_to_the_explanation(person: httpx.Client) -> None:
    text = page(person, "/rooms/berry")

    assert 'href="/rooms/berry/explain"' in text
    assert 'data-why="/rooms/berry/explain"' in text


def test_a_stranger_is_sent_to_sign_in(county: httpx.Client) -> None:
    with httpx.Client(base_url=county.base_url) as stranger:
        assert stranger.get("/rooms/berry/explain").status_code == 303
        sign_in(stranger)
        assert stranger.get("/rooms/berry/explain").status_code == 200


command = partial(run_command, "explain")


@pytest.mark.parametrize("up", [True, False])
def test_the_command_answers_whether_the_api_runs_or_not(
    county: httpx.Client, data: Path, *, up: bool
) -> None:
    at = "2026-06-02T14:00:00+08:00"
    if up:
        with served(settings_of(data / "server")):
            done = command("berry", "--at", at, "--json", "--data", str(data))
    else:
        done = command("berry", "--at", at, "--json", "--data", str(data))

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == asked(county, "berry").json()


def test_the_command_prints_sentences(data: Path) -> None:
    at = "2026-06-02T05:20:00Z"
    done = command("berry", "--at", at, "--data", str(data), "--lang", "zh")

    assert done.returncode == 0, done.stderr
    assert "若持续到 13:30，则触发。" in done.stdout
    (warm,) = [line for line in done.stdout.splitlines() if "SB.CRIT_HIGH" in line]
    assert "温度严重偏高：" in warm


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(("nowhere",), 1, "there is no room 'nowhere'; there are: berry", id="room"),
        pytest.param(("berry", "--at", "soon"), 2, "--at: not an instant", id="no-instant"),
        pytest.param(("berry", "--at", "2099-01-01T00:00:00Z"), 1, "not happened", id="future"),
    ],
)
def test_the_command_says_what_it_cannot_answer(
    data: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = command(*arguments, "--data", str(data))

    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
