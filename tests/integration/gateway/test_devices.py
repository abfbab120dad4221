"""Devices with a user of their own, by MQTT and by HTTP."""

import json
import random
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway import devices
from tests.integration.gateway.rig import Device, Rig, now_ms, running
from tests.support import lan
from tests.support.servers import free_port, small_disk, wait_until

pytestmark = pytest.mark.server


def post(
    rig: Rig, name: str, body: bytes, user: str = "device", password: str = "device",  # noqa: S107  # of a test
    header: str = "",
) -> tuple[int, str]:  # fmt: skip
    url = f"http://127.0.0.1:{rig.settings.lan_page_port}"
    return lan.post(url, name, body, header or lan.basic(user, password))


def serves(rig: Rig) -> bool:
    try:
        return post(rig, "x", b"", password="wrong")[0] == 401  # noqa: S106  # of a test
    except (urllib.error.URLError, ConnectionError):
        return False


def plain(**values: Any) -> bytes:
    return json.dumps(values).encode()


def test_a_posted_reading_is_on_disk_before_the_answer(tmp_path: Path) -> None:
    with running(tmp_path, lan_page_port=free_port()) as (rig, server, _device):
        rig.gateway.start()
        wait_until(lambda: serves(rig), 20, "the LAN port answers")
        at = now_ms()
        pack = [{"n": "temperature", "v": 4.2, "t": at / 1000}]

        assert post(rig, "store%207", json.dumps(pack).encode()) == (204, "")
        rig.gateway.kill()
        rig.gateway.start()

        key = ("mqtt:gw-1:store 7", "temperature", at)
        wait_until(lambda: server.stored.get(key) == (420, 0), 30, "the server has the reading")


def test_a_posted_message_is_answered_by_what_became_of_it(tmp_path: Path) -> None:
    with running(tmp_path, lan_page_port=free_port()) as (rig, server, _device):
        rig.gateway.start()
        wait_until(lambda: serves(rig), 20, "the LAN port answers")

        assert post(rig, "a", b"hello") == (422, "not JSON\n")
        status, said = post(rig, "a", plain(temperature=4, mood=3))
        assert (status, json.loads(said)["stored"]) == (200, 1)
        assert "mood" in said
        assert post(rig, "a", bytes((1 << 20) + 1))[0] == 413
        assert post(rig, "%0a", plain(temperature=4))[0] == 422
        wait_until(lambda: server.has(1), 20, "the good one is stored")


def test_on_a_short_disk_nothing_is_acknowledged_and_all_that_was_arrives(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", 64) as disk,
        running(
            tmp_path, lan_page_port=free_port(), outbox_path=str(disk / "outbox.db"),
            disk_reserve_bytes=(32 << 20) - 400_000,
        ) as (rig, server, _device),
    ):  # fmt: skip
        server.deaf = True
        rig.gateway.start()
        wait_until(lambda: serves(rig), 20, "the LAN port answers")
        seeded, start, kept = random.Random(1), now_ms() - 86_400_000, 0  # noqa: S311  # no secret

        def full() -> bool:
            nonlocal kept
            pack = [
                {
                    "n": "temperature",
                    "v": seeded.randrange(9_999) / 100,
                    "t": (start + kept + i) / 1000,
                }
                for i in range(1_000)
            ]
            status, _said = post(rig, "a", json.dumps(pack).encode())
            assert status in (204, 503)
            kept += 1_000 if status == 204 else 0
            return status == 503

        wait_until(full, 90, "the disk is short")
        server.deaf = False
        server.hello()

        wait_until(lambda: post(rig, "a", plain(temperature=4))[0] == 204, 60, "there is room")
        wait_until(lambda: server.has(kept + 1), 60, "all that was acknowledged is stored")
        assert server.given_up == 0


def test_a_device_speaks_for_itself_alone_and_is_let_in_and_out_without_a_restart(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "devices"
    port = free_port()
    with running(tmp_path, lan_page_port=port, devices_folder=str(folder)) as (rig, server, old):
        rig.gateway.start()
        wait_until(lambda: serves(rig) and old.connected.is_set(), 20, "the gateway is up")

        password = devices.add(folder, "store7").read_text().strip()
        assert post(rig, "store7", plain(temperature=4), "store7", password)[0] == 204
        assert post(rig, "store8", plain(temperature=4), "store7", password)[0] == 403
        bearer = f"Bearer {password}"
        assert post(rig, "store7", plain(temperature=5), header=bearer)[0] == 204
        new = Device(rig.edge_port, password, username="store7")
        try:
            wait_until(new.connected.is_set, 20, "the broker lets it in")
            new.say(1, "devices/store7/readings", {"humidity": 80})
            wait_until(lambda: server.has(3), 20, "its readings are stored")

            devices.remove(folder, "store7")
            assert post(rig, "store7", plain(temperature=4), "store7", password)[0] == 401
            wait_until(lambda: "authorization violation" in rig.edge.log().lower()
                       or "authentication" in rig.edge.log().lower(), 20, "it is shut out")  # fmt: skip
        finally:
            new.close()
        old.say(1, "devices/other/readings", {"temperature": 4})
        wait_until(lambda: server.has(4), 20, "the others never noticed")


@pytest.mark.parametrize("content", [b"two\tparts", b"\xff\xfe"])
def test_a_password_that_somebody_wrote_and_that_cannot_be_costs_the_other_devices_nothing(
    tmp_path: Path, content: bytes
) -> None:
    folder = tmp_path / "devices"
    folder.mkdir()
    with running(tmp_path, devices_folder=str(folder)) as (rig, server, device):
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the gateway is up")

        (folder / "store7.password").write_bytes(content)

        said = "edge broker not in our charge yet"
        wait_until(lambda: said in rig.gateway.log(), 20, "the gateway says so")
        device.say(1, "devices/other/readings", {"temperature": 4})
        wait_until(lambda: server.has(1), 20, "the others never noticed")
        assert rig.gateway.stop() == 0
        assert "Traceback" not in rig.gateway.log()


def test_a_device_hears_what_it_was_given_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "devices"
    password = devices.add(folder, "zigbee", ["zigbee2mqtt/#"]).read_text().strip()
    with running(tmp_path, devices_folder=str(folder)) as (rig, _server, _device):
        rig.gateway.start()
        granted: dict[str, list[bool]] = {}
        asked: dict[int, str] = {}
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="zigbee")
        client.username_pw_set("zigbee", password)

        def on_connect(c: mqtt.Client, _d: Any, _f: Any, reason: Any, _p: Any) -> None:
            if not reason.is_failure:
                for filter_ in ("zigbee2mqtt/#", "devices/#"):
                    asked[c.subscribe(filter_, 0)[1] or 0] = filter_

        def on_subscribe(_c: mqtt.Client, _d: Any, mid: int, reasons: Any, _p: Any) -> None:
            granted[asked[mid]] = [not reason.is_failure for reason in reasons]

        client.on_connect, client.on_subscribe = on_connect, on_subscribe
        client.reconnect_delay_set(1, 1)
        client.connect_async("127.0.0.1", rig.edge_port)
        client.loop_start()
        try:
            wait_until(lambda: len(granted) == 2, 30, "both are answered")
            assert granted == {"zigbee2mqtt/#": [True], "devices/#": [False]}
        finally:
            client.disconnect()
            client.loop_stop()
