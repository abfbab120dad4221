"""One case in, what the rules make of it out: ``coldtrail replay CASE.json``.

Runs the very code that the alarm engine runs. Prints one JSON object and ends with 0; a
faulty case prints nothing, names its field on stderr and ends with 2.
"""

import json
import sys
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coldtrail.case import (
    UNASSIGNED,
    Case,
    CaseContact,
    CaseReading,
    CaseRoom,
    Faulty,
    read_case,
)
from domain.commodity import COMMODITIES
from domain.incident import Contact
from domain.instant import rfc3339
from domain.judgement import Action, Asked, Fact, Flag, Judgement, Pause, Rule
from domain.message import Place
from domain.profile import resolve
from domain.reading import Columns, Series, winner
from domain.retelling import Acted, Addressee, Arrived, Told, ToldRoom, retell
from domain.room import judge


def main(path: str | Path) -> int:
    """The exit code."""
    try:
        result = replay(Path(path))
    except (Faulty, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    text = json.dumps(result, ensure_ascii=False, separators=(",", ":")) + "\n"
    sys.stdout.buffer.write(text.encode())
    sys.stdout.flush()
    return 0


def replay(path: Path) -> dict[str, Any]:
    """Raises ``Faulty`` with the field, ``OSError`` when the file cannot be read."""
    return retrace(read_case(path))


def retrace(case: Case) -> dict[str, Any]:
    """What the design's "Replay" shows, ready for JSON."""
    horizon = case.horizon_ms
    judged = {} if horizon is None else {r: judge_room(case, r, horizon) for r in case.rooms}
    return {
        "id": case.id,
        "alarms": [
            _alarm(room, fact)
            for room, judgement in sorted(judged.items())
            for fact in judgement.facts
        ],
        "pauses": [
            _pause(room, pause)
            for room, judgement in sorted(judged.items())
            for pause in judgement.pauses
        ],
        "flagged": _flagged(case, judged),
        "notices": [] if horizon is None else [_notice(told) for told in _told(case, horizon)],
    }


def judge_room(case: Case, room: str, horizon_ms: int) -> Judgement:
    rows = [r for r in case.readings if r.room == room and not r.set_aside]
    actions = [a.action for a in case.actions if a.room == room]
    return judge(Asked((case.rooms[room].rule,), columns(rows), actions), horizon_ms)


def columns(readings: Sequence[CaseReading]) -> dict[Series, Columns]:
    """One row a key, oldest first; different values of one key marked as in conflict."""
    merged: dict[Series, dict[int, tuple[int, int]]] = {}
    for reading in readings:
        of = merged.setdefault(reading.series, {})
        row = (0, reading.count)
        of[reading.at_ms] = winner(of[reading.at_ms], row) if reading.at_ms in of else row
    return {
        series: Columns(
            array("q", times := sorted(of)),
            array("q", [of[at][1] for at in times]),
            array("H", [of[at][0] for at in times]),
        )
        for series, of in merged.items()
    }


# --- as JSON


def _alarm(room: str, fact: Fact) -> dict[str, Any]:
    cleared = fact.cleared_at_ms
    return {
        "room": room,
        "code": fact.code,
        "level": fact.level,
        "began_at": rfc3339(fact.began_at_ms),
        "fired_at": rfc3339(fact.fired_at_ms),
        "cleared_at": None if cleared is None else rfc3339(cleared),
        "peak": None if fact.peak is None else fact.peak / 100,
        "degree_minutes": fact.degree_minutes,
        "minutes_unknown": fact.minutes_unknown,
    }


def _pause(room: str, pause: Pause) -> dict[str, Any]:
    end = None if pause.to_ms is None else rfc3339(pause.to_ms)
    return {"room": room, "cause": pause.cause, "from": rfc3339(pause.from_ms), "to": end}


def _flagged(case: Case, judged: Mapping[str, Judgement]) -> list[list[str]]:
    rows = {(room, flag) for room, judgement in judged.items() for flag in judgement.flags}
    rows |= {
        (r.room, Flag(r.at_ms, r.series.probe, r.series.quantity, "CLOCK_SKEW"))
        for r in case.readings
        if r.set_aside and r.room != UNASSIGNED
    }

    def order(row: tuple[str, Flag]) -> tuple[int, str, str, str, str]:
        room, flag = row
        return flag.at_ms, room, flag.probe, flag.quantity, flag.reason

    return [
        [rfc3339(flag.at_ms), room, flag.probe, flag.quantity, flag.reason]
        for room, flag in sorted(rows, key=order)
    ]


def _notice(told: Told) -> dict[str, Any]:
    notice = told.notice
    return {
        "at": rfc3339(notice.at_ms),
        "to": notice.to,
        "channel": notice.channel,
        "kind": notice.kind,
        "codes": list(notice.codes),
        "text": told.text,
    }


# --- what would have been told


def _told(case: Case, horizon_ms: int) -> list[Told]:
    readings = [
        Arrived(r.arrived_ms, r.room, r.series, r.at_ms, r.count)
        for r in case.readings
        if not r.set_aside and r.room != UNASSIGNED
    ]
    actions = [Acted(a.recorded_ms, a.room, a.action) for a in case.actions]
    events: list[Arrived | Acted] = [*readings, *actions]
    return retell(
        {key: _told_room(room) for key, room in case.rooms.items()},
        sorted(events, key=lambda event: event.arrived_ms),
        [_addressee(contact) for contact in case.contacts],
        horizon_ms,
    )


def _told_room(room: CaseRoom) -> ToldRoom:
    goods = [COMMODITIES[key] for key in room.rule.commodities]
    place = Place(
        name_zh=room.id,
        name_en=room.id,
        goods_zh=goods[0].name_zh if goods else "",
        goods_en=goods[0].name_en if goods else "",
        more_zh="".join(f"、{c.name_zh}" for c in goods[1:]),
        more_en="".join(f", {c.name_en}" for c in goods[1:]),
        limits=_limits(room.rule),
    )

    def rules(_actions: Sequence[Action]) -> Sequence[Rule]:
        return (room.rule,)

    return ToldRoom(room.site, place, rules)


def _limits(rule: Rule) -> dict[str, int]:
    return {limit.code: limit.stated for limit in resolve(rule).limits}


def _addressee(contact: CaseContact) -> Addressee:
    return Addressee(
        Contact(contact.id, contact.role, contact.phone, contact.lang),
        None if contact.rooms is None else frozenset(contact.rooms),
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: python -m coldtrail.replay CASE.json", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1]))
