import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from coldtrail.relay import Relay
from tests.support.servers import free_port, wait_until


@contextmanager
def echoing() -> Iterator[int]:
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(near,), daemon=True).start()

    def echo(near: socket.socket) -> None:
        with near:
            try:
                while chunk := near.recv(4096):
                    near.sendall(chunk)
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


@contextmanager
def relaying(target: int) -> Iterator[tuple[Relay, int]]:
    port = free_port()
    relay = Relay(port, f"mqtt://127.0.0.1:{target}")
    relay.open()
    try:
        yield relay, port
    finally:
        relay.close()


def test_an_open_relay_carries_bytes_both_ways() -> None:
    with (
        echoing() as target,
        relaying(target) as (_, port),
        socket.create_connection(("127.0.0.1", port), timeout=20) as near,
    ):
        near.sendall(b"x" * 200_000)
        got = bytearray()
        while len(got) < 200_000:
            got += near.recv(65_536)

    assert bytes(got) == b"x" * 200_000


def test_closing_drops_what_was_connected_and_refuses_what_comes() -> None:
    with echoing() as target, relaying(target) as (relay, port):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as near:
            near.sendall(b"before")
            assert near.recv(100) == b"before"

            relay.close()

            assert near.recv(100) == b""
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=20)


def test_a_relay_opens_again() -> None:
    with echoing() as target, relaying(target) as (relay, port):
        relay.close()
        relay.open()
        wait_until(lambda: relay.is_open, 20, "the relay listens")

        with socket.create_connection(("127.0.0.1", port), timeout=20) as near:
            near.sendall(b"again")
            assert near.recv(100) == b"again"


def test_while_nobody_answers_behind_it_a_caller_is_let_go() -> None:
    with (
        relaying(free_port()) as (_, port),
        socket.create_connection(("127.0.0.1", port), timeout=20) as near,
    ):
        assert near.recv(100) == b""
