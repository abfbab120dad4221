"""Texts to WeCom, DingTalk, Feishu, e-mail and a hundred more, through Apprise.

The addresses hold tokens, so they stand in the secret file, one a line, as Apprise writes them
(``wecombot://…``, ``dingtalk://…``, ``feishu://…``, ``mailtos://…``). They are a group's or a
mailbox's own: every message goes to all of them, whoever it is for. Apprise honours no keys and
says only whether each address took it.
"""

import threading

from channels.ports import Outgoing, Sent, TryLater


class AppriseChannel:
    """See ``channels.ports.Channel``. ``ValueError`` for an address that Apprise does not know."""

    def __init__(self, addresses: list[str]) -> None:
        from apprise import Apprise, AppriseAsset  # extra `channels`

        self._addresses = []
        for number, address in enumerate(addresses, 1):
            one = Apprise(asset=AppriseAsset(app_id="Coldtrail", async_mode=False))
            if not one.add(address):  # it holds a token: only its place is said
                raise ValueError(f"Apprise does not know the address in line {number}")
            self._addresses.append(one)
        if not self._addresses:
            raise ValueError("the file for Apprise holds no address")
        self._lock = threading.Lock()
        self._took: dict[str, set[int]] = {}  # by key, of messages that some did not take

    def send(self, message: Outgoing) -> Sent:
        """Once each address has it: one that took it is not asked again with the same key."""
        with self._lock:
            took = self._took.setdefault(message.key, set())
            for place, address in enumerate(self._addresses):
                if place not in took and address.notify(body=message.text):
                    took.add(place)
            missing = len(self._addresses) - len(took)
            if missing:
                raise TryLater(f"{missing} of {len(self._addresses)} addresses did not take it")
            del self._took[message.key]
        return Sent(f"apprise:{message.key}")

    def close(self) -> None:
        """Nothing to end."""
