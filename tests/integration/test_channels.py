"""What is each driver's own: refusals, lost answers, receipts and replies."""

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import cast

import pytest

from channels.gammu import GammuChannel
from channels.listener import Listener
from channels.ports import Hears, Outgoing, Refused, Shut, TryLater
from tests.contract.test_channel import (
    PHONE,
    ByAliyun,
    ByAliyunVoice,
    ByApprise,
    ByTencent,
    Gammu,
    Hook,
    message,
)
from tests.support.gammu import Modem
from tests.support.providers import Group
from tests.support.servers import wait_until
from tests.support.sms import Heard


def plain(key: str) -> Outgoing:
    return Outgoing(key, PHONE, "东村r1 2.5℃(8分钟前)", "answer")


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        pytest.param("isv.MOBILE_NUMBER_ILLEGAL", Refused, id="wrong-number"),
        pytest.param("isv.BUSINESS_LIMIT_CONTROL", TryLater, id="too-many-to-this-phone"),
        pytest.param("isv.AMOUNT_NOT_ENOUGH", Shut, id="no-credit"),
        pytest.param("http 503", TryLater, id="out-of-order"),
    ],
)
def test_alibabas_codes_say_whether_to_wait_to_give_up_or_to_go_elsewhere(
    code: str, meaning: type[Exception], tmp_path: Path
) -> None:
    rig = ByAliyun(tmp_path, Heard())
    rig.provider.outcomes = [code]
    with rig.up(), rig.channel() as channel, pytest.raises(meaning) as said:
        channel.send(message("k1"))

    assert type(said.value) is meaning
    assert rig.provider.taken == []


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        pytest.param("InvalidParameterValue.IncorrectPhoneNumber", Refused, id="wrong-number"),
        pytest.param("LimitExceeded.PhoneNumberThirtySecondLimit", TryLater, id="too-soon"),
        pytest.param("FailedOperation.InsufficientBalanceInSmsPackage", Shut, id="no-credit"),
    ],
)
def test_tencents_codes_say_whether_to_wait_to_give_up_or_to_go_elsewhere(
    code: str, meaning: type[Exception], tmp_path: Path
) -> None:
    rig = ByTencent(tmp_path, Heard())
    with rig.up(), rig.channel() as channel:
        rig.provider.outcomes = [code]
        with pytest.raises(meaning) as said:
            channel.send(message("k1"))

    assert type(said.value) is meaning


def test_a_wrong_key_shuts_the_channel_and_names_no_secret(tmp_path: Path) -> None:
    rig = ByAliyun(tmp_path, Heard())
    way = rig.way()
    Path(way.secret_file).write_text("another-secret")
    rig.way = lambda: way  # type: ignore[method-assign]  # with the wrong key
    with rig.up(), rig.channel() as channel, pytest.raises(Shut) as said:
        channel.send(message("k1"))

    assert rig.provider.refused == ["signature"]
    assert "another-secret" not in str(said.value)


@pytest.mark.parametrize("maker", [ByAliyun, ByTencent, ByAliyunVoice])
def test_a_text_for_which_no_template_stands_is_refused_unsent(
    maker: type[ByAliyun], tmp_path: Path
) -> None:
    rig = maker(tmp_path, Heard())
    with rig.up(), rig.channel() as channel, pytest.raises(Refused, match="template"):
        channel.send(plain("k1"))

    assert rig.provider.taken == []


@pytest.mark.parametrize("maker", [ByAliyun, ByTencent, ByAliyunVoice])
def test_another_machines_page_instead_of_the_answer_is_no_answer(
    maker: type[ByAliyun], tmp_path: Path
) -> None:
    rig = maker(tmp_path, Heard())
    rig.provider.outcomes = ["portal"]
    with rig.up(), rig.channel() as channel, pytest.raises(TryLater):
        channel.send(message("k1"))


def test_alibaba_is_asked_what_it_has_after_an_answer_was_lost(tmp_path: Path) -> None:
    rig = ByAliyun(tmp_path, Heard())
    rig.provider.outcomes = ["lost"]
    with rig.up(), rig.channel() as channel:
        with pytest.raises(TryLater):
            channel.send(message("k1"))
        sent = channel.send(message("k1"))

    assert sent.provider_id == "k1"
    assert len(rig.provider.taken) == 1


def test_alibaba_gets_the_number_signature_template_and_values(tmp_path: Path) -> None:
    rig = ByAliyun(tmp_path, Heard())
    with rig.up(), rig.channel() as channel:
        channel.send(message("k1"))

    (taken,) = rig.provider.taken
    assert taken["PhoneNumbers"] == "13800000001"
    assert (taken["TemplateCode"], taken["OutId"]) == ("SMS_1", "k1")
    assert taken["given"]["place"] == "东村3号库"
    assert rig.provider.refused == []


def push(listener: Listener, path: str, said: object) -> tuple[int, bytes]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{listener.port}{path}", data=json.dumps(said).encode(), method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


REPORT = {
    "phone_number": "13800000001", "send_time": "2026-06-01 12:00:00",
    "report_time": "2026-06-01 12:00:03", "success": True, "err_code": "DELIVERED",
    "err_msg": "ok", "sms_size": "1", "biz_id": "12345", "out_id": "k1",
}  # fmt: skip
UP = {
    "phone_number": "13800000001", "send_time": "2026-06-01 12:05:00", "content": "1 A7K3",
    "sign_name": "某某冷链", "dest_code": "2493", "sequence_id": 1234567890,
}  # fmt: skip


def test_alibabas_receipts_and_replies_are_pushed_and_kept_before_they_are_answered(
    tmp_path: Path,
) -> None:
    rig = ByAliyun(tmp_path, Heard())
    with rig.channel() as channel:
        listener = Listener(0, "t0ken", {"ali": cast(Hears, channel)})
        try:
            answers = [push(listener, "/ali/t0ken", said) for said in ([REPORT], [UP], [UP])]
            strangers = [
                push(listener, "/ali/guess", [UP])[0], push(listener, "/other/t0ken", [UP])[0],
                push(listener, "/ali", [UP])[0], push(listener, "/ali/t0ken", {"a": 1})[0],
            ]  # fmt: skip
        finally:
            listener.close()

    assert [status for status, _ in answers] == [200, 200, 200]
    assert json.loads(answers[0][1])["code"] == 0
    assert rig.heard.receipts == [("k1", "delivered")]
    assert {(r.provider_id, r.from_phone, r.text) for r in rig.heard.replies} == {
        ("aliyun-1234567890", PHONE, "1 A7K3")
    }
    assert strangers == [404, 404, 404, 400]


def test_a_push_that_cannot_be_kept_is_not_answered_as_kept(tmp_path: Path) -> None:
    class Busy:
        def heard(self, body: bytes) -> bytes:
            raise TryLater("the store is busy")

    listener = Listener(0, "t", {"ali": Busy()})
    try:
        assert push(listener, "/ali/t", [UP])[0] == 503
    finally:
        listener.close()


def test_a_call_that_nobody_took_was_not_delivered(tmp_path: Path) -> None:
    rig = ByAliyunVoice(tmp_path, Heard())
    with rig.up(), rig.channel() as channel:
        sent = channel.send(message("k1"))
        pushed = [
            {"call_id": "1", "out_id": "k1", "status_code": "200000", "status_msg": "answered"},
            {"call_id": "2", "out_id": "k2", "status_code": "200005", "status_msg": "no answer"},
        ]
        cast(Hears, channel).heard(json.dumps(pushed).encode())

    assert sent.provider_id == "k1"
    assert rig.heard.receipts == [("k1", "delivered"), ("k2", "failed")]
    assert rig.provider.taken[0]["PlayTimes"] == "3"


def test_tencents_receipts_and_replies_are_pulled_and_come_again_until_they_are_kept(
    tmp_path: Path,
) -> None:
    rig = ByTencent(tmp_path, Heard())
    rig.provider.receipts = [
        {"SerialNo": "2028:1", "ReportStatus": "SUCCESS", "PhoneNumber": PHONE,
         "UserReceiveTime": 1, "CountryCode": "86", "SubscriberNumber": "13800000001",
         "Description": "DELIVRD", "SessionContext": ""}
    ]  # fmt: skip
    rig.provider.replies = [
        {"PhoneNumber": PHONE, "ReplyContent": "1", "ReplyTime": 1_790_000_000, "SignName": "s",
         "CountryCode": "86", "ExtendCode": "", "SubscriberNumber": "13800000001"}
    ]  # fmt: skip
    with rig.up(), rig.channel():
        wait_until(lambda: rig.heard.replies and rig.heard.receipts, 20, "both are pulled")

    (reply,) = rig.heard.replies
    assert (reply.from_phone, reply.text) == (PHONE, "1")
    assert reply.at_ms == 1_790_000_000_000
    assert rig.heard.receipts == [("2028:1", "delivered")]


def test_tencent_gets_values_in_the_templates_order_each_within_its_bound(tmp_path: Path) -> None:
    rig = ByTencent(tmp_path, Heard())
    with rig.up(), rig.channel() as channel:
        channel.send(message("k1"))

    (taken,) = rig.provider.taken
    assert taken["TemplateParamSet"] == [
        "东村3号库", "草莓", "8.1℃", "超温", "13:32", "请查门", "A7K3",
    ]  # fmt: skip
    assert taken["SessionContext"] == "k1"
    assert rig.provider.refused == []


@pytest.mark.parametrize(
    ("status", "meaning"),
    [("400", Refused), ("410", Refused), ("429", TryLater), ("502", TryLater)],
)
def test_a_webhooks_status_says_whether_to_try_again(
    status: str, meaning: type[Exception], tmp_path: Path
) -> None:
    rig = Hook(tmp_path, Heard())
    rig.provider.outcomes = [status]
    with rig.up(), rig.channel() as channel, pytest.raises(meaning):
        channel.send(message("k1"))


def test_a_webhook_with_another_secret_is_refused_by_its_receiver(tmp_path: Path) -> None:
    rig = Hook(tmp_path, Heard())
    way = rig.way()
    Path(way.secret_file).write_text("guessed")
    rig.way = lambda: way  # type: ignore[method-assign]  # with the wrong key
    with rig.up(), rig.channel() as channel, pytest.raises(Refused, match="401"):
        channel.send(message("k1"))


def test_an_address_that_took_a_message_is_not_asked_again_for_one_that_did_not(
    tmp_path: Path,
) -> None:
    rig, other = ByApprise(tmp_path, Heard()), Group()
    way = rig.way()
    Path(way.secret_file).write_text(f"json://{rig.provider.host}/a\njson://{other.host}/b\n")
    rig.way = lambda: way  # type: ignore[method-assign]  # two addresses
    other.outcomes = ["500"]
    with rig.up(), other.running(), rig.channel() as channel:
        with pytest.raises(TryLater, match="1 of 2"):
            channel.send(message("k1"))
        channel.send(message("k1"))

    assert (len(rig.provider.taken), len(other.taken)) == (1, 1)


def test_a_reply_to_the_modem_reaches_us_once_and_is_put_aside(tmp_path: Path) -> None:
    rig = Gammu(tmp_path, Heard())
    with rig.up(), rig.channel():
        rig.modem.receive(PHONE, "温度")
        wait_until(lambda: list((tmp_path / "read").glob("IN*")), 30, "it is put aside")

    assert [(r.from_phone, r.text) for r in rig.heard.replies] == [(PHONE, "温度")]
    assert list((tmp_path / "inbox").iterdir()) == []


def test_a_modem_that_is_off_keeps_the_text_and_sends_it_once_when_it_is_on(
    tmp_path: Path,
) -> None:
    rig = Gammu(tmp_path, Heard())
    with rig.channel() as channel:
        channel._answer_s = 0.0  # type: ignore[attr-defined]  # no need to wait for nobody
        for _ in range(2):
            with pytest.raises(TryLater, match="not sent it yet"):
                channel.send(message("k1"))
    with rig.up(), rig.channel() as channel:
        channel.send(message("k1"))

    assert len(rig.texts()) == 1


def test_what_the_modem_could_not_send_is_refused_and_may_be_tried_again(tmp_path: Path) -> None:
    rig = Gammu(tmp_path, Heard())
    with rig.channel() as channel:
        channel._answer_s = 0.0  # type: ignore[attr-defined]  # as above
        with pytest.raises(TryLater):
            channel.send(message("k1"))
        (waiting,) = (tmp_path / "outbox").glob("OUT*")
        waiting.rename(tmp_path / "error" / waiting.name)
        with pytest.raises(Refused):
            channel.send(message("k1"))
        with pytest.raises(TryLater):
            channel.send(message("k1"))


def test_a_modem_that_is_not_there_says_what_is_missing(tmp_path: Path) -> None:
    channel = GammuChannel(tmp_path, on_reply=lambda _: None, now_ms=lambda: 0, hear=False)
    with pytest.raises(TryLater, match="there is no folder"):
        channel.alive()
    for name in ("outbox", "sent", "error"):
        (tmp_path / name).mkdir()
    channel.alive()
    left = tmp_path / "outbox" / "OUTA20260601_000000_00_+8613800000001_ct0.txt"
    left.write_text("x")
    os.utime(left, (0, 0))
    with pytest.raises(TryLater, match="leaves what is in its outbox"):
        channel.alive()


def says(channel: GammuChannel) -> str:
    try:
        channel.alive()
    except TryLater as error:
        return str(error)
    return "well"


def test_a_modem_that_is_pulled_out_is_known_without_a_text(tmp_path: Path) -> None:
    modem, smsdrc = Modem(tmp_path), tmp_path / "smsdrc"
    channel = GammuChannel(
        tmp_path, on_reply=lambda _: None, now_ms=lambda: 0, hear=False, smsdrc=smsdrc
    )
    assert says(channel) == f"gammu-smsd is not running with {smsdrc}"
    with modem.running():
        wait_until(lambda: says(channel) == "well", 20, "they have spoken")
        device = tmp_path / "modem"

        device.rename(tmp_path / "pulled out")
        assert says(channel) == f"the modem is not there: no {device}"

        (tmp_path / "pulled out").rename(device)
        assert says(channel) == "well"
    assert "is not running" in says(channel)


def test_a_modem_that_never_answers_is_known_without_a_text(tmp_path: Path) -> None:
    ours, theirs = os.openpty()  # a serial line, and nobody at its other end
    line = os.ttyname(theirs)
    modem, smsdrc = Modem(tmp_path), tmp_path / "smsdrc"
    at = smsdrc.read_text().replace("model = dummy\nconnection = none", "connection = at115200")
    smsdrc.write_text(at.replace(f"device = {tmp_path}/modem", f"device = {line}"))
    channel = GammuChannel(
        tmp_path, on_reply=lambda _: None, now_ms=lambda: 0, hear=False, smsdrc=smsdrc
    )
    with modem.running():
        wait_until(lambda: "not running" not in says(channel), 20, "gammu-smsd runs")

        assert says(channel) == (
            f"the modem at {line} has not answered since gammu-smsd was started"
        )
        os.close(ours)  # it stops only between two tries
    os.close(theirs)


def test_settings_of_gammu_smsd_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    Modem(tmp_path)
    channel = GammuChannel(
        tmp_path, on_reply=lambda _: None, now_ms=lambda: 0, hear=False, smsdrc=tmp_path / "no"
    )

    assert "settings cannot be read" in says(channel)
