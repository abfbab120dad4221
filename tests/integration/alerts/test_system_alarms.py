"""Alarms of the system itself reach those who run it, once, through restarts, and what is over too."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from alerts.escalation import Rosters
from alerts.system_alarms import LOST_FOR_MS, SystemWatch
from domain.incident import HOUR_MS, MINUTE_MS
from domain.message import parts
from domain.reading import GatewayId
from store.notices import NewNotice
from store.ports import AdmittedBatch, BatchId
from store.system_alarms import Board, read
from tests.support.alert_house import NOON_MS, House
from tests.support.people import Phones
from tests.support.watch import Watch
from wire import tombstone_v1
from wire.status_v1 import Clock, Status, encode

BOSS, OPERATOR, OWNER = "+8613800000009", "+8613800000001", "+8613800000008"


class Desk(Watch):
    """The role's own loop, as far as the system itself is concerned; a turn a second or so."""

    owners: tuple[str, ...] = ()

    def __enter__(self) -> "Desk":
        super().__enter__()
        folder = self.house.path("system")
        self.system = SystemWatch(
            Board(folder, "alerts", lambda: self.now_ms), folder, self.house.readings,
            self.house.records, self.store, Rosters(self.house.records), self.owners,
            lambda: self.now_ms,
        )  # fmt: skip
        return self

    def turn(self) -> None:
        self.system.turn()
        super().turn()

    def passes(self, ms: int) -> None:
        end_ms = self.now_ms + ms
        while self.now_ms < end_ms:
            self.now_ms = min(self.now_ms + MINUTE_MS, end_ms)
            self.turn()

    def board(self, part: str) -> Board:
        return Board(self.house.path("system"), part, lambda: self.now_ms)

    def codes(self) -> set[str]:
        return {one.code for one in read(self.house.path("system"), self.now_ms)}


@contextmanager
def desk(house: House, phones: Phones, now_ms: int = NOON_MS) -> Iterator[Desk]:
    with Desk(house, phones, now_ms) as watch:
        watch.turn()
        yield watch


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path / "house") as made:
        made.room("r1", "mqtt:g1:p1")
        made.person("op", "operator", OPERATOR)
        made.person("boss", "county", BOSS)
        yield made


def status(house: House, at_ms: int, **what: object) -> None:
    said = Status("online", "e1", "1", **{"clock": Clock(trusted=True)} | what)  # type: ignore[arg-type]  # of the test's own
    house.readings.put_status(GatewayId("g1"), encode(said), at_ms)


def test_a_copied_card_is_told_once_to_the_county_through_a_restart_and_when_it_is_over(
    house: House,
) -> None:
    phones = Phones()
    with desk(house, phones) as watch:
        ingest = watch.board("ingest")
        ingest.say("DUPLICATE_GATEWAY", "gateway:g1", on=True, for_ms=HOUR_MS)
        watch.passes(MINUTE_MS)
        assert phones.said() == [("9", "raise")]
        (text,) = phones.texts()
        assert "网关g1" in text
        assert "停掉其中一台" in text
        assert parts(text) == 1
        again_ms = watch.now_ms
    with desk(house, phones, again_ms) as watch:
        watch.passes(50 * MINUTE_MS)
        assert phones.said() == [("9", "raise")]
        watch.passes(30 * MINUTE_MS)

        assert phones.said() == [("9", "raise"), ("9", "clear")]
        assert "已解除" in list(phones.texts())[-1]


def test_owners_are_told_and_without_any_whoever_has_the_highest_role(tmp_path: Path) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        house.person("op", "operator", OPERATOR)
        with desk(house, phones) as watch:
            watch.board("ingest").say("SERVER_CLOCK", "server", on=True)
            watch.passes(MINUTE_MS)
            assert phones.said() == [("1", "raise")]
            house.person("owner", "second", OWNER)
            watch.system = SystemWatch(
                watch.board("alerts"), house.path("system"), house.readings, house.records,
                watch.store, Rosters(house.records), ["owner"], lambda: watch.now_ms,
            )  # fmt: skip
            watch.board("ingest").say("DISK_FULL", "server", on=True)
            watch.passes(MINUTE_MS)

            assert phones.said()[1:] == [("8", "raise")]


def test_what_a_gateway_shows_of_itself_is_on_the_board_and_told_in_its_time(house: House) -> None:
    phones = Phones()
    with desk(house, phones) as watch:
        status(house, watch.now_ms, full_in_h=3.0, clock=Clock(trusted=False), refused=2)
        watch.passes(MINUTE_MS)
        assert watch.codes() == {"GATEWAY_FILLS", "CLOCK_UNTRUSTED", "BATCHES_REFUSED"}
        assert len(phones.said()) == 1  # what needs no time
        watch.passes(15 * MINUTE_MS)
        assert len(phones.said()) == 2
        watch.passes(60 * MINUTE_MS)
        assert len(phones.said()) == 3
        status(house, watch.now_ms, receipts_refused="another store")
        watch.passes(MINUTE_MS)
        assert watch.codes() == {"RECEIPT_REFUSED"}
        status(house, watch.now_ms)
        watch.passes(MINUTE_MS)

        assert watch.codes() == set()


def test_a_loss_is_shown_for_three_days_and_told_once(house: House) -> None:
    phones = Phones()
    stone = tombstone_v1.Tombstone("e0", 1, (bytes(32),), 60, NOON_MS - 9, NOON_MS, "full")
    with desk(house, phones) as watch:
        name = BatchId(GatewayId("g1"), "e0", 2)
        body = tombstone_v1.encode(stone)
        batch = AdmittedBatch(name, bytes(32), "tombstone", [], watch.now_ms, body)
        house.readings.write([batch], watch.now_ms)
        watch.passes(MINUTE_MS)
        assert watch.codes() == {"READINGS_LOST"}
        watch.passes(2 * MINUTE_MS)
        assert phones.said() == [("9", "raise")]
        watch.now_ms += LOST_FOR_MS
        watch.passes(10 * MINUTE_MS)

        assert watch.codes() == set()
        assert phones.said() == [("9", "raise")]


def test_a_person_whom_no_channel_reaches_is_told_of_until_something_arrives(house: House) -> None:
    phones = Phones()

    def note(key: str, at_ms: int) -> NewNotice:
        return NewNotice(
            key, at_ms, "op", OPERATOR, "sms", "raise", ["CRIT_HIGH"], "r1", 1, "A2A2", "x", ()
        )

    with desk(house, phones) as watch:
        watch.store.decide({}, [note("k1", watch.now_ms)])
        watch.store.give({"k1": "sms"}, watch.now_ms)
        watch.store.attempted(
            "k1", watch.now_ms, "failed", "no approved template", kind="raise", text="x", via="sms"
        )
        watch.passes(MINUTE_MS)
        assert watch.codes() == {"NOT_REACHED"}
        (alarm,) = read(house.path("system"), watch.now_ms)
        assert (alarm.about, alarm.detail) == ("person:op", "no approved template")
        assert phones.said() == [("9", "raise")]
        watch.store.decide({}, [note("k2", watch.now_ms)])
        watch.passes(2 * MINUTE_MS)

        assert watch.codes() == set()
