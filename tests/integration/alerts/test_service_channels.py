"""The whole role with providers: a refusal, an approved template, a pushed receipt and reply; and
a real carrier that accepts the connection and never says a word."""

import json
import socket
import urllib.request
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from alerts.settings import Settings
from channels.settings import ChannelSettings
from domain.template import VARIABLES
from store.notices import open_notices_reader
from tests.integration.alerts.test_service import PHONE, Api, notices, now_ms, running
from tests.support.alert_house import MINUTE_MS, House
from tests.support.providers import KEY_ID, KEY_SECRET, SIGN, Aliyun, Group, Webhook
from tests.support.servers import free_port, wait_until


def secret(house: House, name: str, text: str) -> str:
    path = house.folder / name
    path.write_text(f"{text}\n")
    return str(path)


def settings(house: House, api: Api, *channels: ChannelSettings, **more: object) -> Settings:
    return Settings(
        readings_path=house.path("readings.db"),
        records_path=house.path("records.db"),
        facts_path=house.path("facts.db"),
        notices_path=house.path("notices.db"),
        sms_url="",
        sms_password_file="",
        api_url=api.url,
        api_token_file=secret(house, "token", "t0ken"),
        tell_from_ms=0,
        channels=list(channels),
        **more,  # type: ignore[arg-type]  # of the test's own
    )


def warm(house: House) -> None:
    house.room("r1", "mqtt:g1:p1")
    house.person("op", "operator", PHONE, quiet_hours=False)
    end_ms = now_ms()
    rows = [(end_ms - 5 * i * MINUTE_MS, 8.0) for i in range(7, -1, -1)]
    house.arrive(rows, at_ms=end_ms)


def via(house: House) -> list[object]:
    with closing(open_notices_reader(house.path("notices.db"))) as reader:
        return [n["via"] for n in reader.notices()]


def push(url: str, said: object) -> None:
    request = urllib.request.Request(url, data=json.dumps(said).encode(), method="POST")  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - loopback
        pass


def test_what_one_refuses_goes_by_a_provider_whose_pushes_come_back(tmp_path: Path) -> None:
    hook, ali, api, watch = Webhook(), Aliyun(), Api(), Group()
    hook.outcomes = ["410"]
    ali.VARIABLES = {"SMS_1": set(VARIABLES) - {"until", "minutes", "count"}}  # type: ignore[misc]  # of this one
    port = free_port()
    with House(tmp_path) as house, hook.running(), ali.running(), api.running(), watch.running():
        url = f"aliyun-sms://{KEY_ID}@{ali.host}?sign={quote(SIGN)}"
        told = settings(
            house, api,
            ChannelSettings("hook", f"http://{hook.host}/", secret(house, "hook", "shared")),
            ChannelSettings(
                "ali", url, secret(house, "ali", KEY_SECRET), templates={"raise-figure-zh": "SMS_1"}
            ),
            push_port=port, push_token_file=house.path("push.token"),
            heartbeat_url=f"http://{watch.host}/",
        )  # fmt: skip
        warm(house)
        with running(told):
            wait_until(lambda: ali.taken, 30, "the provider has it")
            wait_until(lambda: notices(house) == [("raise", "sent")], 20, "it is on record")
            wait_until(lambda: watch.asked, 20, "the outside watch is asked")
            token = Path(house.path("push.token")).read_text().strip()
            push(
                f"http://127.0.0.1:{port}/ali/{token}",
                [{"success": True, "out_id": ali.taken[0]["OutId"], "biz_id": "1"}],
            )
            push(
                f"http://127.0.0.1:{port}/ali/{token}",
                [{"phone_number": PHONE, "content": f"1 {ali.taken[0]['given']['code']}",
                  "send_time": "2026-06-01 12:00:00", "sequence_id": 7}],
            )  # fmt: skip
            wait_until(lambda: api.heard, 20, "the api hears of the reply")

        assert notices(house) == [("raise", "delivered")]
        assert via(house) == ["ali"]
        assert ali.taken[0]["given"]["goods"] == "草莓"
        assert api.heard[0][2]["kind"] == "ack"
        assert Path(house.path("push.token")).stat().st_mode & 0o777 == 0o600
        with closing(open_notices_reader(house.path("notices.db"))) as reader:
            assert [(u["channel"], u["messages"]) for u in reader.usage()] == [("ali", 1)]


def test_a_carrier_that_never_says_a_word_leaves_the_alarm_to_the_next(tmp_path: Path) -> None:
    hook, api = Webhook(), Api()
    with (
        House(tmp_path) as house,
        socket.create_server(("127.0.0.1", 0)) as mute,
        hook.running(),
        api.running(),
    ):
        told = settings(
            house, api,
            ChannelSettings(
                "sms", f"smpp://id@127.0.0.1:{mute.getsockname()[1]}", secret(house, "sms", "pw")
            ),
            ChannelSettings("hook", f"http://{hook.host}/", secret(house, "hook", "shared")),
        )  # fmt: skip
        warm(house)
        with running(told):
            wait_until(lambda: hook.taken, 60, "the other channel has it")

        assert via(house) == ["hook"]
        assert len(hook.taken) == 1


def test_a_channel_that_cannot_start_leaves_the_others_their_work(tmp_path: Path) -> None:
    hook, api = Webhook(), Api()
    with House(tmp_path) as house, hook.running(), api.running():
        told = settings(
            house, api,
            ChannelSettings("group", "apprise:", secret(house, "group", "nonsense://x")),
            ChannelSettings("keyless", f"http://{hook.host}/", house.path("none")),
            ChannelSettings("hook", f"http://{hook.host}/", secret(house, "hook", "shared")),
        )  # fmt: skip
        warm(house)
        with running(told):
            wait_until(lambda: hook.taken, 30, "the one that works has it")

        with closing(open_notices_reader(house.path("notices.db"))) as reader:
            errors = {c["name"]: c["error"] for c in reader.channels()}
        assert "line 1" in errors["group"]
        assert "secret file" in errors["keyless"]
        assert errors["hook"] == ""
