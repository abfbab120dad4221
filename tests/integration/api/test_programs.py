"""``/api/v1`` over real stores: exact, paged, strict about what it is asked."""

import json
from pathlib import Path
from typing import Any

import pytest
from httpx import Client

from tests.integration.api.county import BEARER, empty, served
from tests.support.console_county import HOUR_MS, NOW_MS

AIR = "ieee:00158d000meat0"


def get(client: Client, path: str, status: int = 200, **params: Any) -> Any:
    answer = client.get(path, params=params, headers=BEARER)
    assert answer.status_code == status, answer.text
    return answer.json()


def post(client: Client, path: str, body: Any, status: int = 201) -> Any:
    answer = client.post(path, json=body, headers=BEARER)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def test_readings_are_columns_oldest_first_and_exact(county: Client) -> None:
    answer = county.get(
        "/api/v1/readings",
        params={"probe": AIR, "quantity": "temperature", "from": NOW_MS - 9 * HOUR_MS,
                "to": NOW_MS - 8 * HOUR_MS},
        headers=BEARER,
    )  # fmt: skip
    found = answer.json()

    assert found["probe"] == AIR
    assert found["unit"] == "Cel"
    assert found["t"] == sorted(found["t"])
    assert len(found["t"]) == len(found["v"]) == len(found["q"]) == 12
    assert found["v"][0] == 6.0
    assert found["next"] is None
    assert "000000" not in json.dumps(found["v"])


def test_of_one_minute_the_critical_stands_above_the_warning_for_programs_and_people(
    county: Client, person: Client
) -> None:
    found = get(county, "/api/v1/alarms")["alarms"]
    listed = person.get("/alarms").text

    same = [f for f in found if f["code"] in ("CRIT_HIGH", "WARN_HIGH") and f["room"] == "berry"]
    assert len({f["fired_at_ms"] for f in same}) == 1
    assert [f["level"] for f in same] == ["critical", "warning"]
    places = [listed.index(f"/alarms/{f['id']}") for f in found]
    assert places == sorted(places)


def test_pages_join_to_the_whole(county: Client) -> None:
    whole = get(county, "/api/v1/readings", probe=AIR, limit=50_000)
    pages: list[int] = []
    cursor = ""
    while True:
        page = get(county, "/api/v1/readings", probe=AIR, limit=100, cursor=cursor)
        pages += page["t"]
        if page["next"] is None:
            break
        cursor = page["next"]

    assert pages == whole["t"]
    assert len(pages) > 800


def test_a_page_may_be_asked_for_by_the_name_that_the_answer_gives_it(county: Client) -> None:
    first = get(county, "/api/v1/readings", probe=AIR, limit=100)
    named = get(county, "/api/v1/readings", probe=AIR, limit=100, next=first["next"])

    assert named == get(county, "/api/v1/readings", probe=AIR, limit=100, cursor=first["next"])


def test_what_is_no_instant_and_what_is_no_json_is_said_plainly(county: Client) -> None:
    when = county.get(
        "/api/v1/readings", params={"probe": AIR, "from": "yesterday"}, headers=BEARER
    ).json()
    body = county.post(
        "/api/v1/lots", content="{bad", headers={**BEARER, "Content-Type": "application/json"}
    ).json()

    assert when["detail"] == "from: not an instant: give milliseconds or RFC 3339"
    assert body["field"] == "body"


def test_a_room_has_the_readings_of_its_probes(county: Client) -> None:
    air = get(county, "/api/v1/readings", room="berry", quantity="temperature")
    product = get(county, "/api/v1/readings", room="berry", quantity="product_temperature")

    assert air["p"] == ["ieee:00158d000berry0"] * len(air["t"])
    assert product["t"]


def test_points_asks_for_buckets(county: Client) -> None:
    day: dict[str, Any] = {"probe": AIR, "from": NOW_MS - 24 * HOUR_MS, "to": NOW_MS, "points": 24}
    found = get(county, "/api/v1/readings", **day)

    assert len(found["t"]) == 24
    assert found["width_ms"] == HOUR_MS
    del day["points"]
    assert sum(found["n"]) == len(get(county, "/api/v1/readings", **day)["t"])
    assert all(
        a <= b <= c for a, b, c in zip(found["min"], found["mean"], found["max"], strict=True)
    )


def test_buckets_of_hours_stand_on_the_hour_and_hold_what_was_asked_for(county: Client) -> None:
    day: dict[str, Any] = {"probe": AIR, "from": NOW_MS - 24 * HOUR_MS + 1_234_567, "to": NOW_MS}
    found = get(county, "/api/v1/readings", points=12, **day)

    assert found["width_ms"] == 2 * HOUR_MS
    assert {at_ms % HOUR_MS for at_ms in found["t"]} == {0}
    assert sum(found["n"]) == len(get(county, "/api/v1/readings", **day)["t"])


@pytest.mark.parametrize(
    ("params", "field"),
    [
        pytest.param({"probe": AIR, "form": "1"}, "form", id="a-misspelt-parameter"),
        pytest.param({"probe": AIR, "limit": "50001"}, "limit", id="too-many"),
        pytest.param({"probe": AIR, "quantity": "temprature"}, "quantity", id="unknown-quantity"),
        pytest.param({"probe": AIR, "from": "2026-06-01T00:00:00"}, "from", id="no-offset"),
        pytest.param({"probe": AIR, "from": str(NOW_MS), "to": str(NOW_MS)}, "to", id="backwards"),
        pytest.param({"probe": AIR, "cursor": "no"}, "cursor", id="a-foreign-cursor"),
        pytest.param({}, "probe", id="neither-probe-nor-room"),
        pytest.param({"room": "berry", "points": "5"}, "from", id="buckets-from-nowhere"),
    ],
)
def test_a_question_that_cannot_be_is_refused_with_its_field(
    county: Client, params: dict[str, str], field: str
) -> None:
    answer = county.get("/api/v1/readings", params=params, headers=BEARER)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field


@pytest.mark.parametrize(
    "path",
    ["sites", "rooms", "probes", "series", "latest", "alarms", "links", "notices", "cases",
     "lots", "quarantine", "pipeline"],
)  # fmt: skip
def test_every_list_answers_and_refuses_what_it_does_not_know(county: Client, path: str) -> None:
    assert get(county, f"/api/v1/{path}")

    refused = get(county, f"/api/v1/{path}", 422, wat="1")

    assert refused["field"] == "wat"


def test_nothing_is_told_without_a_token(county: Client) -> None:
    county.cookies.clear()
    for path in ("/api/v1/rooms", "/epcis/v2/events", "/metrics", "/api/v1/openapi.json"):
        answer = county.get(path, headers={"Authorization": "Bearer wrong"})
        assert answer.status_code == 401
        assert answer.json()["status"] == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_latest_values_carry_their_age(county: Client) -> None:
    found = get(county, "/api/v1/latest", room="meat")["latest"]

    assert [one["probe"] for one in found] == [AIR]
    assert 0 < found[0]["age_s"] < 600


def test_alarms_are_those_of_the_rules(county: Client) -> None:
    active = get(county, "/api/v1/alarms", active="true", room="berry")["alarms"]

    assert {one["code"] for one in active} >= {"CRIT_HIGH", "WARN_HIGH"}
    critical = next(one for one in active if one["code"] == "CRIT_HIGH")
    versions = get(county, f"/api/v1/alarms/{critical['id']}")["versions"]
    assert versions[-1]["began_at_ms"] == critical["began_at_ms"]


def test_what_a_gateway_had_to_let_go_is_named_with_its_times(county: Client) -> None:
    pipeline = get(county, "/api/v1/pipeline")

    [lost] = pipeline["gateways"]["gw-east"]["lost"]
    assert lost["readings"] == 1_200
    assert lost["missing_batches"] == lost["last"] - lost["first"] + 1 == 2
    assert lost["from"] < lost["to"] < lost["said_at"]


def test_the_pipeline_balances(county: Client) -> None:
    pipeline = get(county, "/api/v1/pipeline")

    parts = ("stored", "duplicates", "conflicts", "too_late")
    assert pipeline["received"] == sum(pipeline[name] for name in parts)
    assert pipeline["quarantined"] == 1
    assert pipeline["followers"]["alerts"]["behind"] == 0
    assert pipeline["gateways"]["gw-east"]["epochs"]["epoch-1"]["through"] > 5


def test_a_room_gives_a_case_that_the_replay_takes(county: Client, tmp_path: Path) -> None:
    """A stranger compares the alarms here with what the published rules make of the readings."""
    from coldtrail.replay import replay

    case = tmp_path / "case.json"
    case.write_text(json.dumps(get(county, "/api/v1/rooms/meat/case", until=NOW_MS)))

    judged = replay(case)

    here = get(county, "/api/v1/alarms", room="meat")["alarms"]
    assert sorted(one["code"] for one in judged["alarms"]) == sorted(one["code"] for one in here)
    assert here


def test_an_action_said_twice_is_recorded_once(own_county: Client) -> None:
    body = {"id": "sms:1", "kind": "ack", "at": "2026-06-02T14:00:00.000+08:00", "by": "li",
            "detail": {"channel": "sms"}}  # fmt: skip

    first = post(own_county, "/api/v1/rooms/berry/actions", body)
    again = post(own_county, "/api/v1/rooms/berry/actions", body)

    assert first == again
    actions = get(own_county, "/api/v1/rooms/berry/actions")["actions"]
    assert [one["id"] for one in actions].count("sms:1") == 1


def test_a_cause_that_came_by_text_stands_in_the_case(own_county: Client) -> None:
    body = {"id": "sms:7", "kind": "ack", "at": NOW_MS - HOUR_MS, "by": "li",
            "detail": {"channel": "sms", "text": "A2B3 6", "cause": "product warm"}}  # fmt: skip

    post(own_county, "/api/v1/rooms/meat/actions", body)

    alarms = get(own_county, "/api/v1/alarms", room="meat")["alarms"]
    said = [get(own_county, f"/api/v1/alarms/{one['id']}")["said"] for one in alarms]
    assert [one["cause"] for one in said if one] == ["product_warm"] * len(alarms)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "explode"}, "kind"),
        ({"colour": "red"}, "colour"),
        ({"at": "soon"}, "at"),
        ({"kind": "maintenance_started"}, "detail.reason"),
        ({"kind": "maintenance_started", "detail": {"reason": " "}}, "detail.reason"),
    ],
)
def test_an_impossible_action_is_refused_with_its_field(
    own_county: Client, change: dict[str, Any], field: str
) -> None:
    body = {"id": "x", "kind": "ack", "at": NOW_MS, "by": "li", "detail": {}} | change

    assert post(own_county, "/api/v1/rooms/berry/actions", body, 422)["field"] == field


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "10001"])
@pytest.mark.parametrize("name", ["start_c", "medium_c", "allowed_h"])
def test_a_cooling_by_no_real_number_is_refused_before_anybody_judges_by_it(
    own_county: Client, name: str, number: str
) -> None:
    detail = {"start_c": "20", "medium_c": "2", "allowed_h": "3"} | {name: number}
    told = ",".join(f'"{key}":{value}' for key, value in detail.items())
    body = f'{{"id":"x","kind":"precool_started","at":{NOW_MS},"by":"li","detail":{{{told}}}}}'
    answer = own_county.post(
        "/api/v1/rooms/peach/actions", content=body,
        headers=BEARER | {"Content-Type": "application/json"},
    )  # fmt: skip

    assert (answer.status_code, answer.json()["field"]) == (422, f"detail.{name}")


def test_a_rule_that_cannot_be_is_refused(own_county: Client) -> None:
    body = {"from": NOW_MS, "profile": "SB", "commodities": ["cucumber", "broccoli"]}

    refused = post(own_county, "/api/v1/rooms/berry/rules", body, 422)

    assert refused["field"] == "commodities"


def test_a_lot_is_made_and_moved(own_county: Client) -> None:
    lot = post(own_county, "/api/v1/lots", {"commodity": "peach", "quantity_kg": "80"})
    at = NOW_MS - HOUR_MS
    for kind, more in (("received", {"site": "hub"}), ("put_in", {"room": "peach"})):
        post(own_county, f"/api/v1/lots/{lot['id']}/events", {"kind": kind, "at": at, **more})
        at += 60_000

    shown = get(own_county, f"/api/v1/lots/{lot['id']}")

    assert [one["kind"] for one in shown["events"]] == ["received", "put_in"]
    assert [one["room"] for one in shown["stays"]] == ["peach"]
    assert len(lot["code"]) == 12


def test_what_is_not_there_yet_is_said_and_no_mistake(tmp_path: Path) -> None:
    with served(empty(tmp_path / "new")) as client:
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert set(ready.json()["missing"]) == {"readings", "facts", "notices", "trace"}
        assert client.get("/healthz").status_code == 200
        for path in ("readings?probe=x", "latest", "alarms", "links", "pipeline"):
            answer = client.get(f"/api/v1/{path}", headers=BEARER)
            assert (answer.status_code, answer.json()["status"]) == (503, 503), path
        for path in ("rooms", "sites", "lots", "probes"):
            assert client.get(f"/api/v1/{path}", headers=BEARER).status_code == 200
        assert client.get("/metrics", headers=BEARER).status_code == 200


def test_a_full_county_is_ready(county: Client) -> None:
    ready = county.get("/readyz").json()
    assert (ready["ready"], ready["missing"]) == (True, [])
    assert ready["alive_s"] in (None, 0)  # whether its alerts role went once round is chance
    assert 'coldtrail_alarms_active{level="critical"} 2' in county.get(
        "/metrics", headers=BEARER
    ).text  # fmt: skip
