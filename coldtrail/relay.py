"""A route that can be cut: TCP from one loopback port to another.

Closed, nobody listens there and what was connected is dropped, as when a village's link
fails. It copies bytes and knows no protocol.
"""

import contextlib
import socket
import threading
from urllib.parse import urlsplit

CHUNK = 64 * 1024


class Relay:
    """``open`` and ``close`` as often as wanted."""

    def __init__(self, port: int, target_url: str) -> None:
        target = urlsplit(target_url)
        self._port = port
        self._target = (target.hostname or "127.0.0.1", target.port or 1883)
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._ends: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self._port}"

    @property
    def is_open(self) -> bool:
        return self._listener is not None

    def open(self) -> None:
        with self._lock:
            if self._listener is not None:
                return
            listener = socket.create_server(("127.0.0.1", self._port))
            self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="relay", daemon=True).start()

    def close(self) -> None:
        with self._lock:
            ends = [*self._ends, *([self._listener] if self._listener else [])]
            self._listener = None
            self._ends.clear()
        for end in ends:
            with contextlib.suppress(OSError):  # it may be gone already
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return  # closed
            try:
                far = socket.create_connection(self._target, timeout=5)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            with self._lock:
                if self._listener is not listener:
                    near.close()
                    far.close()
                    return
                self._ends |= {near, far}
            for one, other in ((near, far), (far, near)):
                threading.Thread(
                    target=self._copy, args=(one, other), name="relay", daemon=True
                ).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):  # either end may go at any moment
            while chunk := source.recv(CHUNK):
                sink.sendall(chunk)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        with self._lock:
            self._ends -= {source, sink}
