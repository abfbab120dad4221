"""A small county with a story in it: ``coldtrail demo``.

Every part runs as it would anywhere, on this machine. The two weeks behind the story come as
the probes' own memory, through the edge brokers; the village that was offline is behind a
relay that stays closed until its minute. Times of the story count from the instant at which
every role is ready. Readings *sent* are those that an edge broker has acknowledged.
"""

import json
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from coldtrail import county, settings, typed
from coldtrail.demo_balance import compare
from coldtrail.demo_probes import Forecast, GatewayProbes
from coldtrail.demo_records import (
    Unanswered,
    post,
    sign_in_link,
    tell_of_lots,
    write_records,
)
from coldtrail.demo_screen import Numbers, Screen
from coldtrail.init import NewGateway, init_data
from coldtrail.relay import Relay
from coldtrail.settings import DEFAULT_PORT_BASE, FILE, Installation
from coldtrail.supervise import Supervisor, is_up
from domain.reading import GatewayId, LotId
from store.connect import open_readings
from store.errors import NotReady
from store.notices import open_notices_reader
from store.ports import ReadingReader
from traceability.reader import TraceReader, open_trace_reader
from wire import status_v1

T = TypeVar("T")

MARK = "demo.json"
RELAY_PORT = 5  # after the port base: between the server's ports and the gateways'
READY_S = 300.0
LOAD_S = 300.0
SETTLE_S = 60.0
TICK_S = 0.5
CERTIFICATE = "certificate.json"
FORGED = "certificate-forged.json"


class Stopped(Exception):
    """Ctrl-C, or the time that was asked for is over."""


def run_demo(
    folder: Path,
    *,
    port_base: int = DEFAULT_PORT_BASE,
    minutes: float | None = None,
    fresh: bool = False,
    resume: bool = False,
    console: Console | None = None,
) -> int:
    """Until Ctrl-C, or for so many minutes of the story. 0: nothing lost, nothing doubled.

    ``fresh`` removes an earlier demo in the folder, ``resume`` goes on with it, without the
    story; with neither, the terminal asks, and where there is none it is named and left (2)."""
    console = console or Console()
    story = True
    if folder.exists() and not folder.is_dir():
        console.print(f"{folder} is a file: choose another folder.", soft_wrap=True)
        return 2
    if (folder / FILE).exists() and not (folder / MARK).exists():
        console.print(
            f"{folder} holds an installation that is not a demo: choose another folder.",
            soft_wrap=True,
        )
        return 2
    if (folder / FILE).exists() and not fresh and is_up(folder):
        console.print(f"A demo runs in {folder} already; its own terminal stops it (Ctrl-C).")
        return 2
    if taken := _taken(_ports(folder, port_base)):
        console.print(
            f"Port {taken} is in use on this machine. Choose others: --port-base N "
            f"(the first of {len(_ports(folder, port_base))}, from 1024 to 60000).",
            soft_wrap=True,
        )
        return 2
    if (folder / FILE).exists():
        choice = _earlier(folder, fresh, resume, console)
        if choice == "stop":
            return 2
        if choice == "anew":
            shutil.rmtree(folder)
        else:
            story = False
    return _Demo(folder, port_base, minutes, console, story).run()


def _earlier(folder: Path, fresh: bool, resume: bool, console: Console) -> str:
    """stop | anew | continue"""
    if fresh:
        return "anew"
    if resume:
        return "continue"
    if not (console.is_terminal and sys.stdin.isatty()):
        console.print(
            f"{folder} holds an earlier demo. Begin anew:  coldtrail demo --data {folder} --fresh\n"
            f"or go on with it, without the story:  coldtrail demo --data {folder} --resume",
            soft_wrap=True,
        )
        return "stop"
    answer = console.input(
        f"{folder} holds an earlier demo. \\[n] begin anew (removes it), "
        "\\[c] continue without the story, anything else stops: "
    )
    return {"n": "anew", "c": "continue"}.get(answer.strip().lower()[:1], "stop")


def _ports(folder: Path, port_base: int) -> range:
    """An earlier demo keeps the ports that it was made with."""
    if (folder / FILE).exists():
        port_base = settings.load(folder).file.port_base
    return range(port_base, port_base + settings.EDGE_PORTS + 3 * len(county.GATEWAYS))


def _taken(ports: range) -> int | None:
    """The first port that somebody else listens on."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return port
    return None


class _Demo:
    def __init__(
        self, folder: Path, port_base: int, minutes: float | None, console: Console, story: bool
    ) -> None:
        self._folder = folder
        self._port_base = port_base
        begins_min = 0.0 if story else county.LIVE_MIN
        self._ends_s = None if minutes is None else (begins_min + minutes) * 60
        self._console = console
        self._story = story
        self._stop = threading.Event()
        self._zero_ms = 0
        self._begun_ms = 0  # the same, but for a demo that goes on
        self._probes: list[GatewayProbes] = []
        self._reader: ReadingReader | None = None
        self._failed = ""
        self._before = 0  # rows that an earlier run left
        self._village_before = 0  # sent before its link was cut
        self._told: set[str] = set()
        self._people = {str(person.id): person.name for person in county.people()}
        self._versions = 0
        self._progress = (-1, 0.0)  # stored, and since when it has not grown

    def run(self) -> int:
        self._listen_for_ctrl_c()
        logging.getLogger("coldtrail.supervise").setLevel(logging.ERROR)  # the screen says it
        with ExitStack() as stack:
            screen = stack.enter_context(Screen(self._console))
            self._screen = screen
            screen.show(Numbers(), None, "making the county, starting every role …")
            forecast = self._forecast_of = self._forecast()
            stack.callback(forecast.close)
            self._installation = self._made() if self._story else settings.load(self._folder)
            self._relay = Relay(self._installation.port(RELAY_PORT), self._installation.broker_url)
            self._relay.open()
            stack.callback(self._relay.close)
            supervisor = Supervisor(self._installation)
            supervisor.start()
            stack.callback(supervisor.stop)
            for edge in self._installation.edges():
                hold = county.VILLAGE_GONE_MIN if edge.gateway.id == county.VILLAGE else None
                probes = GatewayProbes(edge, forecast, hold if self._story else None)
                stack.callback(probes.publisher.close)
                stack.callback(probes.stop)
                self._probes.append(probes)
            try:
                self._wait_until_ready()
                self._play()
            except Stopped:
                pass
            self._settle()
        return self._close()

    # ---- before the story ------------------------------------------------------------

    def _forecast(self) -> Forecast:
        local = datetime.now(timezone(timedelta(hours=8)))
        hour = local.hour + local.minute / 60
        begins = -county.HISTORY_MIN if self._story else county.LIVE_MIN
        ends = county.LIVE_MIN if self._story else 2 * county.LIVE_MIN
        return Forecast(begins, ends, hour)  # whole days back it is the same hour

    def _made(self) -> Installation:
        """The folder and its records, written before any role runs."""
        now_ms = _now_ms()
        tell_from = datetime.fromtimestamp(now_ms / 1000, UTC) + timedelta(
            minutes=county.VILLAGE_GONE_MIN - 9
        )
        names = "".join(f'"{p.phone}" = "{p.name}"\n' for p in county.people())
        relayed = f"mqtt://127.0.0.1:{self._port_base + RELAY_PORT}"
        installation = init_data(
            self._folder,
            port_base=self._port_base,
            gateways=[
                NewGateway(id, uplink_url=relayed if id == county.VILLAGE else "")
                for id in county.GATEWAYS
            ],
            more_toml=(
                f"[alerts]\ntell_from = {tell_from.isoformat(timespec='seconds')}\n\n"
                f"[sms_centre.names]\n{names}"
            ),
        )
        (self._folder / MARK).write_text(json.dumps({"made_ms": now_ms}) + "\n")
        write_records(installation, now_ms)
        return installation

    def _wait_until_ready(self) -> None:
        deadline_s = time.monotonic() + READY_S
        missing = "the roles"
        while missing:
            self._check_stop()
            if time.monotonic() > deadline_s:
                self._failed = f"not ready within {READY_S:.0f} s: waiting for {missing}"
                raise Stopped
            time.sleep(0.1)
            missing = self._missing()
            self._screen.show(Numbers(), None, f"starting: waiting for {missing}")
        self._reader = open_readings(self._installation.server / "readings.db", write=False)
        self._before = self._reader.totals()["rows"]

    def _missing(self) -> str:
        if done := self._forecast_of.unfinished():
            return f"what the probes remember ({done} rooms to go)"
        for probes in self._probes:
            if not probes.publisher.connected.is_set():
                return f"gateway {probes.gateway}"
        try:
            with urllib.request.urlopen(f"{self._installation.api_url}/readyz", timeout=5):  # noqa: S310 - our own address
                return ""
        except OSError as error:
            return f"the api ({error})"

    # ---- the story -------------------------------------------------------------------

    def _play(self) -> None:
        whole_s = 1000
        self._zero_ms = self._begun_ms = _now_ms() // whole_s * whole_s
        if not self._story:
            self._zero_ms -= round(county.LIVE_MIN * county.MINUTE_MS)
        for probes in self._probes:
            probes.start(self._zero_ms)
        self._links()
        self._load()
        if self._story:
            self._relay.close()
            self._village_before = self._village_sent()
            try:
                tell_of_lots(self._installation, self._zero_ms, self._screen)
            except Unanswered as error:
                self._screen.say(f"The lots are missing: {error}", self._at_s())
        for probes in self._probes:
            probes.release.set()
        steps = _steps(self) if self._story else []
        while True:
            while steps and self._at_s() >= steps[0].minute * 60:
                step = steps.pop(0)
                try:
                    step.act()
                except Unanswered as error:
                    self._screen.say(str(error), self._at_s())
                if step.text:
                    self._screen.say(step.text, self._at_s())
            self._look()
            self._screen.show(
                self._numbers(), self._at_s(), steps[0].ahead if steps else "The story is told."
            )
            if self._ends_s is not None and self._at_s() >= self._ends_s:
                raise Stopped
            self._pause(TICK_S)

    def _load(self) -> None:
        """Until everything that the probes remember is in the store. They go on speaking
        meanwhile, so what is waited for is what had been sent when the memory was empty."""
        deadline_s = time.monotonic() + LOAD_S
        remembered: int | None = None
        while True:
            numbers = self._numbers()
            if remembered is None and all(probes.loaded.is_set() for probes in self._probes):
                remembered = numbers.sent
            if remembered is not None and numbers.stored >= remembered:
                break
            if time.monotonic() > deadline_s:
                self._screen.say(f"The history is not in after {LOAD_S:.0f} s.", self._at_s())
                return
            self._screen.show(numbers, self._at_s(), "the probes hand over two weeks of memory …")
            self._pause(0.2)
        if self._story:
            whole = Numbers(remembered, remembered)
            self._screen.say(f"Two weeks are in: {whole.line()}", self._at_s())

    def _links(self) -> None:
        installation = self._installation
        self._screen.link("console", sign_in_link(installation))
        self._screen.link("demo phone", installation.phone_url)

    def _look(self) -> None:
        """What became known since: texts that were sent, and new versions of a certificate."""
        try:
            notices = open_notices_reader(self._installation.server / "notices.db")
        except NotReady:
            return
        try:
            for notice in reversed(list(notices.notices(limit=20))):
                key = str(notice["key"])
                if key not in self._told and notice.get("state") in ("sent", "delivered"):
                    self._told.add(key)
                    if int(str(notice["at_ms"])) < self._begun_ms:
                        continue  # told by an earlier run
                    to = self._people.get(str(notice["to"]), notice["to"])
                    self._screen.say(f"SMS to {to}: {notice['text']}", self._at_s())
        finally:
            notices.close()
        versions = self._trace(lambda trace: trace.versions(LotId(county.VILLAGE_LOT)))
        if versions and versions[-1].version != self._versions:
            newest = versions[-1]
            self._versions = newest.version
            self._screen.say(
                f"certificate of lot {county.VILLAGE_LOT}: v{newest.version} "
                f"({newest.because}), verdict {newest.verdict}",
                self._at_s(),
            )

    def _trace(self, ask: Callable[[TraceReader], T]) -> T | None:
        """None while nothing has been traced yet."""
        try:
            trace = open_trace_reader(self._installation.server / "trace.db")
        except NotReady:
            return None
        try:
            return ask(trace)
        finally:
            trace.close()

    def open_the_relay(self) -> None:
        self._relay.open()

    def empty_store_stands_by(self) -> None:
        post(
            self._installation,
            f"/api/v1/rooms/{county.DEPARTING_ROOM}/actions",
            {
                "id": "demo-standby",
                "kind": "standby_started",
                "at": _now_ms(),
                "by": "mang",
                "detail": {},
            },
        )

    def write_certificates(self) -> None:
        """The buyer's certificate as it was issued, and once more with one digit changed."""
        raw = self._trace(lambda trace: trace.certificate(LotId(county.BUYER_LOT)))
        if raw is None:
            self._screen.say(f"Lot {county.BUYER_LOT} has no certificate yet.", self._at_s())
            return
        (self._folder / CERTIFICATE).write_bytes(raw)
        (self._folder / FORGED).write_bytes(raw.replace(b'"640"', b'"940"', 1))

    # ---- numbers ---------------------------------------------------------------------

    def _numbers(self) -> Numbers:
        """Lost is what the server lacks although nothing has moved for a while and every
        gateway says that it holds nothing back."""
        if self._reader is None:
            return Numbers()
        sent = sum(probes.balance().distinct for probes in self._probes)
        stored = self._stored()
        waiting = 0 if self._relay.is_open else self._village_sent() - self._village_before
        if stored != self._progress[0] or waiting:
            self._progress = (stored, time.monotonic())
        missing = max(sent - stored - waiting, 0)
        if missing and (time.monotonic() - self._progress[1] < SETTLE_S or self._held_back()):
            missing = 0
        return Numbers(sent, stored, min(waiting, max(sent - stored, 0)), missing)

    def _held_back(self) -> bool:
        """True while a gateway is away, or says that something waits in it."""
        assert self._reader is not None  # noqa: S101 - opened when everything is ready
        statuses = self._reader.statuses()
        for probes in self._probes:
            raw, _ = statuses.get(GatewayId(probes.gateway), (b"", 0))
            try:
                status = status_v1.decode(raw)
            except status_v1.BadStatus:
                return True
            if status.state != "online" or status.backlog.readings:
                return True
        return False

    def _village_sent(self) -> int:
        """Of the gateway behind the relay."""
        village = (p.balance().distinct for p in self._probes if p.gateway == county.VILLAGE)
        return sum(village)

    def _stored(self) -> int:
        assert self._reader is not None  # noqa: S101 - opened when everything is ready
        return self._reader.totals()["rows"] - self._before

    def _at_s(self) -> float:
        return (_now_ms() - self._zero_ms) / 1000

    # ---- the end ---------------------------------------------------------------------

    def _settle(self) -> None:
        """Nothing more is said; what was said arrives."""
        if not self._zero_ms:
            return
        self._stop.clear()
        for probes in self._probes:
            probes.stop()
        if not self._relay.is_open:
            self._screen.say("The village's link is opened, so that the balance is whole.")
            self._relay.open()
        deadline_s = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline_s and not self._stop.is_set():
            numbers = self._numbers()
            unsaid = sum(probes.balance().waiting for probes in self._probes)
            self._screen.show(numbers, self._at_s(), "stopping: what was sent arrives …")
            if not unsaid and not numbers.behind:
                break
            self._stop.wait(0.2)

    def _close(self) -> int:
        if self._failed:
            self._console.print(
                f"{self._failed}. The roles' own words are in {self._folder}/logs/.",
                soft_wrap=True,
            )
            return 1
        if not self._zero_ms:
            return 0
        balance = compare(self._installation, self._probes)
        if self._reader is not None:
            self._reader.close()
        self._console.print(balance.line(), markup=False, highlight=False, soft_wrap=True)
        return 1 if balance.lost or balance.doubled else 0

    def _pause(self, seconds: float) -> None:
        self._stop.wait(seconds)
        self._check_stop()

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _listen_for_ctrl_c(self) -> None:
        """The first stops in order; the third ends this process, and the roles with it."""
        came: list[int] = []

        def note(number: int, _frame: object) -> None:
            came.append(number)
            self._stop.set()
            if len(came) > 2:
                os._exit(130)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, note)


@dataclass(frozen=True, slots=True)
class _Step:
    """``ahead`` is shown until its minute, ``text`` from then on."""

    minute: float
    ahead: str
    text: str
    act: Callable[[], None] = lambda: None


def _steps(demo: _Demo) -> list[_Step]:
    folder = typed.path(demo._folder)  # noqa: SLF001 - the same module
    program = typed.program()
    return [
        _Step(0.5, "the console opens on what needs you now", ""),
        _Step(
            2.0,
            "at 2:00 a strawberry room turns critical: watch the demo phone",
            "Strawberry room 2 of Liuwan has been above 7 °C for 30 minutes: one SMS. "
            "Reply 1 on the demo phone, and the ladder stops.",
        ),
        _Step(
            county.VILLAGE_BACK_MIN,
            "at 4:00 the village of Zhuxi comes back after 5 h 40 offline",
            "Zhuxi is back: its chart fills, live values stay fresh, one message about what is past.",
            demo.open_the_relay,
        ),
        _Step(
            county.DEPARTURE_MIN - 0.2,
            "at 5:00 mobile store 1 drives off empty",
            "",
            demo.empty_store_stands_by,
        ),
        _Step(
            county.DEPARTURE_MIN,
            "at 5:00 mobile store 1 drives off empty",
            "Mobile store 1 drives off empty, its unit off: it warms, and nobody is rung. "
            "Its page says why.",
        ),
        _Step(
            6.0,
            "at 6:00 you may break something",
            "Break something; the counter lags, recovers, and nothing is lost:\n"
            f"kill -9 $(cat {folder}/pids/ingest.pid)",
        ),
        _Step(
            7.0,
            "at 7:00 you may check a certificate",
            "Check a certificate, and the same with one digit changed:\n"
            f"{program} verify {folder}/{CERTIFICATE}\n{program} verify {folder}/{FORGED}",
            demo.write_certificates,
        ),
    ]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
