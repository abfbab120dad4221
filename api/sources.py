"""The stores that pages and answers are made from, each of which may not be there yet.

The api owns ``records.db``. The others are made by other roles, so a part is opened when it
is first asked for, and again when the last attempt failed. Whoever asks says what to do
without it: an answer of the API ends with 503, a page says "not ready" in that place.
"""

import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import store.connect
import store.facts
import store.notices
import traceability.reader
from api.problems import NotReadyYet
from api.settings import Settings
from store import words
from store.errors import NotReady
from store.facts import SqlFactsReader
from store.notices import SqlNoticesReader
from store.ports import ReadingReader
from store.records.ports import NamedAlarm, Records
from traceability.reader import TraceReader

RETRY_S = 0.5  # a missing file is looked for this often at most


class Closable(Protocol):
    def close(self) -> None: ...


Reader = TypeVar("Reader", bound=Closable)
Answer = TypeVar("Answer")


class Part(Generic[Reader]):
    """One store of another role."""

    def __init__(self, name: str, open_reader: Callable[[], Reader]) -> None:
        self.name = name
        self.why_not = "not looked for yet"
        self._open = open_reader
        self._reader: Reader | None = None
        self._next_try_s = 0.0

    def get(self) -> Reader | None:
        if self._reader is None and time.monotonic() >= self._next_try_s:
            self._next_try_s = time.monotonic() + RETRY_S
            try:
                self._reader = self._open()
            except NotReady as error:
                self.why_not = str(error)
        return self._reader

    def need(self) -> Reader:
        """The reader, or the answer 503."""
        reader = self.get()
        if reader is None:
            raise NotReadyYet(self.name)
        return reader

    def ask(self, question: Callable[[Reader], Answer]) -> Answer | None:
        """The answer; None when the part is not there (yet, or any more)."""
        reader = self.get()
        if reader is None:
            return None
        try:
            return question(reader)
        except NotReady as error:
            self.why_not = str(error)
            self.close()
            return None

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


class Sources:
    """``records`` is written here and is always there; the rest are parts."""

    def __init__(self, settings: Settings, records: Records) -> None:
        self.records = records
        self.readings: Part[ReadingReader] = Part(
            "readings", lambda: store.connect.open_readings(settings.readings_path, write=False)
        )
        self.facts: Part[SqlFactsReader] = Part(
            "facts", lambda: self._open_facts(settings.facts_path)
        )
        self.notices: Part[SqlNoticesReader] = Part(
            "notices", lambda: store.notices.open_notices_reader(settings.notices_path)
        )
        self.trace: Part[TraceReader] = Part(
            "trace", lambda: traceability.reader.open_trace_reader(settings.trace_path)
        )

    def _open_facts(self, path: str) -> SqlFactsReader:
        reader = store.facts.open_facts_reader(path)

        def find(id: str) -> NamedAlarm | None:
            versions = reader.fact(id)
            return words.named(versions[-1], versions[-1].fired_at_ms) if versions else None

        self.records.settle_cases(find)
        return reader

    def missing(self) -> dict[str, str]:
        """Parts that are not there, with the reason."""
        parts: tuple[Part[Closable], ...] = (self.readings, self.facts, self.notices, self.trace)  # type: ignore[assignment] # read only: a part of a reader is a part of something closable
        return {part.name: part.why_not for part in parts if part.get() is None}

    def close(self) -> None:
        for part in (self.readings, self.facts, self.notices, self.trace):
            part.close()
