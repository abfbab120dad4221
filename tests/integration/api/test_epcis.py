"""EPCIS 2.0: captured events come back as they went in, and bad ones are refused whole."""

from typing import Any

from httpx import Client

from tests.integration.api.county import BEARER


def event(number: int, **more: Any) -> dict[str, Any]:
    return {
        "type": "ObjectEvent",
        "eventID": f"urn:uuid:00000000-0000-4000-8000-00000000000{number}",
        "eventTime": f"2026-06-01T0{number}:00:00.000+08:00",
        "eventTimeZoneOffset": "+08:00",
        "epcList": ["https://id.gs1.org/01/09506000134352/21/7"],
        "action": "OBSERVE",
        "bizStep": "shipping",
    } | more


def document(*events: dict[str, Any]) -> dict[str, Any]:
    return {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-06-02T00:00:00Z",
        "epcisBody": {"eventList": list(events)},
    }


def found(client: Client, **params: Any) -> tuple[list[dict[str, Any]], str | None]:
    answer = client.get("/epcis/v2/events", params=params, headers=BEARER)
    assert answer.status_code == 200, answer.text
    assert answer.headers["GS1-EPCIS-Version"] == "2.0.0"
    events = answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    return events, answer.links.get("next", {}).get("url")


def test_a_captured_event_comes_back(own_county: Client) -> None:
    answer = own_county.post("/epcis/v2/capture", json=document(event(1)), headers=BEARER)
    assert answer.status_code == 202
    job = own_county.get(answer.headers["location"], headers=BEARER).json()
    assert job["success"] is True
    assert job["running"] is False

    events, _ = found(own_county, EQ_eventID=event(1)["eventID"])

    assert len(events) == 1
    assert event(1).items() <= events[0].items()


def test_a_repeated_event_is_one_event(own_county: Client) -> None:
    for _ in range(2):
        answer = own_county.post("/epcis/v2/events", json=event(2), headers=BEARER)
        assert answer.status_code == 201

    assert len(found(own_county, EQ_eventID=event(2)["eventID"])[0]) == 1


def test_one_bad_event_refuses_the_whole_capture(own_county: Client) -> None:
    bad = event(4, eventTime="yesterday")

    answer = own_county.post("/epcis/v2/capture", json=document(event(3), bad), headers=BEARER)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert "eventList[1].eventTime" in answer.json()["errors"][0]["field"]
    assert found(own_county, EQ_eventID=event(3)["eventID"])[0] == []


def test_pages_follow_their_links(own_county: Client) -> None:
    own_county.post(
        "/epcis/v2/capture", json=document(*(event(n) for n in range(1, 8))), headers=BEARER
    )
    epc = event(1)["epcList"][0]
    events, following = found(own_county, MATCH_epc=epc, perPage=3)
    seen = [one["eventID"] for one in events]
    while following:
        answer = own_county.get(following, headers=BEARER)
        body = answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
        seen += [one["eventID"] for one in body]
        following = answer.links.get("next", {}).get("url")

    assert seen == [event(n)["eventID"] for n in range(1, 8)]


def test_an_unknown_parameter_is_refused_by_name(county: Client) -> None:
    answer = county.get("/epcis/v2/events", params={"EQ_colour": "red"}, headers=BEARER)

    assert answer.status_code == 400
    assert answer.json()["type"] == "epcisException:QueryParameterException"
    assert answer.json()["errors"][0]["field"] == "EQ_colour"


def test_what_is_not_json_is_said_to_be_not_json(county: Client) -> None:
    kind = {**BEARER, "Content-Type": "application/json"}

    assert county.post("/epcis/v2/capture", content=b"{", headers=kind).status_code == 400
    plain = {**BEARER, "Content-Type": "text/plain"}
    assert county.post("/epcis/v2/capture", content=b"{}", headers=plain).status_code == 415
