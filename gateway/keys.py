"""Keys of a gateway: the one it makes for itself, and those it is given in files."""

import base64
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from disk.whole import PRIVATE, write_whole
from gateway import ed25519

TAG_KEY_BYTES = 32

# RFC 8410, section 7: an Ed25519 private key is 32 random bytes behind this constant. Written
# by hand so that a gateway does not carry a cryptography library.
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")


class UnusableKey(Exception):
    """A key file does not hold what it should; the content is not repeated here."""


def ensure_signing_key(path: Path) -> bool:
    """Make the gateway's Ed25519 key, readable by its owner alone; False when it exists."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    text = base64.b64encode(_PKCS8 + os.urandom(32)).decode()
    pem = f"-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"
    write_whole(path, pem, mode=PRIVATE)
    return True


def tag_key(path: Path) -> bytes:
    """32 bytes, or the same as 64 hexadecimal digits."""
    content = path.read_bytes()
    if len(content) == TAG_KEY_BYTES:
        return content
    try:
        key = bytes.fromhex(content.decode("ascii").strip())
    except ValueError as error:
        raise UnusableKey(f"{path} holds no tag key") from error
    if len(key) != TAG_KEY_BYTES:
        raise UnusableKey(f"{path} holds no tag key")
    return key


def password(path: str) -> str:
    return Path(path).read_text().strip()


def made_by(public_key_file: str) -> Callable[[bytes, bytes], bool]:
    """Whether the server whose public key stands in the file made a signature of a message.
    Without the file nobody's word counts."""
    if not public_key_file or not Path(public_key_file).exists():
        return lambda _signature, _message: False
    try:
        public = ed25519.public_key(Path(public_key_file).read_text())
    except ed25519.NoKey as error:
        raise UnusableKey(f"{public_key_file}: {error}") from error
    return partial(ed25519.verifies, public)
