"""Small files that are replaced as wholes."""

import stat
from pathlib import Path

import pytest

from disk.whole import PRIVATE, write_whole


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("content", ["温度\n", "温度\n".encode()], ids=["text", "bytes"])
def test_a_file_holds_what_was_written_last_and_nothing_is_left_beside_it(
    content: str | bytes, tmp_path: Path
) -> None:
    path = tmp_path / "said.json"
    write_whole(path, "a longer text than what follows it")

    write_whole(path, content)

    assert path.read_bytes() == "温度\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_when_the_new_one_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "said.json"
    write_whole(path, "before")
    (tmp_path / ".said.json.new").mkdir()  # where the new one would have to be made

    with pytest.raises(OSError, match=r"said\.json"):
        write_whole(path, "after")

    assert path.read_text() == "before"


def test_a_private_file_is_so_whoever_left_a_draft_of_it_open_to_all(tmp_path: Path) -> None:
    draft = tmp_path / ".key.new"
    draft.write_text("half")
    draft.chmod(0o644)

    write_whole(tmp_path / "key", "secret", mode=PRIVATE)

    assert mode(tmp_path / "key") == 0o600


def test_a_reader_who_has_the_old_one_open_reads_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "said.json"
    write_whole(path, "before")

    with path.open() as reader:
        write_whole(path, "after")

        assert reader.read() == "before"
