"""The gateway's page on its LAN, while nobody else can be reached."""

import re
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.integration.gateway.rig import now_ms, running
from tests.integration.gateway.test_alone import (
    HOT,
    OFF,
    ON,
    Siren,
    config,
    measured,
    strawberries,
)
from tests.support.servers import free_port, wait_until
from wire.events_v1 import Acked

pytestmark = pytest.mark.server


def page(port: int, path: str = "/?lang=en") -> str:
    """Empty while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            body: bytes = answer.read()
    except urllib.error.URLError:
        return ""
    return body.decode()


def press(port: int, **fields: str) -> str:
    """Send the form; the page that follows."""
    form = urllib.parse.urlencode(fields).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/ack", form, timeout=10) as answer:
        body: bytes = answer.read()
    return body.decode()


def mark(html: str) -> str:
    found = re.search(r'name="mark" value="([0-9a-f]+)"', html)
    assert found
    return found[1]


def test_a_village_without_a_link_sees_its_rooms_and_silences_its_siren(tmp_path: Path) -> None:
    siren, port = Siren(tmp_path), free_port()
    with running(tmp_path, alarm_command=[str(siren.path)], lan_page_port=port) as (
        rig,
        server,
        device,
    ):
        server.configure(config(1, strawberries()))
        rig.gateway.start()
        wait_until(lambda: any(s.config for s in server.statuses), 60, "the config is in use")
        rig.central.kill()
        measured(device, *HOT, until_ms=now_ms())
        wait_until(lambda: siren.said() == [ON], 60, "the siren is on")
        wait_until(lambda: "too warm" in page(port), 20, "the page knows")

        shown = page(port)
        for part in ("Room 1", "East", "too warm 8.5℃", "8.5℃", "readings waiting", "just now"):
            assert part in shown, part
        chinese = page(port, "/?lang=zh")
        assert "一号冷库" in chinese
        assert "超温 8.5℃" in chinese
        assert "<script" not in shown
        assert "+86" not in shown + chinese, "nobody's number is shown"
        assert len(shown.encode()) < 12_000

        refused = press(port, room="r1", mark="0" * 32, lang="en")
        assert "press again" in refused
        after = press(port, room="r1", mark=mark(refused), lang="en")

        assert "Acknowledged" in after
        wait_until(lambda: siren.said() == [ON, OFF], 20, "the siren is off")
        wait_until(lambda: 'action="/ack"' not in page(port), 20, "the button is gone")
        rig.central.start()
        wait_until(lambda: server.events, 60, "the server hears who answered")
        [event] = server.events
        assert isinstance(event, Acked)
        assert (event.room, event.by) == ("r1", "page")


def test_a_wrong_pin_acknowledges_nothing_and_is_not_tried_for_ever(tmp_path: Path) -> None:
    siren, port = Siren(tmp_path), free_port()
    (tmp_path / "page.pin").write_text("2468\n")
    with running(
        tmp_path, alarm_command=[str(siren.path)], lan_page_port=port,
        page_pin_file=str(tmp_path / "page.pin"),
    ) as (rig, server, device):  # fmt: skip
        server.configure(config(1, strawberries()))
        rig.gateway.start()
        measured(device, *HOT, until_ms=now_ms())
        wait_until(lambda: 'name="pin"' in page(port), 30, "the page asks for the PIN")
        token = mark(page(port))

        for n in range(5):
            assert "Wrong PIN" in press(port, room="r1", mark=token, pin=str(n), lang="en")

        assert "Wrong PIN" in press(port, room="r1", mark=token, pin="2468", lang="en")
        assert siren.said() == [ON]


def test_before_a_config_has_come_the_page_says_so(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, lan_page_port=port) as (rig, _server, _device):
        rig.gateway.start()

        wait_until(lambda: "No config has come yet" in page(port), 20, "the page is there")
        assert "还没有收到配置" in page(port, "/?lang=zh")


def test_a_gateway_that_listens_is_ready_and_one_without_its_broker_says_so(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, lan_page_port=port) as (rig, _server, _device):
        rig.gateway.start()
        wait_until(
            lambda: page(port, "/readyz") == '{"ready":true,"reasons":[]}', 30, "it is ready"
        )
        rig.edge.kill()
        wait_until(lambda: not page(port, "/readyz"), 30, "it says that it is not")
        with pytest.raises(urllib.error.HTTPError, match="503") as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10)
        with refused.value:
            assert refused.value.read() == b'{"ready":false,"reasons":["BROKER_AWAY"]}'
