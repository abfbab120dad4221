"""The small HTTP server of a gateway, and what it makes of callers that mean no good."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from gateway import lan
from gateway.lan import Answer, Request
from tests.support.servers import free_port, wait_until


def echo(request: Request) -> Answer:
    if request.path == "/echo/fail":
        raise KeyError("x")
    said = f"{request.path}?{request.query} {request.header('X-Name')} ".encode()
    return Answer(200, said + request.body)


@pytest.fixture
def port() -> Iterator[int]:
    chosen, stop = free_port(), threading.Event()
    routes = {("POST", "echo"): echo, ("GET", "echo"): echo, ("GET", ""): lambda _r: Answer(204)}
    thread = threading.Thread(target=lan.serve, args=("127.0.0.1", chosen, routes, stop))
    thread.start()
    wait_until(lambda: said(chosen, b"GET / HTTP/1.1\r\n\r\n") != b"", 20, "it answers")
    yield chosen
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def said(port: int, raw: bytes) -> bytes:
    """All that comes back until the server closes; empty when it does not listen."""
    answer = b""
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), 20) as caller,
    ):
        caller.sendall(raw)
        caller.shutdown(socket.SHUT_WR)
        while part := caller.recv(65_536):
            answer += part
    return answer


def status(port: int, raw: bytes) -> int:
    return int(said(port, raw).split(b" ")[1])


def test_a_request_reaches_its_handler_with_its_body(port: int) -> None:
    answer = said(
        port, b"POST /echo/%E5%BA%93?a=1 HTTP/1.1\r\nX-Name: n\r\nContent-Length: 2\r\n\r\nhi"
    )

    assert answer.endswith("/echo/库?a=1 n hi".encode())
    assert b"\r\nConnection: close\r\n" in answer


def test_no_content_has_no_length(port: int) -> None:
    answer = said(port, b"GET / HTTP/1.1\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 204 ")
    assert b"Content-Length" not in answer


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"GET /nothing HTTP/1.1\r\n\r\n", 404),
        (b"PUT /echo HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
        (b"POST /echo HTTP/1.1\r\n\r\n", 411),
        (b"POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 411),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n", 413),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nhi", 400),
        (b"POST /echo/fail HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 500),
        (b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"BREW / HTTP/1.1\r\n\r\n", 501),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_answered(port: int, raw: bytes, code: int) -> None:
    assert status(port, raw) == code
    assert status(port, b"GET / HTTP/1.1\r\n\r\n") == 204


@pytest.mark.parametrize("raw", [b"", b"\x16\x03\x01\x02\x00", b"\xff" * 5_000, b"GET /\r\n\r\n"])
def test_what_is_no_http_ends_nothing(port: int, raw: bytes) -> None:
    said(port, raw)

    assert status(port, b"GET / HTTP/1.1\r\n\r\n") == 204


def test_many_callers_at_once_are_all_answered(port: int) -> None:
    answers: list[int] = []

    def call() -> None:
        answers.append(status(port, b"GET / HTTP/1.1\r\n\r\n"))

    callers = [threading.Thread(target=call) for _ in range(3 * lan.AT_ONCE)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)

    assert answers == [204] * len(callers)
