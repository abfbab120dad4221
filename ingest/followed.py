"""The files that the InfluxDB follower reads, opened as soon as they are there."""

import logging
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from ingest.settings import InfluxSettings
from store.connect import open_readings
from store.errors import NotReady
from store.facts import SqlFactsReader, open_facts_reader
from store.ports import ReadingReader
from store.records import SqlRecordsReader, open_records_reader

log = logging.getLogger(__name__)


class Followed:
    """Readings and records must be there (``NotReady``); facts may come later: they belong to
    alerts, and readings do not wait for it."""

    readings: ReadingReader
    records: SqlRecordsReader | None = None

    def __init__(self, settings: InfluxSettings) -> None:
        self._opened = ExitStack()
        self._facts_path = settings.facts_path
        self._facts: SqlFactsReader | None = None
        with ExitStack() as opening:
            self.readings = open_readings(settings.readings_path, write=False)
            opening.callback(self.readings.close)
            if settings.records_path:
                self.records = open_records_reader(settings.records_path)
                opening.callback(self.records.close)
            self._opened = opening.pop_all()

    def facts(self) -> SqlFactsReader | None:
        if self._facts is None and self._facts_path:
            try:
                self._facts = open_facts_reader(self._facts_path)
            except NotReady:
                return None
            self._opened.callback(self._facts.close)
        return self._facts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._opened.close()
