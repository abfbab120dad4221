"""A gateway between real brokers: what it acknowledged reaches the server, whatever dies."""

from pathlib import Path

import pytest

from tests.integration.gateway.rig import now_ms, running
from tests.support.servers import wait_until

pytestmark = pytest.mark.server


def senml(at_ms: int, celsius: float) -> list[dict[str, object]]:
    return [{"n": "temperature", "u": "Cel", "t": at_ms / 1000, "v": celsius}]


def test_a_reading_from_a_strangers_client_reaches_the_server_with_its_own_time(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        at = now_ms()

        device.say(1, "devices/冷库-1/readings", senml(at, 4.25))

        key = ("mqtt:gw-1:冷库-1", "temperature", at)
        wait_until(lambda: key in server.stored, 20, "the server has the reading")
        assert server.stored[key] == (425, 0)
        assert rig.gateway.stop() == 0
        wait_until(lambda: server.statuses[-1].state == "offline", 5, "says that it went")
