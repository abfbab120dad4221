"""Follows the store into InfluxDB, which is the home of what Grafana draws.

The cursor moves only after the server took the lines, so InfluxDB may be down for a week:
the follower goes on where it stood and delays nobody else. Written twice is written once,
because a point is named by its tags and its time.
"""

import logging
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
from sqlalchemy.exc import OperationalError

from disk.room import Full
from domain.quantity import QUANTITIES
from domain.reading import Columns, ProbeId, Quality, Series
from ingest.cursor import Cursor, load, save
from ingest.followed import Followed
from ingest.influx_server import (
    BadLines,
    CannotDelete,
    Influx,
    NoAnswer,
    NoBucket,
    NoRights,
    Unavailable,
    connect,
)
from ingest.line_protocol import ALARM, Prefixes, alarm_line, lines
from ingest.pipeline_points import points
from ingest.placement import UNASSIGNED, Placement, moved, pieces, placement
from ingest.settings import InfluxSettings
from store.engine import may_pass
from store.errors import NotReady
from store.facts_ports import FactsReader, StoredFact
from store.ports import Arrival
from store.system_alarms import Board

log = logging.getLogger(__name__)

POLL_S = 0.5
LONGEST_PAUSE_S = 30.0
ARRIVALS = 200  # a step
ROWS = 100_000  # a step, so that the cursor moves often enough
LINES = 5_000  # a write
LAST_MS = 4_102_444_800_000  # the year 2100; InfluxDB's times end in 2262
HEALTH_MS = 10_000  # between points of the pipeline's own health
ROLE = "influx"
ABOUT = f"part:{ROLE}"
TYPES_MS = 3_600_000  # between looks at the types of fields
SHOWN_MS = 86_400_000  # so long a refused line is shown
LOG_EVERY_S = 60.0
REJECTED_BYTES = 16 << 20  # of lines kept aside
FIELDS = {"value": "float", "suspect": "float", "quality": "integer"}  # as we write them
GAP_MS = 3_600_000  # spans of one series closer than this are read as one


class Follower:
    """``step`` raises ``Unavailable`` when the server, or a file to follow, is not there."""

    def __init__(
        self,
        influx: Influx,
        followed: Followed,
        cursor_path: Path,
        rejected_path: Path,
        now_ms: Callable[[], int],
    ) -> None:
        self._influx = influx
        self._readings = followed.readings
        self._records = followed.records
        self._followed = followed
        self._cursor_path = cursor_path
        self._rejected_path = rejected_path
        self._now_ms = now_ms
        self._prefixes = Prefixes()
        self._prepared = False
        self._next_types_ms = 0
        self._refused = self._outside = 0  # since the cursor moved last
        self._log_at_s = 0.0
        self.refusal = ""  # the last line that was refused, and why; whoever shows it empties it
        self.other_types: dict[str, str] = {}  # measurement and field to the types it has
        self._next_health_ms = 0
        self._cursor = load(cursor_path)
        older = self._cursor.n > self._readings.last_arrival()  # put back from a copy
        if older or self._cursor.store != self._readings.store_id:  # everything again
            self._cursor = Cursor(store=self._readings.store_id)

    def step(self) -> bool:
        """One round; False when there was nothing to do."""
        if not self._prepared:
            self._influx.prepare()
            self._prepared = True
            self._next_types_ms = 0
        self._look_at_types()
        worked = self._follow_records()
        worked = self._follow_readings() or worked
        worked = self._follow_facts() or worked
        self._tell_health()
        return worked

    def close(self) -> None:
        self._influx.close()

    def shown_types(self) -> dict[str, str]:
        if not self.other_types:
            return {}
        return {ABOUT: "; ".join(f"{name}: {types}" for name, types in self.other_types.items())}

    def use(self, influx: Influx) -> None:
        """Another connection, with the token of now."""
        self._influx.close()
        self._influx = influx
        self._prepared = False

    def begin_again(self) -> None:
        """The bucket is gone: whoever makes it anew makes it empty."""
        self._prepared = False
        log.warning("InfluxDB has lost what it had: everything is written again")
        self._move(n=0, m=-1, facts_seq=0, placement={})

    def _look_at_types(self) -> None:
        """Field types are per shard: one that somebody else wrote with another type makes queries
        leave out readings without a word."""
        now_ms = self._now_ms()
        if now_ms < self._next_types_ms:
            return
        self._next_types_ms = now_ms + TYPES_MS
        try:
            measurements = self._influx.query("SHOW FIELD KEYS")
        except NoAnswer:
            return  # it knows no InfluxQL
        self.other_types = other_types(measurements)

    # -- where probes are -----------------------------------------------------------------

    def _follow_records(self) -> bool:
        if self._records is None:
            return False
        m = self._records.last_change()
        if m == self._cursor.m:
            return False
        now = placement(self._records.assignments(), self._records.rooms())
        if self._cursor.n:
            for probe, from_ms, to_ms in moved(self._cursor.placement, now):
                self._rewrite(ProbeId(probe), from_ms, to_ms, now)
        self._move(m=m, placement=now)
        return True

    def _rewrite(self, probe: ProbeId, from_ms: int, to_ms: int, now: Placement) -> None:
        log.info("points move to another room", extra={"probe": probe, "from_ms": from_ms})
        for series in self._readings.series():
            if series.probe == probe:
                self.rewrite_span(series, from_ms, to_ms, now)

    # -- readings -------------------------------------------------------------------------

    def _follow_readings(self) -> bool:
        arrivals = _first_rows(self._readings.arrivals(self._cursor.n, ARRIVALS), ROWS)
        if not arrivals:
            return False

        def all_lines() -> Iterator[str]:
            for series, spans in coalesced(arrivals).items():
                for first_ms, last_ms in spans:
                    yield from self._span_lines(
                        series, first_ms, last_ms + 1, self._cursor.placement
                    )

        self._write(all_lines())
        self._move(n=arrivals[-1].n)
        return True

    def _span_lines(
        self, series: Series, from_ms: int, to_ms: int, placed: Placement
    ) -> Iterator[str]:
        """Each reading of the span with its tags, a page of the store at a time."""
        while True:
            page = self._readings.between(series, from_ms, to_ms, LINES)
            if not len(page):
                return
            first_ms, last_ms = page.at_ms[0], page.at_ms[-1]
            if any(bits & Quality.CONFLICT for bits in page.quality):
                # Some of these may have been written as values before they were contradicted.
                self._delete(series.quantity, {"probe": series.probe}, first_ms, last_ms)
            for stay in pieces(placed.get(series.probe, []), first_ms, last_ms + 1):
                prefix = self._prefixes.of(series, stay.room, stay.site)
                yield from lines(prefix, series.quantity, _cut(page, stay.from_ms, stay.to_ms))
            from_ms = last_ms + 1

    # -- facts ----------------------------------------------------------------------------

    def _follow_facts(self) -> bool:
        facts = self._followed.facts()
        if facts is None:
            return False
        versions = facts.versions_after(self._cursor.facts_seq)
        if not versions:
            self._notice_rebuilt(facts)
            return False
        sites = self._sites()
        found = []
        for fact in {fact.id: fact for fact in versions}.values():  # each one's newest
            if fact.version > 1:
                self._forget_earlier(facts.fact(fact.id), fact.version)
            if not fact.withdrawn:
                found.append(alarm_line(fact, sites.get(fact.room, UNASSIGNED)))
        self._write(found)
        self._move(facts_seq=versions[-1].seq)
        return True

    def _notice_rebuilt(self, facts: FactsReader) -> None:
        """Facts are derived and may be made again: their journal then ends before our cursor."""
        seq = self._cursor.facts_seq
        if seq and not facts.versions_after(seq - 1, 1):
            self._delete(ALARM, {}, 0, LAST_MS)
            self._move(facts_seq=0)

    def _forget_earlier(self, versions: Sequence[StoredFact], newest: int) -> None:
        """Remove the points of versions that said something else of when, or how bad."""
        for old in versions:
            if old.version < newest:
                self._delete(
                    ALARM,
                    {"room": old.room, "code": old.code, "level": old.level},
                    old.fired_at_ms,
                    old.fired_at_ms,
                )

    def _sites(self) -> dict[str, str]:
        if self._records is None:
            return {}
        return {room.id: room.site for room in self._records.rooms()}

    # -- the pipeline itself --------------------------------------------------------------

    def _tell_health(self) -> None:
        now_ms = self._now_ms()
        if self._next_health_ms - HEALTH_MS <= now_ms < self._next_health_ms:
            return  # a clock that was put back stands before both
        self._next_health_ms = now_ms + HEALTH_MS
        last = self._readings.last_arrival()
        behind = {"influx": last - self._cursor.n}
        if (facts := self._followed.facts()) is not None:
            behind["alerts"] = max(last - facts.cursor()[0], 0)
        self._write(points(self._readings.totals(), behind, self._readings.statuses(), now_ms))

    # -- out ------------------------------------------------------------------------------

    def rewrite_span(self, series: Series, from_ms: int, to_ms: int, placed: Placement) -> None:
        """Make the span in InfluxDB what the store has."""
        self._delete(series.quantity, {"probe": series.probe}, from_ms, to_ms - 1)
        self._write(self._span_lines(series, from_ms, to_ms, placed))

    def _write(self, found: Iterator[str] | Sequence[str]) -> None:
        waiting: list[str] = []
        for line in found:
            waiting.append(line)
            if len(waiting) >= LINES:
                self._land(waiting)
                waiting = []
        if waiting:
            self._land(waiting)

    def _land(self, batch: list[str]) -> None:
        """Good lines land; a line that the server will not take is kept aside, and one that is
        older than it keeps is counted."""
        try:
            self._influx.write(batch)
        except BadLines as error:
            answer = error.answer
            if answer.outside and (answer.dropped or len(batch) == 1):
                self._outside += answer.dropped or 1
            elif answer.lines:
                self._reject([batch[i] for i in answer.lines if i < len(batch)], answer.said)
            elif len(batch) == max(answer.dropped, 1):
                self._reject(batch, answer.said)
            else:
                half = len(batch) // 2
                self._land(batch[:half])
                self._land(batch[half:])

    def _reject(self, lines: Sequence[str], reason: str) -> None:
        if monotonic() >= self._log_at_s:
            self._log_at_s = monotonic() + LOG_EVERY_S
            log.warning(
                "InfluxDB refused a line",
                extra={"line": lines[0][:300], "lines": len(lines), "reason": reason},
            )
        self._refused += len(lines)
        self.refusal = f"{lines[0][:100]}: {reason}"
        at_ms = self._now_ms()
        with _on_disk(), self._rejected_path.open("ab") as file:
            for line in lines:
                if file.tell() >= REJECTED_BYTES:
                    break  # counted all the same
                entry = {"at_ms": at_ms, "line": line, "reason": reason}
                file.write(msgspec.json.encode(entry) + b"\n")

    def _delete(self, measurement: str, tags: dict[str, str], first_ms: int, last_ms: int) -> None:
        tags = {key: value or UNASSIGNED for key, value in tags.items()}
        try:
            self._influx.delete(measurement, tags, max(first_ms, 0), min(last_ms, LAST_MS))
        except CannotDelete as error:
            log.warning(
                "points under their former tags stay",
                extra={"measurement": measurement, "tags": tags, "reason": str(error)},
            )

    def _move(self, **changes: Any) -> None:
        """Only after what it stands for has landed."""
        moved = msgspec.structs.replace(
            self._cursor,
            refused=self._cursor.refused + self._refused,
            outside=self._cursor.outside + self._outside,
            **changes,
        )
        with _on_disk():
            save(self._cursor_path, moved)
        self._cursor = moved
        self._refused = self._outside = 0


@contextmanager
def _on_disk() -> Iterator[None]:
    """Our own disk is short: later, then; the cursor stays."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"nothing can be written down here: {error}") from error


def other_types(measurements: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Fields of our measurements that have, in some shard, a type that we never write."""
    found: dict[str, set[str]] = {}
    for one in measurements:
        for field, type_ in one["values"] if one["name"] in QUANTITIES else ():
            found.setdefault(f"{one['name']}.{field}", set()).add(type_)
    return {
        name: ", ".join(sorted(types))
        for name, types in found.items()
        if types - {FIELDS.get(name.partition(".")[2], "")} and name.partition(".")[2] in FIELDS
    }


def _first_rows(arrivals: list[Arrival], rows: int) -> list[Arrival]:
    """The arrivals up to the one that brings the rows to this number; at least one."""
    for at, arrival in enumerate(arrivals, 1):
        rows -= sum(span.rows for span in arrival.spans)
        if rows <= 0:
            return arrivals[:at]
    return arrivals


def coalesced(arrivals: Sequence[Arrival]) -> dict[Series, list[tuple[int, int]]]:
    """What to read again, by series: spans (both ends inside) that lie near each other as one."""
    spans: dict[Series, list[tuple[int, int]]] = {}
    for arrival in arrivals:
        for span in arrival.spans:
            spans.setdefault(span.series, []).append((span.first_ms, span.last_ms))
    for found in spans.values():
        found.sort()
        merged = found[:1]
        for first_ms, last_ms in found[1:]:
            if first_ms <= merged[-1][1] + GAP_MS:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last_ms))
            else:
                merged.append((first_ms, last_ms))
        found[:] = merged
    return spans


def _cut(columns: Columns, from_ms: int, to_ms: int) -> Columns:
    at_ms = columns.at_ms
    if from_ms <= at_ms[0] and at_ms[-1] < to_ms:
        return columns
    first, last = bisect_left(at_ms, from_ms), bisect_left(at_ms, to_ms)
    return Columns(at_ms[first:last], columns.count[first:last], columns.quality[first:last])


def run(settings: InfluxSettings, *, now_ms: Callable[[], int], stop: threading.Event) -> None:
    """Until ``stop`` is set; without a URL it has nothing to do but wait. What it follows may be
    held by somebody, or its disk be full: then all is let go of, and opened anew."""
    if not settings.url:
        stop.wait()
        return
    board = Board(settings.system_path, ROLE, now_ms)
    while not stop.is_set():
        try:
            with Followed(settings) as followed:
                board.say("PART_WAITS", ABOUT, on=False)
                with closing(follower(settings, connect(settings), followed, now_ms)) as one:
                    follow(one, stop, board, lambda: connect(settings))
        except (NotReady, Full) as error:
            _wait(str(error), board, stop)
        except OperationalError as error:
            if not may_pass(error.orig):
                raise
            _wait(str(error.orig), board, stop)


def _wait(why: str, board: Board, stop: threading.Event) -> None:
    log.info("waiting for a file", extra={"reason": why})
    board.say("PART_WAITS", ABOUT, on=True, detail=why)
    stop.wait(POLL_S)


WHY: Mapping[type[Unavailable], str] = {NoRights: "INFLUX_TOKEN", NoBucket: "INFLUX_BUCKET"}
WHYS = ("INFLUX_TOKEN", "INFLUX_BUCKET", "INFLUX_AWAY")


def follow(
    following: Follower, stop: threading.Event, board: Board, renew: Callable[[], Influx]
) -> None:
    """Until ``stop``. ``renew`` reads the token's file again."""
    failures = 0
    while not stop.is_set():
        try:
            worked = following.step()
        except Unavailable as error:
            failures += 1
            why = WHY.get(type(error), "INFLUX_AWAY")
            for code in WHYS:
                board.say(code, ABOUT, on=code == why, detail=str(error))
            pause_s = min(LONGEST_PAUSE_S, POLL_S * 2**failures)
            log.warning(
                "InfluxDB unavailable",
                extra={"failures": failures, "retry_in_s": pause_s, "reason": str(error)},
            )
            stop.wait(pause_s)
            if isinstance(error, NoRights):
                following.use(renew())
            elif isinstance(error, NoBucket):
                following.begin_again()
        else:
            failures = 0
            for code in WHYS:
                board.say(code, ABOUT, on=False)
            board.keep("INFLUX_TYPES", following.shown_types())
            if following.refusal:
                board.say(
                    "INFLUX_REFUSED", ABOUT, on=True, detail=following.refusal, for_ms=SHOWN_MS
                )
                following.refusal = ""
            if not worked:
                stop.wait(POLL_S)


def follower(
    settings: InfluxSettings, influx: Influx, followed: Followed, now_ms: Callable[[], int]
) -> Follower:
    cursor_path = Path(settings.cursor_path)
    rejected = settings.rejected_path or str(cursor_path.with_suffix(".rejected.jsonl"))
    return Follower(influx, followed, cursor_path, Path(rejected), now_ms)
