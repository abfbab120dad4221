"""InfluxDB 1.x and 2.x (and what speaks the 2.x write call), behind one small port.

Queries are InfluxQL on ``/query``, which both answer. Nothing here waits or tries again.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Protocol
from urllib.parse import urlencode

import msgspec
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from ingest.influx_answers import Answer, meaning
from ingest.keys import read_secret
from ingest.settings import InfluxSettings

TIMEOUT_S = 30
NO_SUCH_CALL = (400, 404, 405, 501)

Epoch = Literal["ms", "ns"]


class Unavailable(Exception):
    """Not now: no connection, no rights, no database, overloaded."""


class NoRights(Unavailable):
    """Not with this token: expired, removed, or without the right."""


class NoBucket(Unavailable):
    """The database or bucket is not there; what it held is not, either."""


class BadLines(Exception):
    """The server will not take some of these lines, however often they come."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.said)
        self.answer = answer


def check_written(status: int, body: bytes) -> None:
    """Raises what ``ingest.influx_answers`` makes of the answer."""
    answer = meaning(status, body)
    match answer.fate:
        case "landed":
            return
        case "partly" | "refused":
            raise BadLines(answer)
        case "no rights":
            raise NoRights(answer.said)
        case "no bucket":
            raise NoBucket(answer.said)
        case "later":
            raise Unavailable(answer.said)


class CannotDelete(Exception):
    """The server has no call to delete points of a time span."""


class NoAnswer(Exception):
    """The server does not answer InfluxQL."""


class Influx(Protocol):
    def prepare(self) -> None:
        """Make the database where that is ours to do. Raises ``Unavailable``."""
        ...

    def write(self, lines: Sequence[str]) -> None:
        """All lines, or ``BadLines`` (its answer says what landed), or ``Unavailable``."""
        ...

    def delete(
        self, measurement: str, tags: Mapping[str, str], first_ms: int, last_ms: int
    ) -> None:
        """Points with all these tags; both ends inside, the last millisecond as a whole. Raises
        ``CannotDelete``."""
        ...

    def query(self, influxql: str, epoch: Epoch = "ms") -> list[dict[str, Any]]:
        """The first statement's series. Raises ``NoAnswer``, also for an answer cut short."""
        ...

    def close(self) -> None: ...


class _Series(msgspec.Struct):
    series: list[dict[str, Any]] = []
    error: str = ""


class _Results(msgspec.Struct):
    results: list[_Series] = []
    error: str = ""


def connect(settings: InfluxSettings) -> Influx:
    secret = read_secret(settings.token_file)
    if settings.kind == "1":
        return Influx1(settings.url, settings.database, secret)
    if settings.kind == "2":
        return Influx2(settings.url, settings.organization, settings.bucket, secret)
    raise ValueError(f"influx kind {settings.kind!r} is neither '1' nor '2'")


class _Query:
    """InfluxQL over HTTP."""

    def __init__(self, url: str, database: str, headers: Mapping[str, str]) -> None:
        self._url = url.rstrip("/")
        self._database = database
        self._headers = dict(headers)
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(total=TIMEOUT_S), retries=False, headers=self._headers
        )

    def ask(
        self, influxql: str, *, method: str = "GET", epoch: Epoch = "ms"
    ) -> list[dict[str, Any]]:
        fields = {"db": self._database, "q": influxql, "epoch": epoch}
        response = self.call(method, "/query", fields)
        try:
            parsed = msgspec.json.decode(response.data, type=_Results)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise NoAnswer(f"{response.status} to InfluxQL") from error
        said = parsed.error or next((r.error for r in parsed.results if r.error), "")
        if response.status != 200 or said:
            raise NoAnswer(f"{response.status} {said}"[:300])
        series = parsed.results[0].series if parsed.results else []
        if any(one.get("partial") for one in series):
            raise NoAnswer("it cuts answers short: max-row-limit in its configuration")
        if influxql.startswith("SELECT ") and any(one["columns"][0] != "time" for one in series):
            raise NoAnswer("what came is no answer to InfluxQL")  # VictoriaMetrics: its databases
        return series

    def call(
        self, method: str, path: str, fields: Mapping[str, str], body: bytes | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Raises ``Unavailable`` for what may go better later."""
        try:
            if body is None:
                response = self._http.request(method, self._url + path, fields=dict(fields))
            else:
                response = self._http.urlopen(
                    method,
                    f"{self._url}{path}?{urlencode(fields)}",
                    body=body,
                    headers=self._headers,
                )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(str(error)[:300]) from error
        if response.status in (401, 403, 429) or response.status >= 500:
            check_written(response.status, response.data)
        return response

    def close(self) -> None:
        self._http.clear()


class Influx1:
    """``secret`` is user:password, or empty."""

    def __init__(self, url: str, database: str, secret: str) -> None:
        headers = urllib3.make_headers(basic_auth=secret) if secret else {}
        self._database = database
        self._http = _Query(url, database, headers)

    def prepare(self) -> None:
        try:
            self._http.ask(f"CREATE DATABASE {identifier(self._database)}", method="POST")
        except NoAnswer as error:
            raise Unavailable(str(error)) from error

    def write(self, lines: Sequence[str]) -> None:
        body = "\n".join(lines).encode()
        response = self._http.call(
            "POST", "/write", {"db": self._database, "precision": "ms"}, body
        )
        check_written(response.status, response.data)

    def delete(
        self, measurement: str, tags: Mapping[str, str], first_ms: int, last_ms: int
    ) -> None:
        where = [f"{identifier(key)} = {string(value)}" for key, value in tags.items()]
        where += [f"time >= {first_ms}ms", f"time < {last_ms + 1}ms"]
        try:
            self._http.ask(
                f"DELETE FROM {identifier(measurement)} WHERE {' AND '.join(where)}",  # noqa: S608 - quoted
                method="POST",
            )
        except NoAnswer as error:
            raise CannotDelete(str(error)) from error

    def query(self, influxql: str, epoch: Epoch = "ms") -> list[dict[str, Any]]:
        return self._http.ask(influxql, epoch=epoch)

    def close(self) -> None:
        self._http.close()


class Influx2:
    """Writes and deletes by influxdb-client; queries by InfluxQL."""

    def __init__(self, url: str, organization: str, bucket: str, token: str) -> None:
        self._bucket = bucket
        self._organization = organization
        self._client = InfluxDBClient(
            url=url, token=token or "none", org=organization, timeout=TIMEOUT_S * 1000
        )
        self._writer = self._client.write_api(write_options=SYNCHRONOUS)
        headers = {"Authorization": f"Token {token}"} if token else {}
        self._http = _Query(url, bucket, headers)

    def prepare(self) -> None:
        """Buckets are made with the token, by whoever set the server up."""

    def write(self, lines: Sequence[str]) -> None:
        try:
            self._writer.write(
                self._bucket,
                record="\n".join(lines).encode(),
                write_precision=WritePrecision.MS,  # type: ignore[arg-type]  # a str in the client's own class
            )
        except ApiException as error:
            check_written(error.status or 500, _bytes(error.body))
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(str(error)[:300]) from error

    def delete(
        self, measurement: str, tags: Mapping[str, str], first_ms: int, last_ms: int
    ) -> None:
        predicate = " AND ".join(
            f"{key}={_predicate(value)}"
            for key, value in {"_measurement": measurement, **tags}.items()
        )
        body = msgspec.json.encode(
            {
                "start": _rfc3339(first_ms, 0),
                "stop": _rfc3339(last_ms, 999),  # right whether the server counts it in or out
                "predicate": predicate,
            }
        )
        response = self._http.call(
            "POST",
            "/api/v2/delete",
            {"org": self._organization, "bucket": self._bucket},
            body,
        )
        if response.status in NO_SUCH_CALL:
            raise CannotDelete(f"{response.status} {_said(response.data)}")

    def query(self, influxql: str, epoch: Epoch = "ms") -> list[dict[str, Any]]:
        return self._http.ask(influxql, epoch=epoch)

    def close(self) -> None:
        self._http.close()
        self._client.close()  # type: ignore[no-untyped-call]  # the client's


def _rfc3339(at_ms: int, micros: int) -> str:
    seconds, millis = divmod(at_ms, 1000)
    instant = datetime.fromtimestamp(seconds, UTC)
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{millis:03d}{micros:03d}Z"


def _bytes(body: bytes | str | None) -> bytes:
    return body.encode() if isinstance(body, str) else body or b""


def _said(body: bytes | str) -> str:
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    return text.strip()[:300]


def identifier(text: str) -> str:
    """An InfluxQL identifier."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def string(text: str) -> str:
    """An InfluxQL string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _predicate(text: str) -> str:
    """A string of the delete predicate."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
