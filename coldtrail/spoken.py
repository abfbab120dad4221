"""What a command says into the records: through the api while it runs, into the file otherwise.

One process at a time holds the records' lock. While `up` runs that is the api, which also checks
and audits; when it does not, the command takes the lock itself.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import Protocol
from urllib.parse import quote

from coldtrail.settings import Installation
from domain.reading import RoomId, SiteId
from store.records import AlreadyOpen, Refused, open_records
from store.records.ports import DrillPlan, Records

BY = "admin"
ANSWER_S = 10.0


class Unsaid(Exception):
    """It was not recorded; the text says why."""


class Speaks(Protocol):
    """Raises ``Unsaid`` for what cannot be, and when nobody could be asked."""

    def silence(self, id: str, room: str, code: str, reason: str, hours: int) -> None: ...
    def end_silence(self, id: str) -> None: ...
    def start_drill(self, id: str, site: str) -> None: ...
    def put_drill_plan(self, plan: DrillPlan | None) -> None: ...


@contextmanager
def records(installation: Installation) -> Iterator[Speaks]:
    try:
        own = open_records(installation.server / "records.db")
    except AlreadyOpen:
        token = (installation.keys / "admin.token").read_text().strip()
        yield ByApi(f"{installation.api_url}/api/v1", token)
        return
    with closing(own):
        yield ByHand(own, installation.now_ms())


@dataclass(frozen=True, slots=True)
class ByHand:
    """Nobody else has the records open."""

    own: Records
    now_ms: Callable[[], int]

    def silence(self, id: str, room: str, code: str, reason: str, hours: int) -> None:
        self._say(self.own.silence, id, RoomId(room), code, reason, hours)

    def end_silence(self, id: str) -> None:
        self._say(self.own.end_silence, id)

    def start_drill(self, id: str, site: str) -> None:
        self._say(self.own.start_drill, id, SiteId(site))

    def put_drill_plan(self, plan: DrillPlan | None) -> None:
        self._say(self.own.put_drill_plan, plan)

    def _say(self, how: Callable[..., object], *said: object) -> None:
        try:
            how(*said, by=BY, now_ms=self.now_ms())
        except Refused as error:
            raise Unsaid(str(error)) from error


@dataclass(frozen=True, slots=True)
class ByApi:
    url: str
    token: str

    def silence(self, id: str, room: str, code: str, reason: str, hours: int) -> None:
        said = {"id": id, "room": room, "code": code, "reason": reason, "hours": hours}
        self._ask("POST", "silences", said)

    def end_silence(self, id: str) -> None:
        self._ask("DELETE", f"silences/{quote(id, safe='')}")

    def start_drill(self, id: str, site: str) -> None:
        self._ask("POST", "drills", {"id": id, "site": site})

    def put_drill_plan(self, plan: DrillPlan | None) -> None:
        if plan is None:
            self._ask("DELETE", "drill-plan")
        else:
            self._ask("PUT", "drill-plan", asdict(plan))

    def _ask(self, method: str, path: str, said: Mapping[str, object] | None = None) -> None:
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.url}/{path}",
            data=None if said is None else json.dumps(said).encode(),
            headers={
                "Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
            },
            method=method,
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S):  # noqa: S310 - our own address
                pass
        except urllib.error.HTTPError as error:
            with closing(error):
                raise Unsaid(_why(error)) from error
        except OSError as error:
            raise Unsaid(f"the api has the records and does not answer: {error}") from error


def _why(error: urllib.error.HTTPError) -> str:
    try:
        problem = json.loads(error.read())
        field = f"{problem['field']}: " if problem.get("field") else ""
        return f"{field}{problem.get('detail') or problem['title']}"
    except (ValueError, KeyError, TypeError):
        return f"the api answered {error.code}"
