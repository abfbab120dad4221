"""The command: play one scenario against a broker, and say at the end what became of it."""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from firmware_sim.device import transmissions
from firmware_sim.memory import Memory
from firmware_sim.publish import MEMORY_PACKS, Publisher, Unreachable, play, write_count
from firmware_sim.scenario import BadScenario, Scenario, load

HERE = Path(__file__).resolve().parent
# beside the package in the source tree, inside it in a wheel
SCENARIOS = next(p / "scenarios" for p in (HERE, HERE.parent) if (p / "scenarios").is_dir())
DRAIN_S = 30.0


def main(argv: Sequence[str] | None = None) -> int:
    """0: everything sent was acknowledged. 1: not everything. 2: a mistake in what was asked."""
    asked = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        scenario = load(find(asked.scenario))
        password = _password(asked.password_file)
        return _run(asked, scenario, password)
    except (BadScenario, Unreachable) as error:
        print(f"firmware_sim: {error}", file=sys.stderr)  # noqa: T201 - a command line
        return 2


def find(name: str) -> Path:
    """A file, or the name of a scenario that comes with the simulator."""
    given = Path(name)
    if given.suffix == ".toml" or given.exists():
        return given
    known = names()
    if name not in known:
        raise BadScenario(f"{name!r} is neither a file nor one of: {', '.join(known)}")
    return SCENARIOS / f"{name}.toml"


def names() -> list[str]:
    return sorted(file.stem for file in SCENARIOS.glob("*.toml"))


def _run(asked: argparse.Namespace, scenario: Scenario, password: str | None) -> int:
    seed = scenario.seed if asked.seed is None else asked.seed
    if asked.speed != 1 and not scenario.duration_h:
        raise BadScenario("duration_h: only a scenario that ends can be played faster")
    length_s = scenario.duration_h * 3600
    start_ms = time.time_ns() // 1_000_000
    if asked.speed != 1:  # it ends now: no device may speak from the future
        start_ms -= round((length_s - (length_s / asked.speed if asked.speed else 0)) * 1000)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    memory = Memory(MEMORY_PACKS, Path(asked.memory) if asked.memory else None)
    count_file = Path(asked.count_file) if asked.count_file else None
    client_id = f"sim-{scenario.name}-{seed}"
    with Publisher(asked.url, client_id, asked.username, password, memory=memory) as publisher:
        play(
            transmissions(scenario, seed),
            publisher,
            start_ms=start_ms,
            speed=asked.speed,
            now_s=time.monotonic,
            stop=stop,
            namespace=f"{start_ms}/",
            count_file=count_file,
        )
        publisher.drain(DRAIN_S)
        balance = publisher.balance()
    if count_file is not None:
        write_count(balance, count_file)
    print(f"{scenario.name}: {balance.line()}")  # noqa: T201 - a command line
    return 1 if balance.waiting or balance.given_up else 0


def _password(file: str | None) -> str | None:
    if file is None:
        return os.environ.get("FIRMWARE_SIM_PASSWORD")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Unreachable(f"--password-file: {error}") from error


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = -1
    if not 0 <= speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 0 up")
    return speed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="firmware_sim",
        description="Pretend probes in a pretend cold room, speaking SenML over MQTT (QoS 1).",
        epilog=f"Scenarios that come with it: {', '.join(names())}. The password may also be given "
        "in the environment variable FIRMWARE_SIM_PASSWORD. Ctrl-C stops after everything sent "
        f"has been acknowledged, or after {DRAIN_S:.0f} s.",
    )
    parser.add_argument("scenario", help="a TOML file, or the name of one that comes with it")
    parser.add_argument("--url", default="mqtt://127.0.0.1:1883", help="default: %(default)s")
    parser.add_argument("--username")
    parser.add_argument("--password-file", metavar="FILE")
    parser.add_argument(
        "--speed",
        type=_speed,
        default=1.0,
        metavar="X",
        help="so many times real time; the story then lies in the past and ends now. "
        "0: as fast as the broker takes it. Default: 1",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="default: the scenario's")
    parser.add_argument(
        "--count-file", metavar="FILE", help="the balance as JSON, every second and at the end"
    )
    parser.add_argument(
        "--memory", metavar="FOLDER", help="keep unacknowledged packs here across restarts"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
