"""Devices of a gateway by command: users of their own, offsets, and another try."""

from pathlib import Path

import pytest

from coldtrail import settings
from coldtrail.gateway_commands import add_device, list_devices, offset, offsets, remove_device
from coldtrail.init import init_data
from coldtrail.quarantine import find, retry
from gateway.quarantine import WISHES, take_wishes
from store.connect import open_readings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return init_data(tmp_path / "site", port_base=18800).folder


def test_a_device_is_added_shown_and_removed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_device("zigbee", "zigbee2mqtt/#", data=folder)
    said = capsys.readouterr().out
    password = folder / "gateway" / "keys" / "devices" / "zigbee.password"
    assert str(password) in said
    assert password.read_text().strip() not in said
    assert "http://127.0.0.1:18812/devices/zigbee/readings" in said

    list_devices(data=folder)
    assert "zigbee2mqtt/#" in capsys.readouterr().out
    remove_device("zigbee", data=folder)
    with pytest.raises(settings.Wrong, match="zigbee"):
        remove_device("zigbee", data=folder)


@pytest.mark.parametrize("name", ["../x", "installer"])
def test_a_name_that_cannot_be_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(settings.Wrong):
        add_device(name, data=folder)
    with pytest.raises(settings.Wrong, match="gw9"):
        add_device("store7", data=folder, gateway="gw9")


def test_an_offset_is_set_and_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    offset("tele/store7/SENSOR", 8, data=folder)
    offsets(data=folder)
    assert "tele/store7/SENSOR" in capsys.readouterr().out
    with pytest.raises(settings.Wrong, match="20"):
        offset("tele/store7/SENSOR", 20, data=folder)


def test_a_gateways_message_is_left_to_it_and_one_of_nobody_is_refused(folder: Path) -> None:
    installation = settings.load(folder)
    id = installation.edges()[0].gateway.id

    assert retry(installation, [f"{id}/7", f"{id}/9"]) == ({}, ["gateway"])
    outbox = installation.gateway_settings(installation.edges()[0]).outbox_path
    assert take_wishes(Path(outbox)) == [7, 9]
    assert take_wishes(Path(outbox)) == []
    for name in ("gw9/1", "x", "", "9" * 20, f"{id}/{'9' * 400}"):
        with pytest.raises(ValueError, match="no message"):
            retry(installation, [name])


def test_a_number_that_no_message_can_have_is_no_message(folder: Path) -> None:
    installation = settings.load(folder)
    open_readings(installation.ingest_settings().readings_path, write=True).close()
    outbox = Path(installation.gateway_settings(installation.edges()[0]).outbox_path)
    wishes = Path(f"{outbox}{WISHES}")
    wishes.mkdir(parents=True)
    (wishes / ("9" * 30)).touch()  # by whom ever: the gateway's writer must not end for it

    assert find(installation, "9" * 30) is None
    assert find(installation, "gw1/" + "9" * 30) is None
    assert take_wishes(outbox) == []
    assert not list(wishes.iterdir())
