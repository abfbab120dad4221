import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.settings import Settings
from tests.integration.api.browser import sign_in
from tests.integration.api.county import data_folder, served
from tests.support.console_county import build, settings_of


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("county")
    build(folder)
    return folder


@pytest.fixture(scope="package")
def county(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Served once; tests that use it change nothing."""
    with served(_copy(built, tmp_path_factory.mktemp("shared"))) as client:
        yield client


@pytest.fixture
def own_county(built: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    """For a test that records something."""
    with served(_copy(built, tmp_path / "own")) as client:
        yield client


@pytest.fixture
def person(county: httpx.Client) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=county.base_url, timeout=20) as client:
        sign_in(client)
        yield client


@pytest.fixture
def doer(own_county: httpx.Client) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=own_county.base_url, timeout=20) as client:
        sign_in(client)
        yield client


@pytest.fixture
def data(built: Path, tmp_path: Path) -> Path:
    """A data folder, for commands, whose server has the county's files."""
    return data_folder(tmp_path / "data", built)


def _copy(built: Path, folder: Path) -> Settings:
    shutil.copytree(built, folder, dirs_exist_ok=True)
    return settings_of(folder)
