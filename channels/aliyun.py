"""Texts and calls by Alibaba Cloud, through its own SDKs (Dysmsapi and Dyvmsapi, 2017-05-25).

Only approved templates are sent: the provider's code, and values by name. Our key travels as
``OutId`` and comes back in receipts. The provider does not honour it, so after an answer that was
lost on the way the day's sendings to that phone are asked for first (``QuerySendDetails``): what
is among them is not sent again. Receipts and replies are pushed over HTTP, see
``channels.listener``.
"""

import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from hashlib import blake2b
from typing import Annotated, Any, TypeVar

import msgspec

from channels.ports import Codes, OnReceipt, OnReply, Outgoing, Refused, Reply, Sent, Shut, TryLater
from domain.template import TEMPLATES, names

T = TypeVar("T")
CONNECT_MS, ANSWER_MS = 5_000, 10_000
LONGEST_VALUE = 20  # characters of a variable
LOCAL = timezone(timedelta(hours=8))  # the provider's days and times
PAGE = 50
SIGN_APPROVED = 1

# What is not named is not the provider's word about this message: try later.
CODES = Codes(
    shut=(
        "isv.AMOUNT_NOT_ENOUGH", "isv.OUT_OF_SERVICE", "isv.ACCOUNT_NOT_EXISTS", "isv.ACCOUNT_ABNORMAL",
        "isv.PRODUCT_UN_SUBSCRIPT", "isv.PRODUCT_UNSUBSCRIBE", "isp.RAM_PERMISSION_DENY",
        "isv.DAY_LIMIT_CONTROL", "isv.SMS_SIGNATURE_ILLEGAL", "InvalidAccessKeyId",
        "SignatureDoesNotMatch", "IncompleteSignature", "Forbidden", "NoPermission",
    ),
    not_now=(
        "isv.BUSINESS_LIMIT_CONTROL", "isp.SYSTEM_ERROR", "isp.GATEWAY_ERROR", "Throttling",
        "ServiceUnavailable", "InternalError",
    ),
    refused=("isv.", "Invalid", "Missing"),
)  # fmt: skip


class _Sdk:
    """One product's client. Adapters never sleep: the SDK is told not to try again."""

    def __init__(
        self, product: str, endpoint: str, plain_http: bool, key_id: str, key_secret: str
    ) -> None:
        # Extra `channels`; types are the SDK's own business.
        from importlib import import_module

        from alibabacloud_tea_openapi.models import Config
        from darabonba.exceptions import RetryError
        from darabonba.runtime import RuntimeOptions
        from Tea.exceptions import TeaException, UnretryableException

        self._runtime: Any = RuntimeOptions(
            autoretry=False, max_attempts=1, connect_timeout=CONNECT_MS, read_timeout=ANSWER_MS
        )
        self._models: Any = import_module(f"alibabacloud_{product}.models")
        self._client: Any = import_module(f"alibabacloud_{product}.client").Client(
            Config(
                access_key_id=key_id,
                access_key_secret=key_secret,
                endpoint=endpoint,
                protocol="http" if plain_http else "https",
            )
        )
        self._errors = (TeaException, UnretryableException, RetryError, OSError)

    def ask(self, action: str, call: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """The answer's body, when its ``Code`` is OK."""
        request = getattr(self._models, f"{action}Request")(**said)
        try:
            answer = getattr(self._client, f"{call}_with_options")(request, self._runtime)
        except self._errors as error:
            raise _failure(error) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # Not the provider who answered.
            raise TryLater(f"an answer that was not understood: {error!r}") from error
        body: dict[str, Any] = answer.body.to_map() if answer.body else {}
        if body.get("Code") is None:
            raise TryLater("an answer without a code")
        if body.get("Code") != "OK":
            raise CODES.outcome(str(body.get("Code")), str(body.get("Message")))
        return body


_Pushed = Annotated[list[dict[str, Any]], msgspec.Meta(max_length=1000)]


class _Report(msgspec.Struct):
    """Of ``SmsReport``, what we need; the provider may add to it."""

    success: bool
    out_id: str = ""


class _Up(msgspec.Struct):
    """Of ``SmsUp``."""

    phone_number: str
    content: str
    send_time: str
    sequence_id: int | str = ""


class _Call(msgspec.Struct):
    """Of ``VoiceReport``."""

    status_code: str
    out_id: str = ""


class AliyunSms:
    """See ``channels.ports.Channel`` and ``Hears``. ``templates``: ours to the provider's code."""

    def __init__(
        self,
        *,
        endpoint: str,
        plain_http: bool,
        key_id: str,
        key_secret: str,
        sign: str,
        templates: Mapping[str, str],
        on_reply: OnReply,
        on_receipt: OnReceipt,
        now_ms: Callable[[], int],
    ) -> None:
        self._sdk = _Sdk("dysmsapi20170525", endpoint, plain_http, key_id, key_secret)
        self._sign, self._templates = sign, templates
        self._on_reply, self._on_receipt, self._now_ms = on_reply, on_receipt, now_ms
        self._closed = threading.Event()
        self._unclear: dict[str, int] = {}  # key to when it was sent without an answer

    def send(self, message: Outgoing) -> Sent:
        if self._closed.is_set():
            raise TryLater("the channel is closed")
        template, values = _template(message, self._templates)
        phone = _phone(message.to_phone)
        if message.key in self._unclear and self._has(phone, message.key):
            del self._unclear[message.key]
            return Sent(message.key)
        said = {
            "phone_numbers": phone,
            "sign_name": self._sign,
            "template_code": template,
            "template_param": json.dumps(values, ensure_ascii=False),
            "out_id": message.key,
        }
        self._unclear.setdefault(message.key, self._now_ms())
        try:
            self._sdk.ask("SendSms", "send_sms", said)
        except Shut:
            del self._unclear[message.key]
            raise
        except TryLater:
            raise  # whether it was taken is not known
        except Refused:
            del self._unclear[message.key]
            raise
        del self._unclear[message.key]
        return Sent(message.key)  # receipts name it, as out_id

    def alive(self) -> None:
        """Whether the key is good and the signature approved."""
        try:
            found = self._sdk.ask("GetSmsSign", "get_sms_sign", {"sign_name": self._sign})
        except Refused as error:
            raise TryLater(str(error)) from error
        if found.get("SignStatus") != SIGN_APPROVED:
            raise TryLater(f"the signature is not approved: status {found.get('SignStatus')}")

    def close(self) -> None:
        self._closed.set()

    def heard(self, body: bytes) -> bytes:
        """``SmsReport`` and ``SmsUp``; both are arrays."""
        for said in _array(body):
            if "content" in said:
                up = _convert(said, _Up)
                seed = f"{up.phone_number}|{up.content}|{up.send_time}".encode()
                made = blake2b(seed, digest_size=10).hexdigest()
                id = f"aliyun-{up.sequence_id or made}"
                self._on_reply(Reply(id, _e164(up.phone_number), up.content, self._now_ms()))
            else:
                report = _convert(said, _Report)
                if report.out_id:
                    self._on_receipt(report.out_id, "delivered" if report.success else "failed")
        return '{"code":0,"msg":"成功"}'.encode()

    def _has(self, phone: str, key: str) -> bool:
        began = datetime.fromtimestamp(self._unclear[key] / 1000, UTC).astimezone(LOCAL)
        said = {
            "phone_number": phone,
            "send_date": began.strftime("%Y%m%d"),
            "page_size": PAGE,
            "current_page": 1,
        }
        found = self._sdk.ask("QuerySendDetails", "query_send_details", said)
        rows = (found.get("SmsSendDetailDTOs") or {}).get("SmsSendDetailDTO") or []
        return any(row.get("OutId") == key for row in rows)


class AliyunVoice:
    """Calls a phone and speaks a template (SingleCallByTts). See ``channels.ports.Channel``."""

    def __init__(
        self,
        *,
        endpoint: str,
        plain_http: bool,
        key_id: str,
        key_secret: str,
        show: str,
        times: int,
        templates: Mapping[str, str],
        on_receipt: OnReceipt,
    ) -> None:
        self._sdk = _Sdk("dyvmsapi20170525", endpoint, plain_http, key_id, key_secret)
        self._show, self._times, self._templates = show, times, templates
        self._on_receipt = on_receipt
        self._closed = threading.Event()

    def send(self, message: Outgoing) -> Sent:
        if self._closed.is_set():
            raise TryLater("the channel is closed")
        template, values = _template(message, self._templates)
        spoken = names(TEMPLATES[message.filled.template].spoken) if message.filled else ()
        said = {
            "called_number": _phone(message.to_phone),
            "tts_code": template,
            "tts_param": json.dumps({n: values[n] for n in spoken}, ensure_ascii=False),
            "play_times": self._times,
            "out_id": message.key,
        }
        if self._show:  # without it, a number of the provider's pool
            said["called_show_number"] = self._show
        self._sdk.ask("SingleCallByTts", "single_call_by_tts", said)
        return Sent(message.key)

    def close(self) -> None:
        self._closed.set()

    def heard(self, body: bytes) -> bytes:
        """``VoiceReport``: a call that nobody took was not delivered."""
        for said in _array(body):
            call = _convert(said, _Call)
            if call.out_id:
                answered = call.status_code == "200000"
                self._on_receipt(call.out_id, "delivered" if answered else "failed")
        return '{"code":0,"msg":"成功"}'.encode()


def _template(message: Outgoing, templates: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    code = templates.get(message.filled.template) if message.filled else None
    if message.filled is None or code is None:
        raise Refused("no approved template stands for this text")
    return code, message.filled.fitted(LONGEST_VALUE)


def _phone(e164: str) -> str:
    """Mainland numbers without the country, others without the plus."""
    return e164.removeprefix("+86") if e164.startswith("+86") else e164.removeprefix("+")


def _e164(phone: str) -> str:
    if phone.startswith("+"):
        return phone
    return f"+86{phone}" if len(phone) == 11 and phone.startswith("1") else f"+{phone}"


def _array(body: bytes) -> list[dict[str, Any]]:
    try:
        found = msgspec.json.decode(body, type=_Pushed)
    except msgspec.DecodeError as error:
        raise ValueError(f"not what the provider pushes: {error}") from error
    return found


def _convert(said: dict[str, Any], type: type[T]) -> T:
    try:
        return msgspec.convert(said, type)
    except msgspec.ValidationError as error:
        raise ValueError(f"not what the provider pushes: {error}") from error


def _failure(error: Exception) -> Exception:
    code = getattr(error, "code", None)
    if isinstance(code, str) and code:
        return CODES.outcome(code, str(getattr(error, "message", "")))
    return TryLater(f"no answer from the provider: {type(error).__name__}")
