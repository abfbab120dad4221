"""``coldtrail drill …`` and ``coldtrail silence …``: test alarms, and what is not told for a while."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from coldtrail import settings
from coldtrail.settings import Installation
from coldtrail.typed import Data

if TYPE_CHECKING:
    from coldtrail.spoken import Speaks
    from store.records.reader import SqlRecordsReader

AsJson = Annotated[bool, Parameter("--json", negative="", help="For scripts.")]
HERE = Path()

drill = App(name="drill", help="Test alarms of a site through the whole chain.")
silence = App(name="silence", help="Rules of a room that nobody is told of for some hours.")


@drill.command(name="start")
def start_drill(site: str, /, *, data: Data = HERE) -> None:
    """Send a site's people a test alarm: texts, a call, replies, as of a real one.

    Parameters
    ----------
    site
        Its id, as in /api/v1/sites.
    """
    from api.drills import new_id

    id = new_id()
    with _records(settings.load(data)) as records:
        records.start_drill(id, site)
    print(f"drill {id} has begun; `coldtrail drill list` shows who answered")


@drill.command(name="list")
def list_drills(
    *,
    data: Data = HERE,
    unanswered: Annotated[bool, Parameter(negative="")] = False,
    as_json: AsJson = False,
) -> None:
    """Every drill, newest first: when, which site, who answered after how long.

    Parameters
    ----------
    unanswered
        Only those that nobody answered within the hour.
    """
    from api.drills import drill_now

    installation = settings.load(data)
    now_ms = installation.now_ms()()
    with closing(_reader(installation)) as records:
        drills = [drill_now(one, now_ms) for one in records.drills()][::-1]
        plan = records.drill_plan()
    found = [one for one in drills if not unanswered or one.state == "unanswered"]
    if as_json:
        shown = [asdict(one.drill) | {"state": one.state} for one in found]
        print(json.dumps({"plan": asdict(plan) if plan else None, "drills": shown}))
        return
    when = _clock(installation)
    table = Table("begun", "site", "state", "by", "channel", "after", "id", box=None)
    for one in found:
        took = "" if one.took_ms is None else f"{one.took_ms // 60_000} min"
        table.add_row(
            when(one.drill.started_ms), one.drill.site, one.state, one.drill.answered_by,
            one.drill.channel, took, one.drill.id,
        )  # fmt: skip
    Console().print(table)
    if plan:
        print(f"each month on day {plan.day} at {plan.minute // 60:02}:{plan.minute % 60:02}")


@drill.command(name="plan")
def plan_drills(day: int, /, *, data: Data = HERE, at: str = "10:00") -> None:
    """One drill of every site each month.

    Parameters
    ----------
    day
        Of the month, 1 to 28; 0: no drill comes by itself any more.
    at
        Local time.
    """
    from store.records.ports import DrillPlan

    try:
        begins = time.strptime(at, "%H:%M")
    except ValueError:
        raise settings.Wrong(f"--at {at}: hours and minutes, 00:00 to 23:59") from None
    with _records(settings.load(data)) as records:
        records.put_drill_plan(DrillPlan(day, begins.tm_hour * 60 + begins.tm_min) if day else None)
    print(f"each month on day {day} at {at}" if day else "no drill comes by itself")


@silence.command(name="add")
def add_silence(room: str, code: str, /, *, reason: str, hours: int, data: Data = HERE) -> None:
    """Let nobody hear of one rule of one room from now on. The record is the same.

    Refused for ceiling, freezing and power, and for more than 12 hours.

    Parameters
    ----------
    room
        Its id.
    code
        Of the alarm, like WARN_HIGH.
    reason
        Stands beside it wherever it is shown.
    hours
        1 to 12.
    """
    from uuid import uuid4

    id = f"s-{uuid4().hex[:12]}"
    with _records(settings.load(data)) as records:
        records.silence(id, room, code, reason, hours)
    print(f"{id}: {code} of {room} is silent for {hours} h")


@silence.command(name="end")
def end_silence(id: str, /, *, data: Data = HERE) -> None:
    """Before its time: what is still active is told as new."""
    with _records(settings.load(data)) as records:
        records.end_silence(id)
    print(f"{id} is over")


@silence.command(name="list")
def list_silences(*, data: Data = HERE, ended: bool = False, as_json: AsJson = False) -> None:
    """Those in force: room, rule, until when, who, why.

    Parameters
    ----------
    ended
        Those that are over as well.
    """
    installation = settings.load(data)
    now_ms = installation.now_ms()()
    with closing(_reader(installation)) as records:
        found = records.silences(0 if ended else now_ms)
    if as_json:
        print(json.dumps([asdict(one) for one in found], ensure_ascii=False))
        return
    when = _clock(installation)
    table = Table("room", "code", "from", "to", "by", "reason", "id", box=None)
    for one in found:
        table.add_row(
            one.room, one.code, when(one.from_ms), when(one.to_ms), one.by, one.reason, one.id
        )
    Console().print(table)


@contextmanager
def _records(installation: Installation) -> "Iterator[Speaks]":
    """What is refused ends the command, with the field and the reason."""
    from coldtrail.spoken import Unsaid, records

    try:
        with records(installation) as spoken:
            yield spoken
    except Unsaid as error:
        raise settings.Wrong(str(error)) from error


def _reader(installation: Installation) -> "SqlRecordsReader":
    from store.errors import NotReady
    from store.records import open_records_reader

    try:
        return open_records_reader(installation.server / "records.db")
    except NotReady as error:
        raise settings.Wrong(str(error)) from error


def _clock(installation: Installation) -> Callable[[int], str]:
    zone = ZoneInfo(installation.file.timezone)
    return lambda at_ms: f"{datetime.fromtimestamp(at_ms / 1000, zone):%m-%d %H:%M}"
