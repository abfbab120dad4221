"""Devices as their makers made them, through the real edge broker."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway import quarantine
from tests.integration.gateway.rig import now_ms, running
from tests.support.servers import wait_until
from tests.support.sparkplug import metric, payload

pytestmark = pytest.mark.server

EUI = "24e124136d351234"
FLOAT = 9


def test_every_makers_own_topic_reaches_the_server(tmp_path: Path) -> None:
    at = now_ms() // 1000 * 1000
    text = datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ruuvi = {"ts": str(at // 1000), "data": "0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"}  # fmt: skip
    shelly = {"src": "shellyhtg3-84fce63ad204", "method": "NotifyStatus",
              "params": {"ts": at / 1000, "temperature:0": {"tC": 4.3}}}  # fmt: skip
    chirpstack = {"time": text, "deviceInfo": {"devEui": EUI}, "object": {"temperature": 4.4}}
    messages = {
        "zigbee2mqtt/0x00158d0001a2b3c4": {"temperature": 4.1, "last_seen": at},
        "tele/store7/SENSOR": {"Time": text, "AM2301": {"Temperature": 4.2}},
        "shellyhtg3-84fce63ad204/events/rpc": shelly,
        f"application/5f2fb5d7/device/{EUI}/event/up": chirpstack,
        "ruuvi/C8:25:2D:8E:9C:2C/CB:B8:33:4C:88:4F": ruuvi,
    }
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        for number, (topic, message) in enumerate(messages.items()):
            device.say(number, topic, message)
        born = payload(metric("Temperature", 1, at_ms=at, datatype=FLOAT, real=4.5))
        device.send(20, "spBv1.0/coop/DBIRTH/plc1/store7", born)
        device.send(21, "store7/sensor/temperature/state", b"4.6")

        def temperatures() -> dict[str, int]:
            return {p: c for (p, q, _), (c, _) in list(server.stored.items()) if q == "temperature"}

        wait_until(lambda: len(temperatures()) == 7, 30, "each maker's device is stored")
        assert temperatures() == {
            "ieee:00158d0001a2b3c4": 410,
            "mqtt:gw-1:tasmota/store7/AM2301": 420,
            "mac:84fce63ad204": 430,
            f"deveui:{EUI}": 440,
            "mac:CB:B8:33:4C:88:4F": 2430,
            "mqtt:gw-1:sparkplug/coop/plc1/store7": 450,
            "mqtt:gw-1:store7": 460,
        }
        own_time = [a for (p, _, a) in server.stored if not p.endswith(":store7")]
        assert set(own_time) == {at}
        assert server.statuses[-1].quarantined == 0


def test_a_birth_certificate_outlives_the_gateway_that_acknowledged_it(tmp_path: Path) -> None:
    at = now_ms()
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        born = payload(metric("Temperature", 7, at_ms=at, datatype=FLOAT, real=4.0))
        device.send(1, "spBv1.0/coop/NBIRTH/plc1", born)
        wait_until(lambda: 1 in device.acknowledged and server.has(1), 20, "the node is born")
        rig.gateway.kill()

        rig.gateway.start()
        later = payload(metric(alias=7, at_ms=at + 1, real=5.0))
        device.send(2, "spBv1.0/coop/NDATA/plc1", later)

        probe = "mqtt:gw-1:sparkplug/coop/plc1"
        wait_until(
            lambda: server.stored.get((probe, "temperature", at + 1)) == (500, 0), 30,
            "data by alias is understood",
        )  # fmt: skip


def test_what_no_decoder_understands_is_kept_with_its_topic_and_acknowledged(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        device.send(1, "spBv1.0/coop/NDATA/plc1", payload(metric(alias=7, real=5.0)))
        device.say(2, "tele/store7/SENSOR", ["no object"])
        device.send(3, "weather/station", json.dumps({"temperature": 4}).encode())
        wait_until(lambda: device.acknowledged == {1, 2, 3}, 20, "all are acknowledged")
        wait_until(lambda: server.statuses, 20, "it is connected, so that its last word is its own")
        assert rig.gateway.stop() == 0
        wait_until(lambda: server.statuses[-1].state == "offline", 20, "the last status")

        assert server.statuses[-1].quarantined == 3
        assert not server.stored


def test_a_decoder_of_another_package_that_fails_costs_its_own_messages_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    info = package / "acme_decoder-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-decoder\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[coldtrail.decoders]\nacme = acme_decoder:decode\n")
    (package / "acme_decoder.py").write_text(
        "from gateway.decoders.reading import DeviceReading, OtherTopic\n"
        "def decode(topic, payload, received_at_ms):\n"
        "    if not topic.startswith('acme/'):\n"
        "        raise OtherTopic\n"
        "    if payload == b'exit':\n"
        "        raise SystemExit(3)\n"
        "    count = round(float(payload) * 100)\n"
        "    return [DeviceReading(topic, False, 'temperature', count, received_at_ms, False)]\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(package))
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        for number, said in enumerate((b"warm", b"exit", b"4.2", b"\xff")):
            device.send(number, f"acme/{number}", said)
        device.say(9, "devices/a/readings", {"temperature": 5})

        wait_until(lambda: server.has(2), 30, "the good ones are stored")
        assert {p for p, _, _ in server.stored} == {"mqtt:gw-1:acme/2", "mqtt:gw-1:a"}
        wait_until(lambda: device.acknowledged == {0, 1, 2, 3, 9}, 20, "all are acknowledged")
        reasons = [h.reason for h in quarantine.listed(rig.settings.outbox_path)]
        assert all(reason.startswith("decoder acme failed: ") for reason in reasons)
        assert len(reasons) == 3
        assert not rig.gateway.ended
