"""Why a change to records was not made."""


class Refused(Exception):
    """Nothing was changed, and saying it again will not help. ``field`` is what the caller sent."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
