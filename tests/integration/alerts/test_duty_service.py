"""A drill and a farewell by text through everything real: the api, the role, SMPP, the phone."""

import urllib.parse
import urllib.request
from pathlib import Path

import msgspec

from domain.reading import PersonId
from domain.roster import Shift
from store.records.ports import Duty
from store.system_alarms import read
from tests.integration.alerts.test_service import PHONE, Api, now_ms, running, settings
from tests.integration.api.county import BEARER, empty, served
from tests.support.alert_house import House
from tests.support.console_county import TOKEN
from tests.support.servers import wait_until
from tests.support.sms import Centre

SECOND, COUNTY = "+8613800000002", "+8613800000004"


def text(centre: Centre, phone: str, words: str) -> None:
    page = f"http://127.0.0.1:{centre.settings.page_port}"
    form = urllib.parse.urlencode({"phone": phone, "text": words}).encode()
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{page}/reply", data=form, headers={"Origin": page}
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - loopback
        pass


def test_a_drill_is_answered_by_text_and_a_farewell_moves_the_next_one_to_the_other(
    tmp_path: Path,
) -> None:
    centre, stand_in = Centre.at(tmp_path), Api()
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        house.person("op", "operator", PHONE)
        house.person("second", "second", SECOND)
        house.person("county", "county", COUNTY)
        every = Duty(PersonId("op"), "operator", "site", "s1", (Shift(),))
        house.records.put_duty(every, by="admin", now_ms=now_ms())
        told = settings(house, centre, stand_in)
    (tmp_path / "token").write_text(TOKEN)
    api = msgspec.structs.replace(
        empty(tmp_path / "api"),
        **{f"{name}_path": str(tmp_path / f"{name}.db")
           for name in ("readings", "records", "facts", "notices", "trace")},
    )  # fmt: skip
    with centre.running(), served(api, now_ms()) as client:
        system = str(tmp_path / "system")
        told = msgspec.structs.replace(told, api_url=str(client.base_url), system_path=system)

        def drill(id: str) -> dict[str, str]:
            found = client.get("/api/v1/drills", headers=BEARER).json()["drills"]
            return next(d for d in found if d["id"] == id)

        def reached(id: str, person: str) -> bool:
            found = client.get("/api/v1/notices", headers=BEARER).json()["notices"]
            return any(
                n["room"] in (f"drill:{id}", f"system:{id}")
                and n["to"] == person
                and n["state"] == "delivered"
                for n in found
            )

        def alarmed() -> list[str]:
            found = read(told.system_path, now_ms())
            return [a.about.removeprefix("room:") for a in found if a.code == "NO_OPERATOR"]

        def start(id: str) -> None:
            body = {"site": "s1", "id": id}
            assert client.post("/api/v1/drills", json=body, headers=BEARER).status_code == 201

        with running(told):
            wait_until(
                lambda: client.get("/api/v1/notices", headers=BEARER).status_code == 200,
                60, "the role has made its file",
            )  # fmt: skip
            start("d-1")
            wait_until(lambda: reached("d-1", "op"), 60, "the drill is on the phone")
            text(centre, PHONE, "1")
            wait_until(lambda: drill("d-1")["answered_by"] == "op", 60, "the answer is recorded")
            assert drill("d-1")["channel"] == "sms"

            text(centre, PHONE, "退订")

            def stopped() -> bool:
                people = client.get("/api/v1/people", headers=BEARER).json()["people"]
                return any(p["id"] == "op" and p["texts_stopped_ms"] for p in people)

            wait_until(stopped, 60, "the api knows that the texts are stopped")
            start("d-2")
            wait_until(lambda: reached("d-2", "second"), 60, "the next step heard at once")
            assert not reached("d-2", "op")

            wait_until(lambda: alarmed() == ["东村r1"], 60, "the room without an operator is shown")
            wait_until(lambda: reached("NO_OPERATOR", "county"), 60, "and the county was told")
            text(centre, PHONE, "恢复")
            wait_until(lambda: not stopped(), 60, "the api knows that the texts are welcome again")
            start("d-3")
            wait_until(lambda: reached("d-3", "op"), 60, "the operator is told as before")
            wait_until(lambda: alarmed() == [], 60, "nothing is the matter any more")
