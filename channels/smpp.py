"""Text messages over SMPP 3.4: one bound link, kept up on a thread of its own.

The link carries both ways: what we submit, the carrier's delivery receipts, and people's
replies. A reply or receipt is answered only after the callback has returned, so a crash in
between makes the carrier send it again. The notice's key travels in a vendor parameter
(0x1501, 3.4 section 5.3.2 leaves 0x1400 to 0x3FFF to vendors), one per part; a centre that
does not know it skips it.
"""

import logging
import re
import select
import socket
import struct
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from smpplib import consts, exceptions
from smpplib.client import Client
from smpplib.command import SubmitSM
from smpplib.smpp import make_pdu

from channels.ports import OnReceipt, OnReply, Outgoing, Refused, Reply, Sent, TryLater
from channels.short_message import UCS2, parts, reference, words

log = logging.getLogger(__name__)

KEY_TLV = 0x1501
ANSWER_S = 10.0  # a submit or an enquiry without an answer for so long ends the link
ENQUIRE_S = 15.0
RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0)  # before the next try to bind; the last one repeats
WAITING_PARTS = 1000  # submitted or about to be; more than that raises TryLater at once
WINDOW = 10  # submitted and not answered yet; carriers bound it, and throttle beyond
THROTTLED_S = 1.0  # nothing is submitted for so long after the carrier said that it is too fast
ACCEPTED_PARTS = 5000  # remembered, so that of a long text only what was not taken goes again

NOT_NOW = {
    consts.SMPP_ESME_RTHROTTLED,
    consts.SMPP_ESME_RMSGQFUL,
    consts.SMPP_ESME_RSYSERR,
    consts.SMPP_ESME_RX_T_APPN,
    consts.SMPP_ESME_RSUBMITFAIL,
}
CREDENTIALS = {
    consts.SMPP_ESME_RINVPASWD,
    consts.SMPP_ESME_RINVSYSID,
    consts.SMPP_ESME_RBINDFAIL,
}
STATES = {
    "DELIVRD": "delivered",
    "ACCEPTD": "waiting",
    "ENROUTE": "waiting",
    "EXPIRED": "failed",
    "DELETED": "failed",
    "UNDELIV": "failed",
    "REJECTD": "failed",
    "UNKNOWN": "failed",
}
STATES_BY_NUMBER = {  # SMPP 3.4, 5.2.28; where the text is not the customary one
    1: "waiting", 2: "delivered", 3: "failed", 4: "failed", 5: "failed", 6: "waiting",
    7: "failed", 8: "failed",
}  # fmt: skip
RECEIPT = re.compile(r"id:(?P<id>\S+).*?stat:(?P<state>[A-Z]+)", re.DOTALL | re.IGNORECASE)


class _Submit(SubmitSM):  # type: ignore[misc]  # smpplib has no types
    """A submit_sm that also carries the key of its part."""

    def __init__(self, key: bytes, **fields: Any) -> None:
        super().__init__("submit_sm", **fields)
        self._key = key

    def generate_params(self) -> bytes:
        body: bytes = super().generate_params()
        return body + struct.pack(">HH", KEY_TLV, len(self._key)) + self._key


@dataclass(slots=True, eq=False)
class _Part:
    key: str
    to: str
    body: bytes
    long: bool  # has a header
    receipt: bool
    answer: "Future[str]" = field(default_factory=Future)
    sent_at: float = 0.0


def _reason(error: Exception) -> str:
    """In words for whoever has the account."""
    if isinstance(error, exceptions.PDUError) and error.args[1:] and error.args[1] in CREDENTIALS:
        return f"the system id or the password was refused (status {error.args[1]:#x})"
    return str(error)


class _Lost(Exception):
    """The link is gone; bind again."""


class SmppChannel:
    """See ``channels.ports.Channel``. ``source`` is the number that people see and answer."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        system_id: str,
        password: str,
        source: str,
        on_reply: OnReply,
        on_receipt: OnReceipt,
        now_ms: Callable[[], int],
        answer_s: float = ANSWER_S,
    ) -> None:
        self._address = (host, port)
        self._system_id = system_id
        self._password = password
        self._source = source
        self._on_reply = on_reply
        self._on_receipt = on_receipt
        self._now_ms = now_ms
        self._answer_s = answer_s
        self._lock = threading.Lock()
        self._queue: deque[_Part] = deque()  # not submitted yet
        self._submitted: dict[int, _Part] = {}  # by sequence number; the thread's own
        self._accepted: OrderedDict[str, str] = OrderedDict()  # part's key to the carrier's id
        self._resume_s = 0.0  # monotonic; nothing is submitted before
        self._bound = False
        self._why = ""  # there is no link
        self._closing = threading.Event()
        self._died: BaseException | None = None
        self._wake_in, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="smpp", daemon=True)
        self._thread.start()

    @property
    def bound(self) -> bool:
        return self._bound

    def send(self, message: Outgoing) -> Sent:
        """``provider_id`` is the last part's: only that one asks for a receipt."""
        if self._died is not None:
            raise RuntimeError("the SMPP thread ended") from self._died
        try:
            bodies = parts(message.text, reference(message.key))
        except ValueError as error:
            raise Refused(str(error)) from error
        wanted = [
            _Part(
                key=f"{message.key}#{number}/{len(bodies)}",
                to=message.to_phone,
                body=body,
                long=len(bodies) > 1,
                receipt=number == len(bodies),
            )
            for number, body in enumerate(bodies, 1)
        ]
        with self._lock:
            if not self._bound:
                raise self._no_link()
            if len(self._queue) + len(self._submitted) + len(wanted) > WAITING_PARTS:
                raise TryLater("too many messages under way")
            for part in wanted:
                if (id := self._accepted.get(part.key)) is not None:
                    part.answer.set_result(id)
            self._queue.extend(part for part in wanted if not part.answer.done())
        self._rouse()
        ids, failed = [], None
        for part in wanted:  # each to its end: what is still under way must not be sent beside it
            try:
                ids.append(part.answer.result(self._answer_s * 2))
            except TimeoutError as error:
                raise TryLater("the SMS centre did not answer") from error
            except (Refused, TryLater) as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return Sent(ids[-1])

    def alive(self) -> None:
        """A link that went silent is unbound within half a minute, by an enquiry."""
        if not self._bound:
            raise self._no_link()

    def _no_link(self) -> TryLater:
        why = f": {self._why}" if self._why else ""
        return TryLater(f"no SMPP link to {self._address[0]}:{self._address[1]}{why}")

    def close(self) -> None:
        self._closing.set()
        self._rouse()
        self._thread.join()
        self._wake.close()
        self._wake_in.close()

    def _rouse(self) -> None:
        try:
            self._wake.send(b".")
        except BlockingIOError:
            return  # it is awake

    def _run(self) -> None:
        failures = 0
        try:
            while not self._closing.is_set():
                try:
                    self._session()
                except (_Lost, OSError, exceptions.ConnectionError, exceptions.PDUError) as error:
                    was_bound = self._bound
                    self._why = _reason(error)
                    self._fail(TryLater(f"the SMPP link was lost: {error}"))
                    failures = 0 if was_bound else failures + 1
                    pause = RETRY_S[min(failures, len(RETRY_S) - 1)]
                    log.warning("SMPP link lost", extra={"error": repr(error), "retry_in_s": pause})
                    self._closing.wait(pause)
        except BaseException as error:
            self._died = error
            raise
        finally:
            self._fail(TryLater("the channel is closed"))

    def _session(self) -> None:
        """One link, from bind to loss. Returns when the channel closes."""
        client = Client(
            *self._address,
            timeout=self._answer_s,
            logger_name="channels.smpp.wire",
            allow_unknown_opt_params=True,
        )
        client.logger.setLevel(logging.ERROR)  # its debug lines hold the bind, password included
        client.set_message_sent_handler(self._answered)
        client.set_message_received_handler(self._arrived)
        client.set_error_pdu_handler(self._error)
        try:
            client.connect()
            client.bind_transceiver(system_id=self._system_id, password=self._password)
            log.info("SMPP link bound", extra={"host": self._address[0], "port": self._address[1]})
            with self._lock:
                self._bound = True
            self._serve(client)
            client.unbind()
        finally:
            with self._lock:
                self._bound = False
            client.state = consts.SMPP_CLIENT_STATE_OPEN  # it warns about closing a bound link
            client.disconnect()

    def _serve(self, client: Client) -> None:
        heard = time.monotonic()
        enquired: float | None = None
        while not self._closing.is_set():
            ready, _, _ = select.select([client._socket, self._wake_in], [], [], 1.0)  # noqa: SLF001 - smpplib offers no file number
            now = time.monotonic()
            if client._socket in ready:  # noqa: SLF001 - as above
                client.read_once(auto_send_enquire_link=False)
                heard, enquired = now, None
            if self._wake_in in ready:
                self._wake_in.recv(4096)
            self._submit_queued(client)
            if any(now - part.sent_at > self._answer_s for part in self._submitted.values()):
                raise _Lost("a submit was not answered")
            if enquired is not None and now - enquired > self._answer_s:
                raise _Lost("an enquiry was not answered")
            if enquired is None and now - heard > ENQUIRE_S:
                client.send_pdu(make_pdu("enquire_link", client=client))
                enquired = now

    def _submit_queued(self, client: Client) -> None:
        while len(self._submitted) < WINDOW and time.monotonic() >= self._resume_s:
            with self._lock:
                if not self._queue:
                    return
                part = self._queue.popleft()
            digest = blake2b(part.key.encode(), digest_size=2).digest()
            pdu = _Submit(
                part.key.encode(),
                client=client,
                service_type="",
                source_addr_ton=consts.SMPP_TON_ABBREV if self._source else consts.SMPP_TON_UNK,
                source_addr_npi=consts.SMPP_NPI_ISDN,
                source_addr=self._source,
                dest_addr_ton=consts.SMPP_TON_INTL,
                dest_addr_npi=consts.SMPP_NPI_ISDN,
                destination_addr=part.to.removeprefix("+"),
                esm_class=consts.SMPP_GSMFEAT_UDHI if part.long else consts.SMPP_MSGTYPE_DEFAULT,
                registered_delivery=1 if part.receipt else 0,
                data_coding=UCS2,
                short_message=part.body,
                user_message_reference=int.from_bytes(digest, "big"),
            )
            part.sent_at = time.monotonic()
            self._submitted[pdu.sequence] = part
            client.send_pdu(pdu)

    def _answered(self, pdu: Any) -> None:
        part = self._submitted.pop(pdu.sequence, None)
        if part is None:
            return
        status = int(pdu.status)
        if status == consts.SMPP_ESME_ROK:
            id = _text(pdu.message_id)
            with self._lock:
                self._accepted[part.key] = id
                if len(self._accepted) > ACCEPTED_PARTS:
                    self._accepted.popitem(last=False)
            part.answer.set_result(id)
            return
        if status == consts.SMPP_ESME_RTHROTTLED:
            self._resume_s = time.monotonic() + THROTTLED_S
        why = f"{consts.DESCRIPTIONS.get(status, 'unknown status')} (0x{status:02x})"
        part.answer.set_exception(TryLater(why) if status in NOT_NOW else Refused(why))

    def _error(self, pdu: Any) -> None:
        if pdu.command != "submit_sm_resp":  # those are answered like the good ones
            raise _Lost(f"{pdu.command} with status {pdu.status}")

    def _arrived(self, pdu: Any) -> int:
        """A delivery receipt or a person's text; the answer is sent when this returns."""
        esm_class = int(pdu.esm_class or 0)
        body = pdu.short_message or pdu.message_payload or b""
        text = words(
            body,
            int(pdu.data_coding or 0),
            header=bool(esm_class & consts.SMPP_GSMFEAT_UDHI),
        )
        named = _text(pdu.receipted_message_id)
        try:
            if esm_class & 0x3C == 0x04:  # SMPP 3.4, 5.2.12: an SMSC delivery receipt
                self._receipt(named, text, pdu.message_state)
            else:
                sender = _text(pdu.source_addr)
                phone = sender if sender.startswith("+") else f"+{sender}"
                at_ms = self._now_ms()
                provider_id = named or _made_up_id(phone, text, at_ms)
                self._on_reply(Reply(provider_id, phone, text, at_ms))
        except TryLater as error:
            log.warning("could not keep what arrived", extra={"error": str(error)})
            return int(consts.SMPP_ESME_RX_T_APPN)
        return int(consts.SMPP_ESME_ROK)

    def _receipt(self, named: str, text: str, number: int | None) -> None:
        found = RECEIPT.search(text)
        provider_id = named or (found["id"] if found else "")
        state = STATES.get(found["state"].upper()) if found else None
        state = state or STATES_BY_NUMBER.get(number or 0)
        if not provider_id or state is None:
            log.warning("receipt not understood", extra={"text": text[:200]})
            return
        self._on_receipt(provider_id, state)

    def _fail(self, why: Exception) -> None:
        with self._lock:
            self._bound = False
            lost = [*self._queue, *self._submitted.values()]
            self._queue.clear()
            self._submitted.clear()
        for part in lost:
            part.answer.set_exception(why)


def _text(raw: bytes | str | None) -> str:
    return raw.decode("ascii", "replace") if isinstance(raw, bytes) else raw or ""


def _made_up_id(phone: str, text: str, at_ms: int) -> str:
    """SMPP 3.4 gives a person's text no id: the same words from the same phone within ten
    minutes count as one, which is what a carrier's second delivery looks like."""
    seed = f"{phone}|{text}|{at_ms // 600_000}".encode()
    return "mo-" + blake2b(seed, digest_size=10).hexdigest()
