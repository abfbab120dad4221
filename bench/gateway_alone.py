"""What it costs a gateway to judge its own rooms: memory, and time from a reading to the siren.

    python -m bench gateway_alone [--probes N ...]

The real gateway process with a signed config, a room a probe, and two days of its readings
(temperature and humidity every five minutes, a door now and then); then one room grows warm. The
link is down all the while, so everything stands in the outbox as well.
"""

import argparse
import tempfile
import time
from pathlib import Path

from bench.machine import cpu_s, figure, note, resident_mb
from tests.integration.gateway.rig import SIGNING, now_ms, running
from tests.integration.gateway.test_alone import Siren
from tests.support.servers import free_port, wait_until
from wire.config_v1 import Config, Probe, Room, RuleVersion, Site, encode

MINUTE_MS = 60_000
HISTORY_H = 48
EVERY_MIN = 5


def config(probes: int) -> bytes:
    since = now_ms() - 30 * 24 * 60 * MINUTE_MS
    rooms = tuple(
        Room(
            f"r{n}", "s1", "chilled", f"{n}号库", f"Room {n}",
            (Probe(f"mqtt:gw-1:p{n}", since),),
            (RuleVersion(1, since, "SB", ("strawberry",), EVERY_MIN * 60),),
        )
        for n in range(probes)
    )  # fmt: skip
    sites = (Site("s1", "village-point", "村", "Village"),)
    return encode(Config(1, "gw-1", "records", 1, now_ms(), sites, rooms), SIGNING.sign)


def history(n: int, until_ms: int) -> list[dict[str, object]]:
    """Two days of one probe: cool, with a door that opens twice a day."""
    rows: list[dict[str, object]] = []
    for i in range(HISTORY_H * 60 // EVERY_MIN):
        at_s = (until_ms - i * EVERY_MIN * MINUTE_MS) / 1000
        rows.append(
            {"n": "temperature", "u": "Cel", "t": at_s, "v": round(2 + (i * 7 + n) % 90 / 100, 2)}
        )
        rows.append({"n": "humidity", "u": "%RH", "t": at_s, "v": 88 + (i + n) % 7})
        if i % 144 in (70, 71):
            rows.append({"n": "door", "u": "/", "t": at_s, "v": i % 144 - 70})
    return rows


def idle(pid: int) -> None:
    """Until it has judged what came in."""
    used = -1.0
    while cpu_s(pid) - used > 0.1:
        used = cpu_s(pid)
        time.sleep(3)


def alone(probes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        siren = Siren(Path(folder))
        settings = {"alarm_command": [str(siren.path)], "lan_page_port": free_port()}
        with running(Path(folder), **settings) as (rig, server, device):
            server.configure(config(probes))
            rig.gateway.start()
            wait_until(lambda: any(s.config for s in server.statuses), 60, "the config is in use")
            rig.central.kill()
            began_ms = now_ms()
            sent = 0
            for n in range(probes):
                rows = history(n, began_ms - 60 * MINUTE_MS)
                sent += len(rows)
                device.say(n, f"devices/p{n}/readings", rows)
            wait_until(lambda: len(device.acknowledged) >= probes, 300, "all of it is taken")
            idle(rig.gateway.pid)
            if said := siren.said():
                raise RuntimeError(f"rung before: {said}")
            hot = [
                {"n": "temperature", "u": "Cel", "t": (began_ms - i * MINUTE_MS) / 1000, "v": 8.5}
                for i in range(45, -1, -5)
            ]
            used, at = cpu_s(rig.gateway.pid), time.monotonic()
            device.say(100_000, "devices/p0/readings", hot)
            wait_until(siren.said, 120, "the siren is on")
            latency_s = time.monotonic() - at
            time.sleep(20)
            share = (cpu_s(rig.gateway.pid) - used) / (time.monotonic() - at)
            now, peak = resident_mb(rig.gateway.pid)
            rig.gateway.kill()
            rig.gateway.start()
            time.sleep(20)
            again = resident_mb(rig.gateway.pid)[1]
    figure(
        f"gateway alone, {probes} probes in as many rooms, {sent:,} readings of {HISTORY_H} h",
        f"{now:.0f} MB resident, at most {peak:.0f} MB while they came in at once, {again:.0f} MB"
        f" when it was started anew on them; reading to siren {latency_s:.1f} s;"
        f" {share:.1%} of a core while nothing happens",
        "60 MB",
    )


def main() -> None:
    options = argparse.ArgumentParser(description="A gateway that judges its own rooms.")
    options.add_argument("--probes", type=int, nargs="+", default=[10, 100])
    chosen = options.parse_args()
    note("the siren is a shell script; the link is down all the while")
    for probes in chosen.probes:
        alone(probes)


if __name__ == "__main__":
    main()
