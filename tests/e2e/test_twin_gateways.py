"""An SD card copied into a second gateway: noticed, told with what to do, and no reading lost."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time
from typing import Any

import pytest

from coldtrail import settings
from coldtrail.supervise import Supervisor
from tests.support.servers import free_port_base, require, wait_until
from tests.support.system import System
from tests.support.workload import Publisher

pytestmark = pytest.mark.server

BOSS = "+8613800000009"
NOW_S = int(time())
A_MINUTE_S = 60


@dataclass
class Card:
    """What one machine's device hands over: a reading a second of its past, each its own."""

    device: str
    sent: list[int] = field(default_factory=list)

    def hand_over(self, publisher: Publisher, many: int) -> None:
        first = len(self.sent)
        for i in range(first, first + many):
            self.sent.append((NOW_S - 3_600 + i) * 1000)
            pack = [{"n": "temperature", "u": "Cel", "v": 2 + i % 5, "t": self.sent[-1] / 1000}]
            publisher.offer(iter([(f"devices/{self.device}/readings", json.dumps(pack).encode())]))
        publisher.wait_acked(publisher.offered, 30)

    def all_stored(self, system: System) -> Callable[[], bool]:
        return lambda: (
            [t for t, _ in system.readings(f"mqtt:gw1:{self.device}", "temperature")]
            == sorted(self.sent)
        )


@pytest.fixture
def system(tmp_path: Path) -> System:
    require("nats-server")
    made = System(tmp_path / "data", free_port_base())
    made.prepare()
    return made


def staffed(system: System) -> None:
    person = {"name": "县", "phone": BOSS, "lang": "zh", "quiet_hours": True}
    system.put("/api/v1/people/boss", person)
    duty = {"person": "boss", "role": "county", "scope_kind": "site", "scope": "site1"}
    system.http("/api/v1/duties", duty)


def copied(system: System, folder: Path) -> Path:
    """The whole card, while the machine is off. The copy's broker and devices have ports of their
    own here, as they would have a machine of their own."""
    shutil.copytree(system.data, folder)
    text = (folder / "coldtrail.toml").read_text()
    text = text.replace(f"port_base = {system.port_base}", f"port_base = {free_port_base()}")
    central = f"mqtt://127.0.0.1:{system.port_base + 1}"
    (folder / "coldtrail.toml").write_text(f'{text}\n[network]\nbroker_url = "{central}"\n')
    return folder


@contextmanager
def second_machine(folder: Path) -> Iterator[Publisher]:
    """The copy is switched on: its edge broker and its gateway."""
    installation = settings.load(folder)
    edge = installation.edges()[0]
    with Supervisor(installation, [edge.broker_role, edge.role]):
        secret = (edge.keys / "installer.password").read_text().strip()
        with Publisher("127.0.0.1", edge.port(0), "installer", secret) as publisher:
            yield publisher


def twins(system: System) -> list[dict[str, Any]]:
    said = system.pipeline()["system_alarms"]
    return [one for one in said if one["code"] == "DUPLICATE_GATEWAY"]


def test_a_copied_card_is_noticed_and_told_and_loses_nothing(
    system: System, tmp_path: Path
) -> None:
    first, second = Card("fridge"), Card("freezer")
    with system, Publisher.of(system) as publisher:
        staffed(system)
        first.hand_over(publisher, 30)
        wait_until(first.all_stored(system), 30, "the only machine's readings are stored")
        assert twins(system) == []
    copy = copied(system, tmp_path / "copy")
    with system, Publisher.of(system) as publisher:
        first.hand_over(publisher, 30)
        wait_until(first.all_stored(system), 30, "it goes on as before")
        assert twins(system) == []
        began_s = monotonic()
        with second_machine(copy) as other:
            wait_until(lambda: twins(system), A_MINUTE_S, "it is noticed, with no device yet")
            noticed_s = monotonic() - began_s
            wait_until(lambda: "停掉其中一台" in system.phone(BOSS), A_MINUTE_S, "somebody is told")
            told_s = monotonic() - began_s
            print(f"noticed {noticed_s:.1f} s, told {told_s:.1f} s after it was switched on")  # noqa: T201 - for docs/reliability.md
            first.hand_over(publisher, 30)
            second.hand_over(other, 30)
            wait_until(first.all_stored(system), 60, "every reading of the first is stored")
            wait_until(second.all_stored(system), 60, "every reading of the second is stored")

        assert [one["about"] for one in twins(system)] == ["gateway:gw1"]
        assert "gw1" in system.phone(BOSS)
        assert system.phone(BOSS).count("停掉其中一台") == 1
        assert system.pipeline()["conflicts"] == 0
        gateway = system.pipeline()["gateways"]["gw1"]
        assert len(gateway["epochs"]) >= 3  # before, and one of each machine since
