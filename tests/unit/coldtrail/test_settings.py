import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coldtrail import settings
from coldtrail.clock import story
from coldtrail.init import GATEWAY_COMMENTS, NewGateway, Taken, init_data

ONE_GATEWAY = '[[gateway]]\nid = "gw1"\npartition = 3\n'


def load(folder: Path, text: str) -> settings.Installation:
    (folder / "coldtrail.toml").write_text(text)
    return settings.load(folder)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("prot_base = 18800\n" + ONE_GATEWAY, "prot_base", id="top"),
        pytest.param(ONE_GATEWAY + "[influx]\nurll = 'x'\n", "urll", id="table"),
        pytest.param(ONE_GATEWAY + "kidd = 'x'\n", "kidd", id="gateway"),
        pytest.param("port_base = 80\n" + ONE_GATEWAY, "port_base", id="port"),
        pytest.param('[[gateway]]\nid = "../x"\npartition = 3\n', "gateway", id="path-trick"),
        pytest.param('[[gateway]]\nid = "gw1"\npartition = 64\n', "partition", id="partition"),
        pytest.param(ONE_GATEWAY * 2, "gw1", id="twice"),
        pytest.param("", "gateway", id="none"),
        pytest.param(
            ONE_GATEWAY + "[alerts]\nsms_url = 'http://x'\n", r"alerts\.sms_url.*http", id="carrier"
        ),
        pytest.param(
            ONE_GATEWAY + "[network]\nserver_elsewhere = true\n", "broker_url", id="where"
        ),
        pytest.param(
            ONE_GATEWAY + "elsewhere = true\n[network]\nserver_elsewhere = true\n",
            "nothing runs here",
            id="nothing-here",
        ),
        pytest.param(
            ONE_GATEWAY + "[clock]\nstart = 2026-06-01T00:00:00\n", "time zone", id="zoneless"
        ),
    ],
)
def test_what_cannot_be_used_stops_the_start_and_is_named(
    text: str, named: str, tmp_path: Path
) -> None:
    with pytest.raises(settings.Wrong, match=named):
        load(tmp_path, text)


def test_the_first_gateway_has_the_plain_names_and_further_ones_carry_their_id(
    tmp_path: Path,
) -> None:
    made = init_data(tmp_path, port_base=20_000, gateways=[NewGateway("gw1"), NewGateway("lixia")])

    assert [e.role for e in made.edges()] == ["gateway", "gateway-lixia"]
    assert [e.broker_role for e in made.edges()] == ["edge-broker", "edge-broker-lixia"]
    assert [[e.port(i) for i in range(3)] for e in made.edges()] == [
        [20_010, 20_011, 20_012],
        [20_013, 20_014, 20_015],
    ]
    assert made.edge("edge-broker-lixia").home == tmp_path / "gateway-lixia"


def test_a_gateway_elsewhere_is_known_and_not_started_and_needs_no_keys_of_its_own_here(
    tmp_path: Path,
) -> None:
    made = init_data(tmp_path, port_base=20_000, gateways=[NewGateway("gw1"), NewGateway("lixia")])
    shutil.rmtree(made.edge("gateway-lixia").home)
    text = (tmp_path / "coldtrail.toml").read_text()
    assert [e.gateway.id for e in made.keyless()] == ["lixia"]

    server = load(tmp_path, text.replace('id = "lixia"', 'id = "lixia"\nelsewhere = true'))

    assert "gateway-lixia" not in server.roles()
    assert "ingest" in server.roles()
    assert server.keyless() == []
    assert [e.gateway.id for e in server.known_edges()] == ["gw1", "lixia"]
    assert 20_013 not in server.ports()


def test_where_gateways_run_alone_nothing_of_the_server_is_needed(tmp_path: Path) -> None:
    made = init_data(tmp_path, port_base=20_000)
    shutil.rmtree(made.server)
    text = (tmp_path / "coldtrail.toml").read_text()

    village = load(
        tmp_path, f'{text}\n[network]\nserver_elsewhere = true\nbroker_url = "mqtt://county:1883"\n'
    )

    assert village.roles() == ["edge-broker", "gateway"]
    assert village.keyless() == []
    assert village.ports() == [20_010, 20_011, 20_012]
    assert village.gateway_settings(village.edges()[0]).uplink_url == "mqtt://county:1883"


def test_every_secret_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    made = init_data(tmp_path)
    kept = [p for p in tmp_path.rglob("*") if p.parent.name == "keys"]

    assert len(kept) >= 10
    assert {p.stat().st_mode & 0o777 for p in kept} == {0o600}
    assert {p.parent.stat().st_mode & 0o777 for p in kept} == {0o700}
    assert not any(p.read_text().strip() in (made.folder / "coldtrail.toml").read_text()
                   for p in kept if p.suffix == ".password")  # fmt: skip


def test_a_folder_with_settings_is_left_as_it_is(tmp_path: Path) -> None:
    init_data(tmp_path)
    before = (tmp_path / "coldtrail.toml").read_text()

    with pytest.raises(Taken):
        init_data(tmp_path, port_base=20_000)

    assert (tmp_path / "coldtrail.toml").read_text() == before


def test_impossible_further_tables_leave_no_settings_behind(tmp_path: Path) -> None:
    with pytest.raises(settings.Wrong, match="nonsense"):
        init_data(tmp_path, more_toml="[nonsense]\na = 1")

    assert not (tmp_path / "coldtrail.toml").exists()


def test_every_table_that_the_comments_offer_is_understood(tmp_path: Path) -> None:
    text = (init_data(tmp_path).folder / "coldtrail.toml").read_text()
    lines = text.splitlines()
    offered = [
        line.removeprefix("# ")
        if line.startswith("# ") and ("= " in line or line[2] == "[")
        else ""
        for line in lines
    ]
    of_gateway = [line for line in offered if line.partition(" = ")[0] in GATEWAY_COMMENTS]
    tables = "\n".join(line for line in offered if line not in of_gateway)

    made = load(tmp_path, "\n".join([tables, ONE_GATEWAY, *of_gateway]))

    assert made.file.clock.rate == 60
    assert made.file.influx.url
    assert made.file.network.server_elsewhere
    assert made.file.alerts.sms_url
    assert made.roles() == ["edge-broker", "gateway"]


def test_a_storys_clock_goes_on_where_it_is_after_a_restart(tmp_path: Path) -> None:
    made = load(tmp_path, ONE_GATEWAY + "[clock]\nstart = 2026-06-01T00:00:00Z\nrate = 1000.0\n")
    start_ms = round(datetime(2026, 6, 1, tzinfo=UTC).timestamp() * 1000)

    first = made.now_ms()()
    second = made.now_ms()()

    assert start_ms <= first <= second


def test_a_storys_clock_runs_as_many_times_as_fast() -> None:
    assert story(5_000, 60.0, anchor_ms=1_000, machine=lambda: 3_500)() == 155_000


def test_the_settings_of_docker_compose_are_understood(tmp_path: Path) -> None:
    further = Path(__file__).parents[3] / "deploy" / "compose.toml"
    made = init_data(tmp_path, more_toml=further.read_text())

    assert made.broker_url == "mqtt://mosquitto:1883"
    assert made.api_url == "http://api:18800"
    assert made.influx_settings().token_file == "/run/secrets/influx_token"  # noqa: S105 - a path
    assert set(made.roles()) == {
        "edge-broker", "api", "ingest", "gateway", "alerts", "traceability", "influx"
    }  # fmt: skip


def test_a_map_of_registers_that_cannot_be_used_stops_the_start_and_is_named(
    tmp_path: Path,
) -> None:
    text = ONE_GATEWAY + 'modbus = "plc.toml"\n'
    registers = tmp_path / "plc.toml"

    with pytest.raises(settings.Wrong, match=r"plc\.toml"):
        load(tmp_path, text)
    device = '[[device]]\nname = "a"\nurl = "tcp://h"\n'
    registers.write_text(device + "register = []\n")
    with pytest.raises(settings.Wrong, match="register"):
        load(tmp_path, text)
    registers.write_text(device + 'register = [{quantity = "door", address = 1}]\n')
    installation = load(tmp_path, text)
    assert installation.gateway_settings(installation.edges()[0]).modbus_file == str(registers)
