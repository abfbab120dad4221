"""Why a change to records was not made, and why records cannot be read yet."""


class Refused(Exception):
    """Nothing was changed, and saying it again will not help. ``field`` is what the caller sent."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class NotReady(Exception):
    """The file is missing, or its tables are of another version: the api has yet to migrate it."""


class AlreadyOpen(Exception):
    """Another process is this file's writer."""
