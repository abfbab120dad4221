"""The server's Ed25519 key: signs certificates. The private part stays in its file."""

import base64
import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class BadKey(Exception):
    """The file holds no Ed25519 key."""


def load_private(path: Path | str) -> Ed25519PrivateKey:
    """PKCS #8 PEM, as ``init`` writes it."""
    try:
        key = serialization.load_pem_private_key(Path(path).read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise BadKey(f"{path}: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{path}: not an Ed25519 key")
    return key


def public_bytes(key: Ed25519PublicKey) -> bytes:
    """32 bytes (RFC 8032)."""
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def load_public(path: Path | str) -> bytes:
    """The 32 bytes of a PEM file."""
    try:
        key = serialization.load_pem_public_key(Path(path).read_bytes())
    except ValueError as error:
        raise BadKey(f"{path}: not a public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey(f"{path}: not an Ed25519 key")
    return public_bytes(key)


def key_id(public: bytes) -> str:
    """A short name for people to compare: the first 8 bytes of the key's SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def signed(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def from_text(text: str) -> bytes:
    """``ValueError`` when it is not what ``to_text`` would have written."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if to_text(data) != text:  # the module skips foreign characters and spare bits
        raise ValueError("not base64url")
    return data
