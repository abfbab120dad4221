from pathlib import Path

import pytest

from channels.connect import connect
from channels.log import LogChannel
from channels.ports import Channel, Outgoing
from channels.settings import ChannelSettings


def channel(url: str, password_file: Path) -> Channel:
    return connect(
        ChannelSettings("one", url, str(password_file)),
        on_reply=lambda _reply: None,
        on_receipt=lambda _id, _state: None,
        now_ms=lambda: 0,
    )


def test_log_is_a_channel_that_always_has_the_message(tmp_path: Path) -> None:
    log = connect(
        ChannelSettings("one", "log:"),
        on_reply=lambda _reply: None,
        on_receipt=lambda _id, _state: None,
        now_ms=lambda: 0,
    )

    assert isinstance(log, LogChannel)
    assert log.send(Outgoing("k1", "+8613800000001", "words", "raise")).provider_id == "log:k1"
    log.close()


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("gsm:///dev/ttyUSB0", "gsm"),
        ("smpp://127.0.0.1:2775", "system id"),
        ("smpp://id@127.0.0.1:2775?form=10690001", "form"),
        ("smpp://id@127.0.0.1:27750000", "Port"),
        ("smpp://id:secret@127.0.0.1", "password"),
        ("http://x", "https"),
        ("gammu:", "folder"),
        ("gammu:///var/spool/gammu?config=smsdrc", "whole path"),
        ("aliyun-sms://id@dysmsapi.aliyuncs.com", "sign"),
        ("aliyun-sms://id@dysmsapi.aliyuncs.com?sign=x", "templates"),
        ("tencent-sms://id@sms.tencentcloudapi.com?sign=x&app=1&spp=2", "spp"),
        ("aliyun-voice://id@dyvmsapi.aliyuncs.com?times=0", "times"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_what_is_wrong(
    url: str, named: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=named):
        channel(url, tmp_path / "none")
