"""The console and the buyer's page as a browser without JavaScript meets them."""

import contextlib
import json
import re
import shutil
from pathlib import Path

import httpx
import pytest

from store.notices import open_notices
from tests.integration.api.browser import page, send, sign_in
from tests.integration.api.county import BEARER, empty, served
from tests.support.console_county import CODE, HOUR_MS, NOW_MS, TOKEN, settings_of
from traceability.certificate import Verified, verify

PAGES = ("/", "/alarms", "/alarms?which=over&room=meat", "/cases", "/cases?which=closed", "/silences", "/drills", "/people",
         "/rooms/berry/ladder", "/lots", "/lots/lot-berry", "/probes", "/pipeline",
         "/api/docs", "/sites/liu", "/regions/qing", "/rooms/berry", "/rooms/berry?span=7d", "/rooms/leaf?span=14d",
         "/rooms/berry/explain", "/rooms/berry/try", "/rooms/berry/proposal", "/tuning",
         "/reports/week?week=2026-W23")  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_page_behind_sign_in_sends_a_stranger_to_sign_in(county: httpx.Client, path: str) -> None:
    with httpx.Client(base_url=county.base_url) as stranger:
        answer = stranger.get(path)

    assert (answer.status_code, answer.headers["location"]) == (303, "/signin")


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_there_in_both_languages(person: httpx.Client, path: str, lang: str) -> None:
    person.get("/language", params={"to": lang})
    answer = person.get(path)

    assert answer.status_code == 200
    assert f'<html lang="{"zh-CN" if lang == "zh" else "en"}">' in answer.text
    assert len(answer.content) < 80_000
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_wrong_token_is_refused(county: httpx.Client) -> None:
    with httpx.Client(base_url=county.base_url) as stranger:
        assert stranger.post("/signin", data={"token": "guess"}).status_code == 403
        assert stranger.get("/signin", params={"token": "guess"}).status_code == 403
        assert stranger.get("/").status_code == 303


def test_the_session_cookie_is_for_the_server_alone(county: httpx.Client) -> None:
    with httpx.Client(base_url=county.base_url) as client:
        cookie = client.post("/signin", data={"token": TOKEN}).headers["set-cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert TOKEN not in cookie


def test_a_one_time_link_signs_in_once(county: httpx.Client) -> None:
    link = county.post("/api/v1/signin-links", headers=BEARER).json()["url"]
    with httpx.Client() as first, httpx.Client() as second:
        assert first.get(link).status_code == 303
        assert second.get(link).status_code == 403


def test_another_sites_form_changes_nothing(doer: httpx.Client) -> None:
    answer = doer.post("/rooms/berry/actions", data={"kind": "standby_started"})
    assert answer.status_code == 403
    answer = doer.post("/api/v1/rooms/berry/actions", json={"id": "x", "kind": "ack"})
    assert answer.status_code == 401


def test_what_needs_me_comes_first_and_in_order(person: httpx.Client) -> None:
    text = page(person, "/?lang=en")

    order = [text.index(words) for words in
             ("Active alarms", "Far too warm", "Open cases", "Past excursions", "All rooms")]  # fmt: skip
    assert order == sorted(order)


def test_a_silent_alarm_says_why(person: httpx.Client) -> None:
    assert "on standby (empty) since" in page(person, "/rooms/van?lang=en")


def test_an_alarm_is_acknowledged_and_its_case_closed(doer: httpx.Client) -> None:
    alarms = doer.get("/api/v1/alarms", params={"room": "berry"}, headers=BEARER).json()["alarms"]
    fact = next(one["id"] for one in alarms if one["code"] == "CRIT_HIGH")
    here = f"/alarms/{fact}"

    assert "Acknowledged by admin" in send(doer, f"{here}?lang=en", f"{here}/ack", {}) or (
        "admin" in page(doer, here)
    )
    said = {"cause": "door", "action": "closed it", "lot:lot-berry": "sort", "close": "1"}
    send(doer, here, f"{here}/case", said)

    cases = doer.get("/api/v1/cases", params={"room": "berry"}, headers=BEARER).json()["cases"]
    case = next(one for one in cases if one["id"] == fact)
    assert not case["open"]
    assert case["said"]["cause"] == "door"
    assert case["said"]["disposition"] == {"lot-berry": "sort"}


def test_a_past_excursion_is_seen_once(doer: httpx.Client) -> None:
    before = page(doer, "/?lang=en")
    facts = re.findall(r'name="fact" value="([^"]+)"', before)
    assert facts

    mark = re.search(r'name="mark" value="([0-9a-f]+)"', before)
    assert mark is not None
    doer.post("/seen", data={"mark": mark[1], "fact": facts})

    assert "Past excursions" not in page(doer, "/?lang=en")


def test_the_room_is_told_what_goes_on(doer: httpx.Client) -> None:
    text = send(doer, "/rooms/peach", "/rooms/peach/actions", {"kind": "loading_started"})

    assert 'value="loading_ended"' in text
    assert 'value="loading_started"' not in text


def test_maintenance_without_a_reason_is_refused_and_with_one_it_begins(doer: httpx.Client) -> None:
    doer.get("/language", params={"to": "en"})
    start = {"kind": "maintenance_started", "reason": "  "}
    mark = re.search(r'name="mark" value="([0-9a-f]+)"', page(doer, "/rooms/peach"))
    assert mark is not None
    answer = doer.post("/rooms/peach/actions", data={"mark": mark[1], **start})

    assert answer.status_code == 422
    assert "<b>Reason</b>: say why" in answer.text
    told = doer.get("/api/v1/rooms/peach/actions", headers=BEARER).json()["actions"]
    assert not [one for one in told if one["kind"] == "maintenance_started"]
    text = send(doer, "/rooms/peach", "/rooms/peach/actions", start | {"reason": "new fan"})
    assert "new fan" in text
    assert 'value="maintenance_ended"' in text


def test_a_probe_finds_its_room(doer: httpx.Client) -> None:
    assert "mqtt:gw-east:shed" in page(doer, "/probes")

    send(doer, "/probes", "/probes", {"probe": "mqtt:gw-east:shed", "room": "frozen"})

    probes = doer.get("/api/v1/probes", params={"room": "frozen"}, headers=BEARER).json()["probes"]
    assert "mqtt:gw-east:shed" in [one["probe"] for one in probes]


def test_a_lot_goes_its_way_by_forms(doer: httpx.Client) -> None:
    new = {"key": "aabbccddeeff00112233", "commodity": "strawberry", "quantity_kg": "55",
           "producer": "=HYPERLINK(\"x\")<b>", "site": "liu"}  # fmt: skip
    text = send(doer, "/lots", "/lots", new)
    assert "=HYPERLINK(&#34;x&#34;)&lt;b&gt;" in text
    lot = "/lots/lot-aabbccddeeff"
    for fields in (
        {"kind": "put_in", "room": "berry"},
        {"kind": "taken_out", "room": "berry"},
        {"kind": "packed", "site": "liu", "pack": "box-1"},
        {"kind": "shipped", "site": "liu"},
    ):
        text = send(doer, lot, f"{lot}/events", fields)

    assert text.count("<li><b>") == 5


def test_a_form_sent_twice_is_one_event(doer: httpx.Client) -> None:
    fields = {"kind": "taken_out", "room": "berry", "key": "once", "at": "2026-06-02T13:00"}
    for _ in range(2):
        send(doer, "/lots/lot-berry", "/lots/lot-berry/events", fields)

    lot = doer.get("/api/v1/lots/lot-berry", headers=BEARER).json()
    assert [one["kind"] for one in lot["events"]].count("taken_out") == 1


@pytest.mark.parametrize("path", ["/rooms/none", "/sites/x", "/lots/x", "/alarms/x", "/nowhere"])
def test_what_is_not_there_is_a_page_that_says_so(person: httpx.Client, path: str) -> None:
    assert "<h1>" in page(person, path, 404)


def test_the_console_says_what_is_not_ready(tmp_path: Path) -> None:
    with served(empty(tmp_path / "new")) as client:
        sign_in(client)
        for path in ("/", "/alarms", "/lots", "/probes", "/pipeline"):
            assert client.get(path).status_code == 200
        text = page(client, "/?lang=en")
        assert "Alarm facts not ready yet" in text
        assert "Nothing needs you now" not in text


def test_a_buyer_needs_no_sign_in_and_reads_first_until_when(county: httpx.Client) -> None:
    with httpx.Client(base_url=county.base_url) as buyer:
        answer = buyer.get(f"/t/{CODE}", params={"lang": "en"})

    body = answer.text[answer.text.index("<body>") :]
    first = re.sub(r"<[^>]+>", "", body).strip().splitlines()[0]
    assert re.fullmatch(r"Recorded until 2 Jun 13:\d\d, Liulin village store · Strawberry room; "
                        r"nothing known after", first)  # fmt: skip
    assert ">Fail<" in answer.text
    assert "<script" not in answer.text
    assert len(answer.content) < 100_000


def test_the_certificate_that_a_buyer_fetches_verifies(county: httpx.Client) -> None:
    with httpx.Client(base_url=county.base_url) as buyer:
        answer = buyer.get(f"/t/{CODE}/certificate.json")
        first = buyer.get(f"/t/{CODE}/certificate.json", params={"version": 1})
        none = buyer.get(f"/t/{CODE}/certificate.json", params={"version": 99})

    assert isinstance(verify(answer.content), Verified)
    assert json.loads(first.content)["version"] == 1
    assert none.status_code == 404


@pytest.mark.parametrize("code", ["zzzzzzzzzzzz", "..%2f..%2fetc", "a'b", "x" * 60])
def test_a_code_that_is_none_tells_nothing(county: httpx.Client, code: str) -> None:
    with httpx.Client(base_url=county.base_url) as buyer:
        assert buyer.get(f"/t/{code}").status_code == 404


def test_a_buyer_reports_a_problem_and_is_thanked(own_county: httpx.Client) -> None:
    with httpx.Client(base_url=own_county.base_url, follow_redirects=True) as buyer:
        answer = buyer.post(f"/t/{CODE}/report?lang=en", data={"text": "<b>mould</b>"})
        assert answer.status_code == 200

        sign_in_client = httpx.Client(base_url=own_county.base_url)
        with sign_in_client:
            sign_in(sign_in_client)
            text = page(sign_in_client, "/lots/lot-berry")
    assert "&lt;b&gt;mould&lt;/b&gt;" in text


def test_styles_are_kept_by_the_phone(county: httpx.Client) -> None:
    css = county.get("/assets/console.css")

    assert "immutable" in css.headers["cache-control"]
    assert county.get("/assets/..%2fpages.py").status_code in (303, 404)


def refused(client: httpx.Client, page_path: str, action: str, fields: dict[str, str]) -> str:
    mark = re.search(r'name="mark" value="([0-9a-f]+)"', page(client, page_path))
    assert mark is not None
    answer = client.post(action, data={"mark": mark[1], **fields}, params={"lang": "en"})
    assert answer.status_code == 422, answer.text
    return answer.text


def test_a_refused_step_says_which_field_in_the_pages_words_and_leads_back(
    doer: httpx.Client,
) -> None:
    lot, events = "/lots/lot-berry", "/lots/lot-berry/events"

    unpacked = refused(doer, lot, events, {"kind": "packed"})
    ahead = refused(doer, lot, events, {"kind": "shipped", "at": "2999-01-01T00:00"})

    assert "“Packed” needs: Package number" in unpacked
    assert f'href="{lot}"' in unpacked
    assert "It cannot have happened later than now" in ahead


def test_a_shipped_lot_is_called_shipped(person: httpx.Client) -> None:
    row = re.search(r'href="/lots/lot-pork".*?</a>', page(person, "/lots?lang=en"), re.DOTALL)

    assert row is not None
    assert '<span class="age">Shipped</span>' in row[0]


def test_a_lot_in_an_alarmed_room_shows_the_rooms_alarm(person: httpx.Client) -> None:
    listed = page(person, "/lots?lang=en")
    shown = page(person, "/lots/lot-berry?lang=en")

    assert 'aria-label="Critical"' in listed
    assert "Far too warm" in shown


def test_a_mistyped_code_is_explained_to_a_stranger_without_a_way_in(county: httpx.Client) -> None:
    with httpx.Client(base_url=county.base_url) as buyer:
        answer = buyer.get("/t/000000000000", params={"lang": "en"})

    assert answer.status_code == 404
    assert "No lot has this code" in answer.text
    assert ">Back<" not in answer.text


def test_the_pipeline_names_a_device_that_sends_local_time(person: httpx.Client) -> None:
    person.get("/language", params={"to": "en"})

    shown = page(person, "/pipeline")
    assert "tele/shed/SENSOR" in shown
    assert "sends local time as UTC: +8 h" in shown


def test_the_pipeline_shows_what_a_gateway_had_to_let_go(person: httpx.Client) -> None:
    person.get("/language", params={"to": "en"})

    assert "1,200 readings are lost" in page(person, "/pipeline")


def test_what_programs_can_ask_is_a_page(person: httpx.Client) -> None:
    text = page(person, "/api/docs?lang=en")

    assert "GET /api/v1/readings" in text
    assert "commodity*" in text


def test_a_text_from_a_number_that_nobody_has_stands_on_the_people_page(
    built: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    shutil.copytree(built, folder)
    with contextlib.closing(open_notices(str(folder / "notices.db"))) as notices:
        notices.keep_reply("r-1", "8613899999999", "1 <b>", NOW_MS - HOUR_MS)
        notices.read_reply("r-1", "stranger", "", "", {}, owed=False, states={}, answers=[])
    with (
        served(settings_of(folder)) as county,
        httpx.Client(base_url=county.base_url, timeout=20) as client,
    ):
        sign_in(client)
        assert "1 &lt;b&gt;" in page(client, "/people")
        said = {"name": "新手机", "phone": "+8613899999999", "lang": "zh", "quiet_hours": False}
        put = county.put("/api/v1/people/zhao", json=said, headers=BEARER)
        assert put.status_code in (200, 201), put.text

        assert "1 &lt;b&gt;" not in page(client, "/people"), "the number is somebody's now"
