"""Acceptance cases played to a whole system, through its public surface, by a story's clock.

Every case is laid into rooms, sites and people of its own, so that many play at once. What a case
says comes to the system when it says so: readings over MQTT at their arrival, actions through
the API. The expectation is the replay of the very same case (``coldtrail.replay``), moved to
the same instants and names; ``tests/scenarios`` holds that to what the case expects.
"""

import copy
import json
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from alerts.sending import VOICE_ZH
from coldtrail.case import parse_case
from coldtrail.init import NewGateway, first_site, init_data
from coldtrail.replay import retrace
from domain.instant import rfc3339
from tests.support.servers import POLL_S, free_port_base, wait_until
from tests.support.system import System
from tests.support.workload import Publisher

GATEWAY = "gw1"
MINUTE_MS, DAY_MS = 60_000, 86_400_000
_TIMES = ("at", "recorded_at")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def plain(said: dict[str, Any]) -> dict[str, Any]:
    """Exact decimals as JSON's numbers."""
    made: dict[str, Any] = json.loads(json.dumps(said, default=float))
    return made


@dataclass(frozen=True, slots=True)
class Sms:
    """As the SMS centre took it over SMPP."""

    at_ms: int
    phone: str
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """A text message that the case expects."""

    at_ms: int
    to: str
    kind: str
    codes: tuple[str, ...]
    phone: str
    text: str


class Part:
    """One case under names of its own; ``moved`` says when it plays."""

    def __init__(self, path: Path, *, people: bool, until: str | None = None) -> None:
        self.name = path.stem.partition("-")[0]
        written = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        self.expected: dict[str, Any] = written.pop("expect")
        written.pop("about", None)
        if until is not None:
            written["until"] = until
        self.case = self._named(written)
        if not people:
            self.case.pop("contacts", None)
        self.moved_ms = 0
        times = [row[0] for row in self.case["readings"]]
        times += [action["at"] for action in self.case.get("actions", ())]
        self.begins_ms = min(map(ms, times))

    def room(self, name: str) -> str:
        return f"c{self.name}-{name}"

    def device(self, room: str, probe: str) -> str:
        return f"{room}-{probe}"

    def _named(self, written: dict[str, Any]) -> dict[str, Any]:
        case = copy.deepcopy(written)
        case["rooms"] = {
            self.room(name): {**room, "site": self.room(room.get("site", name))}
            for name, room in written["rooms"].items()
        }
        for row in case["readings"]:
            row[1] = self.room(row[1])
            row[2] = f"mqtt:{GATEWAY}:{self.device(row[1], row[2])}"
        for action in case.get("actions", ()):
            action["room"] = self.room(action["room"])
        for n, contact in enumerate(case.get("contacts", ())):
            contact["id"] = f"c{self.name}-{contact['id']}"
            contact["phone"] = f"+86{self._first_digits()}{n:06}"
            if "rooms" in contact:
                contact["rooms"] = [self.room(name) for name in contact["rooms"]]
        for action in case.get("actions", ()):
            action["by"] = f"c{self.name}-{action['by']}"
        return case

    def _first_digits(self) -> int:
        number = int(re.sub(r"\D", "", self.name))
        return 13000 + 10 * number + "ab".find(self.name[-1]) + 1

    def moved(self, by_ms: int) -> "Part":
        part = copy.copy(self)
        part.case = copy.deepcopy(self.case)
        part.begins_ms += by_ms
        part.moved_ms += by_ms

        def later(text: str) -> str:
            return rfc3339(ms(text) + by_ms)

        for row in part.case["readings"]:
            row[0] = later(row[0])
            row[5:6] = [later(text) for text in row[5:6]]
        for action in part.case.get("actions", ()):
            action.update({k: later(action[k]) for k in _TIMES if k in action})
        if "until" in part.case:
            part.case["until"] = later(part.case["until"])
        return part

    @property
    def until_ms(self) -> int:
        horizon = parse_case(self.case).horizon_ms
        assert horizon is not None
        return horizon

    def replayed(self) -> dict[str, Any]:
        """What the rules make of it; the same as the case expects, at its place and time."""
        found = retrace(parse_case(self.case))
        for key, times, name in (
            ("alarms", ("began_at", "fired_at", "cleared_at"), "room"),
            ("notices", ("at",), "to"),
        ):
            wanted = self.expected.get(key) if key == "alarms" or "contacts" in self.case else None
            if wanted is not None:
                there = [{**row, name: f"c{self.name}-{row[name]}"} for row in wanted]
                for row in there:
                    row.update({t: self._then(row[t]) for t in times})
                keys = (*times, name, "code" if key == "alarms" else "kind")
                assert sorted([str(row[k]) for k in keys] for row in found[key]) == sorted(
                    [str(row[k]) for k in keys] for row in there
                )
        return found

    def _then(self, text: str | None) -> str | None:
        return None if text is None else rfc3339(ms(text) + self.moved_ms)

    def told(self) -> list[Told]:
        """What replay says that people hear, as text messages: a call goes out as one."""
        phones = {c["id"]: c["phone"] for c in self.case.get("contacts", ())}
        return [
            Told(
                ms(n["at"]), n["to"], n["kind"], tuple(n["codes"]), phones[n["to"]],
                (VOICE_ZH if n["channel"] == "voice" else "") + n["text"],
            )
            for n in self.replayed()["notices"]
        ]  # fmt: skip

    def events(self) -> Iterator[tuple[int, str, Any]]:
        """(arrival, topic, payload) and (recorded, "", action), in no order."""
        for row, reading in zip(self.case["readings"], parse_case(self.case).readings, strict=True):
            device = row[2].rpartition(":")[2]
            pack = [{"n": row[3], "t": ms(row[0]) / 1000, "v": float(row[4])}]
            yield reading.arrived_ms, f"devices/{device}/readings", pack
        for n, action in enumerate(self.case.get("actions", ())):
            at = action.get("recorded_at", action["at"])
            yield ms(at), "", {"id": f"{self.name}-{n}", **action}


class Stage:
    """A system with a story's clock, on which parts are played."""

    def __init__(self, folder: Path, parts: Sequence[Part], start: str, rate: float) -> None:
        self.parts = list(parts)
        self.rate = rate
        self.system = System(folder / "data", free_port_base())
        start_at = datetime.fromisoformat(start).astimezone(UTC)
        installation = init_data(
            self.system.data,
            port_base=self.system.port_base,
            gateways=[NewGateway(GATEWAY, cut_every_s=0.1)],
            more_toml=f"[clock]\nstart = {start_at:%Y-%m-%dT%H:%M:%SZ}\nrate = {rate}\n",
        )
        self.now_ms = installation.now_ms()
        self._sms = installation.server / "sms-centre.db"
        self.facts = installation.server / "facts.db"
        first_site(installation, self.now_ms())

    @contextmanager
    def running(self) -> Iterator["Stage"]:
        with self.system:
            for part in self.parts:
                self._set_up(part)
            with Publisher.of(self.system) as self._publisher:
                self._warm_up()
                lead_ms = int(2_000 * self.rate) + MINUTE_MS
                first_ms = (self.now_ms() + lead_ms) // MINUTE_MS * MINUTE_MS
                self.parts = [part.moved(first_ms - part.begins_ms) for part in self.parts]
                yield self

    def _warm_up(self) -> None:
        """The whole way has been gone once, and what was set up is known to alerts: the first
        reading of a new system waits for connections to be made."""
        pack = [{"n": "temperature", "t": self.now_ms() / 1000, "v": 1}]
        self._publish("devices/warm-up/readings", pack)
        wait_until(lambda: self._stored() == 1, 60, "a first reading is stored")
        wait_until(self._judged, 60, "what was set up is known to alerts")

    def _set_up(self, part: Part) -> None:
        """The case's rooms, rules, probes and people, through the API."""
        system, county = self.system, f"county-{part.name}"
        since = ms("2026-01-01T00:00:00Z")
        system.put(f"/api/v1/regions/{county}", {"kind": "county", "name_zh": "县", "name_en": "C"})
        probes = {(row[1], row[2]) for row in part.case["readings"]}
        for room, rule in part.case["rooms"].items():
            place = {"name_zh": room, "name_en": room}
            system.put(
                f"/api/v1/sites/{rule['site']}",
                {"region": county, "kind": "village-point", **place},
            )
            system.put(f"/api/v1/rooms/{room}", {"site": rule["site"], "kind": "chilled", **place})
            said = {"from": since, **{k: v for k, v in rule.items() if k != "site"}}
            system.http(f"/api/v1/rooms/{room}/rules", plain(said))
        for room, probe in sorted(probes):
            system.http("/api/v1/assignments", {"probe": probe, "room": room, "from": since})
        for contact in part.case.get("contacts", ()):
            said = {"name": contact["id"], "phone": contact["phone"], "lang": contact["lang"]}
            system.put(f"/api/v1/people/{contact['id']}", said)
            scopes = [("room", r) for r in contact.get("rooms", ())] or [("region", county)]
            for kind, scope in scopes:
                duty = {"person": contact["id"], "role": contact["role"]}
                system.http("/api/v1/duties", {**duty, "scope_kind": kind, "scope": scope})

    def play(self) -> None:
        """To a minute after the last horizon; then everything that came has been judged."""
        events = sorted(
            (event for part in self.parts for event in part.events()), key=lambda event: event[0]
        )
        for at_ms, topic, said in events:
            self._wait_for(at_ms)
            if topic:
                self._publish(topic, said)
            else:
                self._act(said)
        self._publisher.wait_acked(self._publisher.offered, 60)
        self._wait_for(max(part.until_ms for part in self.parts) + MINUTE_MS)
        readings = len({tuple(r[:4]) for part in self.parts for r in part.case["readings"]})
        wait_until(lambda: self._stored() > readings, 60, "every reading is stored")
        wait_until(self._judged, 60, "everything is judged")

    def _publish(self, topic: str, pack: Any) -> None:
        self._publisher.offer(iter([(topic, json.dumps(pack).encode())]))

    def _wait_for(self, at_ms: int) -> None:
        while (left_ms := at_ms - self.now_ms()) > 0:
            time.sleep(min(max(left_ms / self.rate / 1000, POLL_S / 4), 1))

    def _act(self, action: dict[str, Any]) -> None:
        fixed = ("id", "room", "kind", "at", "by", "recorded_at")
        body = {k: action[k] for k in ("id", "kind", "at", "by")}
        body["detail"] = {k: v for k, v in action.items() if k not in fixed}
        self.system.http(f"/api/v1/rooms/{action['room']}/actions", plain(body))

    def _stored(self) -> int:
        pipeline = self.system.pipeline()
        stored: int = pipeline["rows"]
        return stored

    def _judged(self) -> bool:
        behind: int = self.system.pipeline()["followers"]["alerts"]["behind"]
        return behind == 0

    def received(self) -> list[Sms]:
        """What the SMS centre took, oldest first."""
        with closing(sqlite3.connect(self._sms)) as db:
            rows = db.execute(
                "SELECT m.id, at_ms, phone, text FROM message m JOIN part p ON p.message = m.id"
                " WHERE mine = 0 ORDER BY m.id, place"
            ).fetchall()
        texts: dict[int, Sms] = {}
        for id, at_ms, phone, text in rows:
            before = texts[id].text if id in texts else ""
            texts[id] = Sms(at_ms, phone, before + text)
        return list(texts.values())
