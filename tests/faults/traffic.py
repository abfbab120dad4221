"""What devices and people say in one start of a system, round by round, from a seed.

The week is that of ``tests.support.workload``: five rooms with warm spells, doors, defrosts, power
dips, gaps and spikes. It lies in the past, as a backlog does, so that what comes out does not rest
on how fast this machine is. A round is four hours of it: packs shuffled a little, one in ten sent
twice, one in twenty kept back until the next round; and a message that nobody understands. A sixth
probe is said to have been moved now and then, as of an instant that has long been stored.
"""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from tests.faults.sent import ActionSaid, Ledger, Reading, RoomSaid
from tests.support.system import System
from tests.support.workload import INTERVAL_S, ROOMS, Publisher, Sent, packs, week

ROUND_MS = 4 * 3_600_000
ROUNDS = 50  # a start
LATE = 0.05
MOVING, PLACES = "dev-moving", ("mv1", "mv2")  # a probe, and rooms without rules


@dataclass(frozen=True, slots=True)
class Pack:
    """One message of a device; without readings it is one that nobody understands."""

    topic: str
    body: bytes
    readings: tuple[Reading, ...]

    def offer(self, ledger: Ledger) -> None:
        ledger.offer(self.readings)
        if not self.readings:
            ledger.unfit.setdefault(self.body.decode(), False)

    def acknowledge(self, ledger: Ledger) -> None:
        ledger.acknowledge(self.readings)
        if not self.readings:
            ledger.unfit[self.body.decode()] = True

    @classmethod
    def of(cls, topic: str, body: bytes, gateway: str) -> "Pack":
        device = topic.split("/")[1]
        said = [
            Sent(device, one["n"], round(one["t"] * 1000), one["v"]) for one in json.loads(body)
        ]
        return cls(topic, body, tuple(Reading.of(one, gateway) for one in said))


class Story:
    """The readings of a start, by round."""

    def __init__(self, seed: int, start_ms: int, gateway: str) -> None:
        self._seed, self._gateway = seed, gateway
        self.start_ms = start_ms
        self._rounds: list[list[Sent]] = [[] for _ in range(ROUNDS)]
        for one in week(seed, start_ms, ROUNDS * ROUND_MS / 86_400_000):
            nth = (one.at_ms - start_ms) // ROUND_MS
            self._rounds[min(nth, ROUNDS - 1)].append(one)
        for at_ms in range(start_ms, start_ms + ROUNDS * ROUND_MS, INTERVAL_S * 1000):
            nth = (at_ms - start_ms) // ROUND_MS
            self._rounds[nth].append(Sent(MOVING, "temperature", at_ms + 1_000, nth % 7 / 2))
        self._kept_back: list[Pack] = []

    def packs(self, nth: int, *, last: bool) -> list[Pack]:
        """Of the round, with what the one before kept back."""
        rng = random.Random(f"{self._seed} packs {nth}")  # noqa: S311 - reproducible, not secret
        made = [
            Pack.of(topic, body, self._gateway)
            for topic, body in packs(self._rounds[nth], self._seed + nth)
        ]
        made.insert(rng.randrange(len(made)), _nonsense(nth))
        back = [pack for pack in made if not last and rng.random() < LATE]
        said = self._kept_back + [pack for pack in made if pack not in back]
        self._kept_back = back
        return said


def _nonsense(nth: int) -> Pack:
    return Pack(f"devices/dev-{nth % 5}/readings", f"round {nth}: warm!".encode(), ())


class Device(Publisher):
    """Every message is offered until it is acknowledged; the ledger hears of both."""

    def __init__(self, ledger: Ledger, port: int, password: str) -> None:
        self._ledger = ledger
        self._waiting: dict[int, Pack] = {}
        self._said: SimpleQueue[int] = SimpleQueue()  # numbers of what was acknowledged
        super().__init__("127.0.0.1", port, "installer", password)

    def _acknowledged(self, *about: object) -> None:
        super()._acknowledged(*about)
        number = about[2]
        assert isinstance(number, int)
        self._said.put(number)

    def say(self, packs: Sequence[Pack]) -> None:
        for pack in packs:
            pack.offer(self._ledger)
            self._waiting[self._client.publish(pack.topic, pack.body, qos=1).mid] = pack

    def unacknowledged(self) -> int:
        """Messages; what was acknowledged since is told to the ledger."""
        with suppress(Empty):
            while True:
                self._waiting.pop(self._said.get_nowait()).acknowledge(self._ledger)
        return len(self._waiting)


def set_up(system: System, gateway: str, from_ms: int) -> Ledger:
    """Rooms, rules, probes and an operator each, through the api: with one for all of them, the cap
    on a person's messages would hold most of them back."""
    place = {"name_zh": "一号", "name_en": "One"}
    system.put("/api/v1/regions/v1", {"kind": "village", **place})
    system.put("/api/v1/sites/s1", {"region": "v1", "kind": "village-point", **place})
    ledger = Ledger()
    for n, (room, (profile, goods, _, _)) in enumerate(ROOMS.items()):
        probe = f"mqtt:{gateway}:dev-{room}"
        rule = {"from": from_ms, "profile": profile, "commodities": goods, "interval_s": INTERVAL_S}
        system.put(
            f"/api/v1/rooms/{room}",
            {"site": "s1", "kind": "chilled", "name_zh": room, "name_en": room},
        )
        system.http(f"/api/v1/rooms/{room}/rules", rule)
        system.http("/api/v1/assignments", {"probe": probe, "room": room, "from": from_ms})
        ledger.rooms[room] = RoomSaid(room, profile, tuple(goods), INTERVAL_S, from_ms, (probe,))
        person, phone = f"op-{room}", f"+86138000000{n:02}"
        about = {"name": person, "phone": phone, "lang": "zh", "quiet_hours": False}
        system.put(f"/api/v1/people/{person}", about)
        duty = {"person": person, "role": "operator", "scope_kind": "room", "scope": room}
        system.http("/api/v1/duties", duty)
        ledger.phones[person] = phone
    for empty in PLACES:
        named = {"name_zh": empty, "name_en": empty}
        system.put(f"/api/v1/rooms/{empty}", {"site": "s1", "kind": "chilled", **named})
    system.http("/api/v1/assignments", moved(gateway, PLACES[0], from_ms))
    return ledger


def moved(gateway: str, room: str, from_ms: int) -> dict[str, object]:
    return {"probe": f"mqtt:{gateway}:{MOVING}", "room": room, "from": from_ms}


def move(seed: int, nth: int, start_ms: int, gateway: str) -> dict[str, object] | None:
    """Now and then somebody says that the moving probe has been elsewhere for a while."""
    rng = random.Random(f"{seed} moves {nth}")  # noqa: S311 - reproducible, not secret
    if rng.random() < 0.6:
        return None
    from_ms = start_ms + rng.randrange((nth + 1) * ROUND_MS)
    return moved(gateway, rng.choice(PLACES), from_ms)


def actions(seed: int, nth: int, start_ms: int) -> Iterator[ActionSaid]:
    """What people do in a round: now and then a load, and its end."""
    rng = random.Random(f"{seed} people {nth}")  # noqa: S311 - reproducible, not secret
    if rng.random() < 0.5:
        return
    room = rng.choice(list(ROOMS))
    at_ms = start_ms + nth * ROUND_MS + rng.randrange(ROUND_MS)
    yield ActionSaid(f"load-{nth}", room, "loading_started", at_ms, f"op-{room}")
    end_ms = at_ms + rng.randint(5, 90) * 60_000
    yield ActionSaid(f"loaded-{nth}", room, "loading_ended", end_ms, f"op-{room}")
