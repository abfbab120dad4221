import json

from firmware_sim.device import Pack, Reading
from firmware_sim.senml import encode

START_MS = 1_780_000_000_250


def test_base_fields_stand_in_the_first_record_and_times_count_from_the_base() -> None:
    pack = Pack(0, "p", 1, (Reading("temperature", 4.25, 10.0), Reading("door", 1.0, 70.5)))

    assert json.loads(encode(pack, START_MS)) == [
        {"bn": "", "bt": 1_780_000_010, "n": "temperature", "u": "Cel", "v": 4.25, "t": 0.25},
        {"n": "door", "u": "/", "v": 1, "t": 60.75},
    ]


def test_a_device_without_a_clock_sends_no_time() -> None:
    pack = Pack(0, "p", 1, (Reading("humidity", 91.3, None),))

    assert json.loads(encode(pack, START_MS)) == [
        {"bn": "", "n": "humidity", "u": "%RH", "v": 91.3}
    ]
