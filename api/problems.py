"""What ends a request: what was wrong, where, in words a caller can act on. Nothing of the web here:
the command line asks the same questions."""


class Problem(Exception):
    """Ends a request with this answer. ``field`` names what the caller sent, if one thing is to blame."""

    def __init__(
        self, status: int, detail: str, *, field: str | None = None, type: str = "about:blank"
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.type = type


class NotReadyYet(Problem):
    """A part that another role makes is not there; it will be."""

    def __init__(self, part: str) -> None:
        super().__init__(503, f"{part} is not ready yet", field=part)


class Needed(Problem):
    """A step of a lot lacks what its kind needs."""

    def __init__(self, step: str, field: str) -> None:
        super().__init__(422, f"{step} needs it", field=field)
        self.step = step


class NotYet(Problem):
    """What is reported is said to have happened later than now."""

    def __init__(self, field: str) -> None:
        super().__init__(422, "it has not happened yet", field=field)


class NoSuchCode(Problem):
    """No lot has the code on somebody's package."""

    def __init__(self) -> None:
        super().__init__(404, "there is no such code", field="code")
