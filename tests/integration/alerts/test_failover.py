"""Several channels: a refusal, a dead one and one that hangs, and what each person still gets."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from alerts.carriers import Carriers
from alerts.keep_alive import KeepAlive
from alerts.routes import SMS, TEXT, VOICE, Routes, Way
from alerts.sending import TRIES, VOICE_ZH
from channels.ports import Channel, Outgoing, Refused, Sent, TryLater
from domain.reading import PersonId
from store.records.ports import Person
from store.system_alarms import Board, read
from tests.support.alert_house import MINUTE_MS, NOON_MS, House
from tests.support.people import Phones
from tests.support.servers import wait_until
from tests.support.watch import Watch, staffed

ROUTES = Routes({"sms": Way(TEXT), "backup": Way(TEXT), "call": Way(VOICE)})
OPERATOR = "+8613800000001"


class Refusing:
    """A provider without credit."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def send(self, message: Outgoing) -> Sent:
        self.asked.append(message.key)
        raise Refused("no credit")

    def close(self) -> None:
        pass


@dataclass
class Hanging:
    """Takes a message and never comes back until it is let go."""

    let_go: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)

    def send(self, message: Outgoing) -> Sent:
        self.reached.set()
        self.let_go.wait(60)
        return Sent(f"late-{message.key}")

    def close(self) -> None:
        self.let_go.set()


class Story(Watch):
    """Each turn every channel has its round."""

    def __init__(self, house: House, ways: Mapping[str, Channel], routes: Routes = ROUTES) -> None:
        super().__init__(house, Phones(), NOON_MS, routes=routes)
        self.ways = ways

    def turn(self) -> None:
        self.decide()
        while sum(self.sender.send_due(way, name) for name, way in self.ways.items()):
            pass

    def now(self) -> int:
        return self.now_ms

    def raised(self) -> dict[str, object]:
        return dict(next(n for n in self.store.notices() if n["kind"] == "raise"))


class Asked(Phones):
    """Can be asked whether it works; ``well`` says."""

    well = True
    why = "no answer"

    def alive(self) -> None:
        if not self.well:
            raise TryLater(self.why)


def test_a_channel_silent_for_a_day_is_told_to_the_owner_by_another_once_a_day(
    tmp_path: Path,
) -> None:
    sms, backup = Asked(), Phones()
    with House(tmp_path) as house:
        staffed(house)
        house.person("boss", "county", "+8613800000009")
        with Story(house, {"sms": sms, "backup": backup}) as watch:
            rosters = watch.notifier.rosters
            alive = KeepAlive(watch.store, watch.sender, rosters, {}, [], watch.now)
            hours = []
            for hour in range(75):
                sms.well = hour < 2
                sms.outages = 0 if sms.well else 1_000_000
                alive.ask("sms", sms)
                alive.ask("backup", backup)
                hours += [hour] * alive.tell()
                watch.turn()
                watch.now_ms += 60 * MINUTE_MS

            assert hours == [25, 49, 73]
            assert backup.said() == [("9", "raise")] * 3
            assert "sms" in next(iter(backup.texts()))
            (fares,) = [c for c in watch.store.channels() if c["name"] == "sms"]
            assert fares["failing_ms"] is not None
            assert fares["error"] == "no link", "the newest reason"


def test_a_channel_that_cannot_be_asked_sends_one_test_a_day_to_its_own_phone(
    tmp_path: Path,
) -> None:
    call = Phones()
    with House(tmp_path) as house:
        staffed(house)
        with Story(house, {"call": call}) as watch:
            rosters = watch.notifier.rosters
            phones = {"call": "+8613800000008"}
            for _life in range(2):  # a restart sends no test of its own
                alive = KeepAlive(watch.store, watch.sender, rosters, phones, [], watch.now)
                for _ in range(30):
                    alive.ask("call", call)
                    watch.now_ms += 60 * MINUTE_MS
                assert alive.tell() == 0

            assert call.said() == [("8", "test")] * 3


def test_a_failing_channel_is_shown_with_its_newest_reason_and_when_all_fail_nobody_is_told(
    tmp_path: Path,
) -> None:
    sms, backup = Asked(), Asked()
    with House(tmp_path) as house:
        staffed(house)
        with Story(house, {"sms": sms, "backup": backup}) as watch:
            board = Board(house.path("system"), "alerts", watch.now)
            phones = {"sms": "", "backup": ""}
            alive = KeepAlive(
                watch.store, watch.sender, watch.notifier.rosters, phones, [], watch.now, board
            )

            def shown(minutes: int) -> dict[str, str]:
                for _ in range(minutes):
                    watch.now_ms += MINUTE_MS
                    alive.ask("sms", sms)
                    alive.ask("backup", backup)
                    alive.tell()
                return {f"{a.code} {a.about}": a.detail
                        for a in read(house.path("system"), watch.now_ms)}  # fmt: skip

            sms.well, sms.why = False, "no link"
            assert shown(61) == {"CHANNEL_FAILS channel:sms": "no link"}
            sms.why = "the password was refused"
            assert shown(2) == {"CHANNEL_FAILS channel:sms": "the password was refused"}
            backup.well = False
            assert "NO_CHANNEL server" in shown(66)
            backup.well = True
            assert set(shown(2)) == {"CHANNEL_FAILS channel:sms"}
            sms.well = True
            assert shown(2) == {}


def warm_until_told(watch: Watch) -> None:
    watch.warm(40)


def test_a_refusal_goes_by_the_persons_next_channel_at_once(tmp_path: Path) -> None:
    sms, backup = Refusing(), Phones()
    with House(tmp_path) as house:
        staffed(house)
        with Story(house, {"sms": sms, "backup": backup}) as watch:
            warm_until_told(watch)

            assert backup.said() == [("1", "raise")]
            assert len(sms.asked) == 1
            assert watch.raised()["via"] == "backup"


def test_refused_everywhere_is_failed_and_never_asked_again(tmp_path: Path) -> None:
    sms, backup, call = Refusing(), Refusing(), Refusing()
    with House(tmp_path) as house:
        staffed(house)
        with Story(house, {"sms": sms, "backup": backup, "call": call}) as watch:
            watch.warm(35)
            watch.until(watch.now_ms + 5 * MINUTE_MS)

            assert watch.raised()["state"] == "failed"
            assert [len(one.asked) for one in (sms, backup, call)] == [1, 1, 1]


def test_a_channel_out_of_reach_is_tried_a_few_times_and_then_the_next(tmp_path: Path) -> None:
    sms, backup = Phones(outages=10_000), Phones()
    with House(tmp_path) as house:
        staffed(house)
        with Story(house, {"sms": sms, "backup": backup}) as watch:
            watch.warm(45)

            assert backup.said()[0] == ("1", "raise")
            assert 1 <= sms.sends <= 3 * TRIES  # raise, and the two of the next step


def test_each_channel_gets_a_notice_with_the_same_key_whenever_its_turn_comes(
    tmp_path: Path,
) -> None:
    """An answer lost on the way cannot make a provider that honours keys tell it twice."""
    sms, backup = Phones(), Phones(outages=10_000)
    sms.answers_lost = TRIES  # it took the message each time; we never learned so
    with House(tmp_path) as house:
        staffed(house)
        with Story(house, {"sms": sms, "backup": backup, "call": Phones(outages=9_999)}) as watch:
            watch.warm(35)
            watch.until(watch.now_ms + 14 * MINUTE_MS)

            assert sms.said().count(("1", "raise")) == 1
            assert sms.sends > TRIES
            assert watch.raised()["state"] == "sent"


def test_a_call_is_a_call_where_a_provider_is_configured_and_a_text_where_not(
    tmp_path: Path,
) -> None:
    sms, call = Phones(), Phones()
    with House(tmp_path) as house:
        staffed(house)
        with Story(house, {"sms": sms, "call": call}) as watch:
            watch.warm(50)

            assert call.said() == [("1", "escalate")]
            assert not any(text.startswith(VOICE_ZH) for text in [*sms.texts(), *call.texts()])


def test_what_a_carrier_took_and_could_not_deliver_goes_by_the_next(tmp_path: Path) -> None:
    sms, backup = Phones(), Phones()
    with House(tmp_path) as house:
        staffed(house)
        with Story(house, {"sms": sms, "backup": backup}) as watch:
            warm_until_told(watch)
            (key,) = sms.messages
            watch.sender.on_receipt(f"id-{key}", "failed")
            watch.turn()

            assert backup.said() == [("1", "raise")]
            assert watch.raised()["state"] == "sent"


def test_a_persons_own_order_is_followed(tmp_path: Path) -> None:
    sms, backup = Phones(), Phones()
    with House(tmp_path) as house:
        staffed(house)
        own = Person(PersonId("op"), "op", OPERATOR, "zh", channels=("backup", "sms"))
        house.records.put_person(own, by="t", now_ms=NOON_MS)
        with Story(house, {"sms": sms, "backup": backup}) as watch:
            warm_until_told(watch)

            assert (sms.said(), backup.said()) == ([], [("1", "raise")])


def test_parts_are_counted_by_the_rooms_organisation_and_the_local_month(tmp_path: Path) -> None:
    sms = Phones()
    with House(tmp_path) as house:
        staffed(house)
        with Story(house, {"sms": sms}) as watch:
            watch.warm(50)
            texts = list(sms.texts())

            assert watch.store.usage() == [
                {
                    "month": "2026-06", "organisation": "", "channel": "sms",
                    "messages": len(texts), "parts": sum(1 + (len(t) > 70) for t in texts),
                }
            ]  # fmt: skip


def test_a_channel_dropped_from_the_settings_leaves_its_notices_to_the_others(
    tmp_path: Path,
) -> None:
    with House(tmp_path) as house:
        staffed(house)
        with Story(house, {"sms": Phones(outages=10_000)}) as watch:
            watch.warm(35)
            now_ms = watch.now_ms
        other = Phones()
        with Story(house, {"new": other}, Routes({"new": Way(TEXT)})) as watch:
            watch.now_ms = now_ms
            watch.turn()

        assert other.said() == [("1", "raise")]


def test_dying_at_any_moment_of_a_fail_over_tells_each_provider_each_thing_once(
    tmp_path: Path,
) -> None:
    """Both honour keys; every third answer is lost, and every life ends within five minutes."""
    sms, backup = Losing(), Losing()
    with House(tmp_path) as house:
        staffed(house)
        now_ms = NOON_MS
        for life in range(14):
            house.arrive([(now_ms, 8.0)], at_ms=now_ms)
            for decided_only in (True, False):
                ways: dict[str, Channel] = {"sms": sms, "backup": backup}
                with Story(house, {} if decided_only else ways, ROUTES.without("call")) as watch:
                    watch.now_ms = now_ms
                    sms.outages = 10_000 if 7 <= life < 10 else 0  # as the alarm comes
                    watch.turn()
                    watch.now_ms += 2 * MINUTE_MS
                    watch.turn()
            now_ms += 5 * MINUTE_MS

    said = sms.said() + backup.said()
    assert {("1", "raise"), ("1", "escalate"), ("2", "escalate")} <= set(said)
    assert backup.messages
    for phones in (sms, backup):
        texts = [(m.to_phone, m.kind, m.text) for m in phones.messages.values()]
        assert len(set(texts)) == len(texts)
    assert sms.sends + backup.sends > len(said)


class Losing(Phones):
    """Every third answer is lost on the way; the message was taken."""

    def send(self, message: Outgoing) -> Sent:
        self.answers_lost = int(self.sends % 3 == 2)
        return super().send(message)


@contextmanager
def carried(watch: Story, ways: Mapping[str, Channel], stuck_s: float) -> Iterator[Carriers]:
    failed: list[BaseException] = []
    alive = KeepAlive(watch.store, watch.sender, watch.notifier.rosters, {}, [], watch.now)
    carriers = Carriers(watch.sender, ways, alive, watch.now, failed.append, stuck_s)
    carriers.start()
    try:
        yield carriers
    finally:
        for way in ways.values():
            way.close()
        carriers.stop()
        assert failed == []


@pytest.mark.parametrize("stuck_s", [pytest.param(0.2, id="found-out-soon")])
def test_a_channel_that_hangs_delays_no_other_and_loses_what_waits_for_it(
    tmp_path: Path, stuck_s: float
) -> None:
    hanging, backup = Hanging(), Phones()
    with House(tmp_path) as house:
        staffed(house)
        own = Person(PersonId("second"), "s", "+8613800000002", "zh", channels=("backup",))
        house.records.put_person(own, by="t", now_ms=NOON_MS)
        ways: dict[str, Channel] = {"sms": hanging, "backup": backup}
        with Story(house, {}) as watch:
            watch.warm(50)  # the operator's raise and call, the second's text; nothing carried yet
            with carried(watch, ways, stuck_s) as carriers:
                wait_until(hanging.reached.is_set, 20, "the channel hangs")
                wait_until(lambda: ("2", "escalate") in backup.said(), 20, "the other's text")
                wait_until(
                    lambda: carriers.look_after() >= 0 and ("1", "raise") in backup.said(),
                    20, "the operator is told by the other channel",
                )  # fmt: skip
                hanging.let_go.set()
            states = {n["kind"]: n["state"] for n in watch.store.notices() if n["to"] == "op"}

            assert states["raise"] == "sent"


def test_an_operator_who_unsubscribed_is_called_at_once_and_told_by_the_app_of_the_rest(
    tmp_path: Path,
) -> None:
    ways = {"sms": Phones(), "app": Phones(), "call": Phones()}
    routes = Routes({"sms": Way(SMS), "app": Way(TEXT, by_default=False), "call": Way(VOICE)})
    with House(tmp_path) as house:
        staffed(house)
        app = Person(PersonId("op"), "op", OPERATOR, "zh", channels=("sms", "app"))
        house.records.put_person(app, by="admin", now_ms=NOON_MS)
        for who in ("op", "second"):
            house.records.stop_texts(PersonId(who), NOON_MS, by="admin", now_ms=NOON_MS)
        with Story(house, ways, routes) as watch:
            watch.warm(50)
            assert "无人值班" not in "".join(t for w in ways.values() for t in w.texts())
            watch.warm(15, 2.0)

        assert ways["app"].said() == [
            ("1", "raise"), ("1", "escalate"), ("1", "clear"),
        ]  # fmt: skip
        assert ways["call"].said() == [("2", "escalate")]
        assert ways["sms"].said() == [], "neither of them was sent a message"


def test_what_was_decided_before_somebody_unsubscribed_is_dropped_and_holds_nobody_up(
    tmp_path: Path,
) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        staffed(house)
        with Story(house, {"sms": phones}, Routes({"sms": Way(SMS)})) as watch:
            watch.warm(30)
            house.arrive([(watch.now_ms, 8.0)], at_ms=watch.now_ms)
            watch.decide()
            house.records.stop_texts(PersonId("op"), NOON_MS, by="admin", now_ms=watch.now_ms)
            watch.turn()
            assert phones.said() == []
            assert watch.raised()["state"] == "dropped"
            watch.warm(20)

        assert phones.said() == [("2", "escalate"), ("2", "escalate")], (
            "second, also in their place"
        )
