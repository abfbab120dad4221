"""Why a file of the store cannot be opened."""

from pathlib import Path


class NotReady(Exception):
    """The file is missing, or its tables are of another version: its writer has yet to migrate it."""


class AlreadyOpen(Exception):
    """Another process is this file's writer."""


class Damaged(Exception):
    """The file is no database any more, or not a whole one."""


def newer(path: Path, found: object, known: object) -> str:
    """The words for a file that this program would only spoil."""
    return (
        f"{path} is of version {found}, this program knows {known}: a newer Coldtrail wrote it."
        " Run that one, or put a backup back"
    )
