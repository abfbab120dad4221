"""What bad input gets, through the real edge: each row of the design's table, one system for all.

Beside every bad thing a good neighbour is sent, and must be stored.
"""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any

import msgspec
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from coldtrail.settings import Installation, load
from domain.reading import Columns, ProbeId, Series
from tests.support import lan
from tests.support.servers import free_port_base, require, wait_until
from tests.support.system import Answered, System, coldtrail
from tests.support.workload import Publisher
from wire import topics
from wire.batch_v1 import Clock, Header, digest, pack_readings, seal_batch

pytestmark = pytest.mark.server

NOW_S = int(time())


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    require("nats-server")
    running = System(tmp_path_factory.mktemp("bad-input") / "data", free_port_base())
    running.prepare()
    with running:
        yield running


@pytest.fixture(scope="module")
def device(system: System) -> Iterator[Publisher]:
    with Publisher.of(system) as publisher:
        yield publisher


def send(device: Publisher, name: str, *payloads: bytes) -> None:
    """Until the edge broker has acknowledged each."""
    device.offer((f"devices/{name}/readings", payload) for payload in payloads)
    device.wait_acked(device.offered, 30)


def senml(**value: Any) -> bytes:
    return json.dumps([{"bt": NOW_S - 60, "n": "temperature", "u": "Cel"} | value]).encode()


def stored(system: System, name: str, quantity: str = "temperature") -> list[tuple[int, float]]:
    return list(system.readings(f"mqtt:{system.gateway_id()}:{name}", quantity))


def quality_of(system: System, name: str) -> list[int]:
    probe = f"mqtt:{system.gateway_id()}:{name}"
    bits: list[int] = system.http("/api/v1/readings", probe=probe, quantity="temperature")["q"]
    return bits


def held(system: System) -> list[dict[str, Any]]:
    lines = coldtrail("quarantine", "list", "--json", "--limit", "1000", "--data", str(system.data))
    return [json.loads(line) for line in lines.splitlines()]


def wait_held(system: System, topic_part: str, reason_part: str) -> dict[str, Any]:
    """The quarantined message on a topic, for a reason."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = [
            q for q in held(system) if topic_part in q["topic"] and reason_part in q["reason"]
        ]
        return bool(found)

    wait_until(there, 20, f"quarantine holds {topic_part!r} because of {reason_part!r}")
    return found[0]


@pytest.mark.parametrize(
    ("name", "payload", "reason"),
    [
        pytest.param("no-decoder", b"\x00\x01 hello", "", id="understood-by-no-decoder"),
        pytest.param("too-large", b"[" + b" " * (1 << 20) + b"]", "1 MiB", id="over-1-mib"),
        pytest.param("not-utf8", b'{"temperature": "\xff\xfe"}', "", id="not-utf-8"),
        pytest.param("deep", b"[" * 100_000 + b"]" * 100_000, "", id="deep-nesting"),
        pytest.param("zip", zlib.compress(b" " * (64 << 20)), "", id="zip-bomb"),
    ],
)
def test_what_no_decoder_understands_is_kept_with_its_reason_and_acknowledged(
    system: System, device: Publisher, name: str, payload: bytes, reason: str
) -> None:
    send(device, name, payload, senml(v=4.2))

    row = wait_held(system, f"devices/{name}/", reason)
    assert row["source"] == system.gateway_id()
    assert row["reason"]
    shown = coldtrail("quarantine", "show", row["id"], "--data", str(system.data))
    assert row["reason"] in shown
    wait_until(lambda: stored(system, name), 20, "the device's next message is stored")


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-Infinity", '"warm"', "null", "1e400"])
def test_a_value_that_is_no_number_is_quarantined_and_its_neighbours_are_stored(
    system: System, device: Publisher, bad: str
) -> None:
    name = "numbers-" + "".join(c for c in bad if c.isalnum())
    pack = (
        f'[{{"bt": {NOW_S - 90}, "n": "temperature", "v": 3.5}},'
        f' {{"n": "temperature", "t": 10, "v": {bad}}},'
        f' {{"n": "humidity", "t": 20, "v": 91.5}}]'
    )
    send(device, name, pack.encode())

    wait_held(system, f"devices/{name}/", "")
    wait_until(lambda: stored(system, name, "humidity"), 20, "the neighbour is stored")
    assert stored(system, name) == [((NOW_S - 90) * 1000, 3.5)]


def test_a_value_outside_the_physical_range_is_kept_and_marked(
    system: System, device: Publisher
) -> None:
    send(device, "hot", senml(v=250.0), senml(v=4.0, t=1))

    wait_until(lambda: len(stored(system, "hot")) == 2, 20, "both are stored")
    assert [value for _, value in stored(system, "hot")] == [250.0, 4.0]
    assert quality_of(system, "hot") == [2, 0]


def test_an_unknown_device_is_stored_and_offered(system: System, device: Publisher) -> None:
    send(device, "who", senml(v=4.0))

    def offered() -> bool:
        probes = system.http("/api/v1/probes", unassigned="true")["probes"]
        return any(p["probe"].endswith(":who") for p in probes)

    wait_until(offered, 20, "offered")


def test_a_missing_time_becomes_the_arrival(system: System, device: Publisher) -> None:
    before_ms = int(time() * 1000)
    send(device, "timeless", b'{"temperature": 4.2}')

    wait_until(lambda: stored(system, "timeless"), 20, "stored")
    [(at_ms, value)] = stored(system, "timeless")
    assert value == 4.2
    assert before_ms - 1000 <= at_ms <= int(time() * 1000) + 1000


@pytest.mark.parametrize(
    ("name", "base_s", "reason"),
    [
        pytest.param("ahead", NOW_S + 8 * 3600, "ahead", id="eight-hours-ahead"),
        pytest.param("antique", 1_500_000_000, "2020", id="before-2020"),
    ],
)
def test_an_impossible_time_is_quarantined_and_its_neighbours_are_stored(
    system: System, device: Publisher, name: str, base_s: int, reason: str
) -> None:
    pack = [
        {"n": "temperature", "t": base_s, "v": 4.0},
        {"n": "temperature", "t": NOW_S - 60, "v": 3.0},
    ]
    send(device, name, json.dumps(pack).encode())

    wait_held(system, f"devices/{name}/", reason)
    wait_until(lambda: stored(system, name), 20, "the neighbour is stored")
    assert [value for _, value in stored(system, name)] == [3.0]


def test_the_same_again_changes_nothing_and_another_value_is_a_conflict(
    system: System, device: Publisher
) -> None:
    conflicts = system.pipeline()["conflicts"]
    send(device, "twice", senml(v=4.0))
    wait_until(lambda: stored(system, "twice"), 20, "stored")
    duplicates = system.pipeline()["duplicates"]
    send(device, "twice", senml(v=4.0))
    wait_until(lambda: system.pipeline()["duplicates"] > duplicates, 20, "counted as a duplicate")
    assert quality_of(system, "twice") == [0]

    send(device, "twice", senml(v=9.0))
    wait_until(lambda: system.pipeline()["conflicts"] > conflicts, 20, "counted as a conflict")
    assert stored(system, "twice") == [((NOW_S - 60) * 1000, 4.0)]
    assert quality_of(system, "twice") == [128]


class Impostor:
    """Speaks to the central broker with the gateway's own password: what its ACL lets through,
    ingest must judge."""

    def __init__(self, installation: Installation) -> None:
        self.settings = installation.gateway_settings(installation.edges()[0])
        self.key = Path(self.settings.tag_key_file).read_bytes()
        self.header = Header(
            1, "readings", self.settings.id, self.settings.kid, "e" * 16, 1, b"",
            NOW_S * 1000, Clock(trusted=True),
        )  # fmt: skip
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="impostor")
        password = Path(self.settings.uplink_password_file).read_text().strip()
        self._client.username_pw_set(self.settings.uplink_username, password)
        host, _, port = self.settings.uplink_url.removeprefix("mqtt://").partition(":")
        self._client.connect(host, int(port))
        self._client.loop_start()

    def __enter__(self) -> "Impostor":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, payload: bytes, gateway: str = "", partition: int | None = None) -> None:
        topic = topics.batch(
            self.settings.partition if partition is None else partition,
            gateway or self.settings.id,
            "live",
        )
        self._client.publish(topic, payload, 1).wait_for_publish(20)

    def body(self, probe: str, celsius: int) -> bytes:
        columns = Columns()
        columns.at_ms.append(NOW_S * 1000 - 30_000)
        columns.count.append(celsius * 100)
        columns.quality.append(0)
        return pack_readings([(Series(ProbeId(probe), "temperature"), columns)])


@pytest.fixture(scope="module")
def impostor(system: System) -> Iterator[Impostor]:
    with Impostor(load(system.data)) as one:
        yield one


def test_a_topic_of_nobody_is_kept_with_its_reason_not_dropped(
    system: System, device: Publisher
) -> None:
    device.offer(iter([("home/fridge", b'{"temperature": 4.2}')]))
    device.wait_acked(device.offered, 30)

    assert "devices/{name}/readings" in wait_held(system, "home/fridge", "topic")["reason"]


def test_a_batch_with_a_wrong_tag_is_a_security_event(system: System, impostor: Impostor) -> None:
    impostor.say(seal_batch(impostor.header, impostor.body("forged", 4), b"\x00" * 32))

    row = wait_held(system, "/batch/live", "wrong tag")
    assert row["source"] == impostor.settings.id
    log = (system.data / "logs" / "ingest.log").read_text()
    assert "security event" in log
    assert not [s for s in system.http("/api/v1/series")["series"] if s["probe"] == "forged"]


def test_a_batch_on_a_foreign_topic_never_reaches_the_store(
    system: System, impostor: Impostor
) -> None:
    good = seal_batch(
        replace_header(impostor.header, seq=50), impostor.body("foreign", 4), impostor.key
    )
    impostor.say(good, gateway="somebody-else")
    impostor.say(good, partition=(impostor.settings.partition + 1) % 64)
    impostor.say(
        seal_batch(replace_header(impostor.header, seq=51), impostor.body("own", 4), impostor.key)
    )

    wait_until(lambda: series_of(system, "own"), 20, "its own topic is heard")
    assert not series_of(system, "foreign")


def test_a_known_name_with_other_bytes_is_refused_and_the_first_stands(
    system: System, impostor: Impostor
) -> None:
    header = replace_header(impostor.header, seq=60)
    first = seal_batch(header, impostor.body("namesake", 4), impostor.key)
    second = seal_batch(header, impostor.body("namesake", 9), impostor.key)
    assert digest(first) != digest(second)
    impostor.say(first)
    wait_until(lambda: series_of(system, "namesake"), 20, "the first is stored")
    impostor.say(second)

    wait_held(system, "/batch/live", "other bytes")
    page = system.http("/api/v1/readings", probe="namesake", quantity="temperature")
    assert (page["v"], page["q"]) == ([4.0], [0])


def test_a_zip_bomb_in_a_batch_is_quarantined_and_the_next_batch_is_stored(
    system: System, impostor: Impostor
) -> None:
    bomb = zlib.compress(b"\x00" * (64 << 20))
    impostor.say(seal_batch(replace_header(impostor.header, seq=70), bomb, impostor.key))
    after = seal_batch(
        replace_header(impostor.header, seq=71), impostor.body("after-bomb", 4), impostor.key
    )
    impostor.say(after)

    wait_held(system, "/batch/live", "zlib")
    wait_until(lambda: series_of(system, "after-bomb"), 20, "ingest goes on")


def post(system: System, name: str, body: bytes, user: str, password: str) -> tuple[int, str]:
    """To the first gateway."""
    return lan.post(load(system.data).edges()[0].lan_url, name, body, lan.basic(user, password))


def test_a_bad_post_says_why_and_a_devices_good_one_is_stored(system: System) -> None:
    said = coldtrail("gateway", "device", "add", "http-1", "--data", str(system.data))
    assert "/devices/http-1/readings" in said
    password = (load(system.data).edges()[0].devices / "http-1.password").read_text().strip()

    assert post(system, "http-1", b"hello", "http-1", password) == (422, "not JSON\n")
    assert post(system, "http-2", b"{}", "http-1", password)[0] == 403
    assert post(system, "http-1", b"{}", "http-1", "guess")[0] == 401
    assert post(system, "http-1", senml(v=4.2), "http-1", password) == (204, "")

    assert wait_held(system, "devices/http-1/", "not JSON")["source"] == system.gateway_id()
    wait_until(lambda: stored(system, "http-1"), 20, "the good one is stored")


def test_local_time_sent_as_utc_is_named_and_an_offset_brings_it_back(
    system: System, device: Publisher
) -> None:
    topic = "tele/zone/SENSOR"
    local = [int(time()) - 60 + i + 8 * 3600 for i in range(3)]
    device.offer(
        iter(
            [(topic, json.dumps({"Time": t, "AM2301": {"Temperature": 4}}).encode()) for t in local]
        )
    )
    device.wait_acked(device.offered, 30)
    wait_held(system, topic, "8 h, local time sent as UTC")

    coldtrail("gateway", "device", "offset", topic, "8", "--data", str(system.data))

    wait_until(lambda: len(stored(system, "tasmota/zone/AM2301")) == 3, 30, "all are stored")
    assert [at // 1000 for at, _ in stored(system, "tasmota/zone/AM2301")] == [
        t - 8 * 3600 for t in local
    ]


def replace_header(header: Header, **changes: Any) -> Header:
    return msgspec.structs.replace(header, **changes)


def series_of(system: System, probe: str) -> list[Any]:
    return [s for s in system.http("/api/v1/series")["series"] if s["probe"] == probe]


@pytest.mark.parametrize(
    ("path", "body", "names"),
    [
        pytest.param("/api/v1/rooms/{room}/rules", {"from": 0, "profile": "SB", "colour": 1}, "colour", id="rule-unknown-field"),
        pytest.param("/api/v1/rooms/{room}/rules", {"from": 0, "profile": "SB", "overrides": {"WARN_HIGH": {"delay_min": 3}}}, "overrides.WARN_HIGH.delay_min", id="rule-delay-below-one-interval"),
        pytest.param("/api/v1/rooms/{room}/rules", {"from": 0, "profile": "SB", "commodities": ["cucumber", "broccoli"]}, "commodities", id="rule-empty-intersection"),
        pytest.param("/api/v1/lots", {"commodity": "unobtainium", "quantity_kg": "5"}, "commodity", id="lot-unknown-commodity"),
        pytest.param("/api/v1/lots", {"commodity": "strawberry", "quantity_kg": "a lot"}, "quantity_kg", id="lot-impossible-quantity"),
        pytest.param("/api/v1/rooms/{room}/actions", {"id": "x", "kind": "dance", "at": 0, "by": "u"}, "kind", id="action-unknown-kind"),
    ],
)  # fmt: skip
def test_an_impossible_request_is_refused_with_field_and_reason_and_nothing_is_applied(
    system: System, path: str, body: dict[str, Any], names: str
) -> None:
    room = system.http("/api/v1/rooms")["rooms"][0]["id"]
    rules = system.http(f"/api/v1/rooms/{room}")["rules"]
    actions = system.http(f"/api/v1/rooms/{room}/actions")
    lots = system.http("/api/v1/lots")
    with pytest.raises(Answered) as refused:
        system.http(path.format(room=room), body)

    assert refused.value.code in (400, 422)
    assert names in str(refused.value)
    assert system.http(f"/api/v1/rooms/{room}")["rules"] == rules
    assert system.http(f"/api/v1/rooms/{room}/actions") == actions
    assert system.http("/api/v1/lots") == lots


def test_an_unknown_key_in_the_settings_stops_the_start_and_is_named(tmp_path: Path) -> None:
    other = System(tmp_path / "data", free_port_base())
    other.prepare()
    with (other.data / "coldtrail.toml").open("a") as toml:
        toml.write("\n[ingest]\nflor_days = 3\n")

    with pytest.raises(AssertionError, match="flor_days"):
        coldtrail("up", "--data", str(other.data), timeout_s=30)


def test_html_in_names_is_text_on_every_page(system: System, device: Publisher) -> None:
    room = system.http("/api/v1/rooms")["rooms"][0]
    nasty = "<script>alert(1)</script>"
    system.put(
        f"/api/v1/rooms/{room['id']}",
        {"site": room["site"], "kind": room["kind"], "name_zh": nasty, "name_en": nasty},
    )
    send(device, "<b>x</b>", senml(v=4.0))
    wait_until(lambda: stored(system, "<b>x</b>"), 20, "stored under its own name")

    for path in ("/", f"/rooms/{room['id']}", "/probes"):
        page = system.console(path)
        assert nasty not in page
        assert "<b>x</b>" not in page
    assert "&lt;script&gt;" in system.console(f"/rooms/{room['id']}")


@pytest.mark.parametrize("path", ["/t/../../etc/passwd", "/t/%2e%2e%2fadmin", "/lots/..%2f..%2fx"])
def test_path_tricks_find_nothing(system: System, path: str) -> None:
    assert system.refused(path, token=system.token()) in (400, 404, 405)
