"""Ingest between a real broker and a real store."""

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

from domain.reading import GatewayId, Quality
from ingest.quarantine import retry
from ingest.service import run
from ingest.settings import Gateway, Settings
from store.connect import open_readings
from store.errors import NotReady
from store.ports import EpochLedger, ReadingReader
from tests.integration.ingest.gateways import PretendGateway
from tests.support.batches import AIR, KEY, MINUTE_MS, NOON_MS, sealed
from tests.support.brokers import BROKERS
from tests.support.servers import wait_until
from wire import status_v1, topics

pytestmark = pytest.mark.server
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with BROKERS[request.param](tmp_path) as url:
        yield url


def settings(url: str, folder: Path) -> Settings:
    key_file = folder / "tag.key"
    key_file.write_bytes(KEY)
    return Settings(
        broker_url=url,
        username="",
        password_file="",
        readings_path=str(folder / "readings.db"),
        gateways=[
            Gateway("g1", 7, {"k1": str(key_file)}),
            Gateway("g2", 8, {"k1": str(key_file)}),
        ],
    )


@contextmanager
def ingest(chosen: Settings) -> Iterator[None]:
    """Ingest on a thread; what ends it by itself fails the test."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            run(chosen, now_ms=lambda: NOON_MS, stop=stop)
        except BaseException as error:
            errors.append(error)
            raise

    thread = threading.Thread(target=work, name="ingest")
    thread.start()
    try:
        wait_until(lambda: errors or Path(chosen.readings_path).exists(), 20, "the store is made")
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
        assert not errors


@contextmanager
def reading(chosen: Settings) -> Iterator[ReadingReader]:
    opened: list[ReadingReader] = []

    def there() -> bool:
        try:
            opened.append(open_readings(chosen.readings_path, write=False))
        except NotReady:
            return False
        return True

    wait_until(there, 30, "the readings can be read")
    yield opened[0]
    opened[0].close()


def minute_batches(count: int, readings: int = 10) -> list[bytes]:
    return [
        sealed(
            seq + 1,
            *(
                (NOON_MS - (seq * readings + i) * 1000, 400 + i, 0)
                for i in reversed(range(readings))
            ),
        )
        for seq in range(count)
    ]


def test_what_the_receipt_names_is_in_the_store(broker: str, tmp_path: Path) -> None:
    chosen = settings(broker, tmp_path)
    with ingest(chosen), PretendGateway(broker) as gateway, reading(chosen) as reader:
        wait_until(lambda: gateway.receipt, 20, "a receipt greets the gateway")
        gateway.live(minute_batches(40))

        wait_until(lambda: gateway.through("e1") == 40, 20, "a receipt for all of them")

        assert gateway.receipt is not None
        assert gateway.receipt.store == reader.store_id
        assert reader.totals()["rows"] == 400
        assert reader.ledger(GatewayId("g1")) == {"e1": EpochLedger(40, ())}


def test_a_gateway_that_was_there_first_hears_hello(broker: str, tmp_path: Path) -> None:
    with PretendGateway(broker) as gateway, ingest(settings(broker, tmp_path)):
        wait_until(lambda: gateway.hellos, 20, "hello")

        assert gateway.hellos[0].started_at_ms == NOON_MS


def test_a_storm_of_duplicates_in_any_order_on_both_lanes_stores_each_reading_once(
    broker: str, tmp_path: Path
) -> None:
    chance = random.Random(7)  # noqa: S311 - a shuffle, not a secret
    sent = minute_batches(60)
    storm = sent * 5
    chance.shuffle(storm)
    chosen = settings(broker, tmp_path)
    with ingest(chosen), PretendGateway(broker) as gateway, reading(chosen) as reader:
        wait_until(lambda: gateway.receipt, 20, "ingest listens")
        for payload in storm:
            chance.choice([gateway.live, gateway.backlog])([payload])

        wait_until(lambda: gateway.through("e1") == 60, 20, "a receipt for all of them")

        totals = reader.totals()
        assert (totals["rows"], totals["stored"], totals["conflicts"]) == (600, 600, 0)
        assert totals["batches"] == 60


def test_backlog_arrivals_are_told_from_live_ones(broker: str, tmp_path: Path) -> None:
    chosen = settings(broker, tmp_path)
    with ingest(chosen), PretendGateway(broker) as gateway, reading(chosen) as reader:
        wait_until(lambda: gateway.receipt, 20, "ingest listens")
        gateway.backlog([sealed(1, (NOON_MS - 9 * MINUTE_MS, 1, 0))])
        wait_until(lambda: reader.last_arrival() == 1, 20, "the backlog batch")
        gateway.live([sealed(2, (NOON_MS, 2, 0))])
        wait_until(lambda: reader.last_arrival() == 2, 20, "the live batch")

        assert [arrival.backlog for arrival in reader.arrivals(0)] == [True, False]


@pytest.mark.parametrize(
    ("lane_topic", "payload", "reason"),
    [
        pytest.param(
            topics.batch(7, "g1", "live"),
            sealed(5, (NOON_MS, 1, 0), key=b"x" * 32),
            "wrong tag",
            id="wrong-tag",
        ),
        pytest.param(
            topics.batch(7, "g1", "live"),
            sealed(5, (NOON_MS, 1, 0), gateway="g2"),
            "another gateway's batch",
            id="foreign-topic",
        ),
        pytest.param(
            topics.batch(7, "g1", "live"),
            sealed(1, (NOON_MS, 999, 0)),
            "known name with other bytes",
            id="other-bytes",
        ),
    ],
)
def test_what_is_forged_is_quarantined_and_named_in_the_receipt(
    broker: str, tmp_path: Path, lane_topic: str, payload: bytes, reason: str
) -> None:
    chosen = settings(broker, tmp_path)
    with ingest(chosen), PretendGateway(broker) as gateway, reading(chosen) as reader:
        wait_until(lambda: gateway.receipt, 20, "ingest listens")
        gateway.live([sealed(1, (NOON_MS, 400, 0))])
        gateway.publish(lane_topic, payload)

        wait_until(lambda: gateway.receipt and gateway.receipt.refused, 20, "a refusal")

        assert gateway.receipt is not None
        assert gateway.receipt.refused[0][2] == reason
        assert [q.reason for q in reader.quarantined()] == [reason]
        assert list(reader.between(AIR, 0, NOON_MS * 2)) == [(NOON_MS, 400, 0)]


def test_a_bad_reading_is_quarantined_and_its_neighbours_are_stored(
    broker: str, tmp_path: Path
) -> None:
    chosen = settings(broker, tmp_path)
    with ingest(chosen), PretendGateway(broker) as gateway, reading(chosen) as reader:
        wait_until(lambda: gateway.receipt, 20, "ingest listens")
        future = NOON_MS + 60 * MINUTE_MS
        gateway.live([sealed(1, (NOON_MS, 12_345, 0), (NOON_MS + 1, 2, 0), (future, 3, 0))])

        wait_until(lambda: gateway.through("e1") == 1, 20, "the batch is receipted")

        assert list(reader.between(AIR, 0, NOON_MS * 2)) == [
            (NOON_MS, 12_345, Quality.OUTSIDE_RANGE),
            (NOON_MS + 1, 2, 0),
        ]
        held = reader.quarantined()
        assert [q.reason for q in held] == [
            "1 readings: measured more than 5 min ahead of a trusted clock"
        ]
        assert str(future).encode() in held[0].payload


def test_a_batch_under_an_unknown_key_is_stored_when_the_key_is_there_and_it_is_retried(
    broker: str, tmp_path: Path
) -> None:
    chosen = settings(broker, tmp_path)
    with ingest(chosen), PretendGateway(broker) as gateway, reading(chosen) as reader:
        wait_until(lambda: gateway.receipt, 20, "ingest listens")
        gateway.live([sealed(1, (NOON_MS, 400, 0), kid="k2")])
        wait_until(lambda: reader.quarantined(), 20, "the batch in quarantine")
        held = reader.quarantined()[0]

        assert retry(chosen, [held.id], lambda: NOON_MS) == {}  # ingest runs and is asked
        wait_until(lambda: not any((tmp_path / "readings.db.retry").iterdir()), 20, "asked")
        assert reader.quarantined()[0].state == "held"

    known = chosen.gateways[0]
    repaired = msgspec.structs.replace(
        chosen,
        gateways=[msgspec.structs.replace(known, keys={**known.keys, "k2": known.keys["k1"]})],
    )
    assert retry(repaired, [held.id], lambda: NOON_MS) == {held.id: None}

    with reading(chosen) as reader:
        assert list(reader.between(AIR, 0, NOON_MS * 2)) == [(NOON_MS, 400, 0)]
        assert reader.quarantined()[0].state == "retried"


def test_a_gateways_status_is_kept_and_a_strangers_is_not(broker: str, tmp_path: Path) -> None:
    chosen = settings(broker, tmp_path)
    said = status_v1.encode(status_v1.Status("online", "e1", "0.1.0"))
    with ingest(chosen), PretendGateway(broker) as gateway, reading(chosen) as reader:
        gateway.publish(topics.status(9, "stranger"), said)
        gateway.status(said)

        wait_until(lambda: reader.statuses(), 20, "the status")

        assert reader.statuses() == {GatewayId("g1"): (said, NOON_MS)}


def test_a_second_ingest_on_the_same_file_does_not_start(tmp_path: Path) -> None:
    chosen = settings("mqtt://127.0.0.1:1", tmp_path)
    with ingest(chosen), pytest.raises(Exception, match="another process writes"):
        run(chosen, now_ms=lambda: NOON_MS, stop=threading.Event())


def test_killed_in_mid_stream_it_has_every_reading_once_at_the_end(
    broker: str, tmp_path: Path
) -> None:
    chance = random.Random(11)  # noqa: S311 - instants of death, not a secret
    chosen = settings(broker, tmp_path)
    settings_file = tmp_path / "settings.json"
    settings_file.write_bytes(msgspec.json.encode(chosen))
    sent = minute_batches(600)
    with ExitStack() as stack:
        gateway = stack.enter_context(PretendGateway(broker))  # before ingest says hello
        process = _start(settings_file)
        reader = stack.enter_context(reading(chosen))
        wait_until(lambda: gateway.hellos, 20, "hello")
        for _ in range(6):
            missing = _not_receipted(gateway, sent)
            chance.shuffle(missing)
            gateway.live(missing[: len(missing) // 2])
            gateway.backlog(missing[len(missing) // 2 :])
            after = gateway.through("e1") + chance.randint(1, 60)
            before = reader.totals()["batches"]
            wait_until(
                lambda at=before + after: reader.totals()["batches"] >= min(at, 600),  # type: ignore[misc]  # a bound default
                20,
                "some of them",
            )
            greeted = len(gateway.hellos)
            process.kill()
            process.wait()
            process = _start(settings_file)
            wait_until(lambda n=greeted: len(gateway.hellos) > n, 20, "hello again")  # type: ignore[misc]  # a bound default
        gateway.live(_not_receipted(gateway, sent))
        wait_until(lambda: gateway.through("e1") == 600, 20, "a receipt for all of them")
        process.kill()
        process.wait()

        totals = reader.totals()
        assert (totals["rows"], totals["stored"], totals["batches"]) == (6_000, 6_000, 600)
        arrivals = reader.arrivals(0, 10_000)
        assert [arrival.n for arrival in arrivals] == list(range(1, len(arrivals) + 1))


def _start(settings_file: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.ingest", str(settings_file)], cwd=ROOT
    )


def _not_receipted(gateway: PretendGateway, sent: list[bytes]) -> list[bytes]:
    receipt = gateway.receipt
    if receipt is None or "e1" not in receipt.epochs:
        return list(sent)
    through, ranges = receipt.epochs["e1"]
    return [
        payload
        for seq, payload in enumerate(sent, 1)
        if seq > through and not any(first <= seq <= last for first, last in ranges)
    ]


def test_a_copied_card_and_its_original_are_noticed_and_both_are_stored(
    broker: str, tmp_path: Path
) -> None:
    chosen = settings(broker, tmp_path)
    with PretendGateway(broker) as gateway, ingest(chosen):
        first = sealed(1, (NOON_MS, 400, 0), epoch="e1")
        runs = [
            sealed(1, (NOON_MS + n, 410, 0), epoch=epoch, after=("e1", 1))
            for n, epoch in ((1, "e2"), (2, "e3"))
        ]
        wait_until(lambda: gateway.hellos, 20, "ingest listens")
        gateway.live([first, *runs])
        wait_until(lambda: gateway.through("e3") and gateway.through("e2"), 20, "both are stored")

    with reading(chosen) as reader:
        [held] = reader.quarantined()
        assert held.reason.startswith("two gateways have this name")
        assert len(reader.between(AIR, NOON_MS, NOON_MS + 10)) == 3
