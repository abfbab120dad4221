"""The central broker's access list, tried with a stranger's client."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from coldtrail.init import NewGateway, init_data
from coldtrail.settings import Installation
from coldtrail.supervise import Supervisor
from tests.support.brokers import running
from tests.support.mqtt import Stranger, stranger
from tests.support.servers import free_port_base, require, wait_until
from wire import topics

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def central(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    require("nats-server")
    installation = init_data(
        tmp_path_factory.mktemp("central") / "data",
        port_base=free_port_base(),
        gateways=[NewGateway("gw1"), NewGateway("gw2")],
    )
    with Supervisor(installation, ["broker"]):
        wait_until(lambda: answers(installation), 15, "the broker answers")
        yield installation


def answers(installation: Installation) -> bool:
    try:
        with ingest(installation):
            return True
    except ConnectionRefusedError:
        return False


def ingest(installation: Installation) -> AbstractContextManager[Stranger]:
    secret = (installation.keys / "ingest.password").read_text().strip()
    return stranger(installation.port(1), "ingest", secret)


def gateway(installation: Installation, id: str) -> AbstractContextManager[Stranger]:
    secret = (installation.keys / f"uplink-{id}.password").read_text().strip()
    return stranger(installation.port(1), f"gw-{id}", secret)


def partition(installation: Installation, id: str) -> int:
    return next(g.partition for g in installation.file.gateway if g.id == id)


def test_a_gateway_is_heard_on_its_own_topics_only(central: Installation) -> None:
    mine, theirs = partition(central, "gw1"), partition(central, "gw2")
    with ingest(central) as server, gateway(central, "gw1") as gw1:
        for topic in ("ct/v1/+/+/batch/+", "ct/v1/+/+/receipt", topics.STATUSES, topics.HELLO):
            assert server.subscribe(topic)
        gw1.publish(topics.batch(theirs, "gw2", "live"), b"forged")
        gw1.publish(topics.receipt(mine, "gw1"), b"forged")
        gw1.publish(topics.HELLO, b"forged")
        gw1.publish(topics.batch(mine, "gw1", "live"), b"batch")
        gw1.publish(topics.status(mine, "gw1"), b"status")
        wait_until(lambda: len(server.heard) >= 2, 20, "both are heard")

        assert [payload for _, payload in server.heard] == [b"batch", b"status"]


@pytest.mark.parametrize("lane", ["live", "backlog"])
def test_a_gateway_cannot_read_batches(central: Installation, lane: topics.Lane) -> None:
    with gateway(central, "gw1") as gw1:
        assert not gw1.subscribe(topics.BATCHES(lane))


def test_a_gateway_reads_its_own_receipt_and_no_others(central: Installation) -> None:
    mine, theirs = partition(central, "gw1"), partition(central, "gw2")
    with gateway(central, "gw1") as gw1:
        assert gw1.subscribe(topics.receipt(mine, "gw1"))
        assert gw1.subscribe(topics.config(mine, "gw1"))
        assert gw1.subscribe(topics.HELLO)
        assert not gw1.subscribe(topics.receipt(theirs, "gw2"))


def test_a_receipt_that_is_retained_is_there_for_a_gateway_that_comes_later(
    central: Installation,
) -> None:
    topic = topics.receipt(partition(central, "gw2"), "gw2")
    with ingest(central) as server:
        server.publish(topic, b"receipt", retain=True)
    with gateway(central, "gw2") as gw2:
        assert gw2.subscribe(topic)
        wait_until(lambda: gw2.heard, 20, "the retained receipt")

    assert gw2.heard == [(topic, b"receipt")]


def test_who_has_no_password_is_not_let_in(central: Installation) -> None:
    with pytest.raises(PermissionError), stranger(central.port(1), "gw-gw1", "guessed"):
        pass


def test_mosquitto_in_the_middle_gives_the_same_rights(tmp_path: Path) -> None:
    installation = init_data(
        tmp_path / "data",
        port_base=free_port_base(),
        gateways=[NewGateway("gw1"), NewGateway("gw2")],
    )
    users = installation.server / "mosquitto"
    config = tmp_path / "mosquitto.conf"
    config.write_text(
        f"listener {installation.port(1)} 127.0.0.1\nallow_anonymous false\n"
        f"password_file {users / 'passwd'}\nacl_file {users / 'acl'}\nuser root\n"
    )
    mine, theirs = partition(installation, "gw1"), partition(installation, "gw2")
    command = [str(require("mosquitto")), "-c", str(config)]
    with running(command, installation.port(1), tmp_path / "mosquitto.log"):
        with (
            ingest(installation) as server,
            gateway(installation, "gw1") as gw1,
            gateway(installation, "gw2") as gw2,
        ):
            server.subscribe("ct/v1/+/+/batch/+")
            gw1.subscribe("ct/v1/+/+/receipt")
            gw2.subscribe(topics.receipt(theirs, "gw2"))
            server.publish(topics.receipt(theirs, "gw2"), b"for gw2")
            server.publish(topics.receipt(mine, "gw1"), b"for gw1")
            gw1.publish(topics.batch(theirs, "gw2", "live"), b"forged")
            gw1.publish(topics.batch(mine, "gw1", "live"), b"batch")
            wait_until(lambda: server.heard and gw1.heard and gw2.heard, 20, "each heard something")

            assert [payload for _, payload in server.heard] == [b"batch"]
            assert [payload for _, payload in gw1.heard] == [b"for gw1"]
            assert [payload for _, payload in gw2.heard] == [b"for gw2"]
        with pytest.raises(PermissionError), stranger(installation.port(1), "gw-gw1", "guessed"):
            pass
