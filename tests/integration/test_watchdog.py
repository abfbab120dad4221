"""``coldtrail watchdog`` as cron runs it, and ``coldtrail sms test``, against real servers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from coldtrail.init import first_site, init_data
from coldtrail.settings import Wrong
from coldtrail.sms_test import Nobody, try_out
from coldtrail.watchdog import Looked, look
from domain.reading import PersonId
from store.records import open_records
from store.records.ports import Person
from tests.support.providers import Webhook
from tests.support.servers import free_port, free_port_base, serving
from tests.support.sms import NOON_MS

MINUTE_MS = 60_000
PHONE, OTHER = "+8613800000001", "+8613800000002"


class Watched:
    """The api's ``/readyz``; ``alive_s`` None: down."""

    def __init__(self) -> None:
        self.port = free_port()
        self.status, self.alive_s = 200, 5
        watched = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                said = {"ready": True, "missing": [], "alive_s": watched.alive_s}
                body = json.dumps(said).encode()
                self.send_response(watched.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._handler = Handler

    @contextmanager
    def running(self) -> Iterator[None]:
        with serving(HTTPServer(("127.0.0.1", self.port), self._handler)):
            yield


class Rounds:
    """Cron: a look a minute."""

    def __init__(self, folder: Path, watched: Watched, hook: Webhook, more: str = "") -> None:
        (folder / "hook.key").write_text("shared\n")
        self.path = folder / "watch.toml"
        self.path.write_text(
            f'url = "http://127.0.0.1:{watched.port}"\npeople = ["{PHONE}", "{OTHER}"]\n{more}'
            f'[channel]\nname = "watch"\nurl = "http://{hook.host}/"\nsecret_file = "hook.key"\n'
        )
        self.now_ms = NOON_MS

    def __call__(self, times: int = 1) -> list[Looked]:
        found = []
        for _ in range(times):
            found.append(look(self.path, lambda: self.now_ms))
            self.now_ms += MINUTE_MS
        return found


def test_an_outage_is_told_once_again_each_hour_and_its_end_once(tmp_path: Path) -> None:
    watched, hook = Watched(), Webhook()
    rounds = Rounds(tmp_path, watched, hook)
    with hook.running():
        with watched.running():
            assert [one.why for one in rounds(2)] == ["", ""]
        down = rounds(70)
        with watched.running():
            up = rounds(3)

    assert all("does not answer" in one.why for one in down)
    assert [n for n, one in enumerate(down) if one.told] == [1, 61]  # the second look in a row
    assert [one.told for one in up] == [2, 0, 0]
    texts = [one["text"] for one in hook.taken]
    assert len(texts) == 6
    assert "没有应答" in texts[0]
    assert "已恢复" in texts[-1]
    assert {one["to"] for one in hook.taken} == {PHONE, OTHER}


@pytest.mark.parametrize(
    ("status", "alive_s", "why"),
    [
        pytest.param(503, 5, "503", id="not-ready"),
        pytest.param(200, 900, "900 s", id="nothing-judged-for-long"),
    ],
)
def test_a_platform_that_answers_and_does_not_work_is_told_as_well(
    status: int, alive_s: int, why: str, tmp_path: Path
) -> None:
    watched, hook = Watched(), Webhook()
    watched.status, watched.alive_s = status, alive_s
    rounds = Rounds(tmp_path, watched, hook)
    with hook.running(), watched.running():
        assert why in rounds(2)[-1].why
        assert len(hook.taken) == 2


def test_one_look_that_failed_tells_nobody(tmp_path: Path) -> None:
    watched, hook = Watched(), Webhook()
    rounds = Rounds(tmp_path, watched, hook)
    with hook.running():
        rounds()
        with watched.running():
            rounds(3)

        assert hook.taken == []


def test_who_could_not_be_told_is_told_at_the_next_look(tmp_path: Path) -> None:
    watched, hook = Watched(), Webhook()
    rounds = Rounds(tmp_path, watched, hook)
    hook.outcomes = ["410", "410"]
    with hook.running():
        untold = rounds(2)[-1].untold
        assert len(untold) == 2
        assert rounds()[0].told == 2


@pytest.mark.parametrize("more", ["looks = 0\n", "alive = 3\n"])
def test_settings_that_cannot_be_are_named(more: str, tmp_path: Path) -> None:
    with pytest.raises(Wrong, match=more.split()[0]):
        Rounds(tmp_path, Watched(), Webhook(), more)()


def test_cron_sees_it_in_the_exit_code(tmp_path: Path) -> None:
    watched, hook = Watched(), Webhook()
    path = Rounds(tmp_path, watched, hook).path
    command = [sys.executable, "-m", "coldtrail", "watchdog", str(path)]
    with hook.running():
        with watched.running():
            assert subprocess.run(command, check=False).returncode == 0
        assert subprocess.run(command, check=False, capture_output=True).returncode == 1


def test_a_test_text_goes_by_each_of_a_persons_channels_and_says_what_became_of_it(
    tmp_path: Path,
) -> None:
    hook, other = Webhook(), Webhook()
    other.outcomes = ["410"]
    (tmp_path / "hook.key").write_text("shared\n")
    tables = "".join(
        f'[[alerts.channel]]\nname = "{name}"\nurl = "http://{one.host}/"\nsecret_file = "{key}"\n'
        for name, one in (("hook", hook), ("other", other))
        for key in (tmp_path / "hook.key",)
    )
    made = init_data(tmp_path / "site", port_base=free_port_base(), more_toml=tables)
    first_site(made, NOON_MS)
    records = open_records(made.server / "records.db")
    records.put_person(Person(PersonId("wang"), "王", PHONE, "zh"), by="t", now_ms=NOON_MS)
    records.close()
    with hook.running(), other.running():
        outcome = dict(try_out(made, "wang", None))
        by_one = dict(try_out(made, "wang", "hook"))

    assert outcome["hook"] == ""
    assert "410" in outcome["other"]
    assert by_one == {"hook": ""}
    assert {one["to"] for one in hook.taken} == {PHONE}
    assert "测试" in hook.taken[0]["text"]
    for person, channel in (("nobody", None), ("wang", "fax")):
        with pytest.raises(Nobody):
            list(try_out(made, person, channel))
