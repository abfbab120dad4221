"""How often a page was opened: counted at once, written seldom, kept at a stop."""

from pathlib import Path

from api.buyers import FLUSH_EVERY_S, Buyers


def test_openings_are_counted_at_once_and_written_together(tmp_path: Path) -> None:
    now_s = 100.0
    buyers = Buyers(tmp_path / "buyers.db", lambda: now_s)
    elsewhere = Buyers(tmp_path / "buyers.db", lambda: now_s)

    found = [buyers.opened("abcdefgh") for _ in range(50)]
    unwritten = elsewhere.opened("abcdefgh")
    now_s += FLUSH_EVERY_S
    buyers.opened("abcdefgh")
    written = elsewhere.opened("ijklmnop") + elsewhere.opened("abcdefgh")
    buyers.close()
    elsewhere.close()

    assert found == list(range(1, 51))
    assert unwritten == 1
    assert written == 1 + 53  # 51 of the other's, and its own two


def test_what_was_counted_is_there_after_a_stop(tmp_path: Path) -> None:
    buyers = Buyers(tmp_path / "buyers.db")
    for _ in range(3):
        buyers.opened("abcdefgh")
    buyers.close()

    again = Buyers(tmp_path / "buyers.db")

    assert again.opened("abcdefgh") == 4
    again.close()
