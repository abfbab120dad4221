"""The week's report: what was switched off, left unanswered or open, and rules to reconsider."""

import json
import shutil
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.calibration import Papers
from domain.reading import ProbeId, RoomId, SiteId
from store.records import open_records
from tests.integration.api.browser import page, sign_in
from tests.integration.api.county import BEARER, data_folder, served
from tests.support.console_county import DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, settings_of
from tests.support.system import run_command

LAST, THIS = "2026-W22", "2026-W23"  # NOW_MS is the Tuesday of the second


@pytest.fixture(scope="module")
def folder(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small county after a week in which things were forgotten."""
    folder = tmp_path_factory.mktemp("weeks") / "county"
    shutil.copytree(built, folder)
    records = open_records(folder / "records.db")
    meat, peach = RoomId("meat"), RoomId("peach")
    for id, room, kind, days, detail in (
        ("m1", meat, "maintenance_started", 5.0, {"reason": "换风机"}),
        ("m2", meat, "maintenance_ended", 4.95, {}),
        ("m3", peach, "maintenance_started", 3.0, {"reason": "除冰"}),
        ("m4", meat, "maintenance_started", 1 / 24, {"reason": "查漏"}),
    ):
        at_ms = NOW_MS - int(days * DAY_MS)
        records.add_action(id, room, kind, at_ms, "li", detail, now_ms=at_ms)
    at_ms = NOW_MS - 4 * DAY_MS
    records.silence("s-1", meat, "WARN_HIGH", "换门帘", 2, by="li", now_ms=at_ms)
    for n, site in enumerate(("liu", "he")):
        records.start_drill(f"d-{n}", SiteId(site), by="schedule", now_ms=at_ms)
    records.answer_drill("d-0", at_ms + 5 * MINUTE_MS, "sms", by="li", now_ms=at_ms + 5 * MINUTE_MS)
    probe = ProbeId("ieee:00158d000peach0")
    papers = Papers(probe, NOW_MS - 9 * DAY_MS, "7", "C-7", date(2026, 6, 20), Decimal(0), 0)
    records.put_papers(papers, by="li", now_ms=NOW_MS - 9 * DAY_MS)
    records.close()
    return folder


@pytest.fixture(scope="module")
def county(folder: Path) -> Iterator[httpx.Client]:
    with served(settings_of(folder)) as client:
        yield client


def report(county: httpx.Client, **asked: str) -> dict[str, Any]:
    answer = county.get("/api/v1/reports/week", params=asked, headers=BEARER)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_maintenance_stands_in_the_week_with_reason_and_how_it_ended(county: httpx.Client) -> None:
    def listed(week: str) -> list[tuple[str, str, str, float]]:
        found = report(county, week=week)["maintenance"]
        return [(m["room"], m["reason"], m["end"], (m["to_ms"] - m["from_ms"]) / HOUR_MS)
                for m in found]  # fmt: skip

    assert listed(LAST) == [
        ("meat", "换风机", "said", pytest.approx(1.2)),
        ("peach", "除冰", "bound", 4.0),
    ]
    assert listed(THIS) == [("meat", "查漏", "running", 4.0)]


def test_silences_and_unanswered_drills_of_the_week_are_listed(county: httpx.Client) -> None:
    last = report(county, week=LAST)

    assert [(s["room"], s["reason"]) for s in last["silences"]] == [("meat", "换门帘")]
    assert (last["drills"]["held"], [d["site"] for d in last["drills"]["unanswered"]]) == (
        2, ["he"],
    )  # fmt: skip
    this = report(county, week=THIS)
    assert (this["silences"], this["drills"]["held"]) == ([], 0)


def test_open_cases_and_due_calibrations_are_as_of_now(county: httpx.Client) -> None:
    this = report(county, week=THIS)

    answer = county.get("/api/v1/cases", params={"open": "true"}, headers=BEARER).json()["cases"]
    assert {c["alarm"] for c in this["open_cases"]} == {c["id"] for c in answer} != set()
    fired = [c["fired_at_ms"] for c in this["open_cases"]]
    assert fired == sorted(fired), "what has waited longest comes first"
    (due,) = this["calibrations"]
    assert (due["room"], due["state"], due["due_on"]) == ("peach", "due", "2026-06-20")


def test_what_is_left_out_is_the_last_whole_week(county: httpx.Client) -> None:
    assert report(county)["week"] == LAST


def test_a_rule_called_false_twice_stands_in_the_week_of_the_second_time(folder: Path) -> None:
    copy = folder.with_name("false")
    shutil.copytree(folder, copy)
    with served(settings_of(copy)) as county:
        answer = county.get("/api/v1/alarms", params={"limit": 1000}, headers=BEARER)
        gaps = [f for f in answer.json()["alarms"]
                if (f["room"], f["code"]) == ("leaf", "DATA_GAP_WARN")][:2]  # fmt: skip
        assert report(county, week=THIS)["false_again"] == []
        for fact in gaps:
            said = {"cause": "false"}
            county.post(f"/api/v1/cases/{fact['id']}", json=said, headers=BEARER)

        (again,) = report(county, week=THIS)["false_again"]
        assert (again["room"], again["code"]) == ("leaf", "DATA_GAP_WARN")
        assert "DATA_GAP_WARN" in {one["code"] for one in report(county, week=THIS)["reconsider"]}


@pytest.mark.parametrize(
    ("lang", "words"),
    [("zh", ("检修", "换风机", "4 小时后自动结束")), ("en", ("Maintenance", "over by itself"))],
)
def test_the_page_is_there_in_both_languages_and_the_front_page_leads_to_it(
    county: httpx.Client, lang: str, words: tuple[str, ...]
) -> None:
    with httpx.Client(base_url=county.base_url) as person:
        sign_in(person)
        person.get("/language", params={"to": lang})

        text = page(person, f"/reports/week?week={LAST}")
        assert [word for word in words if word not in text] == []
        assert 'href="/reports/week"' in page(person, "/")


@pytest.mark.parametrize("week", ["2026-W54", "2026-22", "", "2030-W01"])
def test_what_is_no_week_or_not_begun_is_refused(county: httpx.Client, week: str) -> None:
    answer = county.get("/api/v1/reports/week", params={"week": week or "W"}, headers=BEARER)

    assert (answer.status_code, answer.json()["field"]) == (422, "week")


def test_the_command_says_what_the_program_learns(
    county: httpx.Client, folder: Path, tmp_path: Path
) -> None:
    data = data_folder(tmp_path / "data", folder)
    command = partial(run_command, "report", "week", "--data", str(data))

    done = command(LAST, "--json")
    assert done.returncode == 0, done.stderr
    found, wanted = json.loads(done.stdout), report(county, week=LAST)
    assert found["maintenance"] == wanted["maintenance"]
    assert found["silences"] == wanted["silences"]
    assert "换风机" in command(LAST, "--lang", "zh").stdout
    assert command("2026-W99").returncode == 2
