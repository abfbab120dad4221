"""``coldtrail explain ROOM --at T``: why a room's alarms ring or are silent, in a terminal.

Reads the folder's files, so it answers while `up` runs and when it does not.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from zoneinfo import ZoneInfo

from rich.cells import set_cell_size
from rich.console import Console
from rich.text import Text

from api.console.language import Words
from api.explaining import as_json, clock_of, explanation, notes, silences_at
from coldtrail.settings import Installation
from domain.explain import Explanation
from domain.profile import Impossible
from domain.reading import RoomId
from domain.reason import sentence
from store.connect import open_readings
from store.errors import NotReady
from store.facts import open_facts_reader
from store.facts.reader import SqlFactsReader
from store.ports import ReadingReader
from store.records import open_records_reader
from store.records.ports import Silence
from store.records.reader import SqlRecordsReader

ORDER = ("firing", "pending", "paused", "off", "no_data", "calm", "no_input")
STYLES = {"firing": "bold red", "pending": "yellow", "calm": "green"}


class Unanswerable(Exception):
    """What was asked cannot be answered; the text says why."""


@contextmanager
def readers(
    installation: Installation,
) -> Iterator[tuple[SqlRecordsReader, ReadingReader, SqlFactsReader | None]]:
    """Of records, readings and, where there are any yet, facts."""
    server = installation.server
    with contextlib.ExitStack() as stack:
        try:
            records = open_records_reader(server / "records.db")
            stack.callback(records.close)
            readings = open_readings(server / "readings.db", write=False)
            stack.callback(readings.close)
        except NotReady as error:
            raise Unanswerable(str(error)) from error
        facts: SqlFactsReader | None = None
        with contextlib.suppress(NotReady):
            facts = open_facts_reader(server / "facts.db")
            stack.callback(facts.close)
        yield records, readings, facts


def words_of(installation: Installation) -> Callable[[str], Words]:
    zone = ZoneInfo(installation.file.timezone)
    return partial(Words, zone=zone, now_ms=installation.now_ms()())


def explain(
    installation: Installation, room: str, at_ms: int | None, lang: str, *, as_text: bool
) -> None:
    now_ms = installation.now_ms()()
    at_ms = now_ms if at_ms is None else at_ms
    if at_ms > now_ms:
        raise Unanswerable("--at: it has not happened yet")
    with readers(installation) as (records, readings, facts):
        known = {str(one.id): one for one in records.rooms()}
        if room not in known:
            rooms = ", ".join(sorted(known)) or "none yet"
            raise Unanswerable(f"there is no room {room!r}; there are: {rooms}")
        try:
            found = explanation(records, readings, facts, RoomId(room), at_ms)
            silences = silences_at(records, RoomId(room), at_ms)
        except Impossible as error:
            raise Unanswerable(f"the room's rule cannot be: {error}") from error
    words = words_of(installation)
    if found is None:
        raise Unanswerable(f"{room}: {words(lang)('room.no_rule')}")
    if as_text:
        _print(found, words(lang).name(known[room]), words(lang), silences)
    else:
        answer = as_json(found, RoomId(room), words, silences)
        print(json.dumps(answer, ensure_ascii=False, default=list))


def _print(found: Explanation, name: str, words: Words, silences: Sequence[Silence]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    clock = clock_of(words, found.at_ms)
    rule = found.rule
    goods = ", ".join(rule.commodities)
    console.print(
        f"{name}   {words.full(found.at_ms)}   {rule.profile}{f' ({goods})' if goods else ''},"
        f" {words('why.rule_since', time=words.time(rule.from_ms), change=rule.id, interval=words.span(rule.interval_s * 1000))}"
    )
    for note in notes(found, words):
        console.print(note, style="bold yellow", markup=False)
    for status in ORDER:
        standing = set_cell_size(words(f"why.{status}"), 18)
        for one in (state for state in found.rules if state.status == status):
            head = Text(standing, style=STYLES.get(status, "dim"))
            head.append(f"{one.book.id:<20} ", style="bold")
            said = words.known("code", one.code) + words("system.colon")
            said += sentence(one, words.lang, clock)
            for silence in silences:
                if silence.code == one.code:
                    end, by = clock(silence.to_ms), silence.by
                    said += " " + words("why.silenced", by=by, time=end, reason=silence.reason)
            console.print(head + Text(said))
    aside = [sample for sample in found.samples if sample.why_not]
    console.print(words("why.samples_why", n=len(found.samples), aside=len(aside)))
    for sample in aside:
        why = ", ".join(words(f"set_aside.{reason}") for reason in sample.why_not)
        console.print(f"  {clock(sample.at_ms)}  {sample.probe}  {sample.quantity}  {why}")
