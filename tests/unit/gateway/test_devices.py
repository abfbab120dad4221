"""A user a device, each a file."""

import stat
from pathlib import Path

import pytest

from gateway import devices
from gateway.edge_broker import User, users


def test_a_device_is_added_once_and_keeps_its_password(tmp_path: Path) -> None:
    path = devices.add(tmp_path / "d", "store7")
    password = path.read_text()

    assert devices.add(tmp_path / "d", "store7", ["cmnd/store7/#"]).read_text() == password
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert devices.in_folder(str(tmp_path / "d")) == [
        User("store7", password.strip(), ("cmnd/store7/#",))
    ]
    assert devices.remove(tmp_path / "d", "store7")
    assert not devices.remove(tmp_path / "d", "store7")
    assert devices.in_folder(str(tmp_path / "d")) == []


@pytest.mark.parametrize("name", ["", "../x", "a/b", "installer", "gateway", ".x", "a" * 65, "a b"])
def test_a_name_that_is_no_file_name_or_somebody_elses_is_refused(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(devices.Unfit):
        devices.add(tmp_path, name)
    assert not devices.remove(tmp_path, name)


@pytest.mark.parametrize("filter_", ["#", "+/x", "$SYS/#", "", "a b"])
def test_nobody_listens_to_everything(filter_: str, tmp_path: Path) -> None:
    with pytest.raises(devices.Unfit):
        devices.add(tmp_path, "store7", [filter_])
    assert devices.in_folder(str(tmp_path)) == []


def test_the_brokers_file_gives_a_device_its_own_filters_and_nothing_by_default() -> None:
    text = users(
        User("gateway", "g"), None, [User("a", "x"), User("z", "y", ("zigbee2mqtt/#", "cmnd/+/x"))]
    )

    [a, z] = [line for line in text.splitlines() if '"a"' in line or '"z"' in line]
    assert 'subscribe: {deny: [">"]}' in a
    assert 'subscribe: {allow: ["zigbee2mqtt.>", "zigbee2mqtt", "cmnd.*.x"]}' in z
