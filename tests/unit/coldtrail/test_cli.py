"""Wrong usage ends with one sentence and code 2, never with a traceback."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from coldtrail import settings
from coldtrail.init import init_data
from domain.reading import ProbeId, Series
from gateway.outbox import Outbox, Row, Sealer
from store.connect import open_readings
from store.facts import open_facts
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
    "arguments",
    [
        pytest.param(("init", ""), id="init"),
        pytest.param(("init", "  "), id="spaces"),
        pytest.param(("up", "--data", ""), id="up"),
        pytest.param(("status", "--data="), id="status"),
        pytest.param(("demo", "--data", ""), id="demo"),
        pytest.param(("gateway", "add", "gw2", "--data", ""), id="gateway"),
        pytest.param(("drill", "list", "--data", ""), id="drill"),
        pytest.param(("sms", "test", "x", "--data", ""), id="sms"),
    ],
)
def test_a_folder_without_a_name_is_refused_and_nothing_is_made_or_read(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    done = run_command(*arguments, cwd=tmp_path)

    assert done.returncode == 2
    assert "a folder needs a name" in done.stderr
    assert list(tmp_path.iterdir()) == []


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
        pytest.param("restore", 1, "or--in-place", id="restore-what"),
        pytest.param("restore OUT --in-place", 1, "or--in-place", id="restore-both"),
        pytest.param("restore --in-place --replace", 1, "or--in-place", id="replace-by-what"),
        pytest.param("restore --in-place", 1, "readings.dbisnotthere", id="nothing-in-place"),
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(b'port_base = "x"\n', "`port_base`:Expected`int`,got`str`", id="type"),
        pytest.param(b"\xff\xfe\n", "notUTF-8", id="bytes"),
        pytest.param(b'timezone = "Mars/Base"\n', "`timezone`:nosuchzone:'Mars/Base'", id="zone"),
    ],
)
def test_a_setting_that_cannot_be_is_named_in_plain_words(
    text: bytes, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "coldtrail.toml"
    file.write_bytes(text + b'[[gateway]]\nid = "gw1"\npartition = 3\n')

    assert ended("status", "--data", str(tmp_path)) == (2, f"{file}:{said}")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("status", "--data", "{file}"), id="a-file-for-a-folder"),
        pytest.param(("status", "--data", "{none}"), id="no-folder"),
        pytest.param(("init", "{none}", "--settings-file", "{bytes}"), id="settings-not-text"),
        pytest.param(("init", "{none}", "--port-base", "99999"), id="port"),
        pytest.param(("demo", "--data", "{file}", "--port-base", "23800"), id="demo-in-a-file"),
        pytest.param(("demo", "--data", "{none}", "--port-base", "99999"), id="demo-port"),
        pytest.param(("demo", "--data", "{none}", "--minutes", "-3"), id="demo-minutes"),
        pytest.param(("watchdog", "{bytes}"), id="watchdog-not-text"),
        pytest.param(("drill", "plan", "3", "--at", "25:99", "--data", "{site}"), id="no-hour"),
        pytest.param(("verify", "{text}", "--public-key", "{text}"), id="no-key"),
        pytest.param(("backup", "{site}/server/copy", "--data", "{site}"), id="copy-in-itself"),
    ],
)
def test_a_mistake_gets_a_sentence_and_no_traceback(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    site = tmp_path / "site"
    init_data(site, port_base=20_000)
    open_records(site / "server" / "records.db").close()
    open_readings(site / "server" / "readings.db", write=True).close()
    given = {name: tmp_path / name for name in ("file", "none", "bytes", "text")} | {"site": site}
    given["file"].touch()
    given["bytes"].write_bytes(b"\xff\xfe")
    given["text"].write_text("words")

    done = run_command(*(part.format(**given) for part in arguments))

    assert done.returncode in (1, 2)
    assert done.stderr or done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["readings", "records", "facts"])
@pytest.mark.parametrize("how", ["newer", "damaged"])
def test_a_file_of_a_newer_program_or_a_damaged_one_is_named_before_anything_starts(
    name: str, how: str, tmp_path: Path
) -> None:
    init_data(tmp_path, port_base=20_000)
    server = tmp_path / "server"
    open_readings(server / "readings.db", write=True).close()
    open_records(server / "records.db").close()
    open_facts(server / "facts.db").close()
    file = server / f"{name}.db"
    if how == "damaged":
        file.write_bytes(b"no database" * 400)
    else:
        with closing(sqlite3.connect(file)) as db, db:
            table = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
            db.execute(
                "UPDATE alembic_version SET version_num = '9999'"
                if table.fetchone()
                else "PRAGMA user_version = 9999"
            )

    code, said = ended("up", "--data", str(tmp_path))

    assert code == 1
    assert f"{name}.db" in said
    assert ("newerColdtrail" if how == "newer" else "notadatabase") in said
    assert "Traceback" not in said
