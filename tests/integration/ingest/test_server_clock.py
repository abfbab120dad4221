"""The server's clock is wrong: nothing is stored at a wrong time, and nothing is lost for it."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

from ingest.service import run
from ingest.settings import Gateway, Settings
from store.system_alarms import read
from tests.integration.ingest.gateways import PretendGateway
from tests.integration.ingest.test_ingest import reading, settings
from tests.support.batches import MINUTE_MS, NOON_MS, sealed
from tests.support.brokers import BROKERS
from tests.support.servers import wait_until
from wire import status_v1

pytestmark = pytest.mark.server
HOUR_MS = 60 * MINUTE_MS


class Clock:
    """The server's; the gateways' stands at noon."""

    def __init__(self, ms: int) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return self.ms


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with BROKERS[request.param](tmp_path) as url:
        yield url


def of_four(url: str, folder: Path) -> Settings:
    one = settings(url, folder)
    keys = one.gateways[0].keys
    four = [Gateway(f"g{i}", 6 + i, keys) for i in range(1, 5)]
    return msgspec.structs.replace(one, gateways=four, system_path=str(folder / "system"))


@contextmanager
def ingest(chosen: Settings, clock: Clock) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(chosen,), kwargs={"now_ms": clock, "stop": stop})
    thread.start()
    try:
        wait_until(lambda: Path(chosen.readings_path).exists(), 20, "the store is made")
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def say(gateways: list[PretendGateway], *, trusted: bool = True) -> None:
    for gateway in gateways:
        clock = status_v1.Clock(trusted, NOON_MS)
        gateway.status(status_v1.encode(status_v1.Status("online", "e1", "1", clock=clock)))


def codes(chosen: Settings, clock: Clock) -> set[str]:
    return {one.code for one in read(chosen.system_path, clock())}


def test_a_server_whose_clock_is_an_hour_off_stores_nothing_until_it_is_right(
    broker: str, tmp_path: Path
) -> None:
    chosen, clock = of_four(broker, tmp_path), Clock(NOON_MS + HOUR_MS)
    batches = [sealed(seq, (NOON_MS + seq, 400, 0)) for seq in range(1, 6)]
    with ingest(chosen, clock), ExitStack() as stack, reading(chosen) as store:
        four = [stack.enter_context(PretendGateway(broker, f"g{i}", 6 + i)) for i in range(1, 5)]
        wait_until(lambda: "BROKER_AWAY" not in codes(chosen, clock), 20, "ingest is connected")
        say(four)
        wait_until(lambda: "SERVER_CLOCK" in codes(chosen, clock), 20, "it doubts itself")
        assert "GATEWAY_CLOCK" not in codes(chosen, clock)
        four[0].live(batches[:4])
        four[0].backlog(batches[4:])
        say(four[1:])  # behind them on the same connection to the broker of ingest
        wait_until(lambda: len(store.statuses()) == 4, 20, "statuses are heard all the same")
        assert store.last_arrival() == 0
        assert four[0].receipt is None or four[0].through("e1") == 0
        greeted = len(four[0].hellos)

        clock.ms = NOON_MS
        say(four)
        wait_until(lambda: "SERVER_CLOCK" not in codes(chosen, clock), 20, "it trusts itself")
        wait_until(lambda: len(four[0].hellos) > greeted, 20, "it asks for what it let pass")
        four[0].live(batches)  # as a gateway does without a receipt
        wait_until(lambda: four[0].through("e1") == 5, 20, "and stores it")

        assert {one.stored_at_ms for one in store.arrivals(0)} == {NOON_MS}
        assert store.totals()["rows"] == 5
        assert store.totals()["quarantined"] == 0


def test_one_gateway_that_is_an_hour_off_is_that_gateways_fault(
    broker: str, tmp_path: Path
) -> None:
    chosen, clock = of_four(broker, tmp_path), Clock(NOON_MS + HOUR_MS)
    with ingest(chosen, clock), ExitStack() as stack, reading(chosen) as store:
        four = [stack.enter_context(PretendGateway(broker, f"g{i}", 6 + i)) for i in range(1, 5)]
        wait_until(lambda: "BROKER_AWAY" not in codes(chosen, clock), 20, "ingest is connected")
        say(four[1:], trusted=False)  # they know that they do not know
        say(four[:1])
        wait_until(lambda: "GATEWAY_CLOCK" in codes(chosen, clock), 20, "it is said")
        four[0].live([sealed(1, (NOON_MS, 400, 0))])
        wait_until(lambda: four[0].through("e1") == 1, 20, "its batches are stored")

        assert [
            one.about for one in read(chosen.system_path, clock()) if one.code == "GATEWAY_CLOCK"
        ] == ["gateway:g1"]
        assert store.totals()["rows"] == 1


def test_a_status_that_the_broker_kept_from_before_says_nothing_of_now(
    broker: str, tmp_path: Path
) -> None:
    chosen, clock = of_four(broker, tmp_path), Clock(NOON_MS + HOUR_MS)
    with ExitStack() as stack:
        four = [stack.enter_context(PretendGateway(broker, f"g{i}", 6 + i)) for i in range(1, 5)]
        say(four)
        for one in four:
            one.settled()
        with ingest(chosen, clock), reading(chosen) as store:
            wait_until(lambda: len(store.statuses()) == 4, 20, "the kept ones have been heard")
            four[0].live([sealed(1, (NOON_MS, 400, 0))])
            wait_until(lambda: four[0].through("e1") == 1, 20, "batches are stored")

            assert "SERVER_CLOCK" not in codes(chosen, clock)
