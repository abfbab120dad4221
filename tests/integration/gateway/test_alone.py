"""A gateway that knows its rooms: what it believes, and what it does when nobody else can."""

from pathlib import Path

import pytest

from gateway import quarantine
from tests.integration.gateway.rig import SIGNING, now_ms, running
from tests.support.servers import wait_until
from wire.config_v1 import Config, Probe, Room, RuleVersion, Site, encode

pytestmark = pytest.mark.server

DAY_MS = 86_400_000


def config(m: int = 1, *rooms: Room) -> bytes:
    sites = (Site("s1", "village-point", "东村", "East"),)
    return encode(Config(1, "gw-1", "records-1", m, now_ms(), sites, rooms), SIGNING.sign)


def strawberries(interval_s: int = 10) -> Room:
    since = now_ms() - DAY_MS
    rule = RuleVersion(1, since, "SB", ("strawberry",), interval_s)
    return Room(
        "r1", "s1", "chilled", "一号冷库", "Room 1", (Probe("mqtt:gw-1:p1", since),), (rule,)
    )


def test_only_a_config_that_the_server_signed_is_used_and_the_others_are_kept_as_evidence(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as (rig, server, _device):
        server.configure(config(4, strawberries()))
        rig.gateway.start()
        wait_until(lambda: any(s.config for s in server.statuses), 20, "the config is in use")

        server.configure(config(9, strawberries()).replace(b'"m":9', b'"m":8'))
        server.configure(config(3, strawberries()))

        path = str(rig.folder / "outbox.db")
        wait_until(lambda: len(quarantine.listed(path)) == 2, 10, "both are kept")
        reasons = [held.reason for held in quarantine.listed(path)]
        assert reasons == ["not signed by our server", "older than the config that is held"]
        rig.gateway.stop()
        wait_until(lambda: server.statuses[-1].state == "offline", 5, "it says that it goes")
        last = server.statuses[-1]
        assert (last.config and last.config.m, last.configs_refused) == (4, 2)
