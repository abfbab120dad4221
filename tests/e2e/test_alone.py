"""A village loses its link while its cold room grows warm: heard there, and told once in all."""

import urllib.parse
import urllib.request
from contextlib import closing
from pathlib import Path
from time import time

import pytest

from coldtrail.relay import Relay
from domain.reading import PersonId, RoomId
from store.records import open_records
from store.records.ports import Duty, Person
from tests.integration.gateway.test_alone import Siren
from tests.support.gammu import Modem
from tests.support.servers import free_port, free_port_base, require, wait_until
from tests.support.system import System

pytestmark = pytest.mark.server

ROOM = RoomId("room1")  # the one that `init` makes
OPERATOR = Person(PersonId("wang"), "王", "+8613800000001", "zh", quiet_hours=False)
MINUTE_MS = 60_000


def page(system: System) -> str:
    url = f"http://127.0.0.1:{system.port_base + 12}/?lang=en"
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
    return body.decode()


def prepared(folder: Path, modem: Modem, siren: Siren, link: int) -> System:
    system = System(folder / "data", free_port_base())
    system.prepare()
    with (system.data / "coldtrail.toml").open("a") as toml:  # the gateway's table is the last
        toml.write(
            f'uplink_url = "mqtt://127.0.0.1:{link}"\nalarm_command = ["{siren.path}"]\n'
            f'sms_folder = "{modem.folder}"\nsms_after_s = 3.0\n'
        )
    now_ms = int(time() * 1000)
    with closing(open_records(system.data / "server" / "records.db")) as records:
        records.put_person(OPERATOR, by="test", now_ms=now_ms)
        records.put_duty(Duty(OPERATOR.id, "operator", "room", ROOM), by="test", now_ms=now_ms)
    return system


def test_with_the_link_cut_the_village_hears_of_its_warm_room_and_nobody_is_rung_twice(
    tmp_path: Path,
) -> None:
    require("nats-server")
    modem, siren, link = Modem(tmp_path / "sms"), Siren(tmp_path), free_port()
    system = prepared(tmp_path, modem, siren, link)
    with closing(Relay(link, f"mqtt://127.0.0.1:{system.port_base + 1}")) as relay, system:
        relay.open()
        now_ms = int(time() * 1000) // MINUTE_MS * MINUTE_MS
        since = now_ms - 600 * MINUTE_MS
        system.http(
            f"/api/v1/rooms/{ROOM}/rules",
            {"from": since, "profile": "SB", "commodities": ["strawberry"], "interval_s": 300},
        )
        probe = f"mqtt:{system.gateway_id()}:p1"
        system.http("/api/v1/assignments", {"probe": probe, "room": ROOM, "from": since})
        kept = system.data / "gateway" / "config.json"
        wait_until(lambda: kept.exists() and probe in kept.read_text(), 60, "the gateway knows")
        relay.close()

        with modem.running():
            hot = [(now_ms - i * MINUTE_MS, 8.2 if i <= 45 else 2.5) for i in range(90, -1, -5)]
            system.measured(hot)
            wait_until(lambda: siren.said()[-1:] == [f"{ROOM} CRIT_HIGH critical on"], 60, "rings")
            wait_until(modem.sent, 60, "a text has gone out by the modem")
            wait_until(
                lambda: '"handed":[]' in (system.data / "gateway" / "alarms.json").read_text(),
                30, "it is reported",
            )  # fmt: skip
        [text] = modem.sent()
        assert "8.2℃" in text
        assert "too warm" in page(system)
        assert system.http("/api/v1/notices")["notices"] == []

        relay.open()

        def told() -> bool:
            """The alarm is known, and tied to what the operator heard."""
            notices = system.http("/api/v1/notices")["notices"]
            return any(n["state"] == "told" and n["fact_ids"] for n in notices)

        wait_until(told, 120, "the server knows the alarm and who has heard of it")
        [notice] = system.http("/api/v1/notices")["notices"]
        assert (notice["to"], notice["text"], notice["kind"]) == (OPERATOR.id, text, "raise")
        alarms = system.http("/api/v1/alarms", active="true")["alarms"]
        assert "CRIT_HIGH" in {alarm["code"] for alarm in alarms}
        assert system.phone(OPERATOR.phone).count('class="bubble in"') == 0
