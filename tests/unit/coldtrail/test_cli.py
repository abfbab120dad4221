"""Wrong usage ends with one sentence and code 2, never with a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest


def ended(*arguments: str) -> tuple[int, str]:
    """The exit code, and what was said without frame and line ends."""
    command = [sys.executable, "-m", "coldtrail", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, "".join(done.stderr.replace("│", "").split())


@pytest.mark.parametrize("command", ["decode", "replay", "verify"])
@pytest.mark.parametrize("name", ["not-there", "."])
def test_a_file_that_cannot_be_read_is_named(command: str, name: str, tmp_path: Path) -> None:
    code, said = ended(command, str(tmp_path / name))

    assert code == 2
    assert str(tmp_path) in said
    assert "Traceback" not in said


def test_a_folder_cannot_be_made_where_a_file_is(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")

    assert ended("init", str(taken)) == (2, f"{taken}:Fileexists")
