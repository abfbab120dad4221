"""What the demo's terminal shows: counters, links, what has happened and what comes next.

On a terminal a picture that is redrawn; into a pipe plain lines, each once.
"""

from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

EVENTS_SHOWN = 12
PLAIN_EVERY_S = 15.0


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
        self._events: deque[str] = deque(maxlen=EVENTS_SHOWN)
        self._links: dict[str, str] = {}
        self._live = (
            Live(console=console, auto_refresh=False, transient=False)
            if console.is_terminal
            else None
        )
        self._last_plain_s = -PLAIN_EVERY_S

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
        line = text if at_s is None else f"{clock(at_s)}  {text}"
        self._events.append(line)
        if self._live is None:
            self._plain(line)

    def link(self, name: str, url: str) -> None:
        if self._links.get(name) == url:
            return
        self._links[name] = url
        self._plain(f"{name}: {url}")  # above the picture: a frame would break a long one

    def show(self, numbers: Numbers, at_s: float | None, following: str) -> None:
        if self._live is not None:
            self._live.update(self._picture(numbers, at_s, following), refresh=True)
        elif at_s is not None and at_s - self._last_plain_s >= PLAIN_EVERY_S:
            self._last_plain_s = at_s
            self._plain(f"{clock(at_s)}  {numbers.line()}")

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
        return Panel(
            Group(
                counters,
                Text(),
                links,
                Text(),
                Text("\n".join(self._events), overflow="fold"),
                Text(),
                Text(following, "cyan"),
            ),
            title=f"Coldtrail demo  {clock(at_s) if at_s is not None else 'starting'}",
            subtitle="Ctrl-C stops everything and prints the balance",
        )


def clock(at_s: float) -> str:
    """Minutes and seconds of the story."""
    whole = max(int(at_s), 0)
    return f"{whole // 60}:{whole % 60:02d}"
