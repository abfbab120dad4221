"""The files that SQLAlchemy opens: kept connections, and the version each program waits for."""

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

import store.facts.migrations
import store.notices.migrations
import store.records.migrations
import traceability.migrations
from store.engine import reader_engine, writer_engine
from store.facts import open_facts, open_facts_reader
from store.facts.schema import VERSION as FACTS
from store.notices.schema import VERSION as NOTICES
from store.records.schema import VERSION as RECORDS
from traceability.tables import VERSION as TRACE

NEWEST = [
    pytest.param(store.facts.migrations.__file__, FACTS, id="facts"),
    pytest.param(store.notices.migrations.__file__, NOTICES, id="notices"),
    pytest.param(store.records.migrations.__file__, RECORDS, id="records"),
    pytest.param(traceability.migrations.__file__, TRACE, id="trace"),
]


@pytest.mark.parametrize(("package", "version"), NEWEST)
def test_the_version_that_readers_wait_for_is_the_newest_migration(
    package: str, version: str
) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(package).parent))

    assert ScriptDirectory.from_config(config).get_current_head() == version


def numbered(path: Path, number: int) -> None:
    engine = writer_engine(path)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE one (n INTEGER)"))
        connection.execute(text("INSERT INTO one VALUES (:n)"), {"n": number})
    engine.dispose()


def test_a_copy_that_is_put_in_a_files_place_is_read_from_the_next_question_on(
    tmp_path: Path,
) -> None:
    numbered(tmp_path / "a.db", 1)
    numbered(tmp_path / "copy.db", 2)
    engine = reader_engine(tmp_path / "a.db")
    found = []

    for _ in range(2):
        with engine.connect() as connection:
            found.append(connection.execute(text("SELECT n FROM one")).scalar())
        (tmp_path / "copy.db").replace(tmp_path / "a.db")
        numbered(tmp_path / "copy.db", 3)

    assert found == [1, 2]
    engine.dispose()


def test_a_reader_that_rests_between_questions_holds_up_no_writer(tmp_path: Path) -> None:
    numbered(tmp_path / "a.db", 1)
    reader, writer = reader_engine(tmp_path / "a.db"), writer_engine(tmp_path / "a.db")
    with reader.connect() as connection:
        connection.execute(text("SELECT n FROM one")).all()

    with writer.begin() as connection:
        connection.execute(text("PRAGMA busy_timeout = 0"))
        connection.execute(text("UPDATE one SET n = 5"))

    with reader.connect() as connection:
        assert connection.execute(text("SELECT n FROM one")).scalar() == 5
    reader.dispose()
    writer.dispose()


def test_a_file_that_was_deleted_is_not_read_on_from_memory(tmp_path: Path) -> None:
    open_facts(tmp_path / "facts.db").close()
    reader = open_facts_reader(tmp_path / "facts.db")
    reader.cursor()

    (tmp_path / "facts.db").unlink()

    with pytest.raises(OperationalError, match="unable to open"):
        reader.cursor()
    reader.close()
