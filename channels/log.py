"""Texts into the log of the process: for a room that has nobody to ring yet."""

import logging

from channels.ports import Outgoing, Sent

log = logging.getLogger(__name__)


class LogChannel:
    """Never fails, never answers."""

    def send(self, message: Outgoing) -> Sent:
        log.info(
            "message",
            extra={
                "key": message.key,
                "to": message.to_phone,
                "kind": message.kind,
                "text": message.text,
            },
        )
        return Sent(f"log:{message.key}")

    def alive(self) -> None:
        """The process's log is always there."""

    def close(self) -> None:
        """Nothing to end."""
