"""A village whose link is down for weeks: its batches go to the server in somebody's pocket."""

import json
from pathlib import Path
from time import time

import pytest

from tests.support.servers import free_port, free_port_base, require, wait_until
from tests.support.system import System, coldtrail, run_command
from tests.support.workload import Publisher

pytestmark = pytest.mark.server


def test_what_a_gateway_exports_is_imported_with_the_same_proof_and_once(tmp_path: Path) -> None:
    require("nats-server")
    system = System(tmp_path / "data", free_port_base())
    system.prepare()
    toml = system.data / "coldtrail.toml"
    nowhere = f'uplink_url = "mqtt://127.0.0.1:{free_port()}"'
    toml.write_text(toml.read_text().replace("[[gateway]]", f"[[gateway]]\n{nowhere}", 1))
    start_ms = (int(time()) - 7_200) * 1000
    times = [start_ms + minute * 60_000 for minute in range(60)]
    file, probe = tmp_path / "pocket", "mqtt:gw1:fridge"

    with system:
        with Publisher.of(system) as publisher:
            publisher.offer(
                ("devices/fridge/readings", json.dumps([{"n": "temperature", "v": 3.5,
                                                         "t": t / 1000}]).encode())
                for t in times
            )  # fmt: skip
            publisher.wait_acked(60, 30)

        def exported() -> bool:
            file.unlink(missing_ok=True)
            coldtrail("gateway", "export", str(file), "--data", str(system.data))
            coldtrail("import", str(file), "--data", str(system.data))
            page = system.http("/api/v1/readings", probe=probe, quantity="temperature")
            return list(page["t"]) == times

        wait_until(exported, 90, "all of it is on the server's disk")
        before = system.pipeline()

        again = coldtrail("import", str(file), "--data", str(system.data))

        after = system.pipeline()
        assert "are on the server's disk" in again
        assert (after["rows"], after["stored"]) == (before["rows"], before["stored"]) == (60, 60)

        torn = tmp_path / "torn"
        torn.write_bytes(file.read_bytes()[:-5])
        assert run_command("import", str(torn), "--data", str(system.data)).stdout == ""
