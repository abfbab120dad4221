"""A further gateway in a folder: what is made, what is refused, what a mistake by hand does."""

from pathlib import Path

import pytest

from coldtrail import settings
from coldtrail.brokers import central_config
from coldtrail.doctor import examine
from coldtrail.gateways import Taken, add
from coldtrail.init import init_data
from coldtrail.settings import Wrong
from coldtrail.supervise import Supervisor

BY_HAND = '\n[[gateway]]\nid = "lixia"\npartition = 7\n'


def by_hand(folder: Path) -> settings.Installation:
    """Somebody wrote a table and made no keys."""
    init_data(folder)
    with (folder / "coldtrail.toml").open("a") as file:
        file.write(BY_HAND)
    return settings.load(folder)


def test_an_added_gateway_has_its_table_its_keys_and_its_place_at_the_server(
    tmp_path: Path,
) -> None:
    init_data(tmp_path, port_base=20_000, more_toml='[alerts]\nsms_url = "log:"')
    before = (tmp_path / "coldtrail.toml").read_text()

    edge = add(tmp_path, "lixia", 7)

    made = settings.load(tmp_path)
    assert (tmp_path / "coldtrail.toml").read_text().startswith(before.rstrip())
    assert [(e.gateway.id, e.gateway.partition) for e in made.edges()][1:] == [("lixia", 7)]
    assert (edge.role, edge.port(0)) == ("gateway-lixia", 20_013)
    assert made.keyless() == []
    one, other = made.server_needs(edge)
    assert [p.read_bytes() for p in edge.needs[-2:]] == [one.read_bytes(), other.read_bytes()]
    assert {p.stat().st_mode & 0o777 for p in edge.keys.iterdir()} == {0o600}
    assert [g.id for g in made.ingest_settings().gateways] == ["gw1", "lixia"]
    assert "gw-lixia" in central_config(made, tmp_path)
    assert "gw-lixia:" in (tmp_path / "server" / "mosquitto" / "passwd").read_text()


def test_a_gateway_is_added_once_and_keeps_its_keys(tmp_path: Path) -> None:
    init_data(tmp_path)
    edge = add(tmp_path, "lixia")
    keys = {path: path.read_bytes() for path in edge.keys.iterdir()}

    with pytest.raises(Taken, match="lixia"):
        add(tmp_path, "lixia")

    assert {path: path.read_bytes() for path in edge.keys.iterdir()} == keys


@pytest.mark.parametrize(
    ("id", "partition", "named"),
    [
        ("../x", None, "id"),
        ('x"\nkid = "k2', None, "id"),
        ("x", 64, "partition"),
        ("x", -1, "partition"),
        ("", None, "id"),
    ],
)
def test_an_impossible_gateway_changes_nothing(
    id: str, partition: int | None, named: str, tmp_path: Path
) -> None:
    init_data(tmp_path)
    before = sorted(tmp_path.rglob("*")), (tmp_path / "coldtrail.toml").read_bytes()

    with pytest.raises(Wrong, match=named):
        add(tmp_path, id, partition)

    assert (sorted(tmp_path.rglob("*")), (tmp_path / "coldtrail.toml").read_bytes()) == before


def test_a_table_without_keys_shuts_nobody_else_out(tmp_path: Path) -> None:
    made = by_hand(tmp_path)

    assert [g.id for g in made.ingest_settings().gateways] == ["gw1"]
    assert "gw-lixia" not in central_config(made, tmp_path)


def test_a_start_with_a_table_without_keys_is_refused_with_the_command_that_makes_them(
    tmp_path: Path,
) -> None:
    with pytest.raises(Wrong, match="coldtrail gateway add lixia"):
        Supervisor(by_hand(tmp_path)).start()


def test_doctor_finds_a_table_without_keys_and_the_command_repairs_it(tmp_path: Path) -> None:
    made = by_hand(tmp_path)
    (wrong,) = [f for f in examine(made) if "lixia" in f.what]
    assert (wrong.verdict, wrong.advice) == ("wrong", "coldtrail gateway add lixia")

    with pytest.raises(Wrong, match="partition 7"):
        add(tmp_path, "lixia", 8)
    add(tmp_path, "lixia")

    assert settings.load(tmp_path).keyless() == []
    assert [f for f in examine(made) if f.what == "gateways with keys: 2"]


def test_the_lost_half_of_a_pair_is_made_like_the_other(tmp_path: Path) -> None:
    made = init_data(tmp_path)
    (edge,) = made.edges()
    tag = edge.needs[-1].read_bytes()
    edge.needs[-1].unlink()

    add(tmp_path, "gw1")

    assert edge.needs[-1].read_bytes() == tag
    assert made.keyless() == []


def test_a_carriers_password_that_is_not_there_stops_the_start_and_is_named(
    tmp_path: Path,
) -> None:
    more = '[alerts]\nsms_url = "smpp://id@127.0.0.1"\nsms_password_file = "server/keys/none"'

    with pytest.raises(Wrong, match=r"alerts\.sms_password_file"):
        Supervisor(init_data(tmp_path, more_toml=more)).start()
