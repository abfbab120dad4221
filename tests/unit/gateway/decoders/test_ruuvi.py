"""Ruuvi Gateway; the vectors are those of the public specification of data format 5."""

import json

import pytest

from gateway.decoders import NotMine, decode
from tests.unit.gateway.decoders import NOW, said, unusable

TAG = "CB:B8:33:4C:88:4F"
TOPIC = f"ruuvi/C8:25:2D:8E:9C:2C/{TAG}"
AT = 1_779_955_200_000

VALID = "0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"
LARGEST = "057FFFFFFEFFFE7FFF7FFF7FFFFFDEFEFFFECBB8334C884F"
SMALLEST = "058001000000008001800180010000000000CBB8334C884F"
INVALID = "058000FFFFFFFF800080008000FFFFFFFFFFFFFFFFFFFFFF"


def heard(raw: str, rssi: int = -62) -> str:
    message = {
        "gw_mac": "C8:25:2D:8E:9C:2C", "rssi": rssi, "aoa": [], "gwts": "1779955201",
        "ts": "1779955200", "data": f"0201061BFF9904{raw}", "coords": "",
    }  # fmt: skip
    return json.dumps(message)


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        (VALID, ["24.30", "53.49", "2.977"]),
        (LARGEST, ["163.84", "163.84", "3.646"]),
        (SMALLEST, ["-163.84", "0.00", "1.600"]),
        (INVALID, []),
    ],
    ids=["valid", "largest", "smallest", "not-available"],
)
def test_data_format_5(raw: str, values: list[str]) -> None:
    found = said(TOPIC, heard(raw))

    assert [r[2] for r in found if r[1] != "signal"] == values
    assert {r[0] for r in found} <= {f"mac:{TAG}"}
    assert {r[3] for r in found} <= {AT}


def test_the_signal_stands_beside_the_readings() -> None:
    assert (f"mac:{TAG}", "signal", "-62", AT) in said(TOPIC, heard(VALID))


def test_a_gateway_that_decodes_by_itself_is_understood() -> None:
    message = {"ts": 1779955200, "dataFormat": 5, "temperature": 4.31, "humidity": 80.2,
               "voltage": 2.9, "pressure": 100044, "id": TAG}  # fmt: skip

    assert [r[1:] for r in said(TOPIC, json.dumps(message))] == [
        ("temperature", "4.31", AT),
        ("humidity", "80.20", AT),
        ("voltage", "2.900", AT),
    ]


def test_other_advertisements_are_no_readings() -> None:
    of_another_maker = json.dumps({"ts": "1779955200", "data": "0201061AFF4C000215"})

    assert decode(TOPIC, of_another_maker.encode(), NOW) == []
    assert decode("ruuvi/C8:25:2D:8E:9C:2C/gw_status", b'{"state":"online"}', NOW) == []


@pytest.mark.parametrize(
    ("raw", "reason"),
    [("03291A1ECE1EFC18F94202CA0B53", "format 3"), (VALID[:20], "cut short"), ("", "none")],
)
def test_what_is_no_data_format_5_is_unusable(raw: str, reason: str) -> None:
    [said_so] = unusable(TOPIC, heard(raw))
    assert reason in said_so


def test_what_is_no_tag_is_nobodys() -> None:
    with pytest.raises(NotMine, match="MAC"):
        decode("ruuvi/gw/kitchen", heard(VALID).encode(), NOW)
    with pytest.raises(NotMine, match="dataFormat"):
        decode(TOPIC, b"{}", NOW)
