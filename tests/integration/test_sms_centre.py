"""A text goes out over SMPP, shows on the phone, is receipted, and is answered."""

import socket
import struct
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from smpplib import consts

from channels.ports import Outgoing, Refused, Reply, TryLater
from channels.short_message import parts
from channels.smpp import WINDOW, SmppChannel
from coldtrail.sms_centre import pdu
from coldtrail.sms_centre.link import SmppServer
from coldtrail.sms_centre.memory import Memory, Shown
from tests.support.servers import fill, serving, small_disk, wait_until
from tests.support.sms import NOON_MS, Centre, Heard, bound

PHONE = "+8613800000001"
LONG = "草莓一号库 7.6℃ 超过上限 4.0℃，自 13:32 起。请检查库门和制冷机组，货物转移到二号库。" * 3


def inbox(centre: Centre) -> list[Shown]:
    memory = Memory(Path(centre.settings.path), lambda: NOON_MS)
    try:
        return memory.inbox(PHONE.lstrip("+"))
    finally:
        memory.close()


def page(centre: Centre, path: str = "/", **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{centre.settings.page_port}{path}", headers=headers
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def revision(centre: Centre) -> str:
    return page(centre)[1].split('data-revision="')[1].split('"')[0]


def answer_on_the_phone(centre: Centre, text: str, **headers: str) -> None:
    form = urllib.parse.urlencode({"phone": PHONE, "text": text}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{centre.settings.page_port}/reply", data=form, headers=headers
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - loopback
        pass


def test_a_long_text_arrives_as_one_message_and_its_receipt_names_it(tmp_path: Path) -> None:
    centre, heard = Centre.at(tmp_path), Heard()
    with centre.running(), centre.channel(heard) as channel:
        sent = bound(channel).send(Outgoing("k1", PHONE, LONG, "raise"))
        wait_until(lambda: heard.receipts, 20, "the receipt")

        assert heard.receipts == [(sent.provider_id, "delivered")]
        assert [m.text for m in inbox(centre)] == [LONG]


def test_the_same_key_sent_again_reaches_the_phone_once(tmp_path: Path) -> None:
    centre, heard = Centre.at(tmp_path), Heard()
    message = Outgoing("k1", PHONE, LONG, "raise")
    with centre.running():
        with centre.channel(heard) as channel:
            first = bound(channel).send(message)
        with centre.channel(heard) as channel:
            second = bound(channel).send(message)

        assert first == second
        assert len(inbox(centre)) == 1


def test_a_reply_typed_on_the_phone_reaches_the_channel_once(tmp_path: Path) -> None:
    centre, heard = Centre.at(tmp_path), Heard()
    with centre.running(), centre.channel(heard) as channel:
        bound(channel).send(Outgoing("k1", PHONE, "草莓", "raise"))
        answer_on_the_phone(centre, "温度")
        wait_until(lambda: heard.replies, 20, "the reply")

        assert heard.replies == [Reply(heard.replies[0].provider_id, PHONE, "温度", NOON_MS)]
        wait_until(lambda: inbox(centre)[-1].handed_on, 20, "the centre knows that it was taken")


def test_a_reply_that_could_not_be_kept_comes_again_with_the_same_id(tmp_path: Path) -> None:
    centre, heard = Centre.at(tmp_path), Heard()

    def keep(reply: Reply) -> None:
        heard.replies.append(reply)
        if len(heard.replies) == 1:
            raise TryLater("the store is busy")

    with centre.running(), centre.channel(heard, on_reply=keep) as channel:
        bound(channel).send(Outgoing("k1", PHONE, "草莓", "raise"))
        answer_on_the_phone(centre, "1")
        wait_until(lambda: len(heard.replies) == 2, 20, "the second time")

    assert heard.replies[0] == heard.replies[1]


def test_a_reply_typed_while_nobody_is_bound_is_handed_on_later(tmp_path: Path) -> None:
    centre, heard = Centre.at(tmp_path), Heard()
    with centre.running():
        with centre.channel(heard) as channel:
            bound(channel).send(Outgoing("k1", PHONE, "草莓", "raise"))
        answer_on_the_phone(centre, "1")
        with centre.channel(heard):
            wait_until(lambda: heard.replies, 20, "the reply")

    assert heard.replies[0].text == "1"


def test_a_centre_that_starts_again_still_has_what_it_accepted(tmp_path: Path) -> None:
    centre, heard = Centre.at(tmp_path), Heard()
    message = Outgoing("k1", PHONE, "草莓", "raise")
    with centre.channel(heard) as channel:
        with centre.running():
            first = bound(channel).send(message)
        wait_until(lambda: not channel.bound, 20, "the link is lost")
        with pytest.raises(TryLater):
            channel.send(message)
        with centre.running():
            assert bound(channel).send(message) == first

    assert len(inbox(centre)) == 1


def test_a_number_that_cannot_be_is_refused_for_good(tmp_path: Path) -> None:
    centre, heard = Centre.at(tmp_path), Heard()
    with (
        centre.running(),
        centre.channel(heard) as channel,
        pytest.raises(Refused, match="0x0b"),
    ):
        bound(channel).send(Outgoing("k1", "+86-138", "草莓", "raise"))


def test_a_wrong_password_never_binds(tmp_path: Path) -> None:
    centre, heard = Centre.at(tmp_path), Heard()
    with (
        centre.running(),
        centre.channel(heard, password="guessed") as channel,  # noqa: S106 - wrong on purpose
    ):
        with pytest.raises(TryLater, match="no SMPP link"):
            channel.send(Outgoing("k1", PHONE, "草莓", "raise"))

        def said() -> str:
            try:
                channel.alive()
            except TryLater as error:
                return str(error)
            return ""

        wait_until(lambda: "the password was refused" in said(), 30, "it says whose fault it is")


def submit_body(more: bytes = pdu.parameter(pdu.KEY, b"k"), coding: int = 8) -> bytes:
    text = "冷".encode("utf-16-be")
    return b"".join(
        (b"\0\x01\x01", b"10690001\0", b"\x01\x01", b"8613800000001\0", b"\0\0\0\0\0\1\0")
    ) + bytes((coding, 0, len(text))) + text + more  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(submit_body(b""), pdu.PARAMETER_MISSING, id="without-the-key"),
        pytest.param(
            submit_body(pdu.parameter(pdu.KEY, b"k") + pdu.parameter(0x1600, b"?")),
            pdu.PARAMETER_NOT_ALLOWED,
            id="unknown-parameter",
        ),
        pytest.param(submit_body(b"\x15\x01\0\x09k"), pdu.BROKEN_PARAMETERS, id="cut-short"),
        pytest.param(submit_body(coding=0), pdu.PARAMETER_INVALID, id="other-coding"),
        pytest.param(submit_body()[:20], pdu.INVALID_COMMAND_LENGTH, id="half-a-body"),
    ],
)
def test_what_the_centre_does_not_know_it_refuses_by_status(
    body: bytes, status: int, tmp_path: Path
) -> None:
    centre = Centre.at(tmp_path)
    bind = b"coldtrail\0pa55word\0\0\x34\0\0\0"
    with (
        centre.running(),
        socket.create_connection(("127.0.0.1", centre.settings.smpp_port), 10) as link,
        link.makefile("rb") as said,
    ):
        link.sendall(pdu.Pdu(pdu.BIND_TRANSMITTER, 0, 1, bind).encode())
        length, _, bound_status, _ = pdu.header(said.read(16))
        said.read(length - 16)
        link.sendall(pdu.Pdu(pdu.SUBMIT_SM, 0, 2, body).encode())
        _, command, refused, sequence = pdu.header(said.read(16))

        assert (bound_status, command, refused, sequence) == (
            pdu.OK,
            pdu.SUBMIT_SM | pdu.RESPONSE,
            status,
            2,
        )


def test_the_phone_page_shows_what_arrived_with_markup_made_harmless(tmp_path: Path) -> None:
    centre, heard = Centre.at(tmp_path), Heard()
    with centre.running(), centre.channel(heard) as channel:
        bound(channel).send(Outgoing("k1", PHONE, "<b>7.6℃</b>", "raise"))
        wait_until(lambda: heard.receipts, 20, "the receipt")

        status, html = page(centre, "/?lang=en")

        assert status == 200
        assert "&lt;b&gt;7.6℃&lt;/b&gt;" in html
        assert "王" in html
        wait_until(
            lambda: page(centre, "/", **{"X-Seen": revision(centre)})[0] == 204, 10, "no news"
        )


def test_another_sites_page_cannot_type_on_the_phone(tmp_path: Path) -> None:
    centre, heard = Centre.at(tmp_path), Heard()
    with centre.running(), centre.channel(heard) as channel:
        bound(channel).send(Outgoing("k1", PHONE, "草莓", "raise"))
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            answer_on_the_phone(centre, "1", Origin="https://elsewhere.example")
        refused.value.close()

        assert page(centre, "/", Host="elsewhere.example")[0] == 403
        assert [m.mine for m in inbox(centre)] == [False]


class Throttling(Memory):
    """Says "too fast" to every part from the ``after``-th on, so many times."""

    def __init__(self, path: Path, after: int, times: int) -> None:
        super().__init__(path, lambda: NOON_MS)
        self.after, self.times, self.asked = after, times, 0

    def accept(self, part: pdu.Submit) -> int:
        self.asked += 1
        if self.asked > self.after and self.times:
            self.times -= 1
            raise pdu.Wrong(consts.SMPP_ESME_RTHROTTLED, "too fast")
        return super().accept(replace(part, key=f"{part.key}/{self.asked}"))  # honours no keys


@contextmanager
def throttling(centre: Centre, after: int, times: int) -> Iterator[Throttling]:
    memory = Throttling(Path(centre.settings.path), after, times)
    with closing(memory), serving(_smpp(centre, memory)):
        yield memory


def _smpp(centre: Centre, memory: Memory) -> SmppServer:
    return SmppServer(centre.settings.smpp_port, "coldtrail", "pa55word", memory)


def test_too_fast_is_not_now_and_a_long_text_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    centre, heard = Centre.at(tmp_path), Heard()
    message = Outgoing("k1", PHONE, LONG, "raise")
    with throttling(centre, after=1, times=1) as memory, centre.channel(heard) as channel:
        with pytest.raises(TryLater, match="0x58"):
            bound(channel).send(message)
        channel.send(message)

    assert [m.text for m in inbox(centre)] == [LONG]
    assert memory.asked == len(parts(LONG, 0)) + 1  # only what was refused came again


def test_no_more_than_a_window_is_submitted_without_an_answer(tmp_path: Path) -> None:
    centre, heard = Centre.at(tmp_path), Heard()
    most = 0

    class Slow(Throttling):
        def accept(self, part: pdu.Submit) -> int:
            nonlocal most
            most = max(most, len(channel._submitted))
            return super().accept(part)

    memory = Slow(Path(centre.settings.path), after=0, times=0)
    with closing(memory), serving(_smpp(centre, memory)), centre.channel(heard) as channel:
        bound(channel).send(Outgoing("k1", PHONE, "字" * 67 * 40, "raise"))

    assert memory.asked == 40
    assert most <= WINDOW


def test_a_full_disk_is_not_now_and_what_the_client_took_is_written_down_when_there_is_room(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        centre, heard = Centre.at(disk), Heard()
        at_the_receipt, go_on = threading.Event(), threading.Event()

        def receipt(provider_id: str, state: str) -> None:
            heard.receipt(provider_id, state)
            at_the_receipt.set()
            go_on.wait(20)

        with centre.running(), centre.channel(heard, on_receipt=receipt) as channel:
            bound(channel).send(Outgoing("k1", PHONE, "草莓", "raise"))
            assert at_the_receipt.wait(10)
            somebodys = fill(disk)
            go_on.set()  # the centre hears that its receipt was taken, and cannot write it down
            wait_until(lambda: full(channel), 20, "no text is taken any more")
            with pytest.raises(urllib.error.HTTPError, match="507"):
                answer_on_the_phone(centre, "1")
            assert page(centre)[0] == 200

            somebodys.unlink()
            wait_until(lambda: not full(channel), 20, "texts are taken again")
            answer_on_the_phone(centre, "1")
            wait_until(lambda: heard.replies, 20, "so are replies")
            wait_until(lambda: not receipts_to_come(centre), 20, "and every receipt was handed on")

        assert [id for id, _ in heard.receipts].count(heard.receipts[0][0]) == 1


def full(channel: SmppChannel) -> bool:
    """A text that is longer than what is left of the log's last page."""
    try:
        channel.send(Outgoing(f"k{time.monotonic()}", PHONE, LONG * 3, "raise"))
    except TryLater:
        return True
    return False


def receipts_to_come(centre: Centre) -> bool:
    memory = Memory(Path(centre.settings.path), lambda: NOON_MS)
    try:
        return memory.next_outbound() is not None
    finally:
        memory.close()


def test_a_centre_that_starts_on_a_full_disk_waits_for_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2) as disk:
        centre = Centre.at(disk)
        somebodys = fill(disk)
        free = threading.Timer(1.0, somebodys.unlink)
        free.start()

        with centre.running():  # fails when it ends instead
            free.join()
            assert page(centre, "/healthz")[0] == 200


def test_an_answer_of_signs_that_take_two_places_is_longer_than_it_looks(tmp_path: Path) -> None:
    centre, heard = Centre.at(tmp_path), Heard()
    with centre.running(), centre.channel(heard) as channel:
        bound(channel).send(Outgoing("k1", PHONE, "草莓", "raise"))
        with pytest.raises(urllib.error.HTTPError, match="400"):
            answer_on_the_phone(centre, "🍓" * 70)  # would be 280 bytes; one part holds 140

        answer_on_the_phone(centre, "🍓" * 35)

        wait_until(lambda: heard.replies, 20, "the reply")
        assert heard.replies[0].text == "🍓" * 35


def test_a_client_that_is_cut_off_in_the_middle_of_anything_costs_the_others_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    centre, heard = Centre.at(tmp_path), Heard()
    bind = pdu.Pdu(pdu.BIND_TRANSCEIVER, 0, 1, b"coldtrail\0pa55word\0\0\x34\1\1\0").encode()
    broken = pdu.Pdu(pdu.SUBMIT_SM, 0, 2, b"\0" * 9).encode()
    said = bind + broken + b"\xff" * 16
    with centre.running(), centre.channel(heard) as channel:
        bound(channel)
        for size in range(0, len(said) + 1, 3):
            with socket.create_connection(("127.0.0.1", centre.settings.smpp_port)) as rude:
                rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                rude.sendall(said[:size])  # and a reset instead of an end

        channel.send(Outgoing("k1", PHONE, "草莓", "raise"))

    assert [m.text for m in inbox(centre)] == ["草莓"]
    assert "Traceback" not in capfd.readouterr().err
