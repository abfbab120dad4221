"""By which channels a person is tried, and in which order.

A notice asks for a text or a call. A person may name channels in an order of their own; without
one, those of the settings stand in theirs. What was asked for comes first; the other kind of
channel follows only for a critical alarm that nobody has heard of yet: a call in place of a text
that cannot be sent, a text in place of a call.

Whoever answered the carrier's word has unsubscribed from our messages to their number, and from
nothing else: apps and calls remain, calls for what is critical.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.profile import level
from domain.system_alarm import kinds

SMS, TEXT, VOICE = "sms", "text", "voice"
CARRIES = (SMS, TEXT, VOICE)
SILENT_CHANNEL = "SILENT_CHANNEL"
PRESSING = frozenset({"raise", "escalate", "repeat"})


def of_system(codes: Iterable[str]) -> bool:
    """An alarm of the system itself, no room's."""
    return any(code in kinds() for code in codes)


def _critical(code: str) -> bool:
    own = kinds().get(code)
    return (own.level if own else level(code)) == "critical"


@dataclass(frozen=True, slots=True)
class Way:
    """``carries``: a message to a phone number, words to an app, or a call. ``by_default``: also
    for people who name no channels of their own."""

    carries: str  # of CARRIES
    by_default: bool = True


@dataclass(frozen=True, slots=True)
class Routes:
    """``ways`` by name, in the order of the settings; at least one."""

    ways: Mapping[str, Way]

    def of(
        self,
        asked: str,
        kind: str,
        codes: Iterable[str],
        own: Sequence[str],
        *,
        unsubscribed: bool = False,
    ) -> list[str]:
        """``asked``: sms or voice. ``own``: the person's channels; unknown names count for
        nothing. Empty only for somebody who unsubscribed."""
        order = self.beyond_sms(own) if unsubscribed else self._order(own)
        called = asked == "voice"
        first = [name for name in order if (self.ways[name].carries == VOICE) == called]
        others = [name for name in order if name not in first]
        critical = any(_critical(code) for code in codes)
        pressing = kind in PRESSING and critical
        if pressing or not (first or unsubscribed):
            return first + others
        return first

    def beyond_sms(self, own: Sequence[str]) -> list[str]:
        """What is left to somebody who unsubscribed. Who named only messages gets the rest of
        the common ways rather than nothing."""
        common = [name for name, way in self.ways.items() if way.by_default]
        for order in (self._order(own), common):
            if left := [name for name in order if self.ways[name].carries != SMS]:
                return left
        return []

    def _order(self, own: Sequence[str]) -> list[str]:
        named = [name for name in own if name in self.ways]
        order = named or [name for name, way in self.ways.items() if way.by_default]
        return order or list(self.ways)

    def without(self, name: str) -> "Routes":
        return Routes({other: way for other, way in self.ways.items() if other != name})

    def after(self, via: str, route: Sequence[str], shut: Iterable[str]) -> str:
        """The one to try next, the first again after the last; "" when every other is shut."""
        shut = {*shut, via}
        at = route.index(via) if via in route else -1
        turned = [*route[at + 1 :], *route[: max(at, 0)]]
        return next((name for name in turned if name not in shut), "")


ONE = Routes({"sms": Way(SMS)})
