"""How a person is reached, whatever carries the words.

A channel is given callbacks when it is made. They are called on the channel's own thread,
and what they returned from counts as kept: only then is the carrier told that the reply or
receipt arrived. A callback that cannot keep it now raises ``TryLater`` and gets it again.
A callback does not call ``send``: the answer would have to come in on the same thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from domain.template import Filled


@dataclass(frozen=True, slots=True)
class Outgoing:
    """``key`` names the sending for ever: the same key sent twice reaches the person once,
    where the carrier honours keys. ``to_phone`` is E.164 (+8613800000001). ``filled``: the same
    as ``text``, for carriers that send approved templates only."""

    key: str
    to_phone: str
    text: str
    kind: str  # raise | escalate | repeat | clear | past | corrected | digest | answer | test
    filled: Filled | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The carrier has it. ``provider_id`` is what its receipts will name."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A text from a person. ``provider_id`` is the same when the carrier delivers it again."""

    provider_id: str
    from_phone: str
    text: str
    at_ms: int


OnReply = Callable[[Reply], None]
OnReceipt = Callable[[str, str], None]
"""(provider_id, state): state is delivered, failed or waiting."""


class Refused(Exception):
    """Nobody was told, and this carrier will never tell this: wrong number, no such template."""


class TryLater(Exception):
    """Nobody is known to have been told yet: no link, throttled, no answer in time."""


class Shut(TryLater):
    """The carrier takes nothing until somebody acts: no credit, a wrong key. Another way is
    better at once; this one is tried again when there is none."""


@dataclass(frozen=True, slots=True)
class Codes:
    """How a provider's codes begin that shut it, or refuse the message for ever; ``not_now`` are
    exceptions from the second. Any other may go better later."""

    shut: tuple[str, ...]
    refused: tuple[str, ...]
    not_now: tuple[str, ...]

    def outcome(self, code: str, message: str) -> Refused | TryLater:
        """What the adapter raises for it."""
        why = f"{code}: {message}"[:300]
        if code.startswith(self.shut):
            return Shut(why)
        if code.startswith(self.refused) and not code.startswith(self.not_now):
            return Refused(why)
        return TryLater(why)


@runtime_checkable
class Hears(Protocol):
    """A channel whose provider pushes replies and receipts over HTTP, besides ``Channel``."""

    def heard(self, body: bytes) -> bytes:
        """What to answer with 200, once the callbacks have returned. ``ValueError`` for a body
        that is not the provider's; ``TryLater`` when it cannot be kept now."""
        ...


@runtime_checkable
class Answers(Protocol):
    """A channel whose carrier can be asked at no cost whether it works, besides ``Channel``."""

    def alive(self) -> None:
        """Raises ``TryLater`` when it does not."""
        ...


class Channel(Protocol):
    """- ``send`` returns once the carrier has the message, or raises ``Refused`` or ``TryLater``.
    - It never waits longer than its time-out and never retries: the caller does, with the same key.
    - Several threads may call it.
    """

    def send(self, message: Outgoing) -> Sent: ...

    def close(self) -> None:
        """Ends the channel's thread; later sends raise ``TryLater``."""
        ...
