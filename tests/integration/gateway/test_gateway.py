"""A gateway between real brokers: what it acknowledged reaches the server, whatever dies."""

import random
import shutil
from functools import partial
from pathlib import Path

import pytest

from gateway.edge_broker import Unavailable, User, keep_out, let_in
from tests.integration.gateway.rig import Device, Server, digest, now_ms, running, stream_settings
from tests.support.servers import free_port, small_disk, wait_until

pytestmark = pytest.mark.server

TOPIC = "devices/probe-1/readings"
OWN_USERS = (User("gateway", "gateway"), User("api", "api"))


def senml(at_ms: int, celsius: float) -> list[dict[str, object]]:
    return [{"n": "temperature", "u": "Cel", "t": at_ms / 1000, "v": celsius}]


def key(at_ms: int, device: str = "probe-1") -> tuple[str, str, int]:
    return (f"mqtt:gw-1:{device}", "temperature", at_ms)


def chain_is_whole(server: Server) -> bool:
    """Each batch names its predecessor's bytes, across epochs; none is missing."""
    digests = {digest(payload) for payload in server.payloads}
    heads = {(h.epoch, h.seq) for h, _ in server.headers if h.prev == b""}
    return len(heads) == 1 and all(
        header.prev in digests for header, _ in server.headers if header.prev != b""
    )


def test_a_reading_from_a_strangers_client_reaches_the_server_with_its_own_time(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        at = now_ms()

        device.say(1, "devices/冷库-1/readings", senml(at, 4.25))

        wait_until(lambda: key(at, "冷库-1") in server.stored, 20, "the server has the reading")
        assert server.stored[key(at, "冷库-1")] == (425, 0)
        assert server.headers[0][1] == "live"
        assert rig.gateway.stop() == 0
        wait_until(lambda: server.statuses[-1].state == "offline", 20, "says that it went")


def test_a_device_is_let_in_only_once_the_gateway_listens(tmp_path: Path) -> None:
    with running(tmp_path) as (rig, _server, device):
        wait_until(lambda: "authentication error" in rig.edge.log(), 20, "the device is refused")
        assert not device.connected.is_set()

        rig.gateway.start()

        wait_until(device.connected.is_set, 20, "the device is let in")
        settings = stream_settings(rig)
        assert (settings["max_bytes"], settings["discard"]) == (64 << 20, "new")


def test_a_broker_that_lost_its_store_lets_no_device_in_before_the_gateway(tmp_path: Path) -> None:
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the device is let in")
        rig.gateway.stop()
        rig.edge.stop()

        keep_out(tmp_path / "users.conf", tmp_path / "edge-store", *OWN_USERS)
        assert "device" in (tmp_path / "users.conf").read_text(), "it still has the subscription"
        shutil.rmtree(tmp_path / "edge-store")
        keep_out(tmp_path / "users.conf", tmp_path / "edge-store", *OWN_USERS)
        rig.edge.start()
        for n in range(20):
            device.say(n, "devices/d/readings", {"temperature": n})
        wait_until(lambda: "authentication error" in rig.edge.log(), 20, "the device is refused")
        assert device.acknowledged == set()

        rig.gateway.start()
        wait_until(lambda: server.has(20) and len(device.acknowledged) == 20, 30, "all arrive")


def test_devices_are_let_in_though_an_earlier_try_ended_before_the_broker_was_told(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as (rig, _server, device):
        devices = [User("device", "device")]
        wait_until(lambda: "authentication error" in rig.edge.log(), 20, "the device is refused")
        with pytest.raises(Unavailable):
            let_in(tmp_path / "users.conf", tmp_path / "no.pid", *OWN_USERS, devices)

        let_in(tmp_path / "users.conf", tmp_path / "edge.pid", *OWN_USERS, devices)

        wait_until(device.connected.is_set, 20, "the device is let in")


def test_killed_at_any_moment_the_gateway_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    seeded = random.Random(7)  # noqa: S311  # the same instants each time
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the device is let in")
        start = now_ms()
        sent = 0
        for _ in range(6):
            goal = sent + seeded.randrange(50, 300)
            while sent < goal:
                device.say(sent, TOPIC, senml(start + sent, 4.0))
                sent += 1
            enough = min(len(server.stored) + seeded.randrange(150), sent)
            wait_until(partial(server.has, enough), 20, "some of it arrived")
            rig.gateway.kill()
            rig.gateway.start()

        wait_until(lambda: len(device.acknowledged) == sent, 30, "the edge took everything")
        wait_until(
            lambda: all(key(start + i) in server.stored for i in range(sent)), 40, "all arrived"
        )
        assert chain_is_whole(server)
        assert len({header.epoch for header, _ in server.headers}) >= 2


def test_the_edge_broker_killed_in_mid_stream_loses_nothing_it_acknowledged(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the device is let in")
        start = now_ms()
        for i in range(400):
            device.say(i, TOPIC, senml(start + i, 4.0))
        wait_until(lambda: len(device.acknowledged) > 50, 20, "some are acknowledged")

        rig.edge.kill()
        rig.edge.start()

        wait_until(lambda: len(device.acknowledged) == 400, 40, "the device sent the rest again")
        wait_until(
            lambda: all(key(start + i) in server.stored for i in range(400)), 40, "all arrived"
        )


def test_the_central_broker_killed_loses_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the device is let in")
        start = now_ms()
        for i in range(100):
            device.say(i, TOPIC, senml(start + i, 4.0))
        wait_until(lambda: server.stored, 20, "the first arrived")

        rig.central.kill()
        for i in range(100, 200):
            device.say(i, TOPIC, senml(start + i, 4.0))
        rig.central.start()

        wait_until(lambda: len(server.stored) == 200, 40, "all arrived")


def test_a_hello_right_after_another_is_heeded_a_moment_later(tmp_path: Path) -> None:
    with running(tmp_path) as (rig, server, device):
        server.deaf = True
        rig.gateway.start()
        device.say(1, TOPIC, senml(now_ms(), 4.0))
        wait_until(lambda: server.unheard == 1, 20, "the reading was sent, and lost")
        server.hello()
        wait_until(lambda: server.unheard == 2, 20, "it was sent again, and lost again")

        server.deaf = False
        server.hello()

        wait_until(lambda: len(server.stored) == 1, 20, "it was sent for the second hello as well")


def test_a_backlog_does_not_delay_the_present(tmp_path: Path) -> None:
    with running(tmp_path, window_bytes_backlog=2_000) as (rig, server, device):
        server.deaf = True
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the device is let in")
        now = now_ms()
        old = [now - 86_400_000 + i * 997 for i in range(12_000)]
        for i in range(0, len(old), 1_000):
            device.say(i, TOPIC, [r for at in old[i : i + 1_000] for r in senml(at, at % 97 / 7)])
        wait_until(lambda: len(device.acknowledged) == 12, 20, "the edge has the past")
        wait_until(rig.cut_everything, 20, "the past is cut")

        server.deaf = False
        server.hello()
        device.say(99_999, TOPIC, senml(now, 4.0))
        wait_until(lambda: key(now) in server.stored, 20, "the present arrived")
        with_the_present = len(server.stored)
        wait_until(lambda: len(server.stored) == 12_001, 60, "the past arrived")

        assert with_the_present < 12_001
        past = [header.seq for header, lane in server.headers if lane == "backlog"]
        assert len(past) >= 20
        assert past == sorted(past)


def test_what_is_receipted_is_not_sent_again_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        at = now_ms()
        device.say(1, TOPIC, senml(at, 4.0))
        wait_until(lambda: server.stored, 20, "the reading arrived")
        assert rig.gateway.stop() == 0
        wait_until(lambda: server.statuses[-1].backlog.batches == 0, 20, "its receipt had arrived")

        rig.gateway.start()
        device.say(2, TOPIC, senml(at + 1, 4.0))
        wait_until(lambda: len(server.stored) == 2, 20, "the second arrived")

        assert [header.seq for header, _ in server.headers] == [1, 1]
        assert server.headers[1][0].after == (server.headers[0][0].epoch, 1)


@pytest.mark.parametrize(
    ("store", "through", "signed_with", "said"),
    [
        pytest.param("store-1", 2, b"x" * 32, "our server did not make", id="forged"),
        pytest.param("store-2", 2, None, "another store", id="another-store"),
        pytest.param("store-1", 99, None, "more than was cut", id="more-than-cut"),
    ],
)
def test_only_our_servers_possible_receipts_count(
    tmp_path: Path, store: str, through: int, signed_with: bytes | None, said: str
) -> None:
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        at = now_ms()
        device.say(1, TOPIC, senml(at, 4.0))
        wait_until(lambda: server.stored, 20, "the store is pinned")
        epoch = server.headers[0][0].epoch
        server.deaf = True
        device.say(2, TOPIC, senml(at + 1, 4.0))
        wait_until(lambda: len(device.acknowledged) == 2, 20, "the edge has the second")

        server.lie(store, epoch, through, signed_with)
        wait_until(lambda: said in rig.gateway.log(), 20, "the gateway says so")

        server.deaf = False
        server.hello()
        wait_until(lambda: key(at + 1) in server.stored, 20, "the second arrived")


def test_a_refused_batch_is_parked_and_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    with running(tmp_path) as (rig, server, device):
        server.refuse = {1}
        rig.gateway.start()
        at = now_ms()
        device.say(1, TOPIC, senml(at, 4.0))
        wait_until(lambda: server.receipt().refused, 20, "the first is refused")

        device.say(2, TOPIC, senml(at + 1, 4.0))

        wait_until(lambda: key(at + 1) in server.stored, 20, "the second arrived")
        assert rig.gateway.stop() == 0
        wait_until(lambda: server.statuses[-1].refused == 1, 20, "the status counts it")


def test_refused_batches_are_taken_after_all_once_the_server_is_mended(tmp_path: Path) -> None:
    with running(tmp_path) as (rig, server, device):
        server.refuse = {1, 2, 3}
        rig.gateway.start()
        at = now_ms()
        for i in range(4):
            device.say(i + 1, TOPIC, senml(at + i, 4.0))
            wait_until(partial(server.seen, i + 1), 20, "a batch of its own")
        wait_until(lambda: key(at + 3) in server.stored, 20, "the last is not refused")
        assert len(server.stored) == 1

        server.refuse = set()
        server.hello()  # as an ingest that was started anew

        wait_until(lambda: server.has(4), 20, "nothing is left at the gateway")
        wait_until(lambda: server.statuses[-1].refused == 0, 40, "and the status says so")


def test_bytes_that_were_damaged_on_the_way_do_not_park_the_batch(tmp_path: Path) -> None:
    with running(tmp_path) as (rig, server, device):
        server.damage = {1}
        rig.gateway.start()
        at = now_ms()

        device.say(1, TOPIC, senml(at, 4.0))
        wait_until(lambda: server.receipt().refused, 20, "the damaged bytes are refused")

        wait_until(lambda: key(at) in server.stored, 40, "the batch itself came again")
        assert server.statuses[-1].refused == 0


@pytest.mark.parametrize(
    ("payload", "stored"),
    [
        pytest.param(b"hello", 0, id="nobodys"),
        pytest.param(b"\xff\xfe", 0, id="not-utf-8"),
        pytest.param(b"[" * 100_000, 0, id="deeply-nested"),
        pytest.param(b"x" * ((1 << 20) + 1), 0, id="over-1-mib"),
        pytest.param(b'[{"n":"temperature","v":NaN},{"n":"humidity","v":80}]', 1, id="nan"),
        pytest.param(b'[{"n":"temperature","v":"4"},{"n":"humidity","v":80}]', 1, id="text"),
        pytest.param(
            b'[{"n":"temperature","v":1,"t":1262304000},{"n":"humidity","v":80}]', 1,
            id="before-2020",
        ),
        pytest.param(
            b'[{"n":"temperature","v":1,"t":4102444800},{"n":"humidity","v":80}]', 1,
            id="from-the-future",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_quarantined_and_its_neighbours_arrive(
    tmp_path: Path, payload: bytes, stored: int
) -> None:
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()

        device.send(1, TOPIC, payload)
        device.say(2, "devices/after/readings", senml(now_ms(), 4.0))

        wait_until(lambda: len(server.stored) == stored + 1, 20, "the good ones arrived")
        wait_until(lambda: len(device.acknowledged) == 2, 20, "both are acknowledged")
        assert rig.gateway.stop() == 0
        wait_until(lambda: server.statuses[-1].state == "offline", 20, "the last status")
        assert server.statuses[-1].quarantined == 1


def test_outside_the_physical_range_is_kept_and_marked(tmp_path: Path) -> None:
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        at = now_ms()

        device.say(1, TOPIC, senml(at, 150.0))

        wait_until(lambda: server.stored, 20, "the reading arrived")
        assert server.stored[key(at)] == (15_000, 2)


def test_the_brokers_memory_of_a_retained_message_makes_no_reading(tmp_path: Path) -> None:
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the device is let in")
        device.say(1, TOPIC, {"temperature": 4.0}, retain=True)
        wait_until(lambda: len(server.stored) == 1, 20, "it is a reading while it is fresh")
        assert rig.gateway.stop() == 0

        rig.gateway.start()
        device.say(2, "devices/after/readings", {"temperature": 5.0})

        wait_until(lambda: len(server.stored) > 1, 20, "the next arrived")
        assert sorted(probe for probe, _, _ in server.stored) == [
            "mqtt:gw-1:after", "mqtt:gw-1:probe-1"
        ]  # fmt: skip


def test_mosquitto_at_the_edge_takes_device_names_with_spaces(tmp_path: Path) -> None:
    with running(tmp_path, edge="mosquitto") as (rig, server, device):
        rig.gateway.start()
        wait_until(lambda: "edge broker connected" in rig.gateway.log(), 20, "it listens")
        at = now_ms()

        device.say(1, "devices/cold room 1/readings", senml(at, 4.0))

        wait_until(lambda: key(at, "cold room 1") in server.stored, 20, "the reading arrived")


def test_an_untimed_message_that_waited_is_kept_as_of_unknown_time(tmp_path: Path) -> None:
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the device is let in")
        assert rig.gateway.stop() == 0
        device.say(1, "devices/waited/readings", {"temperature": 4.0})
        device.say(2, "devices/own-clock/readings", senml(now_ms(), 4.0))
        wait_until(lambda: len(device.acknowledged) == 2, 20, "the edge holds both")

        rig.gateway.start()
        wait_until(lambda: len(server.stored) == 2, 20, "both arrived")
        wait_until(lambda: rig.says_now(device, server), 20, "what comes now is measured now")

        quality = {probe: q for (probe, _, _), (_, q) in server.stored.items()}
        assert quality["mqtt:gw-1:waited"] == 32
        assert quality["mqtt:gw-1:own-clock"] == 0


def test_devices_may_not_speak_on_the_topics_of_the_servers_own(tmp_path: Path) -> None:
    with running(tmp_path) as (rig, server, device):
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the device is let in")

        device.say(1, "devices/g1/sentinel/x", {})

        wait_until(lambda: "Publish Violation" in rig.edge.log(), 20, "the broker drops it")
        assert server.stored == {}


def test_a_second_gateway_on_the_same_outbox_does_not_start(tmp_path: Path) -> None:
    with running(tmp_path) as (rig, _server, device):
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the first runs")
        second = rig.another_gateway()

        second.start()

        wait_until(lambda: second.ended, 20, "the second ends")
        assert "AlreadyRunning" in second.log()


def test_a_gateway_stays_below_60_mb(tmp_path: Path) -> None:
    with running(tmp_path, lan_page_port=free_port()) as (rig, server, device):
        rig.gateway.start()
        start = now_ms() - 86_400_000
        for i in range(20):
            pack = [r for j in range(1_440) for r in senml(start + (i * 1_440 + j) * 1_000, 4.0)]
            device.say(i, f"devices/p{i}/readings", pack)
        wait_until(lambda: len(server.stored) == 20 * 1_440, 60, "a day of twenty probes arrived")

        assert rig.gateway.peak_kb() < 60_000


def noise(device: Device, packs: int) -> int:
    """Give the device so many packs of a thousand readings that no compression makes small."""
    seeded = random.Random(3)  # noqa: S311  # reproducible
    start = now_ms() - 86_400_000
    times = [start + i * 1_000 + seeded.randrange(900) for i in range(1_000 * packs)]
    for i in range(packs):
        pack = [r for at in times[1_000 * i : 1_000 * (i + 1)]
                for r in senml(at, seeded.randrange(9_999) / 100)]  # fmt: skip
        device.say(i, TOPIC, pack)
    return len(times)


def test_on_a_short_disk_it_acknowledges_nothing_says_so_and_recovers_without_a_loss(
    tmp_path: Path,
) -> None:
    with (
        small_disk(tmp_path / "disk", 64) as disk,
        running(
            tmp_path, outbox_path=str(disk / "outbox.db"), disk_reserve_bytes=(32 << 20) - 400_000
        ) as (rig, server, device),
    ):
        server.deaf = True
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the device is let in")
        sent = noise(device, 60)
        wait_until(lambda: "outbox is full" in rig.gateway.log(), 60, "the gateway is full")
        wait_until(lambda: server.statuses[-1].state == "full", 60, "the status says so")

        server.deaf = False
        server.hello()

        wait_until(lambda: len(server.stored) == sent, 90, "everything arrived")
        wait_until(lambda: len(device.acknowledged) == 60, 20, "everything is acknowledged")
        assert "outbox has room again" in rig.gateway.log()
        assert server.given_up == 0


def test_at_its_own_limit_the_newest_are_kept_and_the_server_learns_what_went(
    tmp_path: Path,
) -> None:
    with running(tmp_path, limit_bytes=100_000) as (rig, server, device):
        server.deaf = True
        rig.gateway.start()
        wait_until(device.connected.is_set, 20, "the device is let in")
        sent = noise(device, 60)
        wait_until(lambda: "given up for newer ones" in rig.gateway.log(), 60, "at its limit")

        server.deaf = False
        server.hello()

        def accounted_for() -> bool:
            return len(server.stored) + server.given_up >= sent and not server.unnamed_holes()

        wait_until(accounted_for, 90, "every reading is there, or in a tombstone")
        assert len(device.acknowledged) == 60
        assert 0 < len(server.stored) < sent
