"""The promises of ``channels.ports.Channel``, checked against every driver.

Providers are real where one can run here (an SMS centre over SMPP, gammu-smsd with its dummy
modem, Apprise), else stand-ins that refuse what their documentation does not allow.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from channels.connect import connect
from channels.log import LogChannel
from channels.ports import Channel, Outgoing, Sent, TryLater
from channels.settings import ChannelSettings
from coldtrail.sms_centre.memory import Memory
from domain.template import Filled, fill
from tests.support.gammu import Modem
from tests.support.providers import APP, KEY_ID, KEY_SECRET, SIGN, Aliyun, Group, StandIn, Tencent
from tests.support.providers import Webhook as Receiver
from tests.support.sms import NOON_MS, Centre, Heard, bound

PHONE = "+8613800000001"
PLACE = "东村3号库"
VALUES = {"place": PLACE, "goods": "草莓", "value": "8.1℃", "what": "超温", "since": "13:32",
          "todo": "请查门", "code": "A7K3"}  # fmt: skip


def filled() -> Filled:
    return fill("raise-figure-zh", VALUES)


def message(key: str, text: str = f"{PLACE}草莓8.1℃超温") -> Outgoing:
    return Outgoing(key, PHONE, text, "raise", filled())


class Rig:
    """A carrier, up and down at will. ``texts``: what reached people, in full or as values."""

    def __init__(self, folder: Path, heard: Heard) -> None:
        self.folder, self.heard = folder, heard

    def up(self) -> AbstractContextManager[None]:
        raise NotImplementedError

    def way(self) -> ChannelSettings:
        raise NotImplementedError

    def texts(self) -> Sequence[str]:
        raise NotImplementedError

    @contextmanager
    def channel(self) -> Iterator[Channel]:
        made = connect(
            self.way(), on_reply=self.heard.replies.append, on_receipt=self.heard.receipt,
            now_ms=lambda: NOON_MS,
        )  # fmt: skip
        try:
            yield self.ready(made)
        finally:
            made.close()

    def ready(self, channel: Channel) -> Channel:
        return channel

    def secret(self, text: str) -> str:
        path = self.folder / "secret"
        path.write_text(f"{text}\n")
        return str(path)


class Smpp(Rig):
    def __init__(self, folder: Path, heard: Heard) -> None:
        super().__init__(folder, heard)
        self.centre = Centre.at(folder)

    def up(self) -> AbstractContextManager[None]:
        return self.centre.running()

    def way(self) -> ChannelSettings:
        s = self.centre.settings
        url = f"smpp://coldtrail@127.0.0.1:{s.smpp_port}?from=10690001"
        return ChannelSettings("smpp", url, s.password_file)

    def texts(self) -> Sequence[str]:
        memory = Memory(Path(self.centre.settings.path), lambda: NOON_MS)
        try:
            return [m.text or "" for m in memory.inbox(PHONE.lstrip("+"))]
        finally:
            memory.close()

    def ready(self, channel: Channel) -> Channel:
        return bound(channel)  # type: ignore[arg-type]  # it is an SmppChannel


class Gammu(Rig):
    def __init__(self, folder: Path, heard: Heard) -> None:
        super().__init__(folder, heard)
        self.modem = Modem(folder)

    def up(self) -> AbstractContextManager[None]:
        return self.modem.running()

    def way(self) -> ChannelSettings:
        return ChannelSettings("modem", f"gammu://{self.folder}")

    def texts(self) -> Sequence[str]:
        return self.modem.sent()


class Http(Rig):
    provider: StandIn

    def up(self) -> AbstractContextManager[None]:
        return self.provider.running()


class Hook(Http):
    def __init__(self, folder: Path, heard: Heard) -> None:
        super().__init__(folder, heard)
        self.provider = Receiver()

    def way(self) -> ChannelSettings:
        return ChannelSettings("hook", f"http://{self.provider.host}/in", self.secret("shared"))

    def texts(self) -> Sequence[str]:
        return [one["text"] for one in self.provider.taken]


class ByApprise(Http):
    def __init__(self, folder: Path, heard: Heard) -> None:
        super().__init__(folder, heard)
        self.provider = Group()

    def way(self) -> ChannelSettings:
        return ChannelSettings("group", "apprise:", self.secret(f"json://{self.provider.host}/g"))

    def texts(self) -> Sequence[str]:
        return [one["message"] for one in self.provider.taken]


class ByAliyun(Http):
    def __init__(self, folder: Path, heard: Heard) -> None:
        super().__init__(folder, heard)
        self.provider = Aliyun()
        self.provider.VARIABLES = {"SMS_1": set(VALUES)}  # type: ignore[misc]  # of this one

    def way(self) -> ChannelSettings:
        url = f"aliyun-sms://{KEY_ID}@{self.provider.host}?sign={quote(SIGN)}"
        templates = {"raise-figure-zh": "SMS_1"}
        return ChannelSettings("ali", url, self.secret(KEY_SECRET), templates=templates)

    def texts(self) -> Sequence[str]:
        return [" ".join(one["given"].values()) for one in self.provider.taken]


class ByAliyunVoice(Http):
    def __init__(self, folder: Path, heard: Heard) -> None:
        super().__init__(folder, heard)
        self.provider = Aliyun()
        self.provider.VARIABLES = {"TTS_1": set(VALUES) - {"code"}}  # type: ignore[misc]  # as above

    def way(self) -> ChannelSettings:
        url = f"aliyun-voice://{KEY_ID}@{self.provider.host}?times=3"
        templates = {"raise-figure-zh": "TTS_1"}
        return ChannelSettings("call", url, self.secret(KEY_SECRET), templates=templates)

    def texts(self) -> Sequence[str]:
        return [" ".join(one["given"].values()) for one in self.provider.taken]


class ByTencent(Http):
    def __init__(self, folder: Path, heard: Heard) -> None:
        super().__init__(folder, heard)
        self.provider = Tencent()
        self.provider.VARIABLES = {"1110": len(VALUES)}  # type: ignore[misc]  # as above

    def way(self) -> ChannelSettings:
        url = f"tencent-sms://{KEY_ID}@{self.provider.host}?app={APP}&sign={quote(SIGN)}"
        templates = {"raise-figure-zh": "1110"}
        return ChannelSettings("qq", url, self.secret(KEY_SECRET), templates=templates)

    def texts(self) -> Sequence[str]:
        return [" ".join(one["TemplateParamSet"]) for one in self.provider.taken]


RIGS: dict[str, Callable[[Path, Heard], Rig]] = {
    "smpp": Smpp,
    "gammu-smsd": Gammu,
    "webhook": Hook,
    "apprise": ByApprise,
    "aliyun-sms": ByAliyun,
    "aliyun-voice": ByAliyunVoice,
    "tencent-sms": ByTencent,
}
HONOUR_KEYS = ("smpp", "gammu-smsd", "webhook")
FULL_TEXT = ("smpp", "gammu-smsd", "webhook", "apprise")


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return RIGS[request.param](tmp_path, Heard())


def only(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rig", names, indirect=True)


def test_what_send_returned_from_is_with_the_carrier(rig: Rig) -> None:
    with rig.up(), rig.channel() as channel:
        sent = channel.send(message("k1"))

        assert isinstance(sent, Sent)
        assert sent.provider_id
        assert [PLACE in text for text in rig.texts()] == [True]


@only(*(name for name in RIGS if name != "gammu-smsd"))  # its outbox is the queue
def test_a_carrier_that_is_not_there_is_asked_again_later(rig: Rig) -> None:
    with ExitStack() as life:
        if isinstance(rig, Http):
            rig.provider.outcomes = ["down"]
        if isinstance(rig, Smpp):
            made = connect(
                rig.way(), on_reply=rig.heard.replies.append, on_receipt=rig.heard.receipt,
                now_ms=lambda: NOON_MS,
            )  # fmt: skip
            life.callback(made.close)
        else:
            life.enter_context(rig.up())
            made = life.enter_context(rig.channel())
        with pytest.raises(TryLater):
            made.send(message("k1"))
        if isinstance(rig, Smpp):
            life.enter_context(rig.up())

        rig.ready(made).send(message("k1"))

        assert len(rig.texts()) == 1


def test_threads_may_share_it(rig: Rig) -> None:
    failed: list[BaseException] = []
    with rig.up(), rig.channel() as channel:

        def send(key: str) -> None:
            try:
                channel.send(message(key))
            except BaseException as error:
                failed.append(error)
                raise

        threads = [threading.Thread(target=send, args=(f"k{n}",)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert failed == []
        assert len(rig.texts()) == 3


@only(*HONOUR_KEYS)
def test_the_same_key_again_reaches_the_person_once(rig: Rig) -> None:
    with rig.up():
        with rig.channel() as channel:
            first = channel.send(message("k1"))
        with rig.channel() as channel:
            second = channel.send(message("k1"))

        assert first == second
        assert len(rig.texts()) == 1


@only(*FULL_TEXT)
def test_a_long_text_arrives_whole(rig: Rig) -> None:
    text = "草莓一号库 7.6℃ 超过上限 4.0℃，自 13:32 起。请查库门🚪和机组，货物转移到二号库。" * 4
    with rig.up(), rig.channel() as channel:
        channel.send(message("k1", text))

        assert list(rig.texts()) == [text]


def test_log_is_a_channel_that_always_has_the_message() -> None:
    log = LogChannel()

    assert log.send(message("k1")).provider_id == "log:k1"
    log.close()
