"""What the demo's terminal shows: counters, links, what has happened and what comes next.

On a terminal a picture that is redrawn; into a pipe plain lines, each once.
"""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

EVENTS_KEPT = 12
FRAME = (4, 2)  # columns and rows that the panel takes
PLAIN_EVERY_S = 15.0
BEFORE_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Numbers:
    """Readings. ``waiting`` lies in gateways' outboxes as far as is known; what is neither
    stored nor waiting is on its way between processes."""

    sent: int = 0
    stored: int = 0
    waiting: int = 0
    lost: int = 0

    @property
    def behind(self) -> int:
        return max(self.sent - self.stored, 0)

    def line(self) -> str:
        if self.sent == self.stored:
            return f"sent {self.sent:,} = stored {self.stored:,}, lost {self.lost}"
        waiting = f", of these {self.waiting:,} in gateways" if self.waiting else ""
        return (
            f"sent {self.sent:,}, stored {self.stored:,}, on the way {self.behind:,}"
            f"{waiting}, lost {self.lost}"
        )


class Screen:
    """Use in a ``with``; ``show`` as often as wanted."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._events: deque[tuple[str, str]] = deque(maxlen=EVENTS_KEPT)  # when, what
        self._links: dict[str, str] = {}
        self._live = (
            Live(console=console, auto_refresh=False, transient=False)
            if console.is_terminal
            else None
        )
        self._last_plain_s = -PLAIN_EVERY_S
        self._waited_for, self._speak_s = "", 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str, at_s: float | None = None) -> None:
        """One thing that happened, with the story's time."""
        when = "" if at_s is None else clock(at_s)
        self._events.append((when, text))
        if self._live is None:
            self._plain(f"{when}  {text}" if when else text)

    def link(self, name: str, url: str) -> None:
        if self._links.get(name) == url:
            return
        self._links[name] = url
        self._plain(f"{name}: {url}")  # above the picture: a frame would break a long one

    def show(self, numbers: Numbers, at_s: float | None, following: str) -> None:
        if self._live is not None:
            self._live.update(self._picture(numbers, at_s, following), refresh=True)
        elif at_s is None:
            self._before(following)
        elif at_s - self._last_plain_s >= PLAIN_EVERY_S:
            self._last_plain_s = at_s
            self._plain(f"{clock(at_s)}  {numbers.line()}")

    def _before(self, following: str) -> None:
        """Before the story has a time, what is waited for: whenever that changes, and not often."""
        now_s = time.monotonic()
        if following != self._waited_for and now_s >= self._speak_s:
            self._waited_for, self._speak_s = following, now_s + BEFORE_EVERY_S
            self._plain(following)

    def _plain(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _picture(self, numbers: Numbers, at_s: float | None, following: str) -> Panel:
        counters = Table.grid(padding=(0, 3))
        counters.add_row("sent", "stored", "on the way", "lost")
        behind = f"{numbers.behind:,}"
        if numbers.waiting:
            behind += f" ({numbers.waiting:,} in gateways)"
        counters.add_row(
            Text(f"{numbers.sent:,}", "bold"),
            Text(f"{numbers.stored:,}", "bold green" if not numbers.behind else "bold"),
            Text(behind, "yellow" if numbers.behind else "dim"),
            Text(str(numbers.lost), "bold red" if numbers.lost else "bold green"),
        )
        links = Table.grid(padding=(0, 2))
        for name, url in self._links.items():
            short = url.partition("?")[0]  # a sign-in link carries its token behind it
            links.add_row(Text(name, "dim"), Text(short, f"link {url}", overflow="fold"))
        coming = Text(following, "cyan")
        above = Group(counters, Text(), links, Text())
        return Panel(
            Group(above, self._happened([above, coming]), Text(), coming),
            title=f"Coldtrail demo  {clock(at_s) if at_s is not None else 'starting'}",
            subtitle="Ctrl-C stops everything and prints the balance",
        )

    def _happened(self, beside: Sequence[RenderableType]) -> Table:
        """As many of the newest as leave the whole picture on the screen: what comes next stands
        last in it, and would be the first to be cut off."""
        columns, rows = self._console.width - FRAME[0], self._console.height - FRAME[1]
        options = self._console.options.update(width=max(columns, 1), height=None)

        def height(of: RenderableType) -> int:
            return len(self._console.render_lines(of, options))

        room = rows - 1 - sum(map(height, beside))
        shown = _listed(())
        for n in range(1, len(self._events) + 1):
            more = _listed(list(self._events)[-n:])
            if n > 1 and height(more) > room:
                break
            shown = more
        return shown


def _listed(events: Sequence[tuple[str, str]]) -> Table:
    """Their times in a column of their own."""
    table = Table.grid(padding=(0, 2))
    for when, text in events:
        table.add_row(when, Text(text, overflow="fold"))
    return table


def clock(at_s: float) -> str:
    """Minutes and seconds of the story."""
    whole = max(int(at_s), 0)
    return f"{whole // 60}:{whole % 60:02d}"
