"""A server put back from yesterday's backup ends with every reading that the gateways still hold."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from time import time

import pytest

from tests.support.servers import free_port_base, require, wait_until
from tests.support.system import System, coldtrail, run_command
from tests.support.workload import Publisher

pytestmark = pytest.mark.server

PROBE = "mqtt:gw1:fridge"
EARLIER_S = int(time()) - 7_200


@pytest.fixture
def system(tmp_path: Path) -> System:
    require("nats-server")
    made = System(tmp_path / "data", free_port_base())
    made.prepare()
    return made


def hand_over(system: System, minutes: range) -> None:
    with Publisher.of(system) as publisher:
        publisher.offer(packs(minutes))
        publisher.wait_acked(len(minutes), 30)


def packs(minutes: range) -> Iterator[tuple[str, bytes]]:
    for minute in minutes:
        pack = [{"n": "temperature", "u": "Cel", "v": 2 + minute % 7, "t": EARLIER_S + 60 * minute}]
        yield "devices/fridge/readings", json.dumps(pack).encode()


def stored(system: System) -> list[int]:
    page = system.http("/api/v1/readings", probe=PROBE, quantity="temperature")
    return [(t // 1000 - EARLIER_S) // 60 for t in page["t"]]


def test_a_server_restored_from_a_backup_gets_back_what_came_after_it(
    system: System, tmp_path: Path
) -> None:
    copy = tmp_path / "yesterday"
    with system:
        hand_over(system, range(30))
        wait_until(lambda: stored(system) == list(range(30)), 20, "the first half is stored")
        said = coldtrail("backup", str(copy), "--data", str(system.data))
        hand_over(system, range(30, 60))
        wait_until(lambda: stored(system) == list(range(60)), 20, "all of it is stored")
        room = system.http("/api/v1/rooms")["rooms"][0]["id"]
        system.http("/api/v1/assignments", {"probe": PROBE, "room": room, "from": EARLIER_S * 1000})
        refused = run_command("restore", str(copy), "--data", str(system.data)).stdout
    assert "arrival" in said
    assert "new store ids" not in refused  # not while it runs
    before = (system.data / "gateway" / "store-id").read_text()
    shutil.rmtree(system.data / "server")  # the disk died

    said = coldtrail("restore", str(copy), "--data", str(system.data))

    assert "new store ids" in said
    with system:
        wait_until(lambda: stored(system) == list(range(60)), 30, "what it lacked came again")
        pipeline = system.pipeline()
        assert pipeline["rows"] == 60
        assert (system.data / "gateway" / "store-id").read_text() != before
        # What people said after the backup is gone with the disk: the probe waits for a room.
        wait_until(
            lambda: system.http("/api/v1/probes", unassigned="true")["probes"],
            10,
            "the probe is offered again",
        )
        hand_over(system, range(60, 65))
        wait_until(lambda: stored(system) == list(range(65)), 20, "it goes on from there")
        config = json.loads((system.data / "gateway" / "config.json").read_bytes())
        wait_until(
            lambda: (
                json.loads((system.data / "gateway" / "config.json").read_bytes())["was"]
                == [json.loads((copy / "backup.json").read_bytes())["records"][0]]
            ),
            20,
            f"the gateway goes by the restored records, not by {config['store']}",
        )


def test_a_server_set_back_without_its_knowledge_hears_of_it_from_its_gateways_and_loses_nothing(
    system: System, tmp_path: Path
) -> None:
    server, kept = system.data / "server", tmp_path / "snapshot"
    with system:
        hand_over(system, range(30))
        wait_until(lambda: stored(system) == list(range(30)), 20, "the first half is stored")
    shutil.copytree(server, kept)
    with system:
        hand_over(system, range(30, 60))
        wait_until(lambda: stored(system) == list(range(60)), 20, "all of it is stored")
    shutil.rmtree(server)
    shutil.copytree(kept, server)  # as a snapshot of the machine, with all that stood beside it

    with system:
        wait_until(lambda: "STORE_SET_BACK" in alarms(system), 20, "the gateway's word is heard")
        hand_over(system, range(60, 65))
        wait_until(lambda: stored(system)[-5:] == list(range(60, 65)), 20, "it goes on")
        assert len(stored(system)) < 65  # and lacks what its gateways were told that it has
        refused = run_command("restore", "--in-place", "--data", str(system.data)).stdout
    assert "new store ids" not in refused  # not while it runs

    assert "new store ids" in coldtrail("restore", "--in-place", "--data", str(system.data))

    with system:
        wait_until(lambda: stored(system) == list(range(65)), 30, "what it lacked came again")
        assert system.pipeline()["rows"] == 65
        assert "STORE_SET_BACK" not in alarms(system)


def alarms(system: System) -> set[str]:
    return {one["code"] for one in system.pipeline()["system_alarms"]}


def test_a_backup_with_one_changed_byte_is_refused_and_nothing_is_touched(
    system: System, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    with system:
        hand_over(system, range(3))
        wait_until(lambda: stored(system) == [0, 1, 2], 20, "it is stored")
        coldtrail("backup", str(copy), "--data", str(system.data))
    victim = copy / "server" / "records.db"
    changed = bytearray(victim.read_bytes())
    changed[len(changed) // 2] ^= 1
    victim.write_bytes(changed)

    said = run_command("restore", str(copy), "--data", str(system.data), "--replace").stdout

    assert said == ""
    assert not list(system.data.glob("server.*"))
    with system:
        assert stored(system) == [0, 1, 2]


def test_secrets_in_a_backup_are_their_owners_alone(system: System, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with system:
        hand_over(system, range(1))
        wait_until(lambda: stored(system) == [0], 20, "it is stored")
        coldtrail("backup", str(copy), "--data", str(system.data))

    assert (copy / "server" / "keys" / "signing.key").exists()
    assert not list(copy.glob("gateway*"))
    assert all(path.stat().st_mode & 0o077 == 0 for path in copy.rglob("*") if path.is_file())
