"""The oracle keeps silent over a sound folder and names each damage that is done to it.

The folder is made by the program's own parts: an outbox, the store, the alerts role with a
clock in the hand, an SMS centre's memory. Each test damages a copy by hand.
"""

import shutil
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from channels.ports import Outgoing, Sent
from coldtrail.sms_centre.memory import Memory
from coldtrail.sms_centre.pdu import Submit
from domain import admission
from domain.instant import rfc3339
from domain.quantity import QUANTITIES
from domain.reading import GatewayId, ProbeId, Series
from gateway.outbox import Outbox, Row, Sealer, Waiting
from ingest.admit import Admitted, Gateway, admit
from ingest.followed import Followed
from ingest.influx import follower
from ingest.influx_server import connect
from ingest.settings import InfluxSettings
from store.ports import AdmittedBatch
from tests.faults.oracle import violations
from tests.faults.sent import Ledger, Reading, RoomSaid
from tests.support.alert_house import MINUTE_MS, NOON_MS, House
from tests.support.influx import influxd
from tests.support.watch import Watch
from wire import receipt_v1, tombstone_v1
from wire.batch_v1 import Clock

KEY = bytes(range(32))
PROBE = "mqtt:gw1:p1"
START_MS = NOON_MS
AT_MS = START_MS + 60 * MINUTE_MS  # a reading of the middle
AT = rfc3339(AT_MS)


class Carrier:
    """Gives everything to the memory of an SMS centre."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def send(self, message: Outgoing) -> Sent:
        part = Submit(
            "1069", message.to_phone.removeprefix("+"), message.text, f"{message.key}#1/1", False
        )
        return Sent(str(self._memory.accept(part)))

    def close(self) -> None:
        pass


class Gatekeeper:
    """An outbox below a store, without a wire: what is cut is admitted, stored and receipted."""

    def __init__(self, data: Path, house: House) -> None:
        self._outbox = Outbox(
            data / "gateway" / "outbox.db", Sealer("gw1", "k1", KEY), ballast_bytes=0
        )
        self._house = house
        self._known = {"gw1": Gateway("gw1", 7, {"k1": KEY})}

    def bring(self, readings: list[Reading], now_ms: int) -> None:
        rows = [
            Row(
                Series(ProbeId(r.probe), r.quantity), r.at_ms, r.count,
                admission.quality(r.quantity, r.count),
            )
            for r in readings
        ]  # fmt: skip
        made = self._outbox.take(rows, [], now_ms, Clock(trusted=True), cut=True)
        self._house.readings.write([self._admitted(one) for one in made], now_ms)
        held = self._house.readings.ledger(GatewayId("gw1"))
        receipt = receipt_v1.Receipt(
            self._house.readings.store_id, 1,
            {epoch: (of.through, list(of.ranges)) for epoch, of in held.items()},
        )  # fmt: skip
        self._outbox.apply(receipt)

    def _admitted(self, one: Waiting) -> AdmittedBatch:
        payload = self._outbox.payload(one.id)
        assert payload is not None
        found = admit("ct/v1/7/gw1/batch/live", payload, self._known)
        assert isinstance(found, Admitted)
        return found.batch

    def close(self) -> None:
        self._outbox.close()


def reading(minute: int, celsius: float) -> Reading:
    return Reading(
        PROBE,
        "temperature",
        START_MS + minute * MINUTE_MS,
        QUANTITIES["temperature"].count(celsius),
    )


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ledger]:
    """Three hours of a room that is warm in the middle, two lives of its gateway."""
    data = tmp_path_factory.mktemp("sound")
    (data / "server").mkdir()
    sent = Ledger()
    with House(data / "server") as house:
        house.room("r1", PROBE)
        house.person("op", "operator", "+8613800000001", quiet_hours=False)
        house.person("second", "second", "+8613800000002", quiet_hours=False)
        sent.rooms["r1"] = RoomSaid("r1", "SB", ("strawberry",), 300, house.began_ms, (PROBE,))
        sent.phones = {"op": "+8613800000001", "second": "+8613800000002"}
        memory = Memory(data / "server" / "sms-centre.db", lambda: START_MS)
        gateway = Gatekeeper(data, house)
        with Watch(house, Carrier(memory), START_MS, 0) as watch:  # type: ignore[arg-type]  # a carrier as good as Phones
            for minute in range(0, 180, 5):
                if minute == 90:
                    gateway.close()
                    gateway = Gatekeeper(data, house)
                celsius = 9.0 if 40 <= minute < 120 else 2.0
                one = reading(minute, celsius + minute / 1000)
                sent.offer([one])
                sent.acknowledge([one])
                watch.now_ms = one.at_ms + 1000
                gateway.bring([one], watch.now_ms)
                watch.turn()
        gateway.close()
        memory.close()
    return data, sent


@pytest.fixture
def folder(sound: tuple[Path, Ledger], tmp_path: Path) -> tuple[Path, Ledger]:
    data = tmp_path / "data"
    shutil.copytree(sound[0], data)
    return data, sound[1]


def found(folder: tuple[Path, Ledger]) -> list[str]:
    data, sent = folder
    return violations(data, sent, influx_url=None, api=None, full=True)


def test_of_a_sound_folder_nothing_is_said(folder: tuple[Path, Ledger]) -> None:
    assert found(folder) == []


READINGS, OUTBOX = "server/readings.db", "gateway/outbox.db"
FACTS, NOTICES, CENTRE = "server/facts.db", "server/notices.db", "server/sms-centre.db"

DAMAGES = {
    "a reading is lost": (
        READINGS,
        "DELETE FROM reading WHERE ts = :at",
        f"{PROBE} temperature at {AT}: acknowledged, and not in the store",
    ),
    "a reading is stored a second later as well": (
        READINGS,
        "INSERT INTO reading SELECT hour, series, ts + 1000, count, quality FROM reading"
        " WHERE ts = :at",
        f"{PROBE} temperature at {rfc3339(AT_MS + 1000)}: in the store, and never offered",
    ),
    "a value is another": (
        READINGS,
        "UPDATE reading SET count = count + 1 WHERE ts = :at",
        f"{PROBE} temperature at {AT}: 9.06 Cel was offered, 9.07 Cel is stored",
    ),
    "a reading is called contradicted": (
        READINGS,
        "UPDATE reading SET quality = 128 WHERE ts = :at",
        f"{PROBE} temperature at {AT}: 9.06 Cel was offered, 9.06 Cel is stored, marked as"
        " contradicted",
    ),
    "a reading lies under another hour": (
        READINGS,
        "UPDATE reading SET hour = hour + 1 WHERE ts = :at",
        f"{PROBE} temperature at {AT}: filed under hour {AT_MS // 3_600_000 + 1}",
    ),
    "an arrival is lost": (
        READINGS,
        "DELETE FROM arrival WHERE n = 4",
        "arrivals 4 to 4 are missing",
    ),
    "nobody says that a reading came": (
        READINGS,
        "UPDATE arrival SET spans = (SELECT spans FROM arrival WHERE n = 4) WHERE n = 13",
        f"{PROBE} temperature at {AT}: in the store, and no arrival speaks of it",
    ),
    "an arrival is doubled": (
        READINGS,
        "INSERT INTO arrival SELECT 37, stored_at, backlog, spans FROM arrival WHERE n = 4",
        f"{PROBE} temperature: arrivals brought 37 readings, 36 are there",
    ),
    "a batch is not in the ledger": (
        READINGS,
        "DELETE FROM ledger WHERE epoch = 1",
        "the ledger and the batches differ, first at 1",
    ),
    "a batch never came": (
        READINGS,
        "DELETE FROM batch WHERE epoch = 1 AND seq = 3",
        "batch 3 never came, 18 did",
    ),
    "a batch was stored with other bytes": (
        READINGS,
        "UPDATE batch SET digest = zeroblob(32) WHERE epoch = 1 AND seq = 3",
        "batch 3 is in the store with other bytes",
    ),
    "the last batches of an epoch never came": (
        READINGS,
        "DELETE FROM batch WHERE epoch = 1 AND seq > 15;"
        " UPDATE ledger SET last = 15 WHERE epoch = 1",
        "ended with batch 18, the store has them up to 15",
    ),
    "the newest reading is not said to be": (
        READINGS,
        "UPDATE latest SET count = count + 1",
        "is the newest, and not said to be",
    ),
    "an hour's sum is another": (
        READINGS,
        "UPDATE rollup SET total = total + 1",
        "the hour's (rows, valid, low, high, sum, conflicts) are",
    ),
    "what was receipted is not there": (
        OUTBOX,
        "UPDATE known SET value = CAST(replace(value, '[[1,18]]', '[[1,19]]') AS BLOB)"
        " WHERE key = 'server'",
        "batch 19 was receipted and is not there",
    ),
    "alerts is ahead of the journal": (
        FACTS,
        "UPDATE cursor SET n = n + 1",
        "alerts stands at arrival 37 of 36",
    ),
    "an alarm is not said": (
        FACTS,
        "UPDATE facts SET withdrawn = 1 WHERE level = 'critical'",
        "room r1: not said: alarm CRIT_HIGH from 2026-06-02T04:40:00Z, fired",
    ),
    "an alarm ended later": (
        FACTS,
        "UPDATE facts SET cleared_ms = cleared_ms + 1",
        "room r1: not so: alarm CRIT_HIGH from 2026-06-02T04:40:00Z, fired",
    ),
    "what is marked as sent is on no phone": (
        CENTRE,
        "DELETE FROM part WHERE id = 1",
        "is marked as sent, and on no phone",
    ),
    "what is on a phone was never decided": (
        NOTICES,
        "DELETE FROM notices WHERE kind = 'clear'",
        "and nobody decided it",
    ),
    "a first word is told twice": (
        NOTICES,
        "UPDATE notices SET kind = 'raise', person = 'op', channel = 'sms' WHERE kind = 'escalate'",
        "op was told 3 times that CRIT_HIGH of room r1 began",
    ),
    "nobody hears of an alarm": (
        NOTICES,
        "UPDATE notices SET state = 'dropped'",
        "nobody heard of CRIT_HIGH of room r1",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damage_is_named(folder: tuple[Path, Ledger], damage: str) -> None:
    file, done, sentence = DAMAGES[damage]
    with closing(apsw.Connection(str(folder[0] / file))) as db:
        db.execute(done, {"at": AT_MS})
        assert db.total_changes() > 0

    said = found(folder)

    assert any(sentence in one for one in said), said


def test_a_batch_that_does_not_follow_the_one_before_is_named(
    folder: tuple[Path, Ledger],
) -> None:
    with closing(apsw.Connection(str(folder[0] / READINGS))) as db:
        db.execute("UPDATE batch SET digest = zeroblob(32) WHERE epoch = 1 AND seq = 4")
    with closing(apsw.Connection(str(folder[0] / OUTBOX))) as db:
        db.execute("DELETE FROM batch WHERE id = 4")  # evicted: its digest is known by the store

    assert [one.partition(": ")[2] for one in found(folder)] == [
        "batch 5 does not carry the digest of the one before"
    ]


@pytest.mark.parametrize(("announced", "lost"), [(1, 0), (0, 1)])
def test_what_a_tombstone_announced_is_no_loss_and_no_more_than_that(
    folder: tuple[Path, Ledger], announced: int, lost: int
) -> None:
    stone = tombstone_v1.Tombstone("e", 1, (bytes(32),), announced, AT_MS, AT_MS, "full")
    with closing(apsw.Connection(str(folder[0] / READINGS))) as db:
        db.execute("DELETE FROM reading WHERE ts = ?", (AT_MS,))
        db.execute(
            "INSERT INTO note VALUES(1, 1, 'tombstone', ?, 1, ?)",
            (AT_MS, tombstone_v1.encode(stone)),
        )

    assert sum("acknowledged, and not in the store" in one for one in found(folder)) == lost


def test_of_contradicting_values_the_winner_must_stand(folder: tuple[Path, Ledger]) -> None:
    data, sent = folder
    other = Reading(PROBE, "temperature", AT_MS, 300)
    twice = Ledger(sent.rooms, {**sent.readings, other: True}, sent.actions, sent.phones)

    assert (
        f"{PROBE} temperature at {AT}: of 2 contradicting values 3.00 Cel must stand, marked;"
        " there is 9.06 Cel with quality 0"
    ) in violations(data, twice, influx_url=None, api=None, full=False)


def test_what_was_offered_and_not_acknowledged_may_be_stored_or_not(
    folder: tuple[Path, Ledger],
) -> None:
    data, sent = folder
    last = reading(175, 2.175)
    unsure = Ledger(sent.rooms, {**sent.readings, last: False, reading(180, 2.0): False})

    assert violations(data, unsure, influx_url=None, api=None, full=False) == []


@pytest.mark.server
def test_influxdb_must_have_every_reading_with_its_value_and_nothing_else(
    folder: tuple[Path, Ledger], tmp_path: Path
) -> None:
    data, sent = folder

    def said() -> list[str]:
        return violations(data, sent, influx_url=url, api=None, full=True)

    with influxd(tmp_path) as url:
        settings = InfluxSettings(
            url=url,
            kind="1",
            readings_path=str(data / READINGS),
            records_path=str(data / "server" / "records.db"),
            facts_path=str(data / FACTS),
            cursor_path=str(data / "server" / "influx-cursor.json"),
        )
        influx = connect(settings)
        with Followed(settings) as followed:
            following = follower(settings, influx, followed, lambda: NOON_MS)
            while following.step():
                pass
        assert said() == []

        influx.query(f"DELETE FROM temperature WHERE time = {AT_MS}ms")  # noqa: S608 - a test's own
        tags = f"temperature,probe={PROBE},room=r1,site=s1"
        influx.write([f"{tags} value=3.5 {AT_MS + 300_000}", f"{tags} value=3.5 {AT_MS + 7}"])
        influx.close()

        assert said() == [
            f"{PROBE} temperature at {AT}: not in InfluxDB",
            f"{PROBE} temperature at {rfc3339(AT_MS + 7)}: in InfluxDB, and no valid reading of the"
            " store",
            f"{PROBE} temperature at {rfc3339(AT_MS + 300_000)}: 9.06 Cel in the store, 3.50 Cel in"
            " InfluxDB",
        ]


def test_a_thousand_losses_are_three_sentences_and_a_number(folder: tuple[Path, Ledger]) -> None:
    with closing(apsw.Connection(str(folder[0] / READINGS))) as db:
        db.execute("DELETE FROM reading")

    lost = [one for one in found(folder) if "acknowledged, and not in the store" in one]

    assert len(lost) == 3
    assert lost[-1].endswith("(and 33 more like it)")
