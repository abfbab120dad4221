"""Which config a gateway goes by."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.config import Configured, Refused
from gateway.keys import made_by
from wire.config_v1 import Config, Room, encode

SERVER = Ed25519PrivateKey.generate()
ROOM = Room("r1", "s1", "chilled", "一号", "One")


def pinned(folder: Path) -> Configured:
    public = folder / "server.pub"
    public.write_bytes(
        SERVER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return Configured("g1", folder / "config.json", made_by(str(public)))


def config(
    m: int, *, made_at_ms: int = 0, gateway: str = "g1", store: str = "s", was: tuple[str, ...] = ()
) -> Config:
    return Config(1, gateway, store, m, made_at_ms, (), (ROOM,) * m, was)


def said(config: Config, key: Ed25519PrivateKey = SERVER) -> bytes:
    return encode(config, key.sign)


def test_the_newest_config_is_used_and_survives_a_restart(tmp_path: Path) -> None:
    configured = pinned(tmp_path)

    assert configured.offer(said(config(1))) == config(1)
    assert configured.offer(said(config(3))) == config(3)

    assert pinned(tmp_path).current == config(3)
    assert (tmp_path / "config.json").stat().st_mode & 0o777 == 0o600


def test_an_older_config_changes_nothing(tmp_path: Path) -> None:
    configured = pinned(tmp_path)
    configured.offer(said(config(3)))

    with pytest.raises(Refused, match="older"):
        configured.offer(said(config(2)))

    assert configured.current == config(3)
    assert pinned(tmp_path).current == config(3)
    assert configured.refused == 1


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        pytest.param(said(config(4), Ed25519PrivateKey.generate()), "not signed", id="stranger"),
        pytest.param(said(config(4)).replace(b'"m":4', b'"m":5'), "not signed", id="tampered"),
        pytest.param(said(config(4))[:-140] + b"}", "without a signature", id="unsigned"),
        pytest.param(said(config(4, gateway="g2")), "another gateway", id="another-gateway"),
        pytest.param(said(config(4, store="other")), "another store", id="another-store"),
    ],
)
def test_what_the_server_did_not_sign_for_us_changes_nothing(
    tmp_path: Path, payload: bytes, why: str
) -> None:
    configured = pinned(tmp_path)
    configured.offer(said(config(3)))

    with pytest.raises(Refused, match=why):
        configured.offer(payload)

    assert configured.current == config(3)
    assert pinned(tmp_path).current == config(3)


def test_the_same_words_heard_again_are_no_news_and_no_offence(tmp_path: Path) -> None:
    configured = pinned(tmp_path)
    configured.offer(said(config(3, made_at_ms=5)))

    assert configured.offer(said(config(3, made_at_ms=5))) is None
    assert configured.offer(said(config(3, made_at_ms=4))) is None
    assert configured.refused == 0


def test_a_kept_config_that_somebody_altered_is_not_used(tmp_path: Path) -> None:
    pinned(tmp_path).offer(said(config(3)))
    file = tmp_path / "config.json"
    file.write_bytes(file.read_bytes().replace("一号".encode(), "二号".encode()))

    assert pinned(tmp_path).current is None


def test_without_a_pinned_key_nobody_is_believed(tmp_path: Path) -> None:
    configured = Configured("g1", tmp_path / "config.json", made_by(str(tmp_path / "none.pub")))

    with pytest.raises(Refused, match="not signed"):
        configured.offer(said(config(1)))


def test_records_put_back_twice_from_one_backup_are_gone_by_and_never_the_first_again(
    tmp_path: Path,
) -> None:
    first = config(2, made_at_ms=2, store="b", was=("a",))
    second = config(1, made_at_ms=3, store="c", was=("a",))
    configured = pinned(tmp_path)
    for one in (config(3, made_at_ms=1, store="a"), first, second):
        assert configured.offer(said(one)) == one

    with pytest.raises(Refused, match="another store"):
        configured.offer(said(first))

    assert configured.current == second
