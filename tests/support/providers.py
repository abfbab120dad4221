"""Stand-ins for providers of texts and calls, on loopback, written from their documentation.

They are stricter than the providers: a wrong signature, an unknown field or a missing one is
refused, so that a mistake shows here and not in the field.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, urlsplit

from tests.support.servers import free_port, serving

KEY_ID, KEY_SECRET = "AKIDEXAMPLE", "s3cret-of-the-test"
SIGN = "某某冷链"
APP = "1400006666"


class StandIn:
    """``outcomes``: what the next requests get instead of success: a provider's code, ``lost``
    (taken, but the link ends before the answer), ``down`` (the link ends at once) or ``portal``
    (another machine's page instead of the answer)."""

    path = "/"

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []  # messages, in order
        self.refused: list[str] = []  # our mistakes
        self.outcomes: list[str] = []
        self.asked = 0  # by GET
        self.receipts: list[dict[str, Any]] = []  # to be pulled
        self.replies: list[dict[str, Any]] = []
        standing = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                sends = not self.headers.get("X-TC-Action", "").startswith("Pull")
                outcome = standing.outcomes.pop(0) if sends and standing.outcomes else ""
                if outcome == "down":
                    self.connection.close()
                    return
                said = standing.answer(self.path, dict(self.headers), body, outcome)
                if outcome == "lost":
                    self.connection.close()
                    return
                status, answer = said
                if outcome == "portal":  # of the network in between, which wants a login
                    status, answer = 200, b"<html><body>Please sign in</body></html>"
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_GET(self) -> None:
                standing.asked += 1
                self.send_response(204)
                self.end_headers()

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (OSError, ValueError):  # we closed it ourselves
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._handler = Handler
        self._port = free_port()
        self.host = f"127.0.0.1:{self._port}"

    @contextmanager
    def running(self) -> Iterator[None]:
        with serving(ThreadingHTTPServer(("127.0.0.1", self._port), self._handler)):
            yield

    def answer(
        self, path: str, headers: dict[str, str], body: bytes, outcome: str
    ) -> tuple[int, bytes]:
        raise NotImplementedError

    def need(self, said: dict[str, Any], must: set[str], may: set[str]) -> str:
        """What is wrong with the fields, empty when nothing is."""
        lacking, unknown = sorted(must - set(said)), sorted(set(said) - must - may)
        wrong = [f"missing {name}" for name in lacking] + [f"unknown {name}" for name in unknown]
        self.refused += wrong
        return ", ".join(wrong)


class Webhook(StandIn):
    """A receiver as ``docs/operations.md`` describes it: checks, then takes each key once."""

    secret = b"shared"

    def answer(
        self, path: str, headers: dict[str, str], body: bytes, outcome: str
    ) -> tuple[int, bytes]:
        stamp = headers["X-Coldtrail-Timestamp"]
        mac = hmac.new(self.secret, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(headers["X-Coldtrail-Signature"], f"v1={mac}"):
            self.refused.append("signature")
            return 401, b"{}"
        said = json.loads(body)
        if self.need(said, {"v", "key", "to", "kind", "text", "template"}, set()):
            return 422, b"{}"
        if outcome.isdigit():
            return int(outcome), b"{}"
        if all(one["key"] != headers["Idempotency-Key"] for one in self.taken):
            self.taken.append(said)
        return 200, json.dumps({"id": f"w-{said['key']}"}).encode()


class Aliyun(StandIn):
    """Dysmsapi and Dyvmsapi: RPC style, signed with ACS3-HMAC-SHA256."""

    FIELDS: ClassVar[dict[str, tuple[set[str], set[str]]]] = {
        "SendSms": (
            {"PhoneNumbers", "SignName", "TemplateCode", "TemplateParam"},
            {"OutId", "SmsUpExtendCode"},
        ),
        "QuerySendDetails": ({"PhoneNumber", "SendDate", "PageSize", "CurrentPage"}, {"BizId"}),
        "GetSmsSign": ({"SignName"}, set()),
        "SingleCallByTts": (
            {"CalledNumber", "TtsCode"},
            {"CalledShowNumber", "TtsParam", "PlayTimes", "Volume", "Speed", "OutId"},
        ),
    }
    VARIABLES: ClassVar[dict[str, set[str]]] = {}  # of each approved template

    def answer(
        self, path: str, headers: dict[str, str], body: bytes, outcome: str
    ) -> tuple[int, bytes]:
        low = {name.lower(): value for name, value in headers.items()}
        said = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
        action = low.get("x-acs-action", "")
        if not self._signed(path, low, body):
            self.refused.append("signature")
            return self._error(400, "SignatureDoesNotMatch")
        if low.get("x-acs-version") != "2017-05-25" or action not in self.FIELDS:
            self.refused.append(f"action {action}")
            return self._error(404, "InvalidAction.NotFound")
        if wrong := self.need(said, *self.FIELDS[action]):
            return self._error(400, f"MissingParameter.{wrong}")
        if outcome.startswith("http "):
            return self._error(int(outcome[5:]), "ServiceUnavailable")
        if outcome not in ("", "lost", "portal"):
            return self._ok({"Code": outcome, "Message": outcome})
        if action == "GetSmsSign":
            approved = int(said["SignName"] == SIGN)
            return self._ok({"Code": "OK", "SignName": said["SignName"], "SignStatus": approved})
        if action == "QuerySendDetails":
            rows = [
                {"OutId": one["OutId"], "PhoneNum": one["PhoneNumbers"], "SendStatus": 3}
                for one in self.taken
                if one["PhoneNumbers"] == said["PhoneNumber"]
            ]
            return self._ok(
                {"Code": "OK", "SmsSendDetailDTOs": {"SmsSendDetailDTO": rows},
                 "TotalCount": str(len(rows))}
            )  # fmt: skip
        template = said.get("TemplateCode") or said["TtsCode"]
        given = json.loads(said.get("TemplateParam") or said.get("TtsParam") or "{}")
        if set(given) != self.VARIABLES[template] or not all(given.values()):
            self.refused.append(f"variables {sorted(given)}")
            return self._ok({"Code": "isv.TEMPLATE_MISSING_PARAMETERS", "Message": "variables"})
        self.taken.append(said | {"given": given})
        return self._ok({"Code": "OK", "Message": "OK", "BizId": str(len(self.taken))})

    def _signed(self, path: str, low: dict[str, str], body: bytes) -> bool:
        """Alibaba Cloud's V3: request body and signature mechanism."""
        algorithm, _, rest = low.get("authorization", "").partition(" ")
        fields = dict(one.split("=", 1) for one in rest.split(",") if "=" in one)
        digest = hashlib.sha256(body).hexdigest()
        if algorithm != "ACS3-HMAC-SHA256" or low.get("x-acs-content-sha256") != digest:
            return False
        names = fields["SignedHeaders"].split(";")
        needed = {"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce"}
        if not needed <= set(names) or fields["Credential"] != KEY_ID:
            return False
        pairs = sorted(parse_qsl(urlsplit(path).query, keep_blank_values=True))
        query = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in pairs)
        lines = "".join(f"{name}:{low[name].strip()}\n" for name in names)
        canonical = "\n".join(("POST", "/", query, lines, ";".join(names), digest))
        text = f"{algorithm}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        mac = hmac.new(KEY_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(mac, fields["Signature"])

    def _ok(self, said: dict[str, Any]) -> tuple[int, bytes]:
        return 200, json.dumps({"RequestId": "R-1", **said}).encode()

    def _error(self, status: int, code: str) -> tuple[int, bytes]:
        return status, json.dumps({"Code": code, "Message": code, "RequestId": "R-1"}).encode()


class Tencent(StandIn):
    """SMS 2021-01-11: JSON, signed with TC3-HMAC-SHA256."""

    FIELDS: ClassVar[dict[str, tuple[set[str], set[str]]]] = {
        "SendSms": (
            {"PhoneNumberSet", "SmsSdkAppId", "SignName", "TemplateId", "TemplateParamSet"},
            {"SessionContext", "ExtendCode", "SenderId"},
        ),
        "PullSmsSendStatus": ({"SmsSdkAppId", "Limit"}, set()),
        "PullSmsReplyStatus": ({"SmsSdkAppId", "Limit"}, set()),
    }
    VARIABLES: ClassVar[dict[str, int]] = {}  # how many, of each approved template

    def answer(
        self, path: str, headers: dict[str, str], body: bytes, outcome: str
    ) -> tuple[int, bytes]:
        low = {name.lower(): value for name, value in headers.items()}
        action = low.get("x-tc-action", "")
        if not self._signed(low, body):
            self.refused.append("signature")
            return self._error("AuthFailure.SignatureFailure")
        if low.get("x-tc-version") != "2021-01-11" or action not in self.FIELDS:
            self.refused.append(f"action {action}")
            return self._error("InvalidAction")
        said = json.loads(body)
        if wrong := self.need(said, *self.FIELDS[action]):
            return self._error(f"UnknownParameter.{wrong}")
        if action == "PullSmsSendStatus":
            rows, self.receipts = self.receipts, []
            return self._ok({"PullSmsSendStatusSet": rows})
        if action == "PullSmsReplyStatus":
            rows, self.replies = self.replies, []
            return self._ok({"PullSmsReplyStatusSet": rows})
        if outcome not in ("", "lost", "portal"):
            return self._status(said, outcome, "")
        values = said["TemplateParamSet"]
        if len(values) != self.VARIABLES[said["TemplateId"]]:
            self.refused.append(f"variables {values}")
            return self._status(
                said, "FailedOperation.TemplateParamSetNotMatchApprovedTemplate", ""
            )
        if any(not 0 < len(value) <= 6 for value in values):
            self.refused.append(f"lengths {values}")
            return self._status(said, "InvalidParameterValue.TemplateParameterLengthLimit", "")
        self.taken.append(said)
        return self._status(said, "Ok", f"2028:{len(self.taken)}")

    def _signed(self, low: dict[str, str], body: bytes) -> bool:
        """Tencent Cloud API 3.0, signature v3."""
        algorithm, _, rest = low.get("authorization", "").partition(" ")
        fields = dict(one.strip().split("=", 1) for one in rest.split(",") if "=" in one)
        if algorithm != "TC3-HMAC-SHA256":
            return False
        id, date, service, end = fields["Credential"].split("/")
        names = fields["SignedHeaders"].split(";")
        if (id, service, end) != (KEY_ID, "sms", "tc3_request") or "host" not in names:
            return False
        lines = "".join(f"{name}:{low[name].strip().lower()}\n" for name in names)
        digest = hashlib.sha256(body).hexdigest()
        canonical = "\n".join(("POST", "/", "", lines, ";".join(names), digest))
        scope = f"{date}/{service}/{end}"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"{algorithm}\n{low['x-tc-timestamp']}\n{scope}\n{hashed}"
        key = f"TC3{KEY_SECRET}".encode()
        for step in (date, service, end):
            key = hmac.new(key, step.encode(), hashlib.sha256).digest()
        mac = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(mac, fields["Signature"])

    def _status(self, said: dict[str, Any], code: str, serial: str) -> tuple[int, bytes]:
        row = {
            "SerialNo": serial, "PhoneNumber": said["PhoneNumberSet"][0], "Fee": int(code == "Ok"),
            "SessionContext": said.get("SessionContext", ""), "Code": code, "Message": code,
            "IsoCode": "CN",
        }  # fmt: skip
        return self._ok({"SendStatusSet": [row]})

    def _ok(self, said: dict[str, Any]) -> tuple[int, bytes]:
        return 200, json.dumps({"Response": {**said, "RequestId": "R-1"}}).encode()

    def _error(self, code: str) -> tuple[int, bytes]:
        return self._ok({"Error": {"Code": code, "Message": code}})


class Group(StandIn):
    """A chat group's webhook as Apprise's ``json://`` posts to it."""

    def answer(
        self, path: str, headers: dict[str, str], body: bytes, outcome: str
    ) -> tuple[int, bytes]:
        if outcome.isdigit():
            return int(outcome), b"{}"
        self.taken.append(json.loads(body))
        return 200, b"{}"
