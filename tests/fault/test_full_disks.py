"""Disks that fill up while readings flow: at the gateway, at the edge broker, at the server.

Real processes on a small file system in memory, which somebody else's file fills to the last
byte and leaves again. Nobody touches a process: what was acknowledged is stored, what was not
is sent again, and everything goes on.
"""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from coldtrail.init import FIRST
from disk.room import BALLAST_BYTES
from store.errors import NotReady
from store.notices import open_notices_reader
from store.system_alarms import read
from tests.faults.oracle import violations
from tests.faults.traffic import Device as Installer
from tests.faults.traffic import Pack, Story, set_up
from tests.integration.alerts.test_service import Api, settings
from tests.integration.alerts.test_service import running as alerts_running
from tests.integration.gateway.rig import Device, Rig, Server, now_ms, running
from tests.support.alert_house import House
from tests.support.servers import (
    fill,
    free_port,
    free_port_base,
    require,
    small_disk,
    wait_until,
)
from tests.support.sms import Centre
from tests.support.system import Answered, System

pytestmark = [pytest.mark.server, pytest.mark.fault]

SEED = 20261126
TOPIC = "devices/store/readings"
START_MS = now_ms() - 86_400_000


def pack(number: int, readings: int = 60) -> bytes:
    """Readings that no other pack has."""
    first = START_MS + number * 1_000 * readings
    return json.dumps(
        [
            {
                "n": "temperature",
                "v": (number * 7 + i) % 2_000 / 100,
                "t": (first + i * 1_000) / 1000,
            }
            for i in range(readings)
        ]
    ).encode()


class Sender:
    """A device that goes on sending, whatever is acknowledged."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self.sent = 0

    def send(self, packs: int) -> None:
        for _ in range(packs):
            self._device.send(self.sent, TOPIC, pack(self.sent))
            self.sent += 1

    @property
    def acknowledged(self) -> int:
        return len(self._device.acknowledged)

    def all_acknowledged(self) -> bool:
        return self.acknowledged == self.sent


def page(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/?lang=en", timeout=20) as answer:
        text: bytes = answer.read()
        return text.decode()


@contextmanager
def edge_kept_running(rig: Rig) -> Iterator[None]:
    """What a supervisor does for the edge broker."""
    stop = threading.Event()

    def keep() -> None:
        while not stop.wait(0.1):
            if rig.edge.ended:
                rig.edge.start()

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def same_as_sent(server: Server, sender: Sender) -> bool:
    return {at for _, _, at in list(server.stored)} == {
        START_MS + i * 1_000 for i in range(sender.sent * 60)
    }


def test_the_gateways_full_disk_costs_no_reading_and_is_left_without_a_hand(
    tmp_path: Path,
) -> None:
    port = free_port()
    with (
        small_disk(tmp_path / "disk", 96) as disk,
        running(
            disk, lan_page_port=port, disk_reserve_bytes=12 << 20, edge_stream_bytes=8 << 20
        ) as (rig, server, device),
        edge_kept_running(rig),
    ):
        sender = Sender(device)
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the device is let in")
        sender.send(40)
        wait_until(sender.all_acknowledged, 20, "all is acknowledged")
        server.deaf = True
        sender.send(5)

        theirs = fill(disk)  # the logs as well have no room now
        ballast = disk / "outbox.ballast"

        def stuck() -> bool:
            fill(disk)
            sender.send(2)
            return sender.sent - sender.acknowledged > 20

        wait_until(stuck, 20, "acknowledgements have stopped")
        wait_until(lambda: server.statuses[-1].state == "full", 20, "it says so to the server")
        assert "Full: new readings stay with the probes" in page(port)
        assert not rig.gateway.ended

        theirs.unlink()
        server.deaf = False
        server.hello()
        wait_until(sender.all_acknowledged, 60, "acknowledgements have resumed")
        wait_until(lambda: same_as_sent(server, sender), 40, "every reading is stored")
        wait_until(lambda: ballast.stat().st_size == BALLAST_BYTES, 20, "the ballast is back")
        assert rig.gateway.log().count("outbox is full") <= 1
        assert rig.gateway.log().count("outbox has room again") == 1
        assert server.given_up == 0


def test_an_edge_broker_whose_disk_was_full_is_started_anew_and_keeps_what_it_acknowledged(
    tmp_path: Path,
) -> None:
    with (
        small_disk(tmp_path / "edge-store", 24) as disk,
        running(tmp_path, edge_stream_bytes=8 << 20, edge_quiet_s=2.0) as (rig, server, device),
        edge_kept_running(rig),
    ):
        sender = Sender(device)
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the device is let in")
        sender.send(10)
        wait_until(sender.all_acknowledged, 20, "all is acknowledged")

        def stuck() -> bool:
            fill(disk)
            sender.send(2)
            return sender.sent - sender.acknowledged > 20

        wait_until(stuck, 20, "acknowledgements have stopped")
        (disk / "somebody-elses").unlink()

        wait_until(sender.all_acknowledged, 60, "acknowledgements have resumed")
        wait_until(lambda: same_as_sent(server, sender), 40, "every reading is stored")
        assert "edge broker keeps nothing: started anew" in rig.gateway.log()


def test_an_edge_broker_at_its_cap_refuses_and_goes_on_when_the_gateway_is_back(
    tmp_path: Path,
) -> None:
    with running(tmp_path, edge_stream_bytes=1 << 20) as (rig, server, device):
        sender = Sender(device)
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the device is let in")
        rig.gateway.kill()  # and is away for long

        sender.send(600)
        wait_until(lambda: "maximum bytes exceeded" in rig.edge.log(), 20, "it is full")
        assert sender.acknowledged < sender.sent
        rig.gateway.start()

        wait_until(sender.all_acknowledged, 60, "acknowledgements have resumed")
        wait_until(lambda: same_as_sent(server, sender), 40, "every reading is stored")


def restarts(system: System) -> set[str]:
    return {role for role, now in system.status()["roles"].items() if now["restarts"]}


def not_ready(system: System) -> str:
    try:
        system.http("/readyz")
    except Answered as error:
        return str(error)
    return ""


def told(story: Story, rounds: range, *, last: bool = False) -> list[Pack]:
    return [pack for nth in rounds for pack in story.packs(nth, last=last and nth == rounds[-1])]


def test_the_servers_full_disk_costs_no_reading_and_no_alarm_and_ends_no_role(
    tmp_path: Path,
) -> None:
    require("nats-server")
    data = tmp_path / "data"
    data.mkdir()
    with small_disk(data / "server", 128) as disk:
        system = System(data, free_port_base())
        system.prepare()
        with (data / "coldtrail.toml").open("a") as toml:
            toml.write("\n[disk]\nreserve_mb = 24\n[clock]\nrate = 20\n")
        (disk / "logs").mkdir()
        (data / "logs").rmdir()
        (data / "logs").symlink_to(disk / "logs")  # what is logged has no room either
        with system:
            start_ms = now_ms() - 4 * 86_400_000
            ledger = set_up(system, FIRST.id, start_ms)
            story = Story(SEED, start_ms, FIRST.id)
            edge = system.status()["edge"]
            password = (data / edge["password_file"]).read_text().strip()
            with Installer(ledger, int(edge["url"].rpartition(":")[2]), password) as device:
                device.say(told(story, range(4)))
                wait_until(lambda: system.pipeline()["rows"] > 0, 60, "some are stored")

                fill(disk, 16 << 20)
                wait_until(lambda: "DISK_FULL" in not_ready(system), 30, "it says so")
                assert "full disk" in system.console("/pipeline?lang=en")
                theirs = fill(disk)
                wait_until(lambda: not (disk / "ballast").exists(), 30, "the ballast is given up")
                fill(disk)
                wait_until(lambda: '"alerts":{"ready":false' in not_ready(system), 30, "nor alerts")
                device.say(told(story, range(4, 8), last=True))
                wait_until(lambda: not device.unacknowledged(), 60, "the gateway has a disk still")
                assert system.pipeline()["rows"] < len(ledger.readings)

                theirs.unlink()
                wait_until(
                    lambda: system.pipeline()["rows"] >= len(ledger.readings), 60, "all are stored"
                )
                wait_until(system.ready, 30, "it is ready")
            assert (disk / "ballast").stat().st_size == BALLAST_BYTES
            assert restarts(system) == {"broker"}
            wait_until(
                lambda: not violations(data, ledger, influx_url=None, api=None, full=False),
                60, "every law holds",
            )  # fmt: skip
            assert violations(data, ledger, influx_url=None, api=None, full=True) == []


def test_what_is_due_while_nothing_can_be_noted_is_sent_once_when_it_can(tmp_path: Path) -> None:
    centre, api = Centre.at(tmp_path), Api()
    with (
        small_disk(tmp_path / "disk", 16) as disk,
        House(tmp_path / "house") as house,
        centre.running(),
        api.running(),
    ):
        house.room("r1", "mqtt:g1:p1")
        house.person("op", "operator", "+8613800000001", quiet_hours=False)
        chosen = msgspec.structs.replace(
            settings(house, centre, api),
            facts_path=str(disk / "facts.db"),
            notices_path=str(disk / "notices.db"),
            system_path=str(tmp_path / "system"),
        )

        def told() -> list[tuple[object, object, object]]:
            try:
                with closing(open_notices_reader(chosen.notices_path)) as reader:
                    return [(n["kind"], n["state"], n["attempts"]) for n in reader.notices()]
            except NotReady:  # filled before its tables were made
                return []

        def full() -> bool:
            fill(disk)
            return "DISK_FULL" in [one.code for one in read(chosen.system_path, now_ms())]

        with alerts_running(chosen):
            wait_until((disk / "notices.db").exists, 20, "it runs")
            theirs = fill(disk)
            wait_until(full, 20, "it says so")
            at_ms = now_ms()
            house.arrive([(at_ms - 5 * i * 60_000, 8.0) for i in range(7, -1, -1)], at_ms=at_ms)

            theirs.unlink()
            wait_until(lambda: told() == [("raise", "delivered", 1)], 40, "the text is out, once")
