"""The alerts role with a clock in the hand, over a house with people on a ladder."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from alerts.engine import Engine
from alerts.gateway_events import GatewayEvents
from alerts.notices import Notifier
from alerts.routes import ONE, Routes
from alerts.sending import Sender
from store.facts import open_facts
from store.notices import open_notices
from tests.support.alert_house import MINUTE_MS, NOON_MS, House
from tests.support.people import Phones

OPERATOR, SECOND, TOWNSHIP = "+8613800000001", "+8613800000002", "+8613800000003"


class Watch:
    """The alerts role with a clock in the hand; ``with`` is one life of its process."""

    def __init__(
        self,
        house: House,
        phones: Phones,
        now_ms: int,
        tell_from_ms: int | None = None,
        routes: Routes = ONE,
    ) -> None:
        self.house, self.phones, self.now_ms, self._routes = house, phones, now_ms, routes
        self._tell_from_ms = tell_from_ms
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        house, enter = self.house, self._stack.enter_context
        self.facts = enter(closing(open_facts(house.path("facts.db"))))
        self.store = enter(closing(open_notices(house.path("notices.db"))))
        self.engine = Engine(house.readings, house.records, self.facts)
        while self.engine.behind():
            self.engine.follow(self.now_ms)
        self.gateways = GatewayEvents(house.readings, self.store)
        self.notifier = Notifier(
            self.engine, house.records, self.facts, self.store, self.now_ms, self._tell_from_ms,
            self.gateways, self._routes,
        )  # fmt: skip
        self.sender = Sender(
            self.store, self.facts, self.notifier.rosters, self.notifier.places,
            lambda: self.now_ms, self._routes,
        )  # fmt: skip
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._stack.close()

    def decide(self) -> None:
        judged = self.engine.follow(self.now_ms)
        self.gateways.take()
        self.notifier.read_replies(self.now_ms)
        self.notifier.turn(self.now_ms, judged)

    def turn(self) -> None:
        self.decide()
        while self.sender.send_due(self.phones):
            pass

    def until(self, end_ms: int) -> None:
        """A turn a minute."""
        while self.now_ms < end_ms:
            self.now_ms += MINUTE_MS
            self.turn()

    def warm(self, minutes: int, celsius: float = 8.0) -> None:
        """A reading every five minutes, each judged as it comes."""
        end_ms = self.now_ms + minutes * MINUTE_MS
        while self.now_ms < end_ms:
            self.house.arrive([(self.now_ms, celsius)], at_ms=self.now_ms)
            self.turn()
            self.until(self.now_ms + 5 * MINUTE_MS)

    def reply(self, text: str, phone: str = OPERATOR, id: str = "r-1") -> None:
        self.store.keep_reply(id, phone, text, self.now_ms)
        self.turn()


def staffed(house: House) -> None:
    house.room("r1", "mqtt:g1:p1")
    house.person("op", "operator", OPERATOR)
    house.person("second", "second", SECOND)
    house.person("town", "township", TOWNSHIP)


@contextmanager
def watched(folder: Path, phones: Phones | None = None, from_ms: int = NOON_MS) -> Iterator[Watch]:
    """A staffed house, watched from then on."""
    with House(folder) as house:
        staffed(house)
        with Watch(house, phones or Phones(), from_ms) as watch:
            yield watch
