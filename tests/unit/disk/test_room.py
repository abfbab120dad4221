"""Room held back on a disk."""

from pathlib import Path

from disk.room import Ballast


def test_ballast_is_held_while_there_is_room_and_given_up_when_there_is_none(
    tmp_path: Path,
) -> None:
    ballast = Ballast(tmp_path / "ballast", 1 << 20)

    assert ballast.hold()
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= 1 << 20
    ballast.release()
    assert not (tmp_path / "ballast").exists()
    assert not Ballast(tmp_path / "ballast", 1 << 60).hold()


def test_a_ballast_that_a_death_left_too_short_is_taken_in_full(tmp_path: Path) -> None:
    path = tmp_path / "ballast"
    path.touch()
    ballast = Ballast(path, 1 << 20)
    assert ballast.missing() == 1 << 20

    assert ballast.hold()

    assert path.stat().st_size == 1 << 20
    assert ballast.missing() == 0


def test_a_ballast_leaves_what_it_is_told_to_leave(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast", 1 << 20, leave_bytes=1 << 60)

    assert not ballast.hold()

    assert list(tmp_path.iterdir()) == []


def test_a_ballast_is_not_given_up_while_the_disk_has_room(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast", 1 << 20)
    ballast.hold()

    assert ballast.release_if_needed() == 0

    assert ballast.missing() == 0
