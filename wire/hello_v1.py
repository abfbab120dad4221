"""The server's hello: which store it now is, so that gateways send what it lacks."""

import msgspec

MAX_PAYLOAD = 1 << 12


class BadHello(Exception):
    """Not a hello."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Hello(msgspec.Struct, frozen=True, rename={"started_at_ms": "started_at"}):
    store: str
    started_at_ms: int
    v: int = 1


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Hello)


def encode(hello: Hello) -> bytes:
    return _encoder.encode(hello)


def decode(payload: bytes) -> Hello:
    """Raises ``BadHello``, and nothing else, whatever the bytes are."""
    if len(payload) > MAX_PAYLOAD:
        raise BadHello("larger than a hello may be")
    try:
        hello = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadHello("unreadable") from error
    if hello.v != 1:
        raise BadHello(f"version {hello.v} is not known here")
    return hello
