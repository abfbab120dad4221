"""The page for whoever runs the system knows every alarm of the system itself."""

import re
from pathlib import Path

import pytest

from domain.system_alarm import Kind, kinds

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| `([A-Z_]+)` \| ((?:critical|warning).*)\|$", PAGE, re.MULTILINE))

CODE = [
    path
    for folder in ("ingest", "alerts", "api", "traceability", "coldtrail", "store")
    for path in (ROOT / folder).rglob("*.py")
]


@pytest.mark.parametrize("kind", kinds().values(), ids=kinds().keys())
def test_each_has_its_row_with_what_the_console_says(kind: Kind) -> None:
    row = ROWS[kind.code]

    assert row.startswith(kind.level)
    assert ("*not ready*" in row) == kind.stops
    for lang in ("zh", "en"):
        assert kind.means[lang] in row
        assert kind.do[lang] in row


def test_no_row_speaks_of_an_alarm_that_there_is_not() -> None:
    assert set(ROWS) == set(kinds())


@pytest.mark.parametrize("code", kinds())
def test_each_is_raised_somewhere(code: str) -> None:
    assert any(f'"{code}"' in path.read_text("utf-8") for path in CODE)
