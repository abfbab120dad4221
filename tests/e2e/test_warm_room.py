"""A room grows warm: one text message on one phone, an answer, and nobody else is rung."""

import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import time

import pytest

from domain.reading import PersonId, RoomId
from store.records import open_records
from store.records.ports import Duty, Person
from tests.support.servers import free_port_base, require, wait_until
from tests.support.system import System

pytestmark = pytest.mark.server

ROOM = RoomId("room1")  # the one that `init` makes
OPERATOR = Person(PersonId("wang"), "王", "+8613800000001", "zh", quiet_hours=False)
SECOND = Person(PersonId("li"), "李", "+8613800000002", "en", quiet_hours=False)
MINUTE_MS = 60_000


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    require("nats-server")
    made = System(tmp_path / "data", free_port_base())
    made.prepare()
    records = open_records(made.data / "server" / "records.db")
    now_ms = int(time() * 1000)
    try:
        for person, role in ((OPERATOR, "operator"), (SECOND, "second")):
            records.put_person(person, by="test", now_ms=now_ms)
            records.put_duty(Duty(person.id, role, "room", ROOM), by="test", now_ms=now_ms)
    finally:
        records.close()
    with made:
        yield made


def answer(system: System, number: str, text: str) -> None:
    form = urllib.parse.urlencode({"phone": number, "text": text}).encode()
    url = f"{system.status()['phone']['url']}reply"
    with urllib.request.urlopen(url, form, timeout=10):  # noqa: S310 - loopback
        pass


def test_a_warm_room_ends_in_one_text_and_an_answer_stops_the_ladder(system: System) -> None:
    now_ms = int(time() * 1000) // MINUTE_MS * MINUTE_MS
    system.http(
        f"/api/v1/rooms/{ROOM}/rules",
        {"from": now_ms - 600 * MINUTE_MS, "profile": "SB", "commodities": ["strawberry"],
         "interval_s": 300},
    )  # fmt: skip
    probe = f"mqtt:{system.gateway_id()}:p1"
    system.http(
        "/api/v1/assignments", {"probe": probe, "room": ROOM, "from": now_ms - 600 * MINUTE_MS}
    )
    system.measured(
        [(now_ms - i * MINUTE_MS, 8.2 if i <= 45 else 2.5) for i in range(90, -1, -5)],
    )

    wait_until(lambda: "8.2" in system.phone(OPERATOR.phone), 30, "the operator's phone rings")
    answer(system, OPERATOR.phone, "1")

    def acknowledged() -> bool:
        said = system.http(f"/api/v1/rooms/{ROOM}/actions")["actions"]
        return [(a["kind"], a["by"]) for a in said] == [("ack", OPERATOR.id)]

    wait_until(acknowledged, 30, "the answer is an action of the operator")
    alarms = system.http("/api/v1/alarms", active="true")["alarms"]
    notices = system.http("/api/v1/notices")["notices"]

    assert "CRIT_HIGH" in {alarm["code"] for alarm in alarms}
    assert {notice["to"] for notice in notices if notice["channel"] == "sms"} == {OPERATOR.id}
    assert system.phone(OPERATOR.phone).count('class="bubble in"') == 1
    assert "…0002" not in system.phone(OPERATOR.phone)
