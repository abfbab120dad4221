"""A sign of life each minute, for a watch outside: it stops when readings are judged no more."""

import logging
import threading
import time
import urllib.request

log = logging.getLogger(__name__)

EVERY_S = 60.0
ANSWER_S = 10.0
STALE_S = 60.0  # longer without a round of judging, and there is no beat


class Heartbeat:
    """No ``url``: nothing is asked. A watch that does not answer delays nobody."""

    def __init__(self, url: str, every_s: float = EVERY_S) -> None:
        self._url, self._every_s = url, every_s
        self._judged_s = time.monotonic()
        self.skipped = 0  # beats that were due and not sent, because nothing was judged
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        if url:
            self._thread.start()

    def judged(self) -> None:
        """A round of judging has ended."""
        self._judged_s = time.monotonic()

    def close(self) -> None:
        self._closing.set()

    def _beat(self) -> None:
        while not self._closing.is_set():
            if time.monotonic() - self._judged_s >= STALE_S:
                self.skipped += 1
            else:
                try:
                    with urllib.request.urlopen(self._url, timeout=ANSWER_S):  # noqa: S310 - the operator's own setting
                        pass
                except OSError as error:
                    log.warning("the heartbeat was not taken", extra={"error": str(error)})
            self._closing.wait(self._every_s)
