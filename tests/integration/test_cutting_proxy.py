"""The link that the fault harness breaks: what each mood does to a connection."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from tests.support.cutting_proxy import CuttingProxy
from tests.support.servers import wait_until


class Echo:
    """Answers with what it hears; ``heard`` is all of it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard = b""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while raw := connection.recv(4096):
                self.heard += raw
                connection.sendall(raw)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as one:
        yield one


@pytest.fixture
def proxy(echo: Echo) -> Iterator[CuttingProxy]:
    with CuttingProxy(echo.port, seed=1) as one:
        yield one


def connect(proxy: CuttingProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), 5)


def read(link: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size and (part := link.recv(size - len(got))):
        got += part
    return got


def test_an_open_link_and_a_slow_one_bring_everything(proxy: CuttingProxy) -> None:
    with connect(proxy) as link:
        for mood in ("open", "slow"):
            proxy.mood = mood
            link.sendall(b"x" * 3_000)
            assert read(link, 3_000) == b"x" * 3_000


def test_a_cut_link_ends_and_no_new_one_comes_about(proxy: CuttingProxy) -> None:
    with connect(proxy) as link:
        link.sendall(b"before")
        assert read(link, 6) == b"before"
        proxy.mood = "cut"
        with pytest.raises(ConnectionResetError):
            link.recv(1)
    with pytest.raises(ConnectionResetError), connect(proxy) as another:  # at the one or the other
        another.recv(1)


def test_on_a_deaf_link_words_arrive_and_answers_do_not_until_it_ends(
    echo: Echo, proxy: CuttingProxy
) -> None:
    with connect(proxy) as link:
        proxy.mood = "deaf"
        link.sendall(b"hello?")
        wait_until(lambda: echo.heard == b"hello?", 20, "it arrives")
        wait_until(lambda: proxy.swallowed == 6, 20, "the answer is swallowed")
        proxy.mood = "open"
        with pytest.raises(ConnectionResetError):
            link.recv(1)


def test_nothing_moves_on_a_stalled_link_and_nothing_is_lost(
    echo: Echo, proxy: CuttingProxy
) -> None:
    with connect(proxy) as link:
        link.sendall(b"1")
        assert read(link, 1) == b"1"
        proxy.mood = "stall"
        link.sendall(b"2")
        link.settimeout(0.3)
        with pytest.raises(TimeoutError):
            link.recv(1)
        assert echo.heard == b"1"
        link.settimeout(5)
        proxy.mood = "open"
        assert read(link, 1) == b"2"


def test_a_nervous_link_ends_in_the_middle_of_what_is_said(proxy: CuttingProxy) -> None:
    proxy.mood = "nervous"
    with connect(proxy) as link, suppress(ConnectionResetError, BrokenPipeError):
        link.sendall(b"x" * 20_000)
        assert len(read(link, 20_000)) < 20_000
