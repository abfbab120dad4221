"""The whole role against a real SMS centre: a warm room, a text, a reply, and the api hears of it."""

import json
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from alerts.service import run
from alerts.settings import Settings
from domain.reading import PersonId
from store.errors import NotReady
from store.facts import open_facts_reader
from store.notices import open_notices_reader
from store.records.ports import Duty
from tests.support.alert_house import MINUTE_MS, House
from tests.support.servers import free_port, serving, wait_until
from tests.support.sms import Centre

PHONE = "+8613800000001"


class Api:
    """Answers like the api's route for actions; ``away``: so many requests fail first."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.heard: list[tuple[str, str, dict[str, Any]]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                api.away -= 1
                status = 503 if api.away >= 0 else 201
                if status == 201:
                    api.heard.append((self.path, self.headers["Authorization"], body))
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._handler = Handler
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    @contextmanager
    def running(self) -> Iterator["Api"]:
        with serving(HTTPServer(("127.0.0.1", self._port), self._handler)):
            yield self


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    stop = threading.Event()
    failed: list[BaseException] = []

    def serve() -> None:
        try:
            run(settings, now_ms=now_ms, stop=stop)
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
        assert failed == []


def settings(house: House, centre: Centre, api: Api) -> Settings:
    (house.folder / "token").write_text("t0ken\n")
    return Settings(
        readings_path=house.path("readings.db"),
        records_path=house.path("records.db"),
        facts_path=house.path("facts.db"),
        notices_path=house.path("notices.db"),
        sms_url=f"smpp://coldtrail@127.0.0.1:{centre.settings.smpp_port}?from=10690001",
        sms_password_file=centre.settings.password_file,
        api_url=api.url,
        api_token_file=str(house.folder / "token"),
        tell_from_ms=0,
    )


def notices(house: House) -> list[tuple[object, object]]:
    try:
        with closing(open_notices_reader(house.path("notices.db"))) as reader:
            return [(n["kind"], n["state"]) for n in reader.notices()]
    except NotReady:
        return []


def judged_to(house: House) -> int:
    try:
        with closing(open_facts_reader(house.path("facts.db"))) as reader:
            return max((row[2] for row in reader.judged().values()), default=0)
    except NotReady:
        return 0


def test_a_warm_room_rings_and_the_reply_reaches_the_api(tmp_path: Path) -> None:
    centre, api = Centre.at(tmp_path), Api(away=2)
    with House(tmp_path) as house, centre.running(), api.running():
        house.room("r1", "mqtt:g1:p1")
        house.person("op", "operator", PHONE, quiet_hours=False)
        with running(settings(house, centre, api)):
            end_ms = now_ms()
            rows = [(end_ms - 5 * i * MINUTE_MS, 8.0) for i in range(7, -1, -1)]
            house.arrive(rows, at_ms=end_ms)
            wait_until(
                lambda: notices(house) == [("raise", "delivered")], 20, "the text is delivered"
            )
            form = urllib.parse.urlencode({"phone": PHONE, "text": "1"}).encode()
            page = f"http://127.0.0.1:{centre.settings.page_port}"
            request = urllib.request.Request(  # noqa: S310 - loopback
                f"{page}/reply", data=form, headers={"Origin": page}
            )
            with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - loopback
                pass
            wait_until(lambda: api.heard, 20, "the api hears of the reply")

        path, sent_as, body = api.heard[0]
        assert path == "/api/v1/rooms/r1/actions"
        assert sent_as == "Bearer t0ken"
        assert (body["kind"], body["by"], body["detail"]["channel"]) == ("ack", "op", "sms")
        assert body["id"].startswith("sms:")
        assert len(api.heard) == 1


def test_a_change_of_duties_reaches_the_running_role(tmp_path: Path) -> None:
    centre, api = Centre.at(tmp_path), Api()
    with House(tmp_path) as house, centre.running(), api.running():
        house.room("r1", "mqtt:g1:p1")
        house.person("op", "operator", PHONE, quiet_hours=False)
        with running(settings(house, centre, api)):
            end_ms = now_ms()
            good = [(end_ms - 5 * i * MINUTE_MS, 1.0) for i in range(30, 7, -1)]
            house.arrive(good, at_ms=end_ms)
            wait_until(lambda: judged_to(house) > 0, 20, "the room is judged")

            old = Duty(PersonId("op"), "operator", "site", "s1")
            house.records.end_duty(old, by="admin", now_ms=end_ms)
            house.person("new", "operator", "+8613800000002", quiet_hours=False)
            warm = [(end_ms - 5 * i * MINUTE_MS, 8.0) for i in range(7, -1, -1)]
            house.arrive(warm, at_ms=end_ms)
            wait_until(lambda: notices(house) == [("raise", "delivered")], 20, "the text is there")

        with closing(open_notices_reader(house.path("notices.db"))) as reader:
            assert [n["to"] for n in reader.notices()] == ["new"]


def test_the_role_waits_for_files_that_others_make(tmp_path: Path) -> None:
    centre, api = Centre.at(tmp_path), Api()
    with api.running():
        empty = Settings(
            readings_path=str(tmp_path / "readings.db"),
            records_path=str(tmp_path / "records.db"),
            facts_path=str(tmp_path / "facts.db"),
            notices_path=str(tmp_path / "notices.db"),
            sms_url="log:",
            sms_password_file=centre.settings.password_file,
            api_url=api.url,
            api_token_file=str(tmp_path / "token"),
        )
        with running(empty):
            wait_until((tmp_path / "facts.db").exists, 20, "facts.db is made")
            with House(tmp_path) as house:
                house.room("r1", "mqtt:g1:p1")
                wait_until((tmp_path / "notices.db").exists, 20, "notices.db is made")
