"""A room's whole input as a case for ``coldtrail replay``.

The replay runs the rules over readings in order of arrival. What arrived when matters for
notices only; the case leaves it out, and so asks for alarms, pauses and flags alone.
"""

from typing import Any

from api.problems import Problem
from api.readings import values
from domain.admission import EARLIEST_MS
from domain.instant import rfc3339
from domain.quantity import QUANTITIES
from domain.reading import Quality, RoomId, Series
from store.ports import ReadingReader
from store.records.ports import RecordsReader

MOST_READINGS = 2_000_000  # some 30 MB: two weeks of ten probes every ten seconds
LEFT_OUT = Quality.INTERVAL_ONLY | Quality.DEVICE_FLAGGED | Quality.CALIBRATING


def replay_case(
    records: RecordsReader, reader: ReadingReader, room: RoomId, from_ms: int, until_ms: int
) -> dict[str, Any]:
    """Rule, readings with ``from <= t <= until`` while each probe was in the room, actions.

    Readings that the rules must not use and a case cannot mark (time unknown, flagged by the
    device, under calibration) are left out; both values of a conflict are in.
    """
    rules = [rule for rule in records.rules(room) if rule.from_ms <= until_ms]
    if not rules:
        raise Problem(409, "the room has no rule, so there is nothing to replay", field="room")
    rows: list[tuple[int, str, str, float]] = []
    assigned = [a for a in records.assignments(room) if a.from_ms <= until_ms]
    probes = {a.probe for a in assigned}
    if any(papers.lag_s for probe in probes for papers in records.papers(probe)):
        raise Problem(
            409, "a probe's lag shortens delays here, and a case knows no lag", field="room"
        )
    measured = [series for series in reader.series() if series.probe in probes]
    for assignment in assigned:
        start_ms = max(assignment.from_ms, from_ms, EARLIEST_MS)
        end_ms = min(until_ms + 1, until_ms + 1 if assignment.to_ms is None else assignment.to_ms)
        for series in measured:
            if series.probe == assignment.probe and start_ms < end_ms:
                rows.extend(_rows(reader, series, start_ms, end_ms))
                if len(rows) > MOST_READINGS:
                    raise Problem(413, f"more than {MOST_READINGS} readings", field="from")
    rows.sort()
    actions = [a for a in records.actions(room) if a.at_ms <= until_ms]
    # One rule holds throughout a case; a later one of the same profile is its rule_changed.
    first, later = rules[0], rules[1:]
    changes = [
        {
            "at": rfc3339(rule.from_ms),
            "room": room,
            "kind": "rule_changed",
            "by": rule.by,
            "overrides": rule.overrides,
        }
        for rule in later
        if rule.profile == first.profile and rule.commodities == first.commodities
    ]
    if len(changes) < len(later):
        raise Problem(
            409, "the room's profile or goods changed within this time: begin later", field="from"
        )
    said = [
        {"at": rfc3339(a.at_ms), "room": room, "kind": a.kind, "by": a.by}
        | ({} if a.kind == "ack" else dict(a.detail))
        for a in actions
    ]
    return {
        "id": f"{room}-{until_ms}",
        "rooms": {
            room: {
                "profile": first.profile,
                "commodities": first.commodities,
                "interval_s": first.interval_s,
                "overrides": first.overrides,
            }
        },
        "readings": [
            [rfc3339(at_ms), room, probe, quantity, value] for at_ms, probe, quantity, value in rows
        ],
        "actions": sorted(said + changes, key=lambda action: str(action["at"])),
        "contacts": [],
        "until": rfc3339(until_ms),
    }


def _rows(
    reader: ReadingReader, series: Series, start_ms: int, end_ms: int
) -> list[tuple[int, str, str, float]]:
    quantity = QUANTITIES[series.quantity]
    columns = reader.between(series, start_ms, end_ms)
    numbers = values(columns.count, quantity)
    rows: list[tuple[int, str, str, float]] = [
        (at_ms, series.probe, series.quantity, number)
        for at_ms, number, bits in zip(columns.at_ms, numbers, columns.quality, strict=True)
        if not bits & LEFT_OUT
    ]
    for lost in reader.conflicts(series, start_ms, end_ms):
        number = values([lost.count], quantity)[0]
        rows.append((lost.at_ms, series.probe, series.quantity, number))
    return rows
