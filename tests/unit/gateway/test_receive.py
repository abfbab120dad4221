"""What becomes of one device's message before it reaches the disk."""

import json

from domain.reading import Series
from gateway.clock import ArrivalClock
from gateway.decoders.foreign import guarded
from gateway.decoders.reading import Decoded
from gateway.outbox import Row
from gateway.receive import Admission, Message
from tests.support.sparkplug import metric, payload
from wire.batch_v1 import MAX_PROBE_ID

NOW = 1_780_000_000_000
DAY = 86_400_000


def message(content: object, device: str = "dev-1") -> Message:
    payload = json.dumps(content).encode()
    return Message(f"devices/{device}/readings", payload, 1, 1, False, False, 1)


def test_a_probe_whose_id_no_batch_can_carry_is_quarantined_and_its_neighbours_are_kept() -> None:
    names = ["x" * 140 + ":temperature", "b:temperature"]
    pack = [{"n": name, "u": "Cel", "v": 4} for name in names]

    rows, unfit = Admission("gw-1").admit(message(pack, "a" * 90), NOW, True)

    assert [len(row.series.probe) <= MAX_PROBE_ID for row in rows] == [True]
    assert unfit is not None
    assert unfit.reason == "a probe's id is too long"


def test_readings_without_a_time_are_kept_after_the_clock_was_set_back() -> None:
    admission = Admission("gw-1")
    admission.admit(message({"temperature": 4.2}), NOW + DAY, False)

    rows, unfit = admission.admit(message({"temperature": 4.3}), NOW, True)

    series = Series(rows[0].series.probe, "temperature")
    assert rows == [Row(series, NOW, 430, 0)]
    assert unfit is None


def test_after_the_clock_was_set_back_arrivals_of_one_instant_still_do_not_meet() -> None:
    admission = Admission("gw-1")
    admission.admit(message({"temperature": 4.2}), NOW + DAY, False)

    taken = [admission.admit(message({"temperature": v}), NOW, True)[0][0] for v in (4.3, 4.4)]

    assert [row.at_ms for row in taken] == [NOW, NOW + 1]


def sparkplug(kind: str, content: bytes) -> Message:
    return Message(f"spBv1.0/coop/{kind}/plc1", content, 1, 1, False, False, 1)


def test_a_birth_certificate_is_handed_on_until_it_is_on_disk_and_then_understood() -> None:
    born = payload(metric("Temperature", 7, datatype=9, real=4.0), at_ms=NOW)
    admission = Admission("gw-1")
    admission.admit(sparkplug("NBIRTH", born), NOW, True)
    assert admission.learnt == {"spBv1.0/coop/NBIRTH/plc1": born}

    restarted = Admission("gw-1", certificates=admission.learnt)
    later = payload(metric(alias=7, real=5.0), at_ms=NOW + 1)
    rows, unfit = restarted.admit(sparkplug("NDATA", later), NOW, True)

    assert [(row.at_ms, row.counts) for row in rows] == [(NOW + 1, 500)]
    assert unfit is None
    assert restarted.learnt == {}


def test_a_foreign_decoder_that_fails_costs_its_own_message_and_no_other() -> None:
    def fails(_topic: str, _payload: bytes, _at: int) -> Decoded:
        raise KeyError("temperature")

    admission = Admission("gw-1", [guarded("acme", fails)])
    _, unfit = admission.admit(Message("acme/1", b"\x00", 1, 1, False, False, 1), NOW, True)
    rows, none = admission.admit(message({"temperature": 4.2}), NOW, True)

    assert unfit is not None
    assert (unfit.payload, unfit.reason) == (
        b"\x00",
        "decoder acme failed: KeyError: 'temperature'",
    )
    assert len(rows) == 1
    assert none is None


def test_half_a_character_in_a_name_costs_its_reading_alone_and_can_be_told() -> None:
    """A lone surrogate is valid JSON and no UTF-8: neither a batch nor SQLite can hold it."""
    sensors = b'"\\ud800":{"Temperature":4,"Humidity":null},"AM2301":{"Temperature":5}'
    tasmota = Message("tele/a/SENSOR", b"{%s}" % sensors, 1, 1, False, False, 1)

    rows, unfit = Admission("gw-1").admit(tasmota, NOW, True)

    assert [row.counts for row in rows] == [500]
    assert unfit is not None
    assert unfit.reason.encode()
    assert "cannot be shown" in unfit.reason


def test_untimed_messages_of_one_instant_that_are_tried_again_do_not_meet() -> None:
    admission, arrivals = Admission("gw-1"), ArrivalClock()

    rows = [
        admission.admit(message({"temperature": v}), NOW + DAY, True, (NOW, arrivals))[0][0]
        for v in (4.2, 4.3)
    ]

    assert [(row.at_ms, row.counts) for row in rows] == [(NOW, 420), (NOW + 1, 430)]
