"""Moved as docs/operations.md says, the server and a gateway lose nothing: played through with real
processes, each "machine" a folder of its own on this one."""

import shutil
from pathlib import Path

import pytest

from tests.e2e.test_restore import hand_over, stored
from tests.support.servers import free_port_base, require, wait_until
from tests.support.system import System, coldtrail

pytestmark = pytest.mark.server


@pytest.fixture
def old(tmp_path: Path) -> System:
    require("nats-server")
    made = System(tmp_path / "old", free_port_base())
    made.prepare()
    return made


class GatewaysAlone(System):
    """A machine whose server is elsewhere: nothing here answers for it."""

    def ready(self) -> bool:
        roles = self.status()["roles"]
        assert set(roles) == {"edge-broker", "gateway"}, roles
        return all(role["state"] == "running" for role in roles.values())


def set_in(system: System, table: str, *lines: str) -> None:
    """As somebody with an editor would."""
    path = system.data / "coldtrail.toml"
    text = path.read_text()
    head = f"\n{table}\n"
    added = "\n".join(lines)
    if head in text:
        path.write_text(text.replace(head, f"{head}{added}\n", 1))
    else:
        path.write_text(f"{text}{head}{added}\n")


def test_a_server_moves_and_what_its_gateways_said_meanwhile_follows_it(
    old: System, tmp_path: Path
) -> None:
    copy, new = tmp_path / "stick", System(tmp_path / "new", old.port_base)
    with old:
        hand_over(old, range(30))
        wait_until(lambda: stored(old) == list(range(30)), 30, "the old server has them")
        coldtrail("backup", str(copy), "--data", str(old.data))
        hand_over(old, range(30, 40))  # after the backup
        wait_until(lambda: stored(old) == list(range(40)), 30, "the old server has those too")
    said = coldtrail("restore", str(copy), "--data", str(new.data))
    assert "gw1" in said
    assert "elsewhere = true" in said
    with pytest.raises(AssertionError, match="elsewhere = true"):
        coldtrail("up", "--data", str(new.data))
    set_in(new, "[[gateway]]", "elsewhere = true")
    set_in(old, "[network]", "server_elsewhere = true",
           f'broker_url = "mqtt://127.0.0.1:{new.port_base + 1}"')  # fmt: skip

    here = GatewaysAlone(old.data, old.port_base)
    with here:
        hand_over(here, range(40, 50))  # while there is no server at all
        assert coldtrail("quarantine", "list", "--json", "--data", str(old.data)) == ""
        with new:
            wait_until(lambda: stored(new) == list(range(50)), 60, "the new server has everything")
            assert "gateway" not in new.status()["roles"]
            wait_until(lambda: backlog(new) == [0], 40, "and the gateway waits for no receipt")
            hand_over(here, range(50, 55))
            wait_until(lambda: stored(new) == list(range(55)), 30, "and it goes on from there")


def backlog(system: System) -> list[int]:
    return [one["status"]["backlog"]["batches"] for one in system.pipeline()["gateways"].values()]


def test_a_gateway_moves_with_its_folder_and_nobody_takes_it_for_two(
    old: System, tmp_path: Path
) -> None:
    new = System(tmp_path / "new", old.port_base)
    with old:
        hand_over(old, range(10))
        wait_until(lambda: stored(old) == list(range(10)), 30, "they are stored")

    shutil.copytree(old.data, new.data)
    shutil.rmtree(old.data)  # the old card is wiped

    with new:
        hand_over(new, range(10, 20))
        wait_until(lambda: stored(new) == list(range(20)), 30, "it goes on from there")
        codes = {one["code"] for one in new.status()["system"]}
        assert not codes & {"DUPLICATE_GATEWAY", "RECEIPT_REFUSED", "CONFIG_REFUSED"}
