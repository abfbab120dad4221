"""Why a file of the store cannot be opened."""


class NotReady(Exception):
    """The file is missing, or its tables are of another version: its writer has yet to migrate it."""


class AlreadyOpen(Exception):
    """Another process is this file's writer."""
