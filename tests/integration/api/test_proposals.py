"""What would spare a room its alarms for nothing: by program, by page and by command."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

import alerts.service
from alerts.settings import Settings as AlertsSettings
from domain.reading import ProbeId, RoomId, SiteId
from store.connect import open_readings
from store.errors import NotReady
from store.facts import open_facts_reader
from store.records import open_records_reader
from store.records.ports import Region, Room, Site
from tests.integration.api.browser import page, send, sign_in
from tests.integration.api.county import BEARER, data_folder, served
from tests.support.console_county import (
    DAY_MS,
    NOW_MS,
    TOKEN,
    Builder,
    line,
    settings_of,
    wave,
    while_running,
)
from tests.support.system import run_command

PROBE = "ieee:00158d00cold0"
DOORS_D = (25, 20, 15)  # days ago: the air of an opening went to 17 degC


def build(folder: Path) -> None:
    """A room of thirty days whose ceiling rang three times, and one that is too young."""
    b = Builder(folder)
    b.records.put_region(Region("qing", None, "county", "青禾县", "Qinghe county"), **b.said)
    site = Site(SiteId("liu"), "qing", "village-point", "柳林村冷库", "Liulin village store", None)
    b.records.put_site(site, **b.said)
    rows: list[tuple[int, float]] = []
    since_h = 30.0 * 24
    for day in DOORS_D:
        h = day * 24.0
        rows += wave(1.2, 3.0, since_h, h)
        rows += line([(h, 3.0), (h - 0.25, 17.0), (h - 0.3, 17.2), (h - 0.55, 3.0)])
        since_h = h - 0.55
    b.place("cold", "liu", "一号间", "Room 1")
    since_ms = NOW_MS - 40 * DAY_MS
    room = RoomId("cold")
    b.records.add_rule(room, since_ms, "SB", ["strawberry"], 300, {}, by="init", now_ms=since_ms)
    b.records.assign(ProbeId(PROBE), room, since_ms, by="init", now_ms=since_ms)
    b.arrive(PROBE, "temperature", sorted(dict(rows + wave(1.2, 3.0, since_h)).items()))
    b.records.put_room(Room(RoomId("new"), SiteId("liu"), "chilled", "新间", "New room"), **b.said)
    b.rule("new", "SB")
    b.done()
    settings = settings_of(folder)
    Path(settings.admin_token_file).write_text(TOKEN)
    told = AlertsSettings(
        readings_path=settings.readings_path, records_path=settings.records_path,
        facts_path=settings.facts_path, notices_path=settings.notices_path, sms_url="log:",
        sms_password_file="", api_url="http://127.0.0.1:9",
        api_token_file=settings.admin_token_file, tell_from_ms=NOW_MS,
    )  # fmt: skip
    while_running(
        lambda stop: alerts.service.run(told, now_ms=lambda: NOW_MS, stop=stop),
        lambda: judged(folder),
    )


def judged(folder: Path) -> bool:
    with (
        closing(open_readings(folder / "readings.db", write=False)) as readings,
        closing(open_records_reader(folder / "records.db")) as records,
    ):
        head = (readings.last_arrival(), records.last_change())
    try:
        with closing(open_facts_reader(folder / "facts.db")) as facts:
            return facts.cursor() == head
    except NotReady:
        return False


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("proposals")
    build(made)
    with served(settings_of(made)) as client:
        for fact in ceilings(client):
            said = {"cause": "door"}
            client.post(f"/api/v1/cases/{fact['id']}", json=said, headers=BEARER)
    return made


@pytest.fixture
def client(folder: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    shutil.copytree(folder, tmp_path / "own")
    with served(settings_of(tmp_path / "own")) as found:
        yield found


def ceilings(client: httpx.Client) -> list[dict[str, Any]]:
    found = client.get("/api/v1/alarms", params={"limit": 100}, headers=BEARER).json()["alarms"]
    assert {fact["code"] for fact in found} == {"CEILING"}
    return list(found)


def proposals(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = client.get("/api/v1/tuning/proposals", params=asked, headers=BEARER)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def held(client: httpx.Client) -> Any:
    """The overrides in force."""
    asked = {"rooms": ["cold"], "from": NOW_MS - DAY_MS}
    answer = client.post("/api/v1/dry-run", json=asked, headers=BEARER)
    return answer.json()["rooms"][0]["held"]["overrides"]


def test_what_people_called_a_door_three_times_gives_a_proposal_and_changes_nothing(
    client: httpx.Client,
) -> None:
    (room,) = proposals(client)["rooms"]

    assert room["room"] == "cold"
    assert room["held"]["overrides"] == {}
    assert room["proposal"]["overrides"] == {"CEILING": {"limit_c": 19.0}}
    assert room["why"] == [
        {"code": "CEILING", "field": "limit_c", "before": 15.0, "after": 19.0, "rang": 3,
         "spared": 3}
    ]  # fmt: skip
    assert [(c["kind"], c["code"], c["cause"]) for c in room["changes"]] == [
        ("lost", "CEILING", "door")
    ] * 3
    assert held(client) == {}


def test_one_real_cause_among_them_is_enough_to_propose_nothing_and_is_named(
    client: httpx.Client,
) -> None:
    fact = ceilings(client)[0]["id"]
    client.post(f"/api/v1/cases/{fact}", json={"cause": "equipment"}, headers=BEARER)

    found = proposals(client, room="cold")
    assert found["rooms"] == []
    ((alarm,),) = [one["alarms"] for one in found["forbidden"]]
    assert (alarm["id"], alarm["code"], alarm["cause"]) == (fact, "CEILING", "equipment")
    sign_in(client)
    client.get("/language", params={"to": "en"})
    text = page(client, "/rooms/cold/proposal")
    assert "If a cause was named by mistake" in text
    assert f'href="/alarms/{fact}"' in text


def test_a_person_accepts_it_on_the_rooms_page_and_the_rule_holds(client: httpx.Client) -> None:
    sign_in(client)
    client.get("/language", params={"to": "en"})
    assert 'href="/rooms/cold/proposal"' in page(client, "/tuning")
    text = page(client, "/rooms/cold/proposal")
    assert "would have spared 3 of 3 alarms for nothing" in text

    fields = {"profile": "SB", "interval_s": "300", "commodities": "strawberry",
              "limit_c:CEILING": "19"}  # fmt: skip
    for name, value in fields.items():
        assert f'name="{name}" value="{value}"' in text
    send(client, "/rooms/cold/proposal", "/rooms/cold/try", fields)

    assert held(client) == {"CEILING": {"limit_c": 19.0}}
    assert proposals(client, room="cold")["rooms"] == []  # what rang before it says no more


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_room_without_one_says_why(client: httpx.Client, lang: str) -> None:
    sign_in(client)
    client.get("/language", params={"to": lang})

    said = {"zh": "数据不足 14 天", "en": "fewer than 14 days of data"}[lang]
    assert said in page(client, "/rooms/new/proposal")


def test_an_unknown_room_is_refused(client: httpx.Client) -> None:
    asked = {"room": "nowhere"}
    answer = client.get("/api/v1/tuning/proposals", params=asked, headers=BEARER)

    assert (answer.status_code, answer.json()["field"]) == (404, "room")
    assert client.get("/rooms/nowhere/proposal", headers=BEARER).status_code == 404


def command(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command("tuning", *arguments, "--data", str(data))


def test_the_command_says_what_the_program_learns(
    client: httpx.Client, folder: Path, tmp_path: Path
) -> None:
    data = data_folder(tmp_path / "data", folder)
    may = proposals(client, month="2026-05")["rooms"]

    done = command(data, "--propose", "cold", "--month", "2026-05", "--json")
    everywhere = command(data, "--all", "--month", "2026-05")
    unknown = command(data, "--propose", "nowhere")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rooms"] == may
    assert "CEILING (Above the ceiling) Limit °C: 15 → 19" in everywhere.stdout
    assert (unknown.returncode, "there is no room 'nowhere'" in unknown.stderr) == (1, True)
