"""People, duties, sites, rooms and rules by the console's forms, without JavaScript."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.api.browser import page, sign_in
from tests.integration.api.county import BEARER, empty, served

ZHAO = {"do": "save", "key": "0123456789abcdef", "name": "赵师傅", "phone": "+86 138-1111-2222",
        "lang": "zh", "quiet_hours": "1"}  # fmt: skip
SITE = {"name_zh": "新村", "name_en": "", "kind": "village-point", "gateway": "GW_1", "id": "new"}
ROOM = {"name_zh": "二号库", "name_en": "Room 2", "kind": "frozen", "id": "frost"}
RULE = {"profile": "FZ", "interval_s": "300", "from": "2026-06-01T08:00"}

Fields = Mapping[str, str | list[str]]


@pytest.fixture
def doer(own_county: httpx.Client) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=own_county.base_url, timeout=20) as client:
        sign_in(client)
        client.get("/language", params={"to": "en"})
        yield client


def sent(client: httpx.Client, path: str, fields: Fields) -> httpx.Response:
    """With the mark of the page's own form."""
    mark = re.search(r'name="mark" value="([0-9a-f]+)"', page(client, path))
    assert mark is not None
    return client.post(path, data={"mark": mark[1], **fields})


def done(client: httpx.Client, path: str, fields: Fields) -> str:
    answer = sent(client, path, fields)
    assert answer.status_code == 303, answer.text
    return page(client, answer.headers["location"])


def refused(client: httpx.Client, path: str, fields: Fields) -> str:
    """The notice on the page; and nothing of it has happened."""
    before = last_change(client)
    answer = sent(client, path, fields)
    assert answer.status_code == 422, answer.text
    assert last_change(client) == before
    notice = re.search(r'<p class="notice bad".*?</p>', answer.text, re.DOTALL)
    assert notice is not None
    return notice[0]


def last_change(client: httpx.Client) -> Any:
    """Everything that these forms may alter, read back."""
    paths = ("people", "sites", "rooms", "rooms/berry")
    return [client.get(f"/api/v1/{path}", headers=BEARER).json() for path in paths]


def people(client: httpx.Client) -> dict[str, Any]:
    found = client.get("/api/v1/people", headers=BEARER).json()["people"]
    return {person["name"]: person for person in found}


def test_a_person_added_by_the_form_and_given_a_duty_is_told_of_the_room(
    doer: httpx.Client,
) -> None:
    done(doer, "/people", ZHAO)
    done(doer, "/people", ZHAO)
    zhao = people(doer)["赵师傅"]
    assert (zhao["phone"], zhao["lang"], zhao["quiet_hours"]) == ("+8613811112222", "zh", True)

    duty = {"person": zhao["id"], "role": "second", "scope": "room:berry"}
    shown = done(doer, "/people", {"do": "give", **duty})

    assert "赵师傅" in shown
    assert "赵师傅" in page(doer, "/rooms/berry")
    done(doer, "/people", {"do": "take", **duty})
    assert people(doer)["赵师傅"]["duties"] == []
    assert "赵师傅" not in page(doer, "/rooms/berry")


def test_a_persons_ways_are_named_in_their_order_and_stay_where_a_form_does_not_ask(
    doer: httpx.Client,
) -> None:
    done(doer, "/people", {**ZHAO, "channels": "call， sms"})
    id = people(doer)["赵师傅"]["id"]
    assert people(doer)["赵师傅"]["channels"] == ["call", "sms"]

    done(doer, "/people", {**ZHAO, "id": id, "lang": "en"})
    assert people(doer)["赵师傅"]["channels"] == ["call", "sms"]
    assert "call → sms" in page(doer, "/people")

    refused = sent(doer, "/people", {**ZHAO, "id": id, "channels": "fax"})
    assert refused.status_code == 422
    assert "fax" in refused.text


def test_a_persons_number_is_changed_and_the_person_stays_the_same(doer: httpx.Client) -> None:
    done(doer, "/people", ZHAO)
    id = people(doer)["赵师傅"]["id"]

    done(doer, "/people", {**ZHAO, "id": id, "phone": "+8613833334444", "quiet_hours": ""})

    zhao = people(doer)["赵师傅"]
    assert (zhao["id"], zhao["phone"], zhao["quiet_hours"]) == (id, "+8613833334444", False)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"phone": "13811112222"}, "Phone"),
        ({"name": ""}, "Name"),
        ({"lang": "fr"}, "Language"),
        ({"do": "give", "person": "wang", "role": "operator", "scope": ""}, "For"),
        ({"do": "give", "person": "", "role": "operator", "scope": "room:berry"}, "Person"),
        ({"do": "take", "person": "nobody", "role": "operator", "scope": "room:berry"}, "Person"),
    ],
)
def test_what_a_person_cannot_be_is_said_on_the_page(
    doer: httpx.Client, wrong: dict[str, str], named: str
) -> None:
    assert f"<b>{named}" in refused(doer, "/people", ZHAO | wrong)


def test_two_people_cannot_have_one_number(doer: httpx.Client) -> None:
    done(doer, "/people", ZHAO)

    assert "赵师傅" in refused(doer, "/people", ZHAO | {"key": "another", "name": "钱"})


def test_what_was_typed_is_there_again_after_a_refusal(doer: httpx.Client) -> None:
    answer = sent(doer, "/people", ZHAO | {"phone": "138<"})

    assert 'value="赵师傅"' in answer.text
    assert 'value="138&lt;"' in answer.text


def test_a_site_a_room_and_a_rule_are_made_one_after_the_other(doer: httpx.Client) -> None:
    region = doer.get("/api/v1/sites", headers=BEARER).json()["regions"][0]["id"]

    assert "新村" in done(doer, f"/regions/{region}/sites/new", SITE)
    assert "Room 2" in done(doer, "/sites/new/rooms/new", ROOM)
    assert "Nobody has a duty" not in page(doer, "/rooms/berry")
    assert "FZ" in done(doer, "/rooms/frost/rules/new", RULE)

    site = doer.get("/api/v1/sites/new", headers=BEARER).json()
    assert (site["name_en"], site["gateway"], [r["id"] for r in site["rooms"]]) == (
        "新村", "GW_1", ["frost"],
    )  # fmt: skip
    done(doer, "/rooms/frost/rules/new", RULE)
    (rule,) = doer.get("/api/v1/rooms/frost", headers=BEARER).json()["rules"]
    assert (rule["profile"], rule["interval_s"], rule["by"]) == ("FZ", 300, "admin")


def test_the_front_page_says_when_nobody_would_be_told(
    tmp_path: Path, county: httpx.Client
) -> None:
    with served(empty(tmp_path)) as fresh:
        sign_in(fresh)
        fresh.get("/language", params={"to": "en"})
        assert "Nobody yet" in page(fresh, "/")
    with httpx.Client(base_url=county.base_url, timeout=20) as other:
        sign_in(other)
        other.get("/language", params={"to": "en"})
        assert "Nobody yet" not in page(other, "/")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"profile": "XX"}, "Profile"),
        ({"interval_s": "5"}, "Sampling interval"),
        ({"interval_s": "soon"}, "Sampling interval"),
        ({"commodities": ["tomato", "unicorn"]}, "Goods"),
        ({"profile": "SB", "commodities": ["strawberry", "banana"]}, "Goods"),
    ],
)
def test_an_impossible_rule_is_said_on_the_page_with_its_field(
    doer: httpx.Client, wrong: Fields, named: str
) -> None:
    assert f"<b>{named}" in refused(doer, "/rooms/berry/rules/new", {**RULE, **wrong})


def test_goods_that_no_temperature_suits_are_refused_with_the_band_of_each(
    doer: httpx.Client,
) -> None:
    goods: Fields = {"profile": "CU", "commodities": ["cucumber", "broccoli"]}

    answer = sent(doer, "/rooms/berry/rules/new", {**RULE, **goods})

    assert answer.status_code == 422
    assert "keep them in different rooms" in answer.text
    assert "Cucumber 10–12.5" in answer.text
    assert "Broccoli 0–1" in answer.text


@pytest.mark.parametrize(
    ("path", "fields", "named"),
    [
        ("/sites/liu/rooms/new", {**ROOM, "id": "berry"}, "Id"),
        ("/sites/liu/rooms/new", {**ROOM, "id": "../x"}, "Id"),
        ("/sites/liu/rooms/new", {**ROOM, "kind": "igloo"}, "Kind"),
        ("/sites/liu/rooms/new", {**ROOM, "name_zh": "", "name_en": ""}, "Name in Chinese"),
    ],
)
def test_an_impossible_room_is_said_on_the_page_with_its_field(
    doer: httpx.Client, path: str, fields: Fields, named: str
) -> None:
    assert f"<b>{named}" in refused(doer, path, fields)


@pytest.mark.parametrize("path", ["/people", "/sites/liu/rooms/new", "/rooms/berry/rules/new"])
def test_a_form_without_our_mark_changes_nothing(doer: httpx.Client, path: str) -> None:
    before = last_change(doer)

    assert doer.post(path, data={**ZHAO, **ROOM, **RULE}).status_code == 403
    assert last_change(doer) == before


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("path", ["/people", "/sites/liu/rooms/new", "/rooms/berry/rules/new"])
def test_a_form_is_small_and_in_both_languages(doer: httpx.Client, path: str, lang: str) -> None:
    doer.get("/language", params={"to": lang})
    answer = doer.get(path)

    assert answer.status_code == 200
    assert f'<html lang="{"zh-CN" if lang == "zh" else "en"}">' in answer.text
    assert len(answer.content) < 80_000


@pytest.mark.parametrize(
    "path", ["/regions/none/sites/new", "/sites/none/rooms/new", "/rooms/none/rules/new"]
)
def test_a_form_for_a_place_that_is_not_there_is_no_page(doer: httpx.Client, path: str) -> None:
    page(doer, path, 404)
