"""Somebody sets a gateway's clock while it runs, forwards and back, and while devices speak."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.reading import Quality
from gateway.clock import trusted
from tests.integration.gateway.rig import Rig, Server, now_ms, running
from tests.support.servers import require, wait_until
from wire.events_v1 import ClockSet

pytestmark = pytest.mark.server

HOUR_S = 3_600
STEPS_S = (HOUR_S, -2 * HOUR_S, 30, -30, -3, 2 * HOUR_S)  # each against the last, all different
ROUNDS, EACH = 4, 5  # hand-overs after each step, and readings in one


def with_a_clock_to_set(rig: Rig) -> Callable[[int], None]:
    """What sets the wall clock of the gateway alone, by seconds against the machine's."""
    require("faketime")
    library = min(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    offset = rig.folder / "offset"

    def set_clock(seconds: int) -> None:
        fresh = offset.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(offset)

    set_clock(0)
    rig.gateway_under(
        "env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={offset}",
        "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
    )  # fmt: skip
    return set_clock


def arrivals(server: Server) -> dict[int, int]:
    """Number of the plain device's reading: its instant. What the broker delivered a second time
    came at some time before, and says so."""
    return {
        count: at for (probe, _, at), (count, quality) in list(server.stored.items())
        if probe.endswith(":plain") and not quality & Quality.INTERVAL_ONLY
    }  # fmt: skip


def test_however_the_clock_is_set_every_reading_is_there_and_none_meets_another(
    tmp_path: Path,
) -> None:
    """Devices with a time of their own are not touched; of the others no two readings of a series
    share a millisecond, and between two steps they come in the order in which they were."""
    began_ms = now_ms() - 86_400_000
    with running(tmp_path) as (rig, server, device):
        set_clock = with_a_clock_to_set(rig)
        rig.gateway.start()
        wait_until(lambda: server.statuses, 30, "the gateway speaks")
        number = offset_s = 0
        stamped: list[int] = []
        values: list[list[int]] = []
        for step_s in (0, *STEPS_S):
            offset_s += step_s
            set_clock(offset_s)
            if step_s:
                wait_until(
                    lambda by=step_s: any(  # type: ignore[misc]  # a bound default
                        isinstance(e, ClockSet) and abs(e.by_ms - by * 1000) < 2_000
                        for e in list(server.events)
                    ),
                    30,
                    f"a step of {step_s} s is told",
                )
            values.append([])
            for _ in range(ROUNDS * EACH):
                number += 1
                at_ms = began_ms + number * 1_000
                stamped.append(at_ms)
                values[-1].append(number)
                pack = [{"n": "temperature", "u": "Cel", "t": at_ms / 1000, "v": number / 100}]
                device.send(2 * number, "devices/timed/readings", json.dumps(pack).encode())
                device.say(2 * number + 1, "devices/plain/readings", {"temperature": number / 100})
            wait_until(
                lambda n=number: len(arrivals(server)) == n and server.has(2 * n),  # type: ignore[misc]  # a bound default
                60,
                "all are at the server",
            )

        of_timed = sorted(at for probe, _, at in server.stored if probe.endswith(":timed"))
        assert of_timed == stamped
        at_of = arrivals(server)
        assert sorted(at_of) == list(range(1, number + 1))
        for between in values:
            assert [at_of[n] for n in between] == sorted(at_of[n] for n in between)
        told = [e for e in server.events if isinstance(e, ClockSet)]
        assert len(told) == len(STEPS_S)
        assert len({e.key for e in told}) == len(told)
        wait_until(
            lambda: abs(server.statuses[-1].clock.step_by_ms - STEPS_S[-1] * 1000) < 2_000,
            40,
            "the status says when it was last set",
        )


@pytest.mark.skipif(trusted("kernel"), reason="this machine's clock is synchronised")
def test_what_came_before_the_clock_was_right_gets_its_time_when_it_is(tmp_path: Path) -> None:
    """Of one boot, in two lives of the process: kept by the machine's own count, and dated."""
    with running(tmp_path, clock_trust="kernel") as (rig, server, device):
        rig.gateway.start()
        wait_until(lambda: server.statuses, 30, "the gateway speaks")
        assert not server.statuses[-1].clock.trusted
        before_ms = now_ms()
        for i in range(1, 21):
            device.say(i, "devices/plain/readings", {"temperature": i / 100})
        wait_until(lambda: len(device.acknowledged) == 20, 30, "all are kept")
        after_ms = now_ms()
        wait_until(lambda: rig.undated() == 20, 20, "the gateway has them all")
        assert rig.gateway.stop() == 0
        assert not server.stored
        rig.change(clock_trust="host")  # somebody looks after the clock from now on
        rig.gateway.start()
        wait_until(lambda: server.has(20), 40, "they are at the server with their time")

        rows = sorted(
            (at, count, quality) for (_, _, at), (count, quality) in server.stored.items()
        )
        assert [count for _, count, _ in rows] == list(range(1, 21))
        assert {quality for _, _, quality in rows} == {1}
        assert before_ms - 50 <= rows[0][0] <= rows[-1][0] <= after_ms + 50
