"""A start of a system and its rounds: a fault each, then it settles, and is compared with what was sent.

The schedule follows from the seed alone: every kind comes once before any comes again. Three
rounds of four have one fault, the fourth has two. A round is attributable by itself: what the
oracle looks at each time is the whole of the store, the journals, the followers' cursors and what
people were told; alarms by the rules, hourly sums, InfluxDB point by point and the api every tenth
round and at the end.
"""

import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import apsw

from domain.instant import rfc3339
from tests.faults import oracle
from tests.faults.house import House, Late, can_mount, earlier_version
from tests.faults.kinds import GO_BACK, UPGRADE, Recorder, Scene, kinds, upgrade
from tests.faults.sent import Key, Ledger
from tests.faults.traffic import ROUNDS, Device, Pack, Story, actions, move, set_up
from tests.support.system import Answered

DAY_MS = 86_400_000
BEGAN_MS = 10 * DAY_MS  # before now
PIECES = 6
PATIENCE_S = 90.0
FULL_EVERY = 10
LONG_S = 8.0
LOOK_S = 0.15


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done in a round."""

    seed: int
    round: int
    faults: tuple[str, ...]


@dataclass(slots=True)
class Counted:
    """Of one round. ``wrong``: broken laws, each with what the oracle said; empty when all hold.
    ``since``: the first round that those of a full look may come from. ``awaited``: what was still
    wrong after ``LONG_S``, and came right."""

    plan: Plan
    since: int
    seconds: float = 0.0
    sent: int = 0
    stored: int = 0
    lost: int = 0
    doubled: int = 0
    told: int = 0
    full: bool = False
    wrong: dict[str, list[str]] = field(default_factory=dict)
    awaited: dict[str, list[str]] = field(default_factory=dict)
    deaths: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)


def plan(seed: int, nth: int, names: Sequence[str]) -> Plan:
    """The first round of every other start is an upgrade, where it can be."""
    if nth % (2 * ROUNDS) == 0:
        return Plan(seed, nth, (UPGRADE,))
    deck = list(names)
    random.Random(f"{seed} deck {nth // len(deck)}").shuffle(deck)  # noqa: S311 - reproducible
    faults = [deck[nth % len(deck)]]
    rng = random.Random(f"{seed} round {nth}")  # noqa: S311 - reproducible, not secret
    if rng.random() < 0.25:
        more = rng.choice(names)
        if more not in faults and GO_BACK.isdisjoint((more, *faults)):
            faults.append(more)
    return Plan(seed, nth, tuple(faults))


def all_kinds() -> list[str]:
    """What can be done here: small file systems need root."""
    return list(kinds(disks=can_mount()))


class Start:
    """One system with its story, from one round to another of a seed. ``commands``: as a house
    takes them. ``names``: the kinds of fault that are drawn from, all of them without.
    ``patience_s``: how long a round may take to settle."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        first: int,
        commands: Mapping[str, Sequence[str]],
        names: Sequence[str] = (),
        *,
        patience_s: float = PATIENCE_S,
        full_every: int = FULL_EVERY,
    ) -> None:
        self._patience_s, self._full_every = patience_s, full_every
        self._seed, self._first, self._next = seed, first, first
        self._names = names or all_kinds()
        self._nth_start = first // ROUNDS
        self._start_ms = (int(time.time() * 1000) - BEGAN_MS) // 60_000 * 60_000
        story_seed = seed * 1_000 + self._nth_start
        upgrading = plan(seed, first, self._names).faults == (UPGRADE,)
        earlier = earlier_version(folder.with_name("earlier")) if upgrading else None
        self.house = House(
            folder, rfc3339(self._start_ms), commands, seed=story_seed, earlier=earlier
        )
        self.story = Story(story_seed, self._start_ms, self.house.gateway)
        self.ledger = Ledger()
        self.since = first
        self._seen = Seen()

    def rounds(self, count: int) -> Iterator[Counted]:
        """Up to this many, as far as the start's story goes; a wrong one is the last."""
        last = min(self._first + count, (self._nth_start + 1) * ROUNDS)
        with self.house as house, ExitStack() as stack:
            self.ledger = set_up(house.system, house.gateway, self._start_ms)
            password = (house.edge.keys / "installer.password").read_text().strip()
            port = house.links["device"].port
            device = stack.enter_context(Device(self.ledger, port, password))
            scene = Scene(house, device, random.Random(0), [])  # noqa: S311 - set each round
            stack.enter_context(Recorder(house, scene.heard))
            for nth in range(self._first, last):
                counted = self._round(self.next_plan(), scene, ends=nth == last - 1)
                self._next = nth + 1
                yield counted
                if counted.wrong:
                    self.ledger.save(house.folder / "sent.json")
                    return

    def next_plan(self) -> Plan:
        """Of the round that was not done yet."""
        return plan(self._seed, self._next, self._names)

    def _round(self, told: Plan, scene: Scene, *, ends: bool) -> Counted:
        house, began_s = self.house, time.monotonic()
        killed, before = Counter(house.kills), self._seen
        house.deaths.clear()
        full = (
            ends or not GO_BACK.isdisjoint(told.faults) or (told.round + 1) % self._full_every == 0
        )
        counted = Counted(told, self.since, full=full)
        scene.rng = random.Random(f"{told.seed} scene {told.round}")  # noqa: S311 - reproducible
        nth = told.round % ROUNDS
        packs = self.story.packs(nth, last=ends)
        try:
            self._send(told, scene, packs, nth)
            counted.wrong = self._settled(scene.device, counted.awaited, full=full)
        except Late as error:
            counted.wrong = {"settled": [str(error)]}
        scene.said += packs
        now = self._seen = seen(house.data, self.ledger)
        counted.sent, counted.stored = now.sent - before.sent, now.stored - before.stored
        counted.lost, counted.doubled = now.lost, now.doubled
        counted.told = now.told - before.told
        counted.seconds = time.monotonic() - began_s
        counted.deaths = [f"{death.role} {death.code}" for death in house.deaths]
        counted.kills = Counter(house.kills) - killed
        if full:
            self.since = told.round + 1
        return counted

    def _send(self, told: Plan, scene: Scene, packs: Sequence[Pack], nth: int) -> None:
        """In pieces; each fault begins before one of them and ends after the last."""
        every = {**kinds(disks=can_mount()), UPGRADE: upgrade}
        begin = {name: scene.rng.randrange(PIECES - 1) for name in told.faults}
        with ExitStack() as faults:
            for piece in range(PIECES):
                for name, at in begin.items():
                    if at == piece:
                        faults.enter_context(every[name](scene))
                scene.device.say(packs[piece::PIECES])
                scene.within(0.02, 0.12)
        self._act(nth)

    def _act(self, nth: int) -> None:
        for action in actions(self._seed, nth, self._start_ms):
            body = {"id": action.id, "kind": action.kind, "at": action.at_ms, "by": action.by}
            path = f"/api/v1/rooms/{action.room}/actions"
            self.house.wait(partial(self._answers, path, body), 60, "the api takes an action")
            self.ledger.actions[action.id] = action
        if (said := move(self._seed, nth, self._start_ms, self.house.gateway)) is not None:
            told = partial(self._answers, "/api/v1/assignments", said)
            self.house.wait(told, 60, "the api takes an assignment")

    def _answers(self, path: str, body: dict[str, object]) -> bool:
        try:
            self.house.system.http(path, body)
        except Answered as error:
            if error.code == 422:
                raise
            return False
        except OSError:
            return False
        return True

    def _settled(
        self, device: Device, awaited: dict[str, list[str]], *, full: bool
    ) -> dict[str, list[str]]:
        """What is still wrong when all had the time to arrive."""
        house, began_s = self.house, time.monotonic()
        house.wait(
            lambda: not device.unacknowledged(), self._patience_s, "every message acknowledged"
        )
        with suppress(Late):  # the oracle says for what
            house.wait(lambda: quiet(house.data, self.ledger), LONG_S, "it is quiet")
        until_s = time.monotonic() + self._patience_s
        while wrong := self._wrong(full=False):
            now_s = time.monotonic()
            if now_s - began_s > LONG_S and not awaited:
                awaited.update(wrong)
            if now_s > until_s:
                return wrong
            house.pause(LOOK_S)
        if not full:
            return {}
        while (wrong := self._wrong(full=True)).keys() == {"files"}:
            if time.monotonic() > until_s:
                break
            house.pause(LOOK_S)
        return wrong

    def _wrong(self, *, full: bool) -> dict[str, list[str]]:
        house = self.house
        try:
            return oracle.by_law(
                house.data, self.ledger, influx_url=house.influx_url, api=house.system, full=full
            )
        except (sqlite3.OperationalError, apsw.Error, OSError, Answered) as error:
            # A file whose writer was killed waits for its next one to be made whole.
            return {"files": [repr(error)]}


@dataclass(frozen=True, slots=True)
class Seen:
    """Distinct readings sent and stored; acknowledged ones that are not there; rows beyond the
    first of one name; messages on phones."""

    sent: int = 0
    stored: int = 0
    lost: int = 0
    doubled: int = 0
    told: int = 0


def quiet(data: Path, ledger: Ledger) -> bool:
    """Probably all has arrived and everybody has followed: asked often, so it asks little."""
    server = data / "server"
    counted = asked(server / "readings.db", "SELECT value FROM total WHERE name = 'stored'")
    stored = sum(n for (n,) in counted)  # no row before the first reading
    if stored < len({one.key for one in ledger.readings}):
        return False
    [(n,)] = asked(server / "readings.db", "SELECT max(n) FROM arrival")
    [(m,)] = asked(server / "records.db", "SELECT max(m) FROM changes")
    return all(
        asked(server / file, "SELECT n, m FROM cursor") == [(n, m)]
        for file in ("facts.db", "trace.db")
    )


def asked(path: Path, query: str) -> list[Any]:
    """Nothing while the file has yet to be made, or is being written."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as db:
            return db.execute(query).fetchall()
    except sqlite3.OperationalError:
        return [(0,)]


def seen(data: Path, ledger: Ledger) -> Seen:
    """Counted apart from the oracle, by the plainest queries."""
    query = "SELECT probe, quantity, ts FROM reading JOIN series ON series.id = reading.series"
    with closing(sqlite3.connect(data / "server" / "readings.db", timeout=10)) as db:
        rows: Counter[Key] = Counter(db.execute(query).fetchall())
    acknowledged = {one.key for one, acked in ledger.readings.items() if acked}
    with closing(sqlite3.connect(data / "server" / "sms-centre.db", timeout=10)) as db:
        [(told,)] = db.execute("SELECT count(*) FROM message WHERE mine = 0")
    return Seen(
        len({one.key for one in ledger.readings}),
        len(rows),
        len(acknowledged - rows.keys()),
        sum(rows.values()) - len(rows),
        told,
    )
