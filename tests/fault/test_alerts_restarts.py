"""alerts killed with -9 at random points of fifty rooms' history: the same facts, each told once.

A real process and a real SMS centre that honours keys, over SMPP. The clock stands while the
process works, and goes on by ten minutes to six hours when it has done what there was to do; in
half of the steps the process dies somewhere in the middle. 100 deaths make thirty days. Meanwhile
rooms grow warm and cold, doors stand open, links are down for hours and fill in behind, people
acknowledge, load and change limits. ``COLDTRAIL_KILLS`` sets how many deaths, ``COLDTRAIL_SEED``
their instants and the weather.
"""

import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from alerts.sending import VOICE_ZH
from domain.decision import Notice
from domain.judgement import Action, Asked, Fact, Rule
from domain.reading import Columns, GatewayId, PersonId, ProbeId, RoomId, Series, SiteId
from domain.room import judge
from store.errors import NotReady
from store.facts import open_facts_reader
from store.facts_ports import StoredFact
from store.notices import LAST_ALIVE
from store.ports import AdmittedBatch, BatchId
from store.records.ports import Duty, Person, Room
from tests.support.alert_house import DAY_MS, MINUTE_MS, House
from tests.support.alerts_process import AlertsProcess
from tests.support.servers import wait_until
from tests.support.sms import Centre

pytestmark = pytest.mark.fault

KILLS = int(os.environ.get("COLDTRAIL_KILLS", "8"))
SEED = int(os.environ.get("COLDTRAIL_SEED", "20261125"))
ROOMS = 50
HOUR_MS = 60 * MINUTE_MS
EVERY_MS = 10 * MINUTE_MS
HISTORY_MS = KILLS * 3 * DAY_MS // 10
STEPS_MIN = (10, 30, 120, 360, 360, 360)  # three and a half hours on average: two a death
PATIENCE_S = max(240, 20 * KILLS)  # thirty days made anew, on a busy machine
DIES_WITHIN_S = 2.0  # of the step's beginning, at most


@dataclass(frozen=True, slots=True)
class Comes:
    """One reading on its way."""

    arrives_ms: int
    backlog: bool
    series: Series
    at_ms: int
    count: int


def weather(room: int, start_ms: int) -> Iterator[Comes]:
    """What its probe and its door say, in order of measuring: a saw-tooth; every day and a half
    an hour or more of warmth, frost or heat; the door; the link down for hours, now and then.
    The last half day is calm, and so is everything after it."""
    rng = random.Random(f"{SEED} {room}")  # noqa: S311 - reproducible, not secret
    air = Series(ProbeId(f"mqtt:g1:air{room}"), "temperature")
    door = Series(ProbeId(f"mqtt:g1:door{room}"), "door")
    calm_ms = start_ms + HISTORY_MS - DAY_MS // 2
    spell_until_ms, spell, silent_until_ms, open_until_ms = 0, 0, 0, 0
    at_ms = start_ms + rng.randrange(10) * MINUTE_MS
    while True:
        eventful = at_ms < calm_ms
        if eventful and at_ms >= spell_until_ms and rng.random() < 1 / 200:
            spell = rng.choice((400, 600, 600, 1_500, -450))
            spell_until_ms = at_ms + rng.randrange(30, 240) * MINUTE_MS
        if eventful and at_ms >= silent_until_ms and rng.random() < 1 / 400:
            silent_until_ms = at_ms + rng.randrange(1, 9) * HOUR_MS
        silent = at_ms < silent_until_ms
        arrives_ms = silent_until_ms if silent else at_ms
        count = 250 + at_ms // EVERY_MS * 37 % 90 + (spell if at_ms < spell_until_ms else 0)
        yield Comes(arrives_ms, silent, air, at_ms, count)
        if open_until_ms and at_ms >= open_until_ms:
            open_until_ms = 0
            yield Comes(arrives_ms, silent, door, at_ms, 0)
        elif eventful and not open_until_ms and rng.random() < 1 / 100:
            open_until_ms = at_ms + rng.choice((10, 20, 50)) * MINUTE_MS
            yield Comes(arrives_ms, silent, door, at_ms, 1)
        at_ms += EVERY_MS


class Feed:
    """Brings the weather of all rooms into the store as the clock goes on; never stops."""

    def __init__(self, house: House, start_ms: int) -> None:
        self._house = house
        self._skies = [weather(room, start_ms) for room in range(ROOMS)]
        self._next = [next(sky) for sky in self._skies]
        self._waiting: list[Comes] = []
        self._seq = 0
        self.rows = 0

    def bring(self, now_ms: int) -> None:
        """Everything that arrives until now: what was held back on the backlog lane."""
        for room, sky in enumerate(self._skies):
            while self._next[room].at_ms <= now_ms:
                self._waiting.append(self._next[room])
                self._next[room] = next(sky)
        due = [one for one in self._waiting if one.arrives_ms <= now_ms]
        self._waiting = [one for one in self._waiting if one.arrives_ms > now_ms]
        for backlog in (True, False):
            self._write([one for one in due if one.backlog == backlog], now_ms, backlog=backlog)

    def _write(self, due: Sequence[Comes], now_ms: int, *, backlog: bool) -> None:
        if not due:
            return
        columns: dict[Series, Columns] = {}
        for one in due:
            rows = columns.setdefault(one.series, Columns())
            rows.at_ms.append(one.at_ms)
            rows.count.append(one.count)
            rows.quality.append(0)
        self._seq += 1
        batch = AdmittedBatch(
            BatchId(GatewayId("g1"), "weather", self._seq),
            self._seq.to_bytes(16, "big"),
            "readings",
            list(columns.items()),
            now_ms,
        )
        self._house.readings.write([batch], now_ms, backlog=backlog)
        self.rows += len(due)


def people(house: House, start_ms: int) -> None:
    """An operator and a second for each room, so that no cap holds anything back."""
    said: Mapping[str, Any] = {"by": "init", "now_ms": start_ms}
    for n in range(ROOMS):
        room = RoomId(f"r{n}")
        house.records.put_room(Room(room, SiteId("s1"), "chilled", room, room), **said)
        house.records.assign(ProbeId(f"mqtt:g1:air{n}"), room, start_ms, **said)
        house.records.assign(ProbeId(f"mqtt:g1:door{n}"), room, start_ms, **said)
        house.records.add_rule(room, start_ms, "SB", ["strawberry"], 600, {}, **said)
        for role, digit in (("operator", 8), ("second", 9)):
            person, phone = PersonId(f"{role}{n}"), f"+8613{digit}{n:08}"
            house.records.put_person(Person(person, person, phone, "zh", quiet_hours=False), **said)
            house.records.put_duty(Duty(person, role, "room", room), **said)


def act(house: House, rng: random.Random, now_ms: int) -> None:
    """Somebody does something somewhere, some of it said an hour late."""
    kind = rng.choice(("ack", "ack", "loading_started", "loading_ended", "rule_changed"))
    limit = {"limit_c": rng.choice((4, 4.5, 5))}
    detail = {"overrides": {"WARN_HIGH": limit}} if kind == "rule_changed" else {}
    room = RoomId(f"r{rng.randrange(ROOMS)}")
    at_ms = now_ms - rng.choice((0, 0, HOUR_MS))
    house.records.add_action(f"a{now_ms}", room, kind, at_ms, "op", detail, now_ms=now_ms)


def test_whatever_is_killed_facts_are_those_of_the_rules_and_each_thing_is_told_once(
    tmp_path: Any, record_property: Callable[[str, object], None]
) -> None:
    rng = random.Random(SEED)  # noqa: S311 - reproducible, not secret
    centre = Centre.at(tmp_path)
    (tmp_path / "token").write_text("none\n")
    with House(tmp_path) as house, centre.running():
        alerts = AlertsProcess(house, centre, rate=0)
        start_ms = alerts.now_ms() // MINUTE_MS * MINUTE_MS
        people(house, start_ms)
        feed = Feed(house, start_ms)
        deaths = {step: rng.uniform(0, DIES_WITHIN_S) for step in dying(rng)}
        try:
            alerts.start()
            for step, now_ms in enumerate(steps(start_ms, rng)):
                feed.bring(now_ms)
                if rng.random() < 0.3:
                    act(house, rng, now_ms)
                alerts.set(now_ms)
                if step in deaths:
                    time.sleep(deaths[step])  # until the random instant of its death
                    alerts.kill()
                    alerts.start()
                wait_until(lambda: idle(alerts), PATIENCE_S, f"step {step} is done")
            cut_ms = alerts.now_ms()
            for n in range(ROOMS):  # what nobody ended would never be over
                house.records.add_action(
                    f"end{n}", RoomId(f"r{n}"), "loading_ended", cut_ms, "op", {}, now_ms=cut_ms
                )
            seen = settled(alerts, feed, cut_ms)
            alerts.kill()
            sent = notices(house)
            messages = on_the_phones(centre)
            house.folder.joinpath("facts.db").unlink()
            alerts.start()
            again = settled(alerts, feed, cut_ms)
        finally:
            alerts.end()
        told_again = notices(house)[len(sent) :]

        assert {n.state for n in sent} <= {"sent", "delivered", "dropped"}
        out = [n for n in sent if n.state in ("sent", "delivered")]
        told = Counter((n.phone.removeprefix("+"), n.text) for n in out)
        assert told - Counter(messages) == Counter(), "marked as sent and on no phone"
        assert Counter(messages) - told - over_by_now(sent) == Counter(), "on a phone, unaccounted"
        assert doubled(out) == {}
        assert heard_nothing(house, out) == []
        assert untold(out, seen) == []
        assert uncleared(out) == {}
        assert [f"{n.kind} {n.codes}" for n in told_again] == []
        assert len(seen) > 2 * KILLS, "a history without alarms would prove nothing"
        same_ids = sum(one.id == other.id for one, other in zip(seen, again, strict=True))
    criticals = sum(f.level == "critical" for f in seen)
    kinds = dict(Counter(n.kind for n in out))
    record_property(
        "printed",
        f"seed {SEED}: {KILLS} x kill -9 over {HISTORY_MS / DAY_MS:g} days of {ROOMS} rooms,"
        f" {feed.rows:,} readings; {len(seen):,} alarms"
        f" ({criticals} critical) as the rules say; {len(messages):,} messages {kinds}, none lost,"
        f" none doubled; facts.db made anew the same, {same_ids:,} of {len(seen):,} ids too",
    )


def steps(start_ms: int, rng: random.Random) -> Iterator[int]:
    now_ms = start_ms
    while now_ms < start_ms + HISTORY_MS:
        now_ms += rng.choice(STEPS_MIN) * MINUTE_MS
        yield now_ms


def dying(rng: random.Random) -> list[int]:
    """The steps in which the process is killed: as many as asked for, of those that there are."""
    there_are = HISTORY_MS // (max(STEPS_MIN) * MINUTE_MS)
    shortest = max(there_are, KILLS)
    return rng.sample(range(shortest), KILLS)


def idle(alerts: AlertsProcess) -> bool:
    """It has judged what came, asked itself what to tell at this instant, and sent it. What was
    lost on its way to the centre is due again a moment later, to which the clock goes on."""
    house = alerts.house
    try:
        with closing(open_facts_reader(house.path("facts.db"))) as facts:
            judged = facts.cursor() == (house.readings.last_arrival(), house.records.last_change())
    except NotReady:
        return False
    if not judged or looked_ms(house) < alerts.now_ms():
        return False
    again_ms = waiting_until(house)
    if again_ms is not None and again_ms > alerts.now_ms():
        alerts.set(again_ms)
    return again_ms is None


def settled(alerts: AlertsProcess, feed: Feed, cut_ms: int) -> list[StoredFact]:
    """The facts that ended before the cut: they must be those of the specification. The calm goes
    on for three hours, so that everything is over and told."""
    house = alerts.house
    for _ in range(6):
        now_ms = alerts.now_ms() + 30 * MINUTE_MS
        feed.bring(now_ms)
        alerts.set(now_ms)
        wait_until(lambda: idle(alerts), PATIENCE_S, "it does what is left to do")
    found = stored(house, cut_ms)
    assert [recorded(f) for f in found] == sorted(
        shown(room, f) for room, f in specified(house, cut_ms)
    )
    return found


def looked_ms(house: House) -> int:
    """When the process last asked itself what to tell."""
    rows = ask(house, f"SELECT value FROM about WHERE key = '{LAST_ALIVE}'")  # noqa: S608 - ours
    return int(rows[0][0]) if rows else 0


def waiting_until(house: House) -> int | None:
    """When the first of what waits is due; None when nothing does."""
    rows = ask(house, "SELECT min(next_try_ms) FROM notices WHERE state = 'waiting'")
    return rows[0][0] if rows else None


def ask(house: House, query: str) -> list[Any]:
    """Of ``notices.db``; nothing while it has yet to be made."""
    path = house.folder / "notices.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=10)) as db:
        try:
            return db.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []


def specified(house: House, cut_ms: int) -> Iterator[tuple[str, Fact]]:
    for n in range(ROOMS):
        room = RoomId(f"r{n}")
        series = [
            Series(ProbeId(f"mqtt:g1:air{n}"), "temperature"),
            Series(ProbeId(f"mqtt:g1:door{n}"), "door"),
        ]
        readings = {s: house.readings.between(s, 0, cut_ms + DAY_MS) for s in series}
        actions = [Action(a.at_ms, a.kind, a.by, a.detail) for a in house.records.actions(room)]
        rules = [
            Rule(str(v.m), v.from_ms, v.profile, tuple(v.commodities), v.interval_s, v.overrides)
            for v in house.records.rules(room)
        ]
        for fact in judge(Asked(rules, readings, actions), cut_ms + DAY_MS).facts:
            if fact.cleared_at_ms is not None and fact.cleared_at_ms <= cut_ms:
                yield room, fact


Row = tuple[str, str, int, int, int, int | None, float, float]


def shown(room: str, f: Fact) -> Row:
    return (
        room, f.code, f.began_at_ms, f.fired_at_ms, f.cleared_at_ms or 0, f.peak,
        f.degree_minutes, f.minutes_unknown,
    )  # fmt: skip


def recorded(f: StoredFact) -> Row:
    peak = None if f.peak is None else round(f.peak * 100)
    return (
        f.room, f.code, f.began_at_ms, f.fired_at_ms, f.cleared_at_ms or 0, peak,
        f.degree_minutes, f.minutes_unknown,
    )  # fmt: skip


def stored(house: House, cut_ms: int) -> list[StoredFact]:
    with closing(open_facts_reader(house.path("facts.db"))) as reader:
        found = [
            fact
            for n in range(ROOMS)
            for fact in reader.facts(RoomId(f"r{n}"), active=False)
            if fact.cleared_at_ms is not None and fact.cleared_at_ms <= cut_ms
        ]
    return sorted(found, key=recorded)


# --- what people heard


@dataclass(frozen=True, slots=True)
class Heard:
    person: str
    phone: str
    channel: str
    kind: str
    codes: tuple[str, ...]
    room: str
    incident: int
    text: str
    state: str
    notice: Notice


def notices(house: House) -> list[Heard]:
    rows = ask(
        house,
        "SELECT person, phone, channel, kind, codes, room, incident, text, state, body"
        " FROM notices ORDER BY seq",
    )
    return [heard(*row) for row in rows]


def heard(
    person: str, phone: str, channel: str, kind: str, codes: str, room: str, incident: int,
    text: str, state: str, body: bytes,
) -> Heard:  # fmt: skip
    told = tuple(msgspec.json.decode(codes))
    notice = msgspec.json.decode(body, type=Notice)
    return Heard(person, phone, channel, kind, told, room, incident, text, state, notice)


def on_the_phones(centre: Centre) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(centre.settings.path)) as db:
        rows = db.execute(
            "SELECT m.id, phone, text FROM message m JOIN part p ON p.message = m.id"
            " WHERE mine = 0 ORDER BY m.id, place"
        ).fetchall()
    texts: dict[int, tuple[str, str]] = {}
    for id, phone, text in rows:
        texts[id] = (phone, texts[id][1] + text if id in texts else text)
    return list(texts.values())


def doubled(out: Sequence[Heard]) -> dict[object, int]:
    """First word of a fact, and all-clear of an incident: one each to a person."""
    firsts = Counter(
        (n.person, room, known.code, known.fired_ms)
        for n in out
        if n.kind in ("raise", "past") and n.channel == "sms"
        for room, known in n.notice.about
    )
    clears = Counter((n.person, n.room, n.incident) for n in out if n.kind == "clear")
    return {what: times for what, times in [*firsts.items(), *clears.items()] if times > 1}


def heard_nothing(house: House, out: Sequence[Heard]) -> list[str]:
    """All-clears of silent links before anything of the room had arrived. What comes next is
    brought before the clock goes on to it, so it may be heard at the instant before."""
    arrived: dict[str, list[int]] = {}
    instants: set[int] = set()
    at = 0
    while page := house.readings.arrivals(at):
        at = page[-1].n
        for arrival in page:
            instants.add(arrival.stored_at_ms)
            for span in arrival.spans:
                room = f"r{span.series.probe.removeprefix('mqtt:g1:').lstrip('adior')}"
                arrived.setdefault(room, []).append(arrival.stored_at_ms)
    return [
        f"{n.kind} {n.codes} of {room}"
        for n in out
        if n.kind == "clear"
        for room, known in n.notice.about
        if known.code.startswith("DATA_GAP")
        and not any(
            known.began_ms < ms <= min((i for i in instants if i > n.notice.at_ms), default=ms)
            for ms in arrived.get(room, ())
        )
    ]


def untold(out: Sequence[Heard], facts: Sequence[StoredFact]) -> list[Row]:
    """Critical facts of which the room's operator heard nothing. Holes in the record are told as
    silent links, by arrival."""
    told: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for n in out:
        for room, known in n.notice.about:
            end_ms = known.seen_ms if known.cleared_ms is None else known.cleared_ms
            key = (n.person, room, known.code)
            told.setdefault(key, []).append((known.fired_ms, max(end_ms, known.fired_ms + 1)))
    return [
        recorded(f)
        for f in facts
        if f.level == "critical"
        and not f.code.startswith("DATA_GAP")
        and not any(
            begin < (f.cleared_at_ms or 0) and end > f.fired_at_ms
            for begin, end in told.get((f"operator{f.room[1:]}", f.room, f.code), [])
        )
    ]


def uncleared(out: Sequence[Heard]) -> dict[object, int]:
    """Who was told of something active, and never that it was over, or was not so."""
    told = {
        (n.person, n.room, n.incident) for n in out if n.kind in ("raise", "escalate", "repeat")
    }
    ended = {(n.person, n.room, n.incident) for n in out if n.kind in ("clear", "corrected")}
    return {what: 0 for what in told - ended if what[2]}


def over_by_now(sent: Sequence[Heard]) -> Counter[tuple[str, str]]:
    """What a process may have sent that died before it could note it: the next one read the fact
    again, found it over, and dropped the notice."""
    return Counter(
        (n.phone.removeprefix("+"), words)
        for n in sent
        if n.state == "dropped"
        for words in (n.text, VOICE_ZH + n.text)
    )
