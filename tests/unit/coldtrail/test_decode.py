"""``coldtrail decode``: what a message becomes, and why not, without sending it."""

from pathlib import Path

from tests.support.sparkplug import metric, payload
from tests.support.system import run_command

TASMOTA = b'{"Time":"2026-05-28T08:00:00Z","AM2301":{"Temperature":4.6,"Humidity":null}}'
DDATA, DBIRTH = "spBv1.0/coop/DDATA/plc1/store7", "spBv1.0/coop/DBIRTH/plc1/store7"


def decode(folder: Path, content: bytes, *options: str) -> tuple[int, list[str]]:
    file = folder / "message"
    file.write_bytes(content)
    done = run_command("decode", str(file), *options)
    return done.returncode, (done.stdout or done.stderr).splitlines()


def test_readings_stand_beside_what_could_not_be_used(tmp_path: Path) -> None:
    code, lines = decode(tmp_path, TASMOTA, "--topic", "tele/store7/SENSOR")

    assert code == 0
    assert lines == [
        "2026-05-28T08:00:00.000Z  tasmota/store7/AM2301  temperature  4.60 Cel",
        "unusable: AM2301: humidity is not a number",
    ]


def test_a_reading_that_the_gateway_would_refuse_says_why(tmp_path: Path) -> None:
    _, [line] = decode(tmp_path, b'[{"n":"temperature","v":4,"t":1500000000}]')

    assert line.endswith("refused: measured before 2020")


def test_a_message_of_nobody_and_one_without_a_reading_are_told_apart(tmp_path: Path) -> None:
    nobody, [why] = decode(tmp_path, b"{}", "--topic", "weather/station")
    silent, [what] = decode(tmp_path, b"Online", "--topic", "tele/store7/LWT")

    assert (nobody, silent) == (1, 0)
    assert "no decoder knows this topic" in why
    assert what == "understood; it holds no reading"


def test_data_by_alias_is_read_with_its_birth_certificate(tmp_path: Path) -> None:
    birth = tmp_path / "birth"
    birth.write_bytes(payload(metric("Temperature", 3, real=4.0, datatype=9)))
    data = payload(metric(alias=3, real=4.5), at_ms=1_779_955_200_000)
    options = ("--birth", str(birth), "--birth-topic", DBIRTH)

    _, [without] = decode(tmp_path, data, "--topic", DDATA)
    _, [with_it] = decode(tmp_path, data, "--topic", DDATA, *options)

    assert without.startswith("unusable: 1 metrics by alias")
    assert with_it == (
        "2026-05-28T08:00:00.000Z  sparkplug/coop/plc1/store7  temperature  4.50 Cel"
    )
