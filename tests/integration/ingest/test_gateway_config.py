"""Each gateway is told of its own rooms, retained and signed, whenever people change them."""

from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.calibration import Papers
from domain.judgement import Asked
from domain.reading import PersonId, ProbeId, RoomId, Series, SiteId
from domain.room import judge
from gateway.config import Configured
from gateway.local_room import _actions
from ingest.gateway_config import Configs
from ingest.settings import Gateway
from store.records import open_records
from store.records.ports import Duty, Person, Region, Room, Site
from store.records.writer import SqlRecords
from store.room_input import actions_of, rules_of
from tests.support.alert_house import MINUTE_MS, NOON_MS
from tests.unit.domain.rooms import columns
from wire import config_v1, topics
from wire.config_v1 import Config

KEY = Ed25519PrivateKey.generate()
DAY_MS = 86_400_000


class Listener:
    """Where the broker stands: hears every config and believes those that are signed."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Config]] = []

    def __call__(self, topic: str, payload: bytes) -> None:
        self.heard.append((topic, config_v1.decode(payload, made_by_server)))


def made_by_server(signature: bytes, message: bytes) -> bool:
    KEY.public_key().verify(signature, message)
    return True


@pytest.fixture
def records(tmp_path: Path) -> SqlRecords:
    return open_records(tmp_path / "records.db")


def county(records: SqlRecords) -> None:
    records.put_region(Region("c", None, "county", "县", "County"), by="u1", now_ms=NOON_MS)
    for site, gateway, room in (("s1", "g1", "r1"), ("s2", "g2", "r2")):
        records.put_site(
            Site(SiteId(site), "c", "village-point", "东", "East", gateway), by="u1", now_ms=NOON_MS
        )
        records.put_room(
            Room(RoomId(room), SiteId(site), "chilled", "一号", "One"), by="u1", now_ms=NOON_MS
        )
        records.add_rule(
            RoomId(room), NOON_MS, "SB", ["strawberry"], 300, {}, by="u1", now_ms=NOON_MS
        )
        records.assign(ProbeId(f"mqtt:g:{room}"), RoomId(room), NOON_MS, by="u1", now_ms=NOON_MS)
    records.put_person(
        Person(PersonId("op"), "op", "+8613800000001", "zh"), by="u1", now_ms=NOON_MS
    )
    records.put_duty(Duty(PersonId("op"), "operator", "region", "c"), by="u1", now_ms=NOON_MS)


def started(records: SqlRecords, now_ms: int = NOON_MS) -> tuple[Configs, Listener]:
    listener = Listener()
    gateways = [Gateway("g1", 7, {}, tells_people=True), Gateway("g2", 8, {})]
    configs = Configs(gateways, KEY.sign, listener, lambda: now_ms)
    configs.look(records)
    return configs, listener


def test_a_gateway_hears_of_its_own_rooms_alone(records: SqlRecords) -> None:
    with closing(records):
        county(records)

        _, listener = started(records)

        [(topic, config)] = [heard for heard in listener.heard if heard[1].gateway == "g1"]
        assert topic == topics.config(7, "g1")
        assert (config.store, config.m) == (records.store_id(), records.last_change())
        [room] = config.rooms
        assert (room.id, room.probes[0].probe, room.rules[0].profile) == ("r1", "mqtt:g:r1", "SB")


def test_people_are_named_only_to_a_gateway_that_can_tell_them(records: SqlRecords) -> None:
    with closing(records):
        county(records)

        _, listener = started(records)

        told = {config.gateway: config.rooms[0].contacts for _, config in listener.heard}
        assert [c.phone for c in told["g1"]] == ["+8613800000001"]
        assert told["g2"] == ()


def test_a_change_is_published_to_the_gateway_that_it_concerns(records: SqlRecords) -> None:
    with closing(records):
        county(records)
        configs, listener = started(records)
        del listener.heard[:]

        records.add_action("a1", RoomId("r1"), "loading_started", NOON_MS, "u1", {}, now_ms=NOON_MS)
        configs.look(records)
        configs.look(records)

        [(_, config)] = listener.heard
        assert config.gateway == "g1"
        assert [a.kind for a in config.rooms[0].actions] == ["loading_started"]


def test_a_room_that_is_new_or_a_site_that_changes_its_gateway_is_told(records: SqlRecords) -> None:
    with closing(records):
        county(records)
        configs, listener = started(records)
        del listener.heard[:]

        records.put_site(
            Site(SiteId("s2"), "c", "village-point", "东", "East", "g1"), by="u1", now_ms=NOON_MS
        )
        configs.look(records)

        assert {c.gateway: [r.id for r in c.rooms] for _, c in listener.heard} == {
            "g1": ["r1", "r2"],
            "g2": [],
        }


def test_a_broker_that_lost_everything_hears_the_newest_again(records: SqlRecords) -> None:
    with closing(records):
        county(records)
        configs, listener = started(records)
        before = {config.gateway: config for _, config in listener.heard}
        del listener.heard[:]

        configs.again()
        configs.look(records)

        assert {config.gateway: config for _, config in listener.heard} == before


def test_what_is_long_over_is_left_out_and_what_holds_since_then_is_not(
    records: SqlRecords,
) -> None:
    with closing(records):
        county(records)
        later = NOON_MS + 60 * DAY_MS
        records.add_rule(RoomId("r1"), NOON_MS + DAY_MS, "MT", [], 300, {}, by="u1", now_ms=later)
        records.add_action("a", RoomId("r1"), "loading_started", NOON_MS, "u", {}, now_ms=later)
        records.add_action("b", RoomId("r1"), "loading_ended", NOON_MS + 1, "u", {}, now_ms=later)
        records.add_action("c", RoomId("r1"), "standby_started", NOON_MS + 2, "u", {}, now_ms=later)

        _, listener = started(records, later)

        room = next(config.rooms[0] for _, config in listener.heard if config.gateway == "g1")
        assert [v.profile for v in room.rules] == ["MT"]
        assert [a.kind for a in room.actions] == ["standby_started"]


def test_the_gateway_accepts_what_is_published_in_the_order_in_which_it_was(
    records: SqlRecords, tmp_path: Path
) -> None:
    with closing(records):
        county(records)
        payloads: list[bytes] = []
        configs = Configs(
            [Gateway("g1", 7, {})], KEY.sign, lambda _t, payload: payloads.append(payload),
            lambda: NOON_MS,
        )  # fmt: skip
        configs.look(records)
        for n in range(3):
            records.add_action(f"a{n}", RoomId("r1"), "ack", NOON_MS + n, "u", {}, now_ms=NOON_MS)
            configs.look(records)
        configured = Configured("g1", tmp_path / "config.json", made_by_server)

        accepted = [configured.offer(payload) for payload in payloads]

        assert [len(c.rooms[0].actions) for c in accepted if c] == [0, 1, 2, 3]


def test_a_gateway_judges_a_slow_probe_as_the_server_does(records: SqlRecords) -> None:
    air = ProbeId("mqtt:g:r1")
    room = RoomId("r1")
    with closing(records):
        county(records)
        configs, listener = started(records)
        del listener.heard[:]

        slow = Papers(air, NOON_MS, lag_s=900)
        records.put_papers(slow, by="u1", now_ms=NOON_MS)
        configs.look(records)
        configs.look(records)

        [(_, config)] = listener.heard
        rows = [(NOON_MS + m * MINUTE_MS, 800 if m < 25 else 300, 0) for m in range(0, 61, 5)]
        warm = {Series(air, "temperature"): columns(rows)}
        fired = NOON_MS + 15 * MINUTE_MS
        rules = rules_of(records, room)
        server = actions_of(records, room, records.assignments(room))
        told = [
            [
                (f.code, f.fired_at_ms)
                for f in judge(Asked(rules, warm, actions), NOON_MS + 60 * MINUTE_MS).facts
            ]
            for actions in (_actions(config.rooms[0]), server, [])
        ]
        assert told[0] == told[1] == [("CRIT_HIGH", fired), ("WARN_HIGH", fired)]
        assert told[2] == [], "else this proves nothing"


def test_the_lag_of_a_probe_is_told_however_long_ago_its_papers_were_written(
    records: SqlRecords,
) -> None:
    with closing(records):
        county(records)
        for lag_s, day in ((600, 0), (900, 1)):
            papers = Papers(ProbeId("mqtt:g:r1"), NOON_MS + day * DAY_MS, lag_s=lag_s)
            records.put_papers(papers, by="u1", now_ms=NOON_MS)

        _, listener = started(records, NOON_MS + 100 * DAY_MS)

        (config,) = [c for _, c in listener.heard if c.gateway == "g1"]
        assert [a.detail["lag_ms"] for a in config.rooms[0].actions] == [900_000]
