"""A text to a machine of one's own: a signed POST that the receiver can check.

The body is JSON. ``X-Coldtrail-Timestamp`` is the second of sending, ``X-Coldtrail-Signature`` is
``v1=`` and the HMAC-SHA256, in hex, of the timestamp, a full stop and the body's bytes, keyed with
the shared secret. A receiver computes the same, compares in constant time, and refuses a
timestamp older than some minutes, so that what was overheard cannot be sent again.
``Idempotency-Key`` is the same when a message is sent again; a receiver that has seen it answers
2xx and does nothing.
"""

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Callable

from channels.ports import Outgoing, Refused, Sent, TryLater

ANSWER_S = 10.0
NOT_NOW = frozenset({408, 425, 429})
LONGEST_ANSWER = 64 * 1024


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    return "v1=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """A signed body goes where the operator said, and nowhere else."""


class WebhookChannel:
    """See ``channels.ports.Channel``. The answer may hold ``{"id": ...}``; without it the key
    names the message."""

    def __init__(
        self, url: str, secret: bytes, now_ms: Callable[[], int], answer_s: float = ANSWER_S
    ) -> None:
        self._url, self._secret, self._now_ms, self._answer_s = url, secret, now_ms, answer_s
        self._opener = urllib.request.build_opener(_NoRedirects)

    def send(self, message: Outgoing) -> Sent:
        filled = message.filled
        body = json.dumps(
            {
                "v": 1,
                "key": message.key,
                "to": message.to_phone,
                "kind": message.kind,
                "text": message.text,
                "template": {"id": filled.template, "values": dict(filled.values)}
                if filled
                else None,
            },
            ensure_ascii=False,
        ).encode()
        timestamp = str(self._now_ms() // 1000)
        request = urllib.request.Request(  # noqa: S310 - the url is the operator's own setting
            self._url,
            data=body,
            headers={
                "Content-Type": "application/json",
                "Idempotency-Key": message.key,
                "X-Coldtrail-Timestamp": timestamp,
                "X-Coldtrail-Signature": signature(self._secret, timestamp, body),
            },
        )
        try:
            with self._opener.open(request, timeout=self._answer_s) as answer:
                return Sent(_id(answer.read(LONGEST_ANSWER)) or message.key)
        except urllib.error.HTTPError as error:
            with error:
                why = f"the webhook answered {error.code}"
            if error.code >= 500 or error.code in NOT_NOW:
                raise TryLater(why) from error
            raise Refused(why) from error
        except OSError as error:  # no way there, or no answer in time
            raise TryLater(f"the webhook is not there: {error}") from error

    def close(self) -> None:
        """Nothing to end."""


def _id(answer: bytes) -> str:
    try:
        said = json.loads(answer)
    except ValueError:
        return ""
    found = said.get("id") if isinstance(said, dict) else None
    return found[:200] if isinstance(found, str) else ""
