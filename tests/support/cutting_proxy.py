"""A link that can be cut, slow, deaf or nervous: TCP on the loopback, through one thread.

``cut``: every connection ends, new ones are refused at once. ``deaf``: what the client says
arrives, what it is answered does not, until the connection ends: the case in which a sender cannot
know. ``stall``: nothing moves, nothing ends. ``slow``: so many bytes a second each way.
``nervous``: a connection ends after a random number of bytes, often in the middle of a message.
"""

import random
import selectors
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, Self

Mood = Literal["open", "cut", "deaf", "stall", "slow", "nervous"]
SLOW_BYTES_S = 20_000
NERVOUS_BYTES = (200, 6_000)
_STEP_S = 0.02
_MOST = 65_536


@dataclass(eq=False)
class _Way:
    """One direction of one connection."""

    source: socket.socket
    sink: socket.socket
    answers: bool  # from the server to the client
    waiting: bytearray = field(default_factory=bytearray)
    ended: bool = False


@dataclass(eq=False)
class _Pair:
    there: _Way
    back: _Way
    left: int | None = None  # bytes until it ends, when nervous
    deaf: bool = False  # has swallowed an answer: it must end, never go on

    @property
    def waiting(self) -> bool:
        return bool(self.there.waiting or self.back.waiting)


class CuttingProxy:
    """Listens on ``port`` from the beginning; closed by ``with``. ``passed``, ``swallowed``: bytes so far."""

    def __init__(self, target_port: int, seed: int = 0) -> None:
        self._target = ("127.0.0.1", target_port)
        self._rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._mood: Mood = "open"
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._pairs: list[_Pair] = []
        self._budget = 0.0
        self._closing = False
        self.passed = self.swallowed = 0
        self._thread = threading.Thread(target=self._run, name="cutting-proxy", daemon=True)
        self._thread.start()

    @property
    def mood(self) -> Mood:
        return self._mood

    @mood.setter
    def mood(self, mood: Mood) -> None:
        self._mood = mood
        self._wake.send(b"!")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._closing = True
        self._wake.send(b"!")
        self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            held = self._mood in ("slow", "stall")
            for key, _ in self._selector.select(
                _STEP_S if held or any(p.waiting for p in self._pairs) else 1.0
            ):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._woken:
                    self._woken.recv(4096)
                    self._change()
                else:
                    self._take(*key.data)
            if self._mood == "slow":
                self._budget = SLOW_BYTES_S * _STEP_S
            for pair in list(self._pairs):
                self._give(pair)
        for pair in list(self._pairs):
            self._end(pair)
        for one in (self._listener, self._wake, self._woken):
            one.close()
        self._selector.close()

    def _change(self) -> None:
        mood = self._mood
        for pair in list(self._pairs):
            if mood == "cut" or (pair.deaf and mood != "deaf"):
                self._end(pair)
            pair.left = self._rng.randint(*NERVOUS_BYTES) if mood == "nervous" else None

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except BlockingIOError:
            return
        if self._mood == "cut":
            _reset(client)
            return
        try:
            server = socket.create_connection(self._target, 1)
        except OSError:
            _reset(client)
            return
        for one in (client, server):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = _Pair(_Way(client, server, False), _Way(server, client, True))
        if self._mood == "nervous":
            pair.left = self._rng.randint(*NERVOUS_BYTES)
        self._pairs.append(pair)
        self._selector.register(client, selectors.EVENT_READ, (pair, pair.there))
        self._selector.register(server, selectors.EVENT_READ, (pair, pair.back))

    def _take(self, pair: _Pair, way: _Way) -> None:
        """Read what came, up to what may wait: a sender behind a slow link is held back."""
        if len(way.waiting) >= _MOST or self._mood == "stall":
            time.sleep(0.002)  # readable all the while: do not turn in circles
            return
        try:
            raw = way.source.recv(_MOST)
        except BlockingIOError:
            return
        except OSError:
            raw = b""
        if not raw:
            way.ended = True
            if way.source.fileno() >= 0 and pair in self._pairs:
                self._selector.unregister(way.source)
            return
        if way.answers and self._mood == "deaf":
            pair.deaf = True
            self.swallowed += len(raw)
            return
        way.waiting += raw

    def _give(self, pair: _Pair) -> None:
        for way in (pair.there, pair.back):
            if self._mood == "stall":
                return
            if way.waiting:
                part = bytes(way.waiting[: self._allowed(pair, len(way.waiting))])
                try:
                    sent = way.sink.send(part) if part else 0
                except BlockingIOError:
                    sent = 0
                except OSError:
                    self._end(pair)
                    return
                del way.waiting[:sent]
                self.passed += sent
                self._budget -= sent
                if pair.left is not None:
                    pair.left -= sent
                    if pair.left <= 0:
                        self._end(pair)
                        return
            if way.ended and not way.waiting:
                self._end(pair)
                return

    def _allowed(self, pair: _Pair, wanted: int) -> int:
        if self._mood == "slow":
            wanted = min(wanted, max(int(self._budget), 0))
        if pair.left is not None:
            wanted = min(wanted, pair.left)
        return wanted

    def _end(self, pair: _Pair) -> None:
        if pair not in self._pairs:
            return
        self._pairs.remove(pair)
        for one in (pair.there.source, pair.back.source):
            with suppress(KeyError, ValueError):
                self._selector.unregister(one)
            _reset(one)


def _reset(one: socket.socket) -> None:
    """End it without a goodbye, as a lost link does once it is noticed."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    one.close()
