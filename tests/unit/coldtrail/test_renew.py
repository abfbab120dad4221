"""A server that was set back gets new ids as it stands: all of them, or it is to be done again."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from coldtrail.backup import Impossible, back_up, put_back, renew
from coldtrail.init import init_data
from coldtrail.settings import load
from ingest.keys import read_restored
from store.connect import open_readings
from store.copies import store_of_readings, store_of_records
from store.facts import open_facts
from store.records import open_records
from wire.restore_v1 import leads

BREAK = """CREATE TRIGGER b BEFORE UPDATE ON about BEGIN SELECT raise(ABORT, 'ended here'); END"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Has run, and does not run now."""
    init_data(tmp_path)
    server = tmp_path / "server"
    open_readings(server / "readings.db", write=True).close()
    open_records(server / "records.db").close()
    open_facts(server / "facts.db").close()
    return tmp_path


def ids(folder: Path) -> tuple[str, str]:
    server = folder / "server"
    return store_of_readings(server / "readings.db"), store_of_records(server / "records.db")[0]


def test_both_stores_have_new_ids_and_the_record_leads_there(folder: Path) -> None:
    before = ids(folder)

    renew(folder, 1_000)

    after = ids(folder)
    assert set(before).isdisjoint(after)
    [record] = read_restored(str(folder / "server" / "restored.json"))
    assert (record.readings, record.records) == tuple(zip(before, after, strict=True))


def test_ended_half_way_it_is_still_a_store_that_was_set_back_and_done_again_it_leads_on(
    folder: Path,
) -> None:
    before = ids(folder)
    with closing(sqlite3.connect(folder / "server" / "records.db")) as records:
        records.execute(BREAK)
        with pytest.raises(sqlite3.IntegrityError, match="ended here"):
            renew(folder, 1_000)
        assert ids(folder) == before
        records.execute("DROP TRIGGER b")

    renew(folder, 2_000)

    told = read_restored(str(folder / "server" / "restored.json"))
    assert leads(told, [before[0]], ids(folder)[0], lambda _signature, _said: True)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("readings.db", lambda path: closing(open_readings(path, write=True))),
        ("records.db", lambda path: closing(open_records(path))),
        ("facts.db", lambda path: closing(open_facts(path))),
    ],
)
def test_not_while_a_role_of_the_server_runs(
    folder: Path, name: str, role: Callable[[Path], AbstractContextManager[object]]
) -> None:
    before = ids(folder)

    with role(folder / "server" / name), pytest.raises(Impossible, match="stop every role"):
        renew(folder, 1_000)

    assert ids(folder) == before


def test_a_backup_too_is_not_put_back_under_a_role_that_runs(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = tmp_path_factory.mktemp("backups") / "monday"
    back_up(load(folder), copy, 1_000, lambda _file, _done, _all: None)
    before = ids(folder)

    with closing(open_facts(folder / "server" / "facts.db")):
        with pytest.raises(Impossible, match="stop every role"):
            put_back(copy, folder, 2_000, replace=True)
        assert ids(folder) == before

    put_back(copy, folder, 2_000, replace=True)

    assert set(before).isdisjoint(ids(folder))


def test_what_cannot_be_read_or_signed_is_named_and_nothing_is_changed(folder: Path) -> None:
    before = ids(folder)
    key = folder / "server" / "keys" / "signing.key"
    key.rename(key.with_suffix(".away"))
    with pytest.raises(Impossible, match=r"signing\.key"):
        renew(folder, 1_000)
    key.with_suffix(".away").rename(key)
    assert ids(folder) == before

    (folder / "server" / "records.db").write_bytes(b"no database" * 1_000)
    with pytest.raises(Impossible, match="cannot be read"):
        renew(folder, 1_000)

    assert store_of_readings(folder / "server" / "readings.db") == before[0]
    assert not (folder / "server" / "restored.json").exists()
