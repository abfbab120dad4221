"""What is in a gateway's quarantine is tried again, and leaves it once it is stored."""

from pathlib import Path

import pytest

from gateway import quarantine
from gateway.hours_off import set_offset
from tests.integration.gateway.rig import now_ms, running
from tests.support.servers import wait_until

pytestmark = pytest.mark.server

TOPIC = "tele/store7/SENSOR"


def test_a_device_that_sends_local_time_is_reported_and_one_action_sets_it_right(
    tmp_path: Path,
) -> None:
    offsets = tmp_path / "offsets.json"
    with running(tmp_path, offsets_file=str(offsets)) as (rig, server, device):
        rig.gateway.start()
        wait_until(lambda: rig.says_now(device, server), 20, "the gateway has caught up")
        true_s = [now_ms() // 1000 - 60 + i for i in range(3)]
        for i, at_s in enumerate(true_s):
            said = {"Time": at_s + 8 * 3600, "AM2301": {"Temperature": 4 + i}}
            device.say(i, TOPIC, said)
        wait_until(
            lambda: bool(server.statuses) and server.statuses[-1].hours_off == {TOPIC: 8}, 30,
            "the status says so",
        )  # fmt: skip
        held = quarantine.listed(rig.settings.outbox_path)
        assert {h.topic for h in held} == {TOPIC}
        assert all("8 h, local time sent as UTC" in h.reason for h in held)

        set_offset(offsets, TOPIC, 8)

        probe = "mqtt:gw-1:tasmota/store7/AM2301"
        wait_until(
            lambda: {(at, c) for (p, _, at), c in list(server.stored.items()) if p == probe}
            == {(s * 1000, ((4 + i) * 100, 0)) for i, s in enumerate(true_s)},
            30, "what was in quarantine is stored in its own time",
        )  # fmt: skip
        assert quarantine.listed(rig.settings.outbox_path) == []


def test_a_message_is_tried_again_when_somebody_asks(tmp_path: Path) -> None:
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        wait_until(lambda: rig.says_now(device, server), 20, "the gateway has caught up")
        ahead = now_ms() + 301_000  # is no longer ahead in a second
        device.say(1, "devices/a/readings", [{"n": "temperature", "v": 4, "t": ahead / 1000}])
        device.say(2, "weather/station", {"temperature": 4})
        path = rig.settings.outbox_path
        wait_until(lambda: len(quarantine.listed(path)) == 2, 20, "both are in quarantine")

        def stored() -> bool:
            quarantine.wish(path, [1, 2])
            return ("mqtt:gw-1:a", "temperature", ahead) in server.stored

        wait_until(stored, 30, "what may enter now is stored")
        [left] = quarantine.listed(path)
        assert left.topic == "weather/station"
