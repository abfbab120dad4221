"""The config that a gateway goes by: the newest that its server signed, kept in a file.

What is unsigned, altered, another gateway's, another store's or older than what is held changes
nothing. The file is read again at the start with the same distrust.
"""

import logging
from pathlib import Path

from disk.whole import PRIVATE, write_whole
from wire import config_v1
from wire.config_v1 import BadConfig, Config

log = logging.getLogger(__name__)


class Refused(Exception):
    """Not to be believed; what was held stays."""


class Configured:
    """One thread calls ``offer``; any may read ``current`` and ``refused``."""

    def __init__(self, gateway: str, path: Path | None, genuine: config_v1.Genuine) -> None:
        self._gateway = gateway
        self._path = path
        self.genuine = genuine
        self.refused = 0
        self.current: Config | None = None
        if path is not None and path.exists():
            try:
                self.current = self._believed(path.read_bytes())
            except Refused as error:
                log.error("the kept config is not used", extra={"reason": str(error)})  # noqa: TRY400

    def offer(self, payload: bytes) -> Config | None:
        """The config when it is news, None when it is the one that is held. ``Refused``."""
        try:
            config = self._believed(payload)
            news = self._news(config)
        except Refused:
            self.refused += 1
            raise
        if news:
            if self._path is not None:
                write_whole(self._path, payload, mode=PRIVATE)  # people's numbers stand in it
            self.current = config
        return config if news else None

    def _believed(self, payload: bytes) -> Config:
        try:
            config = config_v1.decode(payload, self.genuine)
        except BadConfig as error:
            raise Refused(error.reason) from error
        if config.gateway != self._gateway:
            raise Refused("another gateway's config")
        return config

    def _news(self, config: Config) -> bool:
        held = self.current
        if held is None:
            return True
        if config.store != held.store:
            if held.store in config.was:
                return True  # the server was put back from a backup, and signed that
            of_one = config.was and config.was[0] in (*held.was, held.store)
            if of_one and config.store not in held.was and config.made_at_ms > held.made_at_ms:
                return True  # put back from one backup once more
            raise Refused("a config of another store")
        if config.newer_than(held):
            return True
        if config.content() == held.content():
            return False  # heard again on a new connection
        raise Refused("older than the config that is held")
