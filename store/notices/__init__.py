"""What was told: ``notices.db``, primary, written by alerts alone."""

from pathlib import Path

from store.migrate import open_reader, open_writer
from store.notices import migrations
from store.notices.reader import LAST_ALIVE, SqlNoticesReader
from store.notices.schema import VERSION
from store.notices.writer import (
    Charge,
    GatewayAck,
    KeptReply,
    NewNotice,
    OpenIncident,
    SilentLink,
    SqlNoticesStore,
    WaitingNotice,
)

__all__ = [
    "LAST_ALIVE",
    "Charge",
    "GatewayAck",
    "KeptReply",
    "NewNotice",
    "OpenIncident",
    "SilentLink",
    "SqlNoticesReader",
    "SqlNoticesStore",
    "WaitingNotice",
    "open_notices",
    "open_notices_reader",
]


def open_notices(path: Path | str) -> SqlNoticesStore:
    """The one writer; ``store.errors.AlreadyOpen`` when another process has the file."""
    return SqlNoticesStore(*open_writer(path, Path(migrations.__file__).parent, VERSION))


def open_notices_reader(path: Path | str) -> SqlNoticesReader:
    """Waits for nothing; ``store.errors.NotReady`` when the file or its version is missing."""
    return SqlNoticesReader(open_reader(path, VERSION))
