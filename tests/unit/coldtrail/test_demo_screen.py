import io

import pytest
from rich.console import Console

from coldtrail.demo_screen import Numbers, Screen, clock


def lines(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        (Numbers(1200, 1200), "sent 1,200 = stored 1,200, lost 0"),
        (Numbers(1200, 1150), "sent 1,200, stored 1,150, on the way 50, lost 0"),
        (
            Numbers(1200, 1150, waiting=40),
            "sent 1,200, stored 1,150, on the way 50, of these 40 in gateways, lost 0",
        ),
        (Numbers(1200, 1150, lost=3), "sent 1,200, stored 1,150, on the way 50, lost 3"),
    ],
)
def test_the_counters_are_one_line(numbers: Numbers, says: str) -> None:
    assert numbers.line() == says


def test_more_stored_than_sent_is_not_behind() -> None:
    assert Numbers(10, 12).behind == 0


def test_into_a_pipe_each_thing_is_said_once_and_counters_seldom() -> None:
    console = Console(file=io.StringIO(), width=40)
    with Screen(console) as screen:
        screen.link("console", "http://127.0.0.1:1/a-link-that-is-longer-than-the-line")
        screen.link("console", "http://127.0.0.1:1/a-link-that-is-longer-than-the-line")
        for second in range(20):
            screen.show(Numbers(5, 5), float(second), "next")
        screen.say("something [happened]", 61.5)

    assert lines(console) == [
        "console: http://127.0.0.1:1/a-link-that-is-longer-than-the-line",
        "0:00  sent 5 = stored 5, lost 0",
        "0:15  sent 5 = stored 5, lost 0",
        "1:01  something [happened]",
    ]


def test_a_terminal_shows_counters_links_and_what_comes_next() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with Screen(console) as screen:
        screen.link("console", "http://127.0.0.1:18800/")
        screen.say("two weeks are in", 30)
        screen.show(Numbers(7, 5, 1), 30, "at 2:00 something")

    shown = "\n".join(lines(console))
    for expected in ("http://127.0.0.1:18800/", "two weeks are in", "at 2:00 something", "lost"):
        assert expected in shown


def test_the_clock_counts_minutes() -> None:
    assert [clock(s) for s in (-1, 0, 59.9, 61, 720 * 60)] == [
        "0:00", "0:00", "0:59", "1:01", "720:00",
    ]  # fmt: skip


def test_a_small_terminal_shows_the_newest_and_what_comes_next() -> None:
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True)
    with Screen(console) as screen:
        for name in ("console", "demo phone", "buyer page"):
            screen.link(name, "http://127.0.0.1:18800/")
        for minute in range(12):
            screen.say(f"event {minute} " + "goes on " * 12, minute * 60.0)
        file = console.file
        assert isinstance(file, io.StringIO)
        file.truncate(0)
        screen.show(Numbers(7, 5, 1), 720, "at 13:00 something")
        picture = file.getvalue()

    assert "event 11" in picture
    assert "at 13:00 something" in picture
    assert "prints the balance" in picture
    assert "event 0 " not in picture
