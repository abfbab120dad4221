"""``people`` and ``duties`` by program: strict, idempotent, and all of it read back."""

from typing import Any

import pytest
from httpx import Client

from tests.integration.api.county import BEARER
from tests.integration.api.test_programs import get, post

ZHAO = {"name": "赵师傅", "phone": "+8613811112222", "lang": "zh", "quiet_hours": False}
DUTY = {"person": "zhao", "role": "second", "scope_kind": "room", "scope": "berry"}


def put(client: Client, path: str, body: Any, status: int = 200) -> Any:
    answer = client.put(path, json=body, headers=BEARER)
    assert answer.status_code == status, answer.text
    return answer.json()


def end(client: Client, duty: dict[str, str], status: int = 200) -> Any:
    answer = client.delete("/api/v1/duties", params=duty, headers=BEARER)
    assert answer.status_code == status, answer.text
    return answer.json()


def ladder(client: Client) -> list[tuple[str, str]]:
    return [(c["id"], c["role"]) for c in get(client, "/api/v1/rooms/berry")["contacts"]]


def test_a_person_with_a_duty_is_on_the_rooms_ladder_until_it_ends(own_county: Client) -> None:
    put(own_county, "/api/v1/people/zhao", ZHAO)
    given = post(own_county, "/api/v1/duties", DUTY)

    assert post(own_county, "/api/v1/duties", DUTY) == given
    assert ("zhao", "second") in ladder(own_county)
    (zhao,) = [p for p in get(own_county, "/api/v1/people")["people"] if p["id"] == "zhao"]
    duties = [{"role": "second", "scope_kind": "room", "scope": "berry", "shifts": []}]
    said = {"id": "zhao", **ZHAO, "channels": [], "texts_stopped_ms": None, "duties": duties}
    assert zhao == said

    ended = end(own_county, DUTY)

    assert end(own_county, DUTY) == ended
    assert ("zhao", "second") not in ladder(own_county)


def test_the_same_person_said_twice_is_one_change(own_county: Client) -> None:
    first = put(own_county, "/api/v1/people/zhao", ZHAO)

    assert put(own_county, "/api/v1/people/zhao", ZHAO) == first
    assert put(own_county, "/api/v1/people/zhao", ZHAO | {"lang": "en"}) != first


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"phone": "13811112222"}, "phone"),
        ({"phone": "+86 138 1111 2222"}, "phone"),
        ({"lang": "fr"}, "lang"),
        ({"name": " "}, "name"),
        ({"nick": "x"}, "nick"),
        ({"quiet_hours": "now and then"}, "quiet_hours"),
        ({"channels": ["fax"]}, "channels"),
        ({"channels": ["sms", "sms"]}, "channels"),
    ],
)
def test_an_impossible_person_is_refused_by_field(
    own_county: Client, wrong: dict[str, str], field: str
) -> None:
    before = get(own_county, "/api/v1/people")

    assert put(own_county, "/api/v1/people/zhao", ZHAO | wrong, 422)["field"] == field
    assert get(own_county, "/api/v1/people") == before


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"person": "nobody"}, "person"),
        ({"role": "king"}, "role"),
        ({"scope_kind": "planet"}, "scope_kind"),
        ({"scope": "nowhere"}, "scope"),
        ({"until": "2027"}, "until"),
    ],
)
def test_an_impossible_duty_is_refused_by_field(
    own_county: Client, wrong: dict[str, str], field: str
) -> None:
    put(own_county, "/api/v1/people/zhao", ZHAO)

    assert post(own_county, "/api/v1/duties", DUTY | wrong, 422)["field"] == field


def test_a_duty_that_was_never_given_cannot_be_ended(own_county: Client) -> None:
    assert end(own_county, DUTY, 422)["field"] == "person"
    assert end(own_county, DUTY | {"until": "2027"}, 422)["field"] == "until"


def test_the_ways_to_people_are_listed_in_their_order_with_what_they_carried(
    own_county: Client,
) -> None:
    ways = get(own_county, "/api/v1/channels")["channels"]

    assert [way["name"] for way in ways] == ["sms", "call"]
    assert ways[1] == {"name": "call", "ok_ms": None, "failing_ms": None, "error": ""}
    told = get(own_county, "/api/v1/notices", limit=1000)["notices"]
    usage = get(own_county, "/api/v1/usage")["usage"]
    assert sum(row["messages"] for row in usage) == sum(
        notice["state"] in ("sent", "delivered") for notice in told
    )
    assert {row["channel"] for row in usage} <= {"sms", "call"}
