"""A gateway that knows its rooms: what it believes, and what it does when nobody else can."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from coldtrail.relay import Relay
from gateway import quarantine
from tests.integration.gateway.rig import SIGNING, Device, now_ms, running
from tests.support.gammu import Modem
from tests.support.servers import free_port, wait_until
from wire.config_v1 import Action, Config, Contact, Probe, Room, RuleVersion, Site, encode
from wire.events_v1 import Acked, Told

pytestmark = pytest.mark.server

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS


def config(m: int = 1, *rooms: Room) -> bytes:
    sites = (Site("s1", "village-point", "东村", "East"),)
    return encode(Config(1, "gw-1", "records-1", m, now_ms(), sites, rooms), SIGNING.sign)


def strawberries(*actions: Action) -> Room:
    """4 °C is warm, 7 °C for half an hour critical; a sample a minute."""
    since = now_ms() - DAY_MS
    return Room(
        "r1", "s1", "chilled", "一号冷库", "Room 1",
        (Probe("mqtt:gw-1:p1", since),),
        (RuleVersion(1, since, "SB", ("strawberry",), 60),),
        actions,
        (Contact("op", "operator", "+8613800000001"),),
    )  # fmt: skip


def measured(device: Device, *celsius: Sequence[float] | float, until_ms: int) -> None:
    """One value a minute, the last one at ``until_ms``."""
    first_ms = until_ms - (len(celsius) - 1) * MINUTE_MS
    for n, value in enumerate(celsius):
        at_s = (first_ms + n * MINUTE_MS) / 1000
        device.say(
            n, "devices/p1/readings", [{"n": "temperature", "u": "Cel", "t": at_s, "v": value}]
        )


class Siren:
    """A script that writes down how it was called."""

    def __init__(self, folder: Path) -> None:
        self._said = folder / "siren.said"
        self.path = folder / "siren.sh"
        self.path.write_text(f'#!/bin/sh\necho "$@" >> {self._said}\n')
        self.path.chmod(0o755)

    def said(self) -> list[str]:
        return self._said.read_text().splitlines() if self._said.exists() else []


ON, OFF = "r1 CRIT_HIGH critical on", "r1 CRIT_HIGH critical off"
HOT = [3.0] * 5 + [8.5] * 40


def test_a_hot_room_rings_on_the_spot_until_somebody_acknowledges_at_the_server(
    tmp_path: Path,
) -> None:
    siren = Siren(tmp_path)
    with running(tmp_path, alarm_command=[str(siren.path)]) as (rig, server, device):
        server.configure(config(1, strawberries()))
        rig.gateway.start()

        measured(device, *HOT, until_ms=now_ms())
        wait_until(lambda: siren.said() == [ON], 60, "the siren is on")
        server.configure(config(2, strawberries(Action(now_ms(), "ack", "op"))))

        wait_until(lambda: siren.said() == [ON, OFF], 20, "the siren is off")
        rig.gateway.stop()
        wait_until(lambda: server.statuses[-1].state == "offline", 20, "says that it went")
        assert server.statuses[-1].alarms == 2, "it is still too warm, and said so"


def test_the_siren_ends_with_the_alarm_though_the_gateway_was_killed_meanwhile(
    tmp_path: Path,
) -> None:
    siren = Siren(tmp_path)
    with running(tmp_path, alarm_command=[str(siren.path)]) as (rig, server, device):
        server.configure(config(1, strawberries()))
        rig.gateway.start()
        end_ms = now_ms() - 2 * MINUTE_MS
        measured(device, *HOT, until_ms=end_ms)
        wait_until(lambda: siren.said() == [ON], 60, "the siren is on")
        wait_until(lambda: '"rung":{"r1"' in (tmp_path / "alarms.json").read_text(), 20, "noted")
        rig.central.kill()  # nobody tells it anything any more

        rig.gateway.kill()
        rig.gateway.start()
        measured(device, 3.0, 3.0, until_ms=end_ms + 2 * MINUTE_MS)

        wait_until(lambda: siren.said() == [ON, OFF], 40, "the siren is off")


def test_what_is_long_over_when_it_comes_in_rings_nobody(tmp_path: Path) -> None:
    siren = Siren(tmp_path)
    with running(tmp_path, alarm_command=[str(siren.path)]) as (rig, server, device):
        server.configure(config(1, strawberries()))
        rig.gateway.start()

        measured(device, *HOT, 3.0, 3.0, until_ms=now_ms() - 60 * MINUTE_MS)
        measured(device, *HOT, until_ms=now_ms())

        wait_until(lambda: siren.said() == [ON], 30, "only what is hot now has rung")
        assert any(s.config for s in server.statuses)


def test_only_a_config_that_the_server_signed_is_used_and_the_others_are_kept_as_evidence(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as (rig, server, _device):
        server.configure(config(4, strawberries()))
        rig.gateway.start()
        wait_until(lambda: any(s.config for s in server.statuses), 60, "the config is in use")

        server.configure(config(9, strawberries()).replace(b'"m":9', b'"m":8'))
        server.configure(config(3, strawberries()))

        path = str(rig.folder / "outbox.db")
        wait_until(lambda: len(quarantine.listed(path)) == 2, 20, "both are kept")
        reasons = [held.reason for held in quarantine.listed(path)]
        assert reasons == ["not signed by our server", "older than the config that is held"]
        rig.gateway.stop()
        wait_until(lambda: server.statuses[-1].state == "offline", 20, "it says that it goes")
        last = server.statuses[-1]
        assert (last.config and last.config.m, last.configs_refused) == (4, 2)


def test_with_the_link_down_people_hear_of_it_by_modem_and_the_server_is_told_before_it_sees_why(
    tmp_path: Path,
) -> None:
    modem, siren = Modem(tmp_path / "sms"), Siren(tmp_path)
    link = free_port()
    with running(
        tmp_path, sms_folder=str(modem.folder), sms_after_s=2.0,
        alarm_command=[str(siren.path)], uplink_url=f"mqtt://127.0.0.1:{link}",
    ) as (rig, server, device), closing(Relay(link, f"mqtt://127.0.0.1:{rig.central_port}")) as relay:  # fmt: skip
        relay.open()
        server.configure(config(1, strawberries()))
        rig.gateway.start()
        wait_until(lambda: any(s.config for s in server.statuses), 60, "the config is in use")
        relay.close()
        with modem.running():
            measured(device, *HOT, until_ms=now_ms())
            wait_until(modem.sent, 60, "the modem has sent it")
            modem.receive("+8613800000001", "1")
            wait_until(lambda: siren.said() == [ON, OFF], 30, "the answer stops the siren")
            wait_until(lambda: '"handed":[]' in (tmp_path / "alarms.json").read_text(), 20, "noted")
        [text] = modem.sent()
        assert text.startswith("东村一号冷库草莓8.5℃超温(限7℃)")
        assert "回1确认" in text
        assert f'with text "{text}" cod 1' in (modem.folder / "log").read_text(), "in UCS-2"

        relay.open()

        wait_until(lambda: server.has(len(HOT)), 60, "the readings are there")
        kinds = [header.kind for header, _ in server.headers]
        assert kinds[0] == "event", "what people were told comes first"
        told = next(event for event in server.events if isinstance(event, Told))
        acked = next(event for event in server.events if isinstance(event, Acked))
        assert (told.person, told.kind, told.codes) == ("op", "raise", ("CRIT_HIGH",))
        assert told.text == text
        assert (acked.room, acked.by) == ("r1", "op")


def test_while_the_server_has_the_readings_the_modem_says_nothing(tmp_path: Path) -> None:
    folder = Modem(tmp_path / "sms").folder
    siren = Siren(tmp_path)
    with running(
        tmp_path, sms_folder=str(folder), sms_after_s=1.0, alarm_command=[str(siren.path)]
    ) as (rig, server, device):
        server.configure(config(1, strawberries()))
        rig.gateway.start()

        measured(device, *HOT, until_ms=now_ms())
        wait_until(lambda: siren.said() == [ON], 30, "it is known here")
        wait_until(
            lambda: '"owed":[]' in (tmp_path / "alarms.json").read_text(), 20, "the server's"
        )

        assert list((folder / "outbox").iterdir()) == []


def test_a_server_that_takes_nothing_is_a_link_that_is_down(tmp_path: Path) -> None:
    folder = Modem(tmp_path / "sms").folder
    with running(tmp_path, sms_folder=str(folder), sms_after_s=2.0) as (rig, server, device):
        server.configure(config(1, strawberries()))
        server.deaf = True  # the broker stands, and nobody behind it
        rig.gateway.start()

        measured(device, *HOT, until_ms=now_ms())

        wait_until(lambda: list((folder / "outbox").glob("OUT*")), 60, "the modem has it")
