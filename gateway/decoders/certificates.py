"""What devices said at their birth, as the decoder of later messages needs it.

A node says it once and then calls its metrics by number, for weeks. So the certificates are
kept on disk in the commit that acknowledges them, and read again at the next start.
"""

import logging
from collections.abc import Iterator, Mapping

from gateway.decoders import sparkplug
from gateway.decoders.sparkplug import Born

log = logging.getLogger(__name__)

MAX_CERTIFICATE = 1 << 17
MAX_SOURCES = 500
MAX_ALIASES = 50_000  # of all together: some 10 MB


class Certificates(Mapping[str, Mapping[int, Born]]):
    """By who speaks. Bounded: what is beyond is not remembered, and said."""

    def __init__(self, kept: Mapping[str, bytes]) -> None:
        self._born: dict[str, dict[int, Born]] = {}
        self._aliases = 0
        for topic, payload in kept.items():
            self.learn(topic, payload)

    def learn(self, topic: str, payload: bytes) -> bool:
        """True when the message is a certificate that says something new."""
        certificate = sparkplug.birth(topic, payload)
        if certificate is None or not certificate[1]:
            return False
        source, born = certificate
        before = self._born.get(source)
        if before == born:
            return False
        aliases = self._aliases - len(before or ()) + len(born)
        room = source in self._born or len(self._born) < MAX_SOURCES
        if len(payload) > MAX_CERTIFICATE or aliases > MAX_ALIASES or not room:
            log.error("a birth certificate is not remembered: too many, or too large",
                      extra={"source": source})  # fmt: skip
            return False
        self._aliases = aliases
        self._born[source] = born
        return True

    def __getitem__(self, source: str) -> Mapping[int, Born]:
        return self._born[source]

    def __iter__(self) -> Iterator[str]:
        return iter(self._born)

    def __len__(self) -> int:
        return len(self._born)
