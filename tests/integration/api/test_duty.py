"""Duties by the clock, the calendar, silences, drills and the ladder by program."""

from typing import Any

import httpx
import pytest
from httpx import Client

from tests.integration.api.county import BEARER
from tests.support.console_county import HOUR_MS, NOW_MS

NIGHT = {"days": "1234567", "from_minute": 1200, "to_minute": 480}  # 20:00 to 08:00
DUTY = {"person": "li", "role": "operator", "scope_kind": "region", "scope": "qing"}
SILENCE = {"id": "s-1", "room": "berry", "code": "WARN_HIGH", "reason": "探头在修", "hours": 2}


def get(client: Client, path: str, **params: Any) -> Any:
    answer = client.get(f"/api/v1/{path}", params=params, headers=BEARER)
    assert answer.status_code == 200, answer.text
    return answer.json()


def say(client: Client, path: str, body: dict[str, Any], method: str = "POST") -> httpx.Response:
    return client.request(method, f"/api/v1/{path}", json=body, headers=BEARER)


def operators(client: Client, at_ms: int) -> list[tuple[str, bool, str]]:
    ladder = get(client, "rooms/berry/ladder", at=at_ms)
    return [(p["id"], p["told"], p["instead"]) for p in ladder["steps"][0]["people"]]


def test_the_ladder_shows_who_is_on_duty_at_an_instant_and_who_stands_in(
    own_county: Client,
) -> None:
    day = {"days": "12345", "from_minute": 480, "to_minute": 1200}
    assert say(own_county, "duties", DUTY | {"shifts": [NIGHT]}).status_code == 201
    wang = DUTY | {"person": "wang", "shifts": [day]}
    assert say(own_county, "duties", wang).status_code == 201

    # 14:00 on a Tuesday; 22:00; and 14:00 on a Saturday, when neither is on duty
    assert operators(own_county, NOW_MS) == [("li", False, ""), ("wang", True, "")]
    assert operators(own_county, NOW_MS + 8 * HOUR_MS) == [("li", True, ""), ("wang", False, "")]
    assert operators(own_county, NOW_MS + 96 * HOUR_MS) == [
        ("li", True, "off_duty"), ("wang", True, "off_duty"),
    ]  # fmt: skip

    holiday = {"counts_as": "H", "name": "端午节"}
    assert say(own_county, "calendar/2026-06-02", holiday, "PUT").status_code == 200
    assert operators(own_county, NOW_MS)[1] == ("wang", True, "off_duty")
    assert get(own_county, "calendar")["days"][0]["name"] == "端午节"
    assert own_county.delete("/api/v1/calendar/2026-06-02", headers=BEARER).status_code == 200
    assert operators(own_county, NOW_MS)[1] == ("wang", True, "")


@pytest.mark.parametrize(
    ("shift", "field"),
    [
        pytest.param({"days": "8"}, "shifts[0].days", id="no-such-day"),
        pytest.param({"days": "11"}, "shifts[0].days", id="a-day-twice"),
        pytest.param({"from_minute": 1440}, "shifts[0].from_minute", id="beyond-the-day"),
        pytest.param({"to_minute": 0}, "shifts[0].to_minute", id="an-end-at-the-start"),
        pytest.param({"first_day": "2026-6-1"}, "shifts[0].first_day", id="not-a-date"),
        pytest.param(
            {"first_day": "2026-06-02", "last_day": "2026-06-01"}, "shifts[0].last_day",
            id="backwards",
        ),
    ],
)  # fmt: skip
def test_an_impossible_shift_is_refused_by_field(
    own_county: Client, shift: dict[str, Any], field: str
) -> None:
    before = own_county.get("/api/v1/people", headers=BEARER).json()
    answer = say(own_county, "duties", DUTY | {"shifts": [shift]})

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert own_county.get("/api/v1/people", headers=BEARER).json() == before


def test_a_silence_is_said_once_listed_and_ended_and_alters_no_fact(own_county: Client) -> None:
    facts = get(own_county, "alarms")
    first = say(own_county, "silences", SILENCE)
    again = say(own_county, "silences", SILENCE)
    assert (first.status_code, first.json()) == (201, again.json())

    (one,) = get(own_county, "silences")["silences"]
    assert (one["room"], one["code"], one["reason"], one["by"]) == (
        "berry", "WARN_HIGH", "探头在修", "admin",
    )  # fmt: skip
    assert one["to_ms"] - one["from_ms"] == 2 * HOUR_MS
    assert own_county.delete("/api/v1/silences/s-1", headers=BEARER).status_code == 200
    assert get(own_county, "silences")["silences"] == []
    assert [s["in_force"] for s in get(own_county, "silences", ended=True)["silences"]] == [False]
    assert get(own_county, "alarms") == facts


@pytest.mark.parametrize(
    ("change", "field"),
    [
        *(
            pytest.param({"code": code}, "code", id=code)
            for code in ("CEILING", "CRIT_FREEZE", "WHO_FREEZE", "PREDICT_FREEZE",
                         "POWER_LOSS_WARN", "POWER_LOSS_CRIT", "NO_SUCH", "DRILL")
        ),
        pytest.param({"hours": 13}, "hours", id="longer-than-half-a-day"),
        pytest.param({"hours": 0}, "hours", id="no-time-at-all"),
        pytest.param({"reason": " "}, "reason", id="without-a-reason"),
        pytest.param({"room": "nowhere"}, "room", id="unknown-room"),
    ],
)  # fmt: skip
def test_what_may_not_be_silenced_is_refused_with_the_reason(
    own_county: Client, change: dict[str, Any], field: str
) -> None:
    answer = say(own_county, "silences", SILENCE | change)

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert get(own_county, "silences", ended=True)["silences"] == []


def test_a_drill_is_started_answered_once_and_listed(own_county: Client) -> None:
    started = say(own_county, "drills", {"site": "liu", "id": "d-1"})
    assert started.json()["id"] == "d-1"
    say(own_county, "drills", {"site": "liu", "id": "d-1"})
    assert [(d["id"], d["state"]) for d in get(own_county, "drills")["drills"]] == [
        ("d-1", "running")
    ]
    for who in ("li", "wang"):
        assert say(own_county, "drills/d-1/answer", {"by": who}).status_code == 201

    (drill,) = get(own_county, "drills")["drills"]
    assert (drill["state"], drill["answered_by"], drill["channel"]) == ("answered", "li", "api")
    assert say(own_county, "drills", {"site": "nowhere"}).status_code == 422
    assert say(own_county, "drills/nothing/answer", {}).status_code == 422


def test_stopped_texts_are_shown_until_an_administrator_allows_them(own_county: Client) -> None:
    assert say(own_county, "people/li/stopped", {"at": NOW_MS}).status_code == 201
    people = {p["id"]: p for p in get(own_county, "people")["people"]}
    assert people["li"]["texts_stopped_ms"] == NOW_MS
    assert operators(own_county, NOW_MS) == [("wang", True, "no_operator"), ("li", False, "")]

    assert own_county.delete("/api/v1/people/li/stopped", headers=BEARER).status_code == 200
    assert operators(own_county, NOW_MS) == [("li", True, "")]


def test_an_alarm_is_acknowledged_by_program_once(own_county: Client) -> None:
    fact = next(f for f in get(own_county, "alarms", active=True)["alarms"])
    body = {"id": "a-1", "by": "li"}
    first = say(own_county, f"alarms/{fact['id']}/ack", body)
    again = say(own_county, f"alarms/{fact['id']}/ack", body)

    assert (first.status_code, first.json()) == (201, again.json())
    actions = get(own_county, f"rooms/{fact['room']}/actions")["actions"]
    assert [(a["kind"], a["by"]) for a in actions if a["id"] == "a-1"] == [("ack", "li")]


def test_every_change_says_who_made_it(own_county: Client) -> None:
    head = get(own_county, "changes")["changes"][-1]["m"]
    say(own_county, "silences", SILENCE | {"by": "li"})
    say(own_county, "drill-plan", {"day": 15}, "PUT")

    after = get(own_county, "changes", after=head)["changes"]
    assert [(c["kind"], c["by"], c["subject"]) for c in after] == [
        ("silence", "li", "berry WARN_HIGH"), ("drill_plan", "admin", "15 600"),
    ]  # fmt: skip
