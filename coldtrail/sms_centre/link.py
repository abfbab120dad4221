"""The SMPP side: one thread for each client that binds, one more that hands things on to it."""

import logging
import socket
import socketserver
import struct
import threading
from contextlib import suppress
from datetime import UTC, datetime
from secrets import compare_digest

from coldtrail.sms_centre import pdu
from coldtrail.sms_centre.memory import Memory, Outbound
from coldtrail.sms_centre.pdu import Pdu, Wrong
from disk.room import Full

log = logging.getLogger(__name__)

ANSWER_S = 10.0  # a deliver_sm without an answer for so long is sent again on the next link
AGAIN_S = 1.0  # after "temporarily not"
IDLE_S = 120.0  # a silent client is dropped; ours enquires every 15 s


class SmppServer(socketserver.ThreadingTCPServer):
    """``server_close`` ends every link and returns when their threads have ended."""

    allow_reuse_address = True

    def __init__(self, port: int, system_id: str, password: str, memory: Memory) -> None:
        self.system_id = system_id
        self.password = password
        self.memory = memory
        self._links: set[Link] = set()
        self._links_lock = threading.Lock()
        self._closing = False
        super().__init__(("127.0.0.1", port), Link)

    def add(self, link: "Link") -> None:
        with self._links_lock:
            self._links.add(link)
            late = self._closing
        if late:
            link.shut()

    def remove(self, link: "Link") -> None:
        with self._links_lock:
            self._links.discard(link)

    def server_close(self) -> None:
        with self._links_lock:
            self._closing = True
            links = list(self._links)
        for link in links:
            link.shut()
        super().server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A mistake in one link is that link's end; what is printed by default would end us where
        the disk is full."""
        log.error("a link ended by a mistake", exc_info=True)  # noqa: LOG014 - called while it is handled


class Link(socketserver.BaseRequestHandler):
    """Everything is answered in order; ``Wrong`` becomes its status, a broken frame the end."""

    server: SmppServer
    request: socket.socket

    def setup(self) -> None:
        self.request.settimeout(IDLE_S)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._writing = threading.Lock()
        self._bound = 0  # the bind command, 0 when not bound
        self._ended = threading.Event()
        self._answered = threading.Condition()
        self._answers: dict[int, int] = {}  # sequence of a deliver_sm: status
        self._handing_on: threading.Thread | None = None
        self.server.add(self)

    def handle(self) -> None:
        try:
            while not self._ended.is_set():
                raw = self._exactly(16)
                length, command, status, sequence = pdu.header(raw)
                body = self._exactly(length - 16)
                self._take(Pdu(command, status, sequence, body))
        except Wrong as error:
            log.warning("frame refused", extra={"why": str(error)})
            with suppress(OSError):
                self._send(Pdu(pdu.GENERIC_NACK, error.status, 0))
        except OSError:
            return  # the client is gone

    def finish(self) -> None:
        self.server.remove(self)
        self._ended.set()
        with self.server.memory.changed:
            self.server.memory.changed.notify_all()
        with self._answered:
            self._answered.notify_all()
        if self._handing_on is not None:
            self._handing_on.join()

    def _take(self, asked: Pdu) -> None:
        if asked.command & pdu.RESPONSE:
            if asked.command == pdu.DELIVER_SM | pdu.RESPONSE:
                with self._answered:
                    self._answers[asked.sequence] = asked.status
                    self._answered.notify_all()
            return
        answer = b""
        status = pdu.OK
        try:
            match asked.command:
                case pdu.BIND_RECEIVER | pdu.BIND_TRANSMITTER | pdu.BIND_TRANSCEIVER:
                    answer = self._bind(asked)
                case pdu.SUBMIT_SM:
                    answer = self._submit(asked.body)
                case pdu.ENQUIRE_LINK | pdu.UNBIND:
                    pdu.empty(asked.body)
                case _:
                    self._send(Pdu(pdu.GENERIC_NACK, pdu.INVALID_COMMAND, asked.sequence))
                    return
        except Wrong as error:
            log.warning(
                "refused",
                extra={"command": asked.command, "status": error.status, "why": str(error)},
            )
            status = error.status
        self._send(Pdu(asked.command | pdu.RESPONSE, status, asked.sequence, answer))
        if asked.command == pdu.UNBIND:
            self._ended.set()
        if asked.command in pdu.BINDS and status == pdu.OK:
            self._start_handing_on()

    def _bind(self, asked: Pdu) -> bytes:
        if self._bound:
            raise Wrong(pdu.ALREADY_BOUND, "bound already")
        system_id, password = pdu.bind(asked.body)
        if not compare_digest(system_id.encode(), self.server.system_id.encode()):
            raise Wrong(pdu.WRONG_SYSTEM_ID, "system id")
        if not compare_digest(password.encode(), self.server.password.encode()):
            raise Wrong(pdu.WRONG_PASSWORD, "password")
        self._bound = asked.command
        return b"coldtrail\0"

    def _submit(self, body: bytes) -> bytes:
        if self._bound not in (pdu.BIND_TRANSMITTER, pdu.BIND_TRANSCEIVER):
            raise Wrong(pdu.WRONG_BIND_STATE, "not bound to send")
        part = pdu.submit(body)
        try:
            return f"{self.server.memory.accept(part)}\0".encode()
        except Full as error:
            raise Wrong(pdu.QUEUE_FULL, str(error)) from error

    def _start_handing_on(self) -> None:
        if self._bound in (pdu.BIND_RECEIVER, pdu.BIND_TRANSCEIVER):
            self._handing_on = threading.Thread(
                target=self._hand_on, name="sms-hand-on", daemon=True
            )
            self._handing_on.start()

    def _hand_on(self) -> None:
        """One at a time, oldest first; what was not answered well is sent again."""
        memory = self.server.memory
        sequence = 0
        while not self._ended.is_set():
            with memory.changed:
                waiting = memory.next_outbound()
                if waiting is None:
                    memory.changed.wait(1.0)
                    continue
            sequence += 1
            try:
                self._send(Pdu(pdu.DELIVER_SM, pdu.OK, sequence, _deliver_body(waiting)))
            except OSError:
                return
            status = self._answer(sequence)
            if status is None:
                self.shut()
                return
            if status == pdu.TEMPORARY_APP_ERROR:
                self._ended.wait(AGAIN_S)
                continue
            if status != pdu.OK:
                log.error("the client refused for good", extra={"status": status})
            self._write_down(waiting)

    def _write_down(self, taken: Outbound) -> None:
        """It is not handed on again before that; on the next link it is, under its name."""
        said = False
        while not self._ended.is_set():
            try:
                self.server.memory.taken(taken)
            except Full as error:
                if not said:
                    log.warning("not written down that it was taken", extra={"why": str(error)})
                said = True
                self._ended.wait(AGAIN_S)
            else:
                return

    def _answer(self, sequence: int) -> int | None:
        with self._answered:
            self._answered.wait_for(
                lambda: sequence in self._answers or self._ended.is_set(), ANSWER_S
            )
            return self._answers.pop(sequence, None)

    def shut(self) -> None:
        self._ended.set()
        try:
            self.request.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # already

    def _send(self, answer: Pdu) -> None:
        with self._writing:
            self.request.sendall(answer.encode())

    def _exactly(self, n: int) -> bytes:
        got = b""
        while len(got) < n:
            more = self.request.recv(n - len(got))
            if not more:
                raise ConnectionResetError
            got += more
        return got


def _deliver_body(waiting: Outbound) -> bytes:
    named = pdu.parameter(
        pdu.RECEIPTED_ID, f"{'' if waiting.receipt else 'mo-'}{waiting.id}\0".encode()
    )
    if not waiting.receipt:
        return pdu.deliver(
            waiting.phone, waiting.number, 0, pdu.UCS2, waiting.text.encode("utf-16-be"), named
        )
    when = datetime.fromtimestamp(waiting.at_ms / 1000, UTC).strftime("%y%m%d%H%M")
    text = (  # SMPP 3.4, appendix B
        f"id:{waiting.id} sub:001 dlvrd:001 submit date:{when} done date:{when}"
        " stat:DELIVRD err:000 text:"
    )
    delivered = pdu.parameter(pdu.MESSAGE_STATE, struct.pack(">B", 2))
    return pdu.deliver(
        waiting.phone, waiting.number, pdu.RECEIPT, 0, text.encode(), delivered + named
    )
