"""A file of batches says all that was put in, or says that it is torn."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.carried_v1 import BadFile, Head, read, write

HEAD = Head("gw1", 7, 1_780_000_000_000)
batches = st.lists(st.binary(min_size=1, max_size=300), max_size=20)


def written(payloads: list[bytes]) -> bytes:
    file = BytesIO()
    assert write(file, HEAD, payloads) == len(payloads)
    return file.getvalue()


def take(content: bytes, into: list[bytes]) -> None:
    for batch in read(BytesIO(content))[1]:
        into.append(batch)  # noqa: PERF402 - what came before the tear is looked at as well


@given(batches)
def test_what_was_written_is_read(payloads: list[bytes]) -> None:
    head, found = read(BytesIO(written(payloads)))

    assert head == HEAD
    assert list(found) == payloads


@given(batches, st.data())
def test_a_torn_file_gives_whole_batches_and_then_says_so(
    payloads: list[bytes], data: st.DataObject
) -> None:
    whole = written(payloads)
    torn = whole[: data.draw(st.integers(0, len(whole) - 1))]
    found: list[bytes] = []

    with pytest.raises(BadFile):
        take(torn, found)

    assert found == payloads[: len(found)]


def test_one_changed_byte_is_noticed() -> None:
    whole = bytearray(written([b"abc", b"def"]))
    whole[whole.index(b"def")] ^= 1

    with pytest.raises(BadFile, match="end does not fit"):
        list(read(BytesIO(bytes(whole)))[1])


@given(st.binary(max_size=200))
def test_anything_else_is_no_such_file(content: bytes) -> None:
    with pytest.raises(BadFile):
        list(read(BytesIO(content))[1])
