"""Sparkplug B 3.0: birth certificates name what later messages call by number."""

import pytest

from gateway.decoders import NotMine, decode
from gateway.decoders.certificates import MAX_SOURCES, Certificates
from tests.support.sparkplug import metric, payload
from tests.unit.gateway.decoders import NOW, said, unusable

AT = 1_779_955_200_000
DBIRTH, DDATA = "spBv1.0/coop/DBIRTH/plc1/store7", "spBv1.0/coop/DDATA/plc1/store7"
PROBE = "local:sparkplug/coop/plc1/store7"
FLOAT, INT16, BOOLEAN, STRING = 9, 2, 11, 12

BIRTH = payload(
    metric("Room/Temperature", 1, at_ms=AT, datatype=FLOAT, real=4.1, unit="°C"),
    metric("Freezer/Temperature", 2, at_ms=AT, datatype=INT16, integer=(1 << 16) - 18),
    metric("Door", 3, at_ms=AT, datatype=BOOLEAN, truth=False),
    metric("Properties/Hardware Make", 4, datatype=STRING, text="x"),
    at_ms=AT,
)


def born(topic: str = DBIRTH, certificate: bytes = BIRTH) -> Certificates:
    return Certificates({topic: certificate})


def test_a_birth_certificate_carries_readings_of_its_own() -> None:
    assert said(DBIRTH, BIRTH) == [
        (f"{PROBE}/Room", "temperature", "4.10", AT),
        (f"{PROBE}/Freezer", "temperature", "-18.00", AT),
        (PROBE, "door", "0", AT),
    ]


def test_data_by_alias_means_what_the_birth_certificate_said() -> None:
    data = payload(
        metric(alias=1, at_ms=AT + 60_000, real=4.6),
        metric(alias=2, integer=(1 << 32) - 17),  # its type, and so its sign, is the certificate's
        metric(alias=3, truth=True),
        at_ms=AT + 61_000,
    )

    assert said(DDATA, data, born()) == [
        (f"{PROBE}/Room", "temperature", "4.60", AT + 60_000),
        (f"{PROBE}/Freezer", "temperature", "-17.00", AT + 61_000),
        (PROBE, "door", "1", AT + 61_000),
    ]


def test_an_alias_that_nobody_introduced_is_unusable_and_never_guessed() -> None:
    data = payload(metric(alias=1, real=4.6), metric("Humidity", real=80), at_ms=AT)
    other_device = Certificates({DBIRTH.replace("store7", "store8"): BIRTH})

    assert [r[1] for r in said(DDATA, data, other_device)] == ["humidity"]
    assert unusable(DDATA, data, other_device) == [
        "1 metrics by alias, and no birth certificate of them"
    ]


def test_a_new_birth_certificate_takes_the_place_of_the_old() -> None:
    certificates = born()
    renamed = payload(metric("Yard/Temperature", 1, datatype=FLOAT, real=20), at_ms=AT)

    assert certificates.learn(DBIRTH, renamed)
    assert not certificates.learn(DBIRTH, renamed)
    assert said(DDATA, payload(metric(alias=1, real=21), at_ms=AT), certificates) == [
        (f"{PROBE}/Yard", "temperature", "21.00", AT)
    ]


def test_a_metric_of_the_node_may_be_called_by_its_device() -> None:
    node = born("spBv1.0/coop/NBIRTH/plc1", payload(metric("Humidity", 9, datatype=FLOAT, real=1)))

    assert [r[1:3] for r in said(DDATA, payload(metric(alias=9, real=55)), node)] == [
        ("humidity", "55.00")
    ]


def test_units_are_converted_or_refused() -> None:
    fahrenheit = payload(metric("Temperature", double=39.2, unit="°F"))
    odd = payload(metric("Temperature", double=39.2, unit="furlong"))

    assert [r[2] for r in said(DDATA, fahrenheit)] == ["4.00"]
    assert "furlong" in unusable(DDATA, odd)[0]


def test_a_value_that_is_null_or_no_number_is_no_reading() -> None:
    data = payload(
        metric("Temperature", null=True),
        metric("Humidity", real=float("nan")),
        metric("Battery", text="full"),
    )

    assert said(DDATA, data) == []
    assert unusable(DDATA, data) == ["'Humidity' is not a number", "'Battery' is not a number"]


def test_deaths_commands_and_hosts_measure_nothing() -> None:
    for topic in ("spBv1.0/coop/NDEATH/plc1", "spBv1.0/coop/DCMD/plc1/x", "spBv1.0/STATE/scada"):
        assert decode(topic, payload(metric("Temperature", real=1)), NOW) == []


@pytest.mark.parametrize(
    "raw", [b"\x0b", b"\xff" * 12, BIRTH[:-5], b"\x12\x7f\x0a", b'{"temperature":4}', b"\x12\x03\x0a\x01\xff"]
)  # fmt: skip
def test_what_is_no_payload_is_nobodys(raw: bytes) -> None:
    with pytest.raises(NotMine):
        decode(DDATA, raw, NOW)
    assert not Certificates({}).learn(DBIRTH, raw)


def test_certificates_are_bounded() -> None:
    certificates = Certificates({})
    for i in range(MAX_SOURCES + 10):
        certificates.learn(f"spBv1.0/coop/NBIRTH/plc{i}", BIRTH)

    assert len(certificates) == MAX_SOURCES
    assert not certificates.learn(DBIRTH, payload(metric("x" * (1 << 18), 1)))
