"""The built wheel with one extra: every module of that role can be imported from what the extra
installs and nothing else. It is the only check that notices a missing dependency."""

import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
ROLES = {
    "gateway": ["gateway", "wire", "disk", "domain", "coldtrail.roles"],
    "modbus": ["gateway", "pymodbus.client", "serial.serialposix"],
    "sim": ["firmware_sim", "wire.senml"],
    "channels": ["channels"],
    "server": ["ingest", "store", "alerts", "traceability", "api", "channels", "dashboards"],
    "embedded,gateway": ["coldtrail.brokers"],
    "server,sim,embedded": ["coldtrail"],
}
IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path[:0] = sys.argv[1:3]
for name in sys.argv[3:]:
    module = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), name + "."):
        if not found.name.endswith("__main__") and ".migrations.env" not in found.name:
            importlib.import_module(found.name)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, unpacked as an installation would."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "content")
    return folder / "content"


def required(wheel: Path, extras: Iterable[str]) -> set[str]:
    """Names of the distributions that the wheel with these extras brings, in full depth."""
    (info,) = wheel.glob("*.dist-info")
    own = metadata.PathDistribution(info)
    waiting = [Requirement(line) for line in own.requires or []]
    found: set[str] = set()
    wanted = set(extras)
    todo = [("coldtrail", r, e) for r in waiting for e in ("", *sorted(wanted))]
    seen: set[tuple[str, str, str]] = set()
    while todo:
        owner, requirement, extra = todo.pop()
        if (owner, str(requirement), extra) in seen:
            continue
        seen.add((owner, str(requirement), extra))
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        if name == "coldtrail":  # server names gateway and channels
            todo += [("coldtrail", r, e) for r in waiting for e in requirement.extras]
            continue
        found.add(name)
        deeper = metadata.distribution(name).requires or []
        todo += [(name, Requirement(line), e) for line in deeper for e in ("", *requirement.extras)]
    return found


def empty_environment(folder: Path, names: Iterable[str]) -> Path:
    """A folder with the packages of these distributions and no others."""
    folder.mkdir()
    for name in names:
        found = metadata.distribution(name)
        for part in {file.parts[0] for file in found.files or [] if file.parts[0] != ".."}:
            source = Path(str(found.locate_file(part)))
            if source.exists() and not (folder / part).exists():
                (folder / part).symlink_to(source)
    return folder


@pytest.mark.parametrize("extra", ROLES)
def test_a_roles_modules_need_only_what_its_extra_installs(
    extra: str, wheel: Path, tmp_path: Path
) -> None:
    site = empty_environment(tmp_path / "site", required(wheel, extra.split(",")))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IMPORT_ALL, str(wheel), str(site), *ROLES[extra]],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stderr[-2000:]


def names(wheel: Path) -> Iterator[str]:
    for entry in wheel.iterdir():
        if entry.is_dir() and not entry.name.endswith(".dist-info"):
            yield entry.name


def test_each_top_level_name_belongs_to_this_distribution_alone(wheel: Path) -> None:
    others = metadata.packages_distributions()
    taken = {name: others[name] for name in names(wheel) if name in others}

    assert {owner for owners in taken.values() for owner in owners} <= {"coldtrail"}


@pytest.mark.parametrize(
    "file",
    [
        "domain/facts/commodities.csv",
        "firmware_sim/scenarios/steady.toml",
        "dashboards/region.json",
        "store/records/migrations/env.py",
        "api/console/templates/base.html",
        "api/console/assets/console.css",
    ],
)
def test_what_is_no_module_is_in_the_wheel_too(file: str, wheel: Path) -> None:
    assert (wheel / file).is_file()
