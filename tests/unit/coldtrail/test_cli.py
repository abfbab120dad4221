"""Wrong usage ends with one sentence and code 2, never with a traceback."""

from pathlib import Path

import pytest

from coldtrail import settings
from coldtrail.init import init_data
from domain.reading import ProbeId, Series
from gateway.outbox import Outbox, Row, Sealer
from store.connect import open_readings
from store.records import open_records
from tests.support.servers import fill, small_disk
from tests.support.system import run_command
from wire.batch_v1 import Clock


def ended(*arguments: str) -> tuple[int, str]:
    """The exit code, and what was said without frame and line ends."""
    done = run_command(*arguments)
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


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        pytest.param("quarantine list --after 99999999999999999999999", 2, "after", id="number"),
        pytest.param("quarantine retry gw9/3", 2, "gw9/3", id="gateway"),
        pytest.param("quarantine retry 99999999999999999999999", 2, "999", id="no-such-number"),
        pytest.param("gateway export OUT/nowhere/x", 2, "OUT/nowhere/x:Nosuchfile", id="folder"),
        pytest.param("gateway export OUT", 2, "OUTexistsalready", id="a-folder"),
        pytest.param("gateway export OUT/x --gateway gwx", 2, "gwx", id="whose"),
        pytest.param("import OUT/coldtrail.toml", 1, "notafileofbatches", id="another-file"),
        pytest.param("backup OUT/nowhere/x", 1, "readings.dbisnotthere", id="never-ran"),
        pytest.param("restore OUT", 1, "nofinishedbackup", id="no-backup"),
    ],
)
def test_a_slip_of_the_fingers_is_answered_with_what_was_wrong(
    arguments: str, code: int, named: str, tmp_path: Path
) -> None:
    folder = init_data(tmp_path / "site").folder
    settings.load(folder).edges()[0].outbox.touch()
    said = ended(*arguments.replace("OUT", str(folder)).split(), "--data", str(folder))

    assert said[0] == code
    assert named.replace("OUT", str(folder)) in said[1]
    assert "Traceback" not in said[1]


def test_a_backup_into_folders_that_are_not_there_yet_makes_them(tmp_path: Path) -> None:
    installation = init_data(tmp_path / "site")
    open_readings(installation.server / "readings.db", write=True).close()
    open_records(installation.server / "records.db").close()

    assert ended("backup", str(tmp_path / "a" / "b"), "--data", str(installation.folder))[0] == 0
    assert (tmp_path / "a" / "b" / "backup.json").exists()


def test_an_export_that_finds_no_room_leaves_nothing_half_done(tmp_path: Path) -> None:
    installation = init_data(tmp_path / "site")
    edge = installation.edges()[0]
    with Outbox(edge.outbox, Sealer("gw1", "k1", bytes(32))) as outbox:
        row = Row(Series(ProbeId("p"), "temperature"), 1_780_000_000_000, 400, 0)
        for i in range(300):
            outbox.take([row._replace(counts=i)], [], row.at_ms, Clock(trusted=True), cut=True)
    with small_disk(tmp_path / "stick", 1) as stick:
        fill(stick, 8 << 10)

        code, said = ended(
            "gateway", "export", str(stick / "x"), "--data", str(installation.folder)
        )

        assert (code, "Nospaceleft" in said, "Traceback" in said) == (2, True, False)
        assert not (stick / "x").exists()
