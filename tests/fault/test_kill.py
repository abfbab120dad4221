"""kill -9 of every role and every broker, again and again, while readings flow and a backlog drains.

At the end: stored = sent, nothing doubled, alarms equal to what ``coldtrail replay`` makes of the
readings that were sent, and InfluxDB holds per series what the store holds.

``COLDTRAIL_KILLS`` sets how often each role is killed, ``COLDTRAIL_SEED`` the order and the instants.
"""

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from time import time
from typing import Any

import pytest

from tests.support.influx import influxd
from tests.support.servers import free_port_base, require, wait_until
from tests.support.system import System, coldtrail
from tests.support.workload import (
    INTERVAL_S,
    ROOMS,
    Publisher,
    Sent,
    packs,
    replay_case,
    week,
)

pytestmark = [pytest.mark.server, pytest.mark.fault]

ROLES = ("gateway", "edge-broker", "broker", "ingest", "influx", "alerts")
KILLS_EACH = int(os.environ.get("COLDTRAIL_KILLS", "20"))
SEED = int(os.environ.get("COLDTRAIL_SEED", "20261123"))
DAY_MS = 86_400_000


def test_nothing_is_lost_doubled_or_judged_otherwise_whatever_is_killed(tmp_path: Path) -> None:
    require("nats-server")
    rng = random.Random(SEED)  # noqa: S311 - reproducible, not secret
    now_ms = int(time() * 1000)
    start_ms = (now_ms - 9 * DAY_MS) // 60_000 * 60_000
    readings = week(SEED, start_ms, days=7)

    with influxd(tmp_path) as influx_url:
        system = System(tmp_path / "data", free_port_base())
        system.prepare(influx_url)
        with system:
            make_rooms(system, start_ms)
            with Publisher.of(system) as publisher:
                kill_while_sending(system, publisher, packs(readings, SEED), rng)
            wait_until(
                lambda: system.pipeline()["rows"] >= len(readings), 120, "every reading stored"
            )

            assert all(system.killed[role] >= KILLS_EACH for role in ROLES), system.killed
            same_readings(system, readings)
            same_alarms(system, readings, now_ms)
            same_in_influx(system)


def make_rooms(system: System, from_ms: int) -> None:
    system.put(
        "/api/v1/regions/v1", {"kind": "village", "name_zh": "一号村", "name_en": "Village 1"}
    )
    system.put(
        "/api/v1/sites/s1",
        {"region": "v1", "kind": "village-point", "name_zh": "一号点", "name_en": "Point 1"},
    )
    gateway = system.gateway_id()
    for room, (profile, goods, _, _) in ROOMS.items():
        system.put(
            f"/api/v1/rooms/{room}",
            {"site": "s1", "kind": "chilled", "name_zh": room, "name_en": room},
        )
        system.http(
            f"/api/v1/rooms/{room}/rules",
            {"from": from_ms, "profile": profile, "commodities": goods, "interval_s": INTERVAL_S},
        )
        system.http(
            "/api/v1/assignments",
            {"probe": f"mqtt:{gateway}:dev-{room}", "room": room, "from": from_ms},
        )


def kill_while_sending(
    system: System, publisher: Publisher, messages: list[tuple[str, bytes]], rng: random.Random
) -> None:
    """A seeded order of kills, each when a seeded share of its messages was acknowledged.

    Every eighth step ingest is stopped (not killed) for three steps first, so that what
    follows happens while a backlog builds up and drains.
    """
    order = [role for role in ROLES for _ in range(KILLS_EACH)]
    rng.shuffle(order)
    each = max(1, len(messages) // len(order))
    rest: Iterator[tuple[str, bytes]] = iter(messages)
    stopped: int | None = None
    for step, role in enumerate(order):
        publisher.offer(islice(rest, each))
        if step % 8 == 0:
            stopped = system.signal("ingest", signal.SIGSTOP)
        publisher.wait_acked(publisher.offered - rng.randint(1, each), 60)
        if step % 8 == 3 and stopped is not None:
            system.signal("ingest", signal.SIGCONT)
            stopped = None

        def killed(role: str = role) -> bool:
            return system.kill(role)

        wait_until(killed, 60, f"{role} is up, and is killed")
    system.signal("ingest", signal.SIGCONT)
    publisher.offer(rest)
    publisher.wait_acked(publisher.offered, 120)


def same_readings(system: System, readings: list[Sent]) -> None:
    gateway = system.gateway_id()
    stored: Counter[tuple[str, str, int, float]] = Counter()
    for device, quantity in {(r.device, r.quantity) for r in readings}:
        for at_ms, value in system.readings(f"mqtt:{gateway}:{device}", quantity):
            stored[device, quantity, at_ms, value] += 1
    sent = Counter((r.device, r.quantity, r.at_ms, r.value) for r in readings)

    assert stored - sent == Counter(), "stored, but never sent"
    assert sent - stored == Counter(), "sent and acknowledged, but not stored"
    assert max(stored.values()) == 1
    assert system.pipeline()["conflicts"] == 0


def same_alarms(system: System, readings: list[Sent], until_ms: int) -> None:
    case = system.data / "case.json"
    case.write_text(json.dumps(replay_case(readings, until_ms)))
    expected = Counter(alarm_line(a) for a in json.loads(coldtrail("replay", str(case)))["alarms"])
    assert len(expected) > 50, "a workload without alarms would prove nothing"

    def judged() -> bool:
        followers = system.pipeline()["followers"]
        return all(follower["behind"] == 0 for follower in followers.values())

    wait_until(judged, 120, "every follower is at the journals' head")
    found = Counter(
        alarm_line(alarm)
        for room in ROOMS
        for alarm in system.http("/api/v1/alarms", room=room, limit=1000)["alarms"]
    )
    assert found == expected


def alarm_line(alarm: dict[str, Any]) -> str:
    """One alarm as text, whether it comes from a replay (RFC 3339) or from the api (ms)."""

    def at(name: str) -> int | None:
        if f"{name}_at_ms" in alarm:
            ms: int | None = alarm[f"{name}_at_ms"]
            return ms
        text = alarm[f"{name}_at"]
        return (
            round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000) if text else None
        )

    times = [at(name) for name in ("began", "fired", "cleared")]
    rest = [
        alarm[k] for k in ("room", "code", "level", "peak", "degree_minutes", "minutes_unknown")
    ]
    return json.dumps([*rest, *times])


def same_in_influx(system: System) -> None:
    """``influx check`` compares counts per series and day; any difference ends it with 1."""
    coldtrail("influx", "check", "--data", str(system.data))
