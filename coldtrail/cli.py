"""The commands. ``coldtrail COMMAND --help`` explains each.

What a command needs is imported when it runs, so that ``--help`` is quick and a machine that
carries only some roles can use the rest.
"""

import json
import logging
import os
import socket
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from cyclopts import App, Parameter, validators
from cyclopts.types import ExistingDirectory, ExistingFile
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from coldtrail import duty_commands, gateway_commands, settings, sms_commands, typed
from coldtrail.settings import DEFAULT_PORT_BASE, Installation
from coldtrail.typed import Data, Folder

PortBase = Annotated[int, Parameter(validator=validators.Number(gte=1024, lte=60_000))]

app = App(
    name="coldtrail",
    help="Cold-chain monitoring that loses no acknowledged reading.",
    help_format="plaintext",
)
app.command(gateway_commands.app)
app.command(sms_commands.app)
app.command(duty_commands.drill)
app.command(duty_commands.silence)
HERE = Path()
READY_S = 60.0


class Failed(Exception):
    """Printed as it is; the command ends with this exit code."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


@app.command
def init(
    folder: Folder,
    /,
    *,
    port_base: PortBase = DEFAULT_PORT_BASE,
    settings_file: ExistingFile | None = None,
) -> None:
    """Make a data folder: settings, keys, credentials, one site with one gateway.

    Parameters
    ----------
    folder
        Made when it does not exist; refused when it has settings already.
    port_base
        The first of the ports; the others follow from it.
    settings_file
        Further tables for coldtrail.toml, as TOML.
    """
    from coldtrail.init import Taken, first_site, init_data

    try:
        more = settings_file.read_text(encoding="utf-8") if settings_file else ""
        installation = init_data(folder, port_base=port_base, more_toml=more)
    except Taken as error:
        raise Failed(str(error)) from error
    except UnicodeDecodeError as error:
        raise Failed(f"{settings_file}: {settings.plain(error)}", 2) from error
    except OSError as error:
        raise Failed(f"{folder}: {error.strerror}", 2) from error
    first_site(installation, installation.now_ms()())
    edge = installation.edges()[0]
    print(f"{installation.folder} is ready.")
    print(f"  start:     {typed.program()} up --data {folder}")
    print(f"  console:   {installation.api_url}/ (the administrator's token is in")
    print(f"             {installation.keys / 'admin.token'})")
    print(f"  devices:   {edge.mqtt_url}, topic devices/NAME/readings, user `installer`,")
    print(f"             password in {edge.keys / 'installer.password'}")


@app.command
def up(*, data: Data = HERE) -> None:
    """Run every role of a folder until Ctrl-C."""
    from coldtrail import logs
    from coldtrail.doctor import unfit
    from coldtrail.init import pin_server_key
    from coldtrail.supervise import AlreadyUp, Supervisor, until_signal

    installation = settings.load(data)
    if why := unfit(installation):
        raise Failed("\n".join(why))
    for edge in installation.here():
        pin_server_key(installation, edge)  # a folder that was made before configs were signed
    logs.to_stderr("up", installation.now_ms())
    supervisor = Supervisor(installation)
    _ports_are_free(installation)
    try:
        supervisor.start()
    except AlreadyUp as error:
        raise Failed(str(error)) from error
    _say_where(installation)
    threading.Thread(target=_say_when_ready, args=(installation,), daemon=True).start()
    until_signal(supervisor.stop)


@app.command
def run(role: str, /, *, data: Data = HERE) -> None:
    """Run one role in this process, as `up` would.

    Parameters
    ----------
    role
        For example gateway, ingest, alerts; `status` lists the folder's.
    """
    from coldtrail import roles
    from gateway.service import AlreadyRunning
    from store.errors import AlreadyOpen, NotReady

    try:
        roles.run(settings.load(data), role)
    except (AlreadyOpen, AlreadyRunning, NotReady) as error:
        raise Failed(str(error)) from error


@app.command
def status(
    *, data: Data = HERE, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False
) -> None:
    """What runs, and where to reach it.

    Parameters
    ----------
    as_json
        For scripts; its shape stays.
    """
    from coldtrail.status import status as ask

    answer = ask(settings.load(data))
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
        return
    table = Table("role", "state", "pid", "restarts", "not ready", box=None)
    why: dict[str, list[str]] = {}
    for one in answer["system"]:
        if one["stops"]:
            why.setdefault(one["part"], []).append(one["code"])
    for role, state in answer["roles"].items():
        pid, restarts = str(state["pid"] or "–"), str(state["restarts"])
        table.add_row(role, state["state"], pid, restarts, " ".join(why.get(role, [])))
    console = Console()
    console.print(table)
    lang = "zh" if os.environ.get("LANG", "").startswith("zh") else "en"
    for one in answer["system"]:
        colour = "bold red" if one["level"] == "critical" else "yellow"
        since = datetime.fromtimestamp(one["since_ms"] / 1000).astimezone()
        console.print(
            f"[{colour}]{one['code']}[/] {one['about']} {one['text'][lang]} ({since:%m-%d %H:%M})"
        )
        if one["detail"]:
            console.print(f"  {one['detail']}", markup=False, highlight=False, style="dim")
        console.print(f"  {one['do'][lang]}", markup=False, highlight=False)
    console.print(f"console {answer['api']['url']}/   devices {answer['edge']['url']}")
    if answer["phone"]:
        console.print(f"demo phone {answer['phone']['url']}")
    hosts = [id for id, trust in answer["clock"]["trust"].items() if trust == "host"]
    if hosts:
        console.print(f"clock of this machine trusted by: {', '.join(hosts)}")
    if answer["clock"]["story"]:
        console.print("[bold red]A story's clock runs: times are not the world's.[/]")


@app.command
def demo(
    *,
    data: Folder = Path("demo-data"),
    minutes: Annotated[float | None, Parameter(validator=validators.Number(gt=0))] = None,
    port_base: PortBase = DEFAULT_PORT_BASE,
    fresh: Annotated[bool, Parameter(negative="")] = False,
    resume: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Run a small county with a story in it, until Ctrl-C.

    Parameters
    ----------
    data
        Its folder, made when it does not exist.
    minutes
        Stop by itself at this minute of the story.
    port_base
        The first of the ports; the others follow from it.
    fresh
        Remove an earlier demo in the folder and begin anew.
    resume
        Go on with an earlier demo, without the story.
    """
    from coldtrail.demo import run_demo

    code = run_demo(data, port_base=port_base, minutes=minutes, fresh=fresh, resume=resume)
    if code:
        raise SystemExit(code)


@app.command
def sim(
    scenario: str,
    /,
    *more: Annotated[str, Parameter(allow_leading_hyphen=True)],
    data: Data = HERE,
    gateway: str | None = None,
) -> None:
    """Let pretend probes speak to a gateway of the folder, as real ones would.

    Parameters
    ----------
    scenario
        The name of one that comes with the simulator (steady, door-open, ...), or a TOML file.
    more
        Handed to the simulator: --speed X, --seed N, --count-file FILE, --memory FOLDER.
    gateway
        Its id; the folder's first one when left out.
    """
    from firmware_sim.__main__ import main as simulate

    edges = settings.load(data).edges()
    edge = next((e for e in edges if gateway in (None, e.gateway.id)), None)
    if edge is None:
        known = ", ".join(e.gateway.id for e in edges)
        raise Failed(f"no gateway {gateway!r} here; there are: {known}", 2)
    password = str(edge.keys / "installer.password")
    credentials = ["--username", "installer", "--password-file", password]
    code = simulate([scenario, "--url", edge.mqtt_url, *credentials, *more])
    if code:
        raise SystemExit(code)


@app.command
def decode(
    file: ExistingFile,
    /,
    *,
    topic: str = "devices/probe/readings",
    birth: ExistingFile | None = None,
    birth_topic: str = "",
) -> None:
    """Show what a gateway would make of a device's message, and what it would not.

    Parameters
    ----------
    file
        The message's bytes as they were published.
    topic
        Where the device publishes: it tells the makers apart, and often names the device.
    birth
        Sparkplug B alone: the birth certificate that came before, as it was published.
    birth_topic
        Where that was published, for example spBv1.0/group/DBIRTH/node/device.
    """
    from coldtrail.clock import machine_ms
    from domain.admission import objection
    from gateway.decoders import DeviceReading, NotMine, foreign
    from gateway.decoders import decode as understand
    from gateway.decoders.certificates import Certificates

    births = Certificates({birth_topic: birth.read_bytes()} if birth else {})
    if birth and not births:
        raise Failed("--birth and --birth-topic are no birth certificate of Sparkplug B", 2)
    try:
        found = understand(topic, file.read_bytes(), machine_ms(), births, foreign.load())
    except NotMine as error:
        raise Failed(f"no decoder understands it: {error.reason}") from error
    for one in found:
        if not isinstance(one, DeviceReading):
            print(f"unusable: {one.reason}")
            continue
        line = _reading_line(one.probe, one.quantity, one.count, one.at_ms, one.timed)
        against = objection(one.quantity, one.at_ms, machine_ms())
        print(f"{line}  refused: {against}" if against else line)
    if not found:
        print("understood; it holds no reading")


@app.command
def replay(case: ExistingFile, /) -> None:
    """What the rules make of one case: alarms, pauses, flagged readings and notices, as JSON.

    A faulty case ends with 2 and names the field.

    Parameters
    ----------
    case
        A JSON file: rooms, readings, actions, contacts, until.
    """
    from coldtrail.replay import main as replayed

    raise SystemExit(replayed(case))


@app.command
def explain(
    room: str,
    /,
    *,
    at: str | None = None,
    data: Data = HERE,
    lang: Literal["zh", "en"] = "en",
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
) -> None:
    """Why a room's alarms ring or are silent at an instant, and what would have to happen.

    Answers from the files: `up` may run or not. Later readings of that time are in it, whenever
    they came.

    Parameters
    ----------
    room
        Its id, as in the console's address.
    at
        RFC 3339 with an offset, or milliseconds; now when left out.
    lang
        Of the sentences.
    as_json
        Everything, as `GET /api/v1/rooms/ROOM/explain` has it.
    """
    from api.times import instant_ms
    from coldtrail.explain import Unanswerable
    from coldtrail.explain import explain as answer

    try:
        at_ms = None if at is None else instant_ms(at)
    except ValueError as error:
        raise Failed(f"--at: {error}", 2) from error
    try:
        answer(settings.load(data), room, at_ms, lang, as_text=not as_json)
    except Unanswerable as error:
        raise Failed(str(error)) from error


@app.command(name="dry-run")
def dry_run(
    *rooms: str,
    since: Annotated[str | None, Parameter("--from")] = None,
    to: str | None = None,
    profile: str | None = None,
    commodity: list[str] | None = None,
    interval_s: Annotated[int | None, Parameter("--interval")] = None,
    set_: Annotated[list[str] | None, Parameter("--set", negative="")] = None,
    bare: Annotated[bool, Parameter("--bare", negative="")] = False,
    data: Data = HERE,
    lang: Literal["zh", "en"] = "en",
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
) -> None:
    """What another rule would have made of what is stored: alarms gained, lost, moved.

    Nothing is written; `up` may run or not. What is left out stays as each room has it.

    Parameters
    ----------
    rooms
        Their ids; all when left out.
    since
        RFC 3339 with an offset, or milliseconds; 30 days before the end when left out.
    to
        Likewise; now when left out.
    profile
        For example MT. A room's own limits stay only with its profile.
    commodity
        May be given more than once; replaces the room's goods.
    interval_s
        Seconds between two readings.
    set_
        May be given more than once: WARN_HIGH.delay_min=45, CRIT_HIGH.limit_c=8,
        WARN_LOW.hysteresis_c=1, defrost_total_min=60.
    bare
        Without the limits that the rooms have of their own.
    lang
        Of the words.
    as_json
        Everything, as `POST /api/v1/dry-run` has it.
    """
    from api.times import instant_ms
    from coldtrail.dry_run import dry_run as run_dry
    from coldtrail.dry_run import overrides_of
    from coldtrail.explain import Unanswerable
    from domain.dry_run import Proposal

    installation = settings.load(data)
    now_ms = installation.now_ms()()
    try:
        to_ms = now_ms if to is None else min(instant_ms(to), now_ms)
        from_ms = to_ms - 30 * 86_400_000 if since is None else instant_ms(since)
        also = overrides_of(set_ or ())
    except ValueError as error:
        raise Failed(str(error), 2) from error
    if from_ms >= to_ms:
        raise Failed("--from: not before --to", 2)
    goods = None if commodity is None else tuple(commodity)
    proposal = Proposal(profile, goods, interval_s, {} if bare else None, also)
    try:
        run_dry(installation, rooms, proposal, (from_ms, to_ms), lang, as_text=not as_json)
    except Unanswerable as error:
        raise Failed(str(error)) from error


@app.command
def tuning(
    *,
    month: str | None = None,
    propose: Annotated[list[str] | None, Parameter(negative="")] = None,
    all_rooms: Annotated[bool, Parameter("--all", negative="")] = False,
    data: Data = HERE,
    lang: Literal["zh", "en"] = "en",
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
) -> None:
    """What each rule's alarms were worth, and the rules to reconsider.

    Nothing is written; `up` may run or not.

    Parameters
    ----------
    month
        YYYY-MM, local time; the last 30 days when left out.
    propose
        A room, more than once if you like: limits and delays that would have spared it the alarms
        for nothing and lost none with a real cause, and the difference. A person accepts it.
    all_rooms
        The same for every room.
    lang
        Of the words.
    as_json
        Everything, as `GET /api/v1/tuning` or `GET /api/v1/tuning/proposals` has it.
    """
    from coldtrail.explain import Unanswerable
    from coldtrail.tuning import propose as look_for
    from coldtrail.tuning import tuning as worth

    installation = settings.load(data)
    try:
        if propose or all_rooms:
            rooms = () if all_rooms else tuple(propose or ())
            look_for(installation, rooms, month, lang, as_text=not as_json)
        else:
            worth(installation, month, lang, as_text=not as_json)
    except ValueError as error:
        raise Failed(f"--month: {error}", 2) from error
    except Unanswerable as error:
        raise Failed(str(error)) from error


report = App(name="report", help="What a span of time was like, for whoever answers for it.")
app.command(report)


@report.command(name="week")
def report_week(
    week: str | None = None,
    /,
    *,
    data: Data = HERE,
    lang: Literal["zh", "en"] = "en",
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
) -> None:
    """Maintenance, silences, unanswered drills, open cases, calibrations due, rules to reconsider.

    Nothing is written; `up` may run or not. Plain text, fit for a mail by cron.

    Parameters
    ----------
    week
        YYYY-Www, local time, like 2026-W22; the last whole one when left out.
    lang
        Of the words.
    as_json
        Everything, as `GET /api/v1/reports/week` has it.
    """
    from coldtrail.explain import Unanswerable
    from coldtrail.report import report as weekly

    try:
        weekly(settings.load(data), week, lang, as_text=not as_json)
    except ValueError as error:
        raise Failed(f"week: {error}", 2) from error
    except Unanswerable as error:
        raise Failed(str(error)) from error


quarantine = App(name="quarantine", help="Messages that were not admitted, with their reasons.")
app.command(quarantine)


@quarantine.command(name="list")
def quarantine_list(
    *,
    data: Data = HERE,
    after: Annotated[int, Parameter(validator=validators.Number(gte=0, lt=1 << 63))] = 0,
    limit: Annotated[int, Parameter(validator=validators.Number(gte=1, lt=1 << 63))] = 100,
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
) -> None:
    """What is held at the server and at this folder's gateways: id, source, topic, reason, size.

    Parameters
    ----------
    after
        Only ids above this one.
    limit
        At most so many.
    as_json
        One JSON object a line.
    """
    from coldtrail.quarantine import listed
    from store.errors import NotReady

    table = Table("id", "state", "source", "topic", "bytes", "reason", box=None)
    try:
        for q in listed(settings.load(data), after, limit):
            if as_json:
                row = {"id": q.name, "state": q.state, "source": q.source, "topic": q.topic}
                print(json.dumps(row | {"bytes": len(q.payload), "reason": q.reason}))
            else:
                table.add_row(q.name, q.state, q.source, q.topic, str(len(q.payload)), q.reason)
    except NotReady as error:
        raise Failed(str(error)) from error
    if as_json:
        return
    Console().print(table)


@quarantine.command
def show(
    id: str, /, *, data: Data = HERE, raw: Annotated[bool, Parameter(negative="")] = False
) -> None:
    """One message: its reason, and its bytes as Python writes them.

    Parameters
    ----------
    raw
        The bytes alone, as they came; for a file.
    """
    from coldtrail.quarantine import find
    from store.errors import NotReady

    try:
        found = find(settings.load(data), id)
    except NotReady as error:
        raise Failed(str(error)) from error
    if found is None:
        raise Failed(f"there is no message {id}")
    if raw:
        sys.stdout.buffer.write(found.payload)
        return
    print(f"{found.name} {found.state} from {found.source} on {found.topic}\n{found.reason}")
    print(repr(found.payload[:4096]))


@quarantine.command
def retry(*ids: str, data: Data = HERE) -> None:
    """Put messages to the checks once more, after a repair.

    Parameters
    ----------
    ids
        As `quarantine list` shows them: 12 at the server, gw1/7 at the gateway gw1.
    """
    from coldtrail.quarantine import retry as again

    if not ids:
        raise Failed("which? `quarantine list` shows the ids", 2)
    installation = settings.load(data)
    try:
        outcome, left = again(installation, ids)
    except ValueError as error:
        raise Failed(str(error), 2) from error
    for role in left:
        print(f"{role} does it within a second of its running; `quarantine list` shows it")
    for id, why_not in outcome.items():
        print(f"{id}: {why_not or 'stored'}")
    if any(outcome.values()):
        raise SystemExit(1)


influx = App(name="influx", help="The InfluxDB that Grafana draws from.")
app.command(influx)


@influx.command
def check(
    *,
    data: Data = HERE,
    repair: Annotated[bool, Parameter(negative="")] = False,
    points: bool | None = None,
    days: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
) -> None:
    """Compare InfluxDB with the store, by series and UTC day.

    Parameters
    ----------
    repair
        Write the days that differ once more.
    points
        Compare every point, or only number, sum, lowest and highest of each day. Unless said, every
        point where there are at most 3,000,000 readings.
    days
        Only so many days up to today.
    """
    from ingest.influx_check import check as compare
    from ingest.influx_server import NoAnswer, Unavailable
    from store.errors import NotReady

    installation = settings.load(data)
    if not installation.file.influx.url:
        raise Failed("no [influx] url in coldtrail.toml", 2)
    with Progress(
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def say(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        try:
            report = compare(
                installation.influx_settings(),
                repair=repair,
                now_ms=installation.now_ms(),
                points=points,
                days=days,
                say=say,
            )
        except (Unavailable, NoAnswer, NotReady) as error:
            raise Failed(str(error)) from error
    for one in report.differences:
        day = datetime.fromtimestamp(one.day.start_ms / 1000, UTC).date().isoformat()
        what = ", ".join(f"{n} {kind}" for kind, n in one.unlike._asdict().items() if n)
        print(f"{day}  {one.day.series.probe}  {one.day.series.quantity}  {what}")
    how = "every point" if report.by_points else "sums of each day; --points compares every point"
    print(
        f"{report.series} series, {report.days} days with {report.readings} readings ({how}):"
        f" {len(report.differences)} differ, {report.repaired} repaired, {len(report.left)} left;"
        f" the follower is {report.behind} arrivals behind"
        + (f"; {report.too_old} days are older than InfluxDB keeps" if report.too_old else "")
    )
    if report.left:
        raise SystemExit(1)


dashboards = App(name="dashboards", help="Grafana's dashboards.")
app.command(dashboards)


@dashboards.command
def build() -> None:
    """Write the dashboards' files again, from the builder."""
    from dashboards.builder import build as write

    for path in write():
        print(path)


@dashboards.command(name="push")
def push_dashboards(url: str, /, *, token_file: ExistingFile) -> None:
    """Make or replace the dashboards in a running Grafana.

    Parameters
    ----------
    url
        For example http://127.0.0.1:3000.
    token_file
        Holds a service account's token that may write dashboards.
    """
    from dashboards.push import Refused, Unreachable, push

    try:
        for address in push(url, token_file):
            print(address)
    except (Refused, Unreachable) as error:
        raise Failed(str(error)) from error


@app.command
def verify(file: ExistingFile, /, *, public_key: ExistingFile | None = None) -> None:
    """Check a lot's certificate offline; says what does not fit.

    Parameters
    ----------
    file
        The certificate, JSON as it was issued.
    public_key
        The issuer's key (PEM), when you have it from elsewhere.
    """
    from traceability.certificate import main as check_certificate

    raise SystemExit(check_certificate(file, public_key))


@app.command
def watchdog(file: ExistingFile, /) -> None:
    """One look from outside, for cron: tell by a channel of its own when Coldtrail is silent.

    Ends with 0 when all is well, 1 when it is silent, 3 when nobody could be told of it.

    Parameters
    ----------
    file
        TOML: url, people, channel; see docs/operations.md.
    """
    from coldtrail.clock import machine_ms
    from coldtrail.watchdog import look

    looked = look(file, machine_ms)
    for one in looked.untold:
        print(f"not told: {one}", file=sys.stderr)
    if looked.why:
        print(looked.why)
    if looked.untold:
        raise SystemExit(3)
    if looked.why:
        raise SystemExit(1)


@app.command(name="import")
def import_(file: ExistingFile, /, *, data: Data = HERE) -> None:
    """Hand over what `gateway export` wrote, while `up` runs. Once more changes nothing.

    Parameters
    ----------
    file
        Of a gateway that this server knows.
    """
    from coldtrail.carried import Failed as NotDelivered
    from coldtrail.carried import deliver

    with Progress("{task.completed} batches on the server's disk",
                  console=Console(stderr=True), transient=True,
                  disable=not sys.stderr.isatty()) as bar:  # fmt: skip
        task = bar.add_task("", total=None)
        try:
            done = deliver(settings.load(data), file, lambda n: bar.update(task, completed=n))
        except NotDelivered as error:
            raise Failed(str(error)) from error
    print(f"{done.batches} batches of {done.gateway} are on the server's disk")
    for why, n in done.refused.items():
        print(f"{n} were refused: {why}", file=sys.stderr)
    if done.refused:
        raise SystemExit(1)


@app.command
def backup(out: Folder, /, *, data: Data = HERE) -> None:
    """Copy the server's part of the folder, also while `up` runs. Gateways are not copied.

    Parameters
    ----------
    out
        A folder that does not exist yet. It will hold the server's keys: keep it as safe.
    """
    from coldtrail.backup import Impossible, back_up

    installation = settings.load(data)
    with Progress(
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def say(file: str, done: int, total: int) -> None:
            if file not in tasks:
                tasks[file] = bar.add_task(file, total=total)
            bar.update(tasks[file], completed=done, total=total)

        try:
            manifest = back_up(installation, out, installation.now_ms()(), say)
        except Impossible as error:
            raise Failed(str(error)) from error
        except OSError as error:
            raise Failed(
                f"{error.filename or out}: {error.strerror or error}: no backup"
            ) from error
    print(f"{out}: readings up to arrival {manifest.readings[1]}, records up to change "
          f"{manifest.records[1]}, {len(manifest.files)} files.")  # fmt: skip
    print("Gateways keep their own outboxes; what they hold reaches a restored server again.")


@app.command
def restore(
    backup: ExistingDirectory | None = None,
    /,
    *,
    data: Data = HERE,
    replace: Annotated[bool, Parameter(negative="")] = False,
    in_place: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Put a server back as a backup has it. It becomes a new store; gateways send what it lacks.

    Parameters
    ----------
    backup
        A folder that `backup` made; every file is checked before anything is touched.
    replace
        Move the folder's present server aside instead of refusing.
    in_place
        Without a backup: the server's files were set back by other means (an old file copied over
        one, a snapshot of the machine) and become new stores as they stand.
    """
    from coldtrail.backup import Impossible, put_back, renew
    from coldtrail.clock import machine_ms
    from coldtrail.supervise import is_up

    if (backup is None) != in_place or (in_place and replace):
        raise Failed("either a BACKUP to put back (with --replace or without), or --in-place")
    if is_up(data):
        raise Failed(f"`up` runs in {data}: stop it first")
    try:
        if backup is None:
            settings.load(data)
            renew(data, machine_ms())
            print(f"The server of {data} has new store ids. Start it with `coldtrail up`: alarms are "
                  "judged anew,\nand each gateway sends again what it still holds.")  # fmt: skip
            return
        done = put_back(backup, data, machine_ms(), replace=replace)
    except Impossible as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(
            f"{error.filename or data}: {error.strerror or error}: not done; run it again"
        ) from error
    installation = settings.load(data)
    zone = ZoneInfo(installation.file.timezone)
    made = datetime.fromtimestamp(done.manifest.made_at_ms / 1000, zone)
    print(f"{data} is as it was at {made:%Y-%m-%d %H:%M} ({zone}), under new store ids.")
    if done.aside:
        print(f"What was there is in {done.aside}.")
    print("Start it with `coldtrail up`: alarms are judged anew, and each gateway sends again what "
          "it still holds.")  # fmt: skip
    absent = [e.gateway.id for e in installation.here() if not e.keys.exists()]
    if absent:
        print(f"Gateways are in no backup. Not in this folder: {', '.join(absent)}. Before the start"
              " put\n`elsewhere = true` into the table of each that runs on another machine, or its"
              " folder here.")  # fmt: skip


@app.command
def doctor(*, data: Data = HERE) -> None:
    """Look for what would keep a folder from running well."""
    from coldtrail.doctor import examine

    findings = examine(settings.load(data))
    for one in findings:
        print(f"{one.verdict:5} {one.what}" + (f"  ({one.advice})" if one.advice else ""))
    if any(one.verdict == "wrong" for one in findings):
        raise SystemExit(1)


def _reading_line(probe: str, quantity: str, count: int, at_ms: int, timed: bool) -> str:
    from domain.quantity import QUANTITIES

    known = QUANTITIES[quantity]
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    when = at.replace("+00:00", "Z") if timed else "no time: the arrival counts"
    return f"{when}  {probe}  {quantity}  {known.value(count)} {known.unit}"


def _ports_are_free(installation: Installation) -> None:
    """Roles of a supervisor that was killed a moment ago get the time to end."""
    from coldtrail.doctor import taken_ports
    from coldtrail.supervise import is_up

    deadline_s = time.monotonic() + 5
    while taken := taken_ports(installation):
        if is_up(installation.folder):
            return  # they are its own; starting a second time is refused by its lock
        if time.monotonic() > deadline_s:
            ports = ", ".join(map(str, taken))
            raise Failed(
                f"another program listens on port {ports}: stop it, or change port_base in"
                f" {installation.folder}/coldtrail.toml"
            )
        time.sleep(0.1)


def _say_where(installation: Installation) -> None:
    server = not installation.file.network.server_elsewhere
    if server:
        print(f"console  {installation.api_url}/", flush=True)
    for edge in installation.here()[:1]:
        print(f"devices  {edge.mqtt_url}", flush=True)
    if server and installation.phone_url:
        print(f"phone    {installation.phone_url}", flush=True)
    print("Ctrl-C stops everything.", flush=True)


def _say_when_ready(installation: Installation) -> None:
    """Devices and browsers are let in some seconds after the start."""
    began_s = time.monotonic()
    while missing := _not_answering(installation):
        if time.monotonic() - began_s > READY_S:
            names = ", ".join(missing)
            say = f"{typed.program()} status --data {typed.path(installation.folder)}"
            print(f"not ready after {READY_S:.0f} s: {names}; `{say}` says more", flush=True)
            return
        time.sleep(0.3)
    print(f"ready after {time.monotonic() - began_s:.0f} s", flush=True)


def _not_answering(installation: Installation) -> list[str]:
    missing = []
    for edge in installation.here():
        try:
            with socket.create_connection(("127.0.0.1", edge.port(0)), timeout=2):
                pass
        except OSError:
            missing.append(edge.broker_role)
    if not installation.file.network.server_elsewhere:
        try:
            with urllib.request.urlopen(f"{installation.api_url}/readyz", timeout=5):  # noqa: S310 - our own address
                pass
        except OSError:
            missing.append("api")
    return missing


def main() -> None:
    """Exit codes: 0 done, 1 not done, 2 what was asked cannot be."""
    logging.captureWarnings(True)
    try:
        app()
    except settings.Wrong as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from error
    except Failed as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.code) from error
