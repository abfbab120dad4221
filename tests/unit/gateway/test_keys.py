"""Keys: made once, readable by their owner alone, and never by mistake something else."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.keys import UnusableKey, ensure_signing_key, tag_key


def test_the_signing_key_is_an_ed25519_key_made_once(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "gateway.pem"

    assert ensure_signing_key(path)
    made = path.read_bytes()
    assert not ensure_signing_key(path)

    assert path.read_bytes() == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert isinstance(load_pem_private_key(made, None), Ed25519PrivateKey)


def test_a_tag_key_is_32_bytes_raw_or_in_hex(tmp_path: Path) -> None:
    path = tmp_path / "tag.key"
    path.write_bytes(bytes(range(32)))
    raw = tag_key(path)
    path.write_text(bytes(range(32)).hex() + "\n")

    assert tag_key(path) == raw == bytes(range(32))


@pytest.mark.parametrize("content", [b"", b"short", b"zz" * 32, bytes(33)])
def test_another_content_is_no_tag_key(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tag.key"
    path.write_bytes(content)

    with pytest.raises(UnusableKey, match="holds no tag key"):
        tag_key(path)
