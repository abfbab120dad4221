"""What every answer may need: the stores, the clock. ``api.asked`` gives it to a request."""

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from api.pauses import Pauses
from api.registry import Registrar, Registry
from api.sessions import Gate
from api.settings import Settings
from api.sources import Sources
from store.records.ports import Records


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    now_ms: Callable[[], int]
    sources: Sources
    registrar: Registrar
    gate: Gate
    pauses: Pauses
    zone: ZoneInfo

    @property
    def records(self) -> Records:
        return self.sources.records

    def registry(self) -> Registry:
        return self.registrar.now()

    def base_url(self, called: object) -> str:
        """What others reach us by: as configured, else as this caller did (``Request.base_url``)."""
        return self.settings.base_url or str(called).rstrip("/")
