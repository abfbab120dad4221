"""A carrier and its phones, in memory: what was sent to whom, in the order in which it came."""

from collections.abc import Iterable

from channels.ports import Outgoing, Sent, TryLater


class Phones:
    """Honours keys, as an SMS centre does: the same key reaches a phone once. ``outages``: so
    many sends fail first. ``deaf_after``: the answer to every send from then on is lost."""

    def __init__(self, outages: int = 0) -> None:
        self.outages = outages
        self.answers_lost = 0
        self.messages: dict[str, Outgoing] = {}
        self.sends = 0

    def send(self, message: Outgoing) -> Sent:
        self.sends += 1
        if self.outages:
            self.outages -= 1
            raise TryLater("no link")
        self.messages.setdefault(message.key, message)
        if self.answers_lost:
            self.answers_lost -= 1
            raise TryLater("no answer in time")
        return Sent(f"id-{message.key}")

    def close(self) -> None:
        pass

    def said(self) -> list[tuple[str, str]]:
        """(phone's last digit, kind) in order."""
        return [(m.to_phone[-1], m.kind) for m in self.messages.values()]

    def texts(self) -> Iterable[str]:
        return [m.text for m in self.messages.values()]
