"""Texts by Tencent Cloud SMS, through its own SDK (API version 2021-01-11).

Only approved templates are sent: the template's id there, and values in the order of ``{1}``,
``{2}``. Receipts and replies are pulled, which the provider has to switch on for the account; what
was pulled once does not come again, so it is held here until it is kept. The provider honours no
keys: when an answer was lost on the way, the same text may reach a phone twice.
"""

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

from channels.ports import Codes, OnReceipt, OnReply, Outgoing, Refused, Reply, Sent, TryLater

log = logging.getLogger(__name__)

ANSWER_S = 10
PULL_S = 10.0
PULL_MOST = 100
LONGEST_VALUE = 6  # characters of a variable, for texts that are no codes
REGION = "ap-guangzhou"

# What is not named is not the provider's word (the SDK gives a failure of its own the name of its
# exception): try later.
CODES = Codes(
    shut=(
        "AuthFailure", "UnauthorizedOperation", "UnsupportedRegion", "ResourceInsufficient",
        "FailedOperation.InsufficientBalanceInSmsPackage", "FailedOperation.SignatureIncorrectOrUnapproved",
        "LimitExceeded.AppDailyLimit",
    ),
    not_now=(
        "InternalError", "RequestLimitExceeded", "LimitExceeded.DeliveryFrequencyLimit",
        "LimitExceeded.PhoneNumberThirtySecondLimit", "LimitExceeded.PhoneNumberOneHourLimit",
        "ClientNetworkError", "ServerNetworkError", "ResourceUnavailable", "FailedOperation.FailResolvePacket",
    ),
    refused=(
        "FailedOperation", "InvalidParameter", "LimitExceeded", "MissingParameter", "UnknownParameter",
        "UnsupportedOperation",
    ),
)  # fmt: skip


class TencentSms:
    """See ``channels.ports.Channel``. ``templates``: ours to the provider's id."""

    def __init__(
        self,
        *,
        endpoint: str,
        plain_http: bool,
        secret_id: str,
        secret_key: str,
        app: str,
        sign: str,
        region: str,
        templates: Mapping[str, str],
        on_reply: OnReply,
        on_receipt: OnReceipt,
        now_ms: Callable[[], int],
        pull_s: float = PULL_S,
        hear: bool = True,
    ) -> None:
        # Extra `channels`; types are the SDK's own business.
        from tencentcloud.common.credential import Credential
        from tencentcloud.common.exception.tencent_cloud_sdk_exception import (
            TencentCloudSDKException,
        )
        from tencentcloud.common.profile.client_profile import ClientProfile
        from tencentcloud.common.profile.http_profile import HttpProfile
        from tencentcloud.sms.v20210111 import models
        from tencentcloud.sms.v20210111.sms_client import SmsClient

        http = HttpProfile(
            protocol="http" if plain_http else "https", endpoint=endpoint, reqTimeout=ANSWER_S
        )
        profile = ClientProfile(httpProfile=http, disable_region_breaker=True)
        self._client: Any = SmsClient(Credential(secret_id, secret_key), region, profile)
        self._models: Any = models
        self._error: type[Exception] = TencentCloudSDKException
        self._app, self._sign, self._templates = app, sign, templates
        self._on_reply, self._on_receipt, self._now_ms = on_reply, on_receipt, now_ms
        self._held: deque[Callable[[], None]] = deque()
        self._closing = threading.Event()
        self._pull_s = pull_s
        self._pulled: Exception | None = None  # what the last pull failed with
        self._thread = threading.Thread(target=self._pull, name="tencent-sms", daemon=True)
        if hear:
            self._thread.start()

    def send(self, message: Outgoing) -> Sent:
        if self._closing.is_set():
            raise TryLater("the channel is closed")
        template = self._templates.get(message.filled.template) if message.filled else None
        if message.filled is None or template is None:
            raise Refused("no approved template stands for this text")
        said = {
            "PhoneNumberSet": [message.to_phone],
            "SmsSdkAppId": self._app,
            "SignName": self._sign,
            "TemplateId": template,
            "TemplateParamSet": list(message.filled.fitted(LONGEST_VALUE).values()),
            "SessionContext": message.key,
        }
        answer = self._ask("SendSms", said)
        try:
            (status,) = answer["SendStatusSet"]
            code, serial, why = status["Code"], str(status["SerialNo"]), str(status["Message"])
        except (KeyError, TypeError, ValueError) as error:
            raise TryLater(f"an answer that was not understood: {error!r}") from error
        if code != "Ok":
            raise CODES.outcome(code, why)
        return Sent(serial)

    def alive(self) -> None:
        """It is asked every few seconds anyway, with the same key."""
        if self._pulled is not None:
            raise TryLater(str(self._pulled))

    def close(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _ask(self, action: str, said: Mapping[str, Any]) -> dict[str, Any]:
        request = getattr(self._models, f"{action}Request")()
        request.from_json_string(json.dumps(said))
        try:
            answer = getattr(self._client, action)(request)
        except self._error as error:
            code = getattr(error, "code", "") or ""
            raise CODES.outcome(code, getattr(error, "message", "") or str(error)) from error
        except (KeyError, TypeError, ValueError) as error:  # not the provider who answered
            raise TryLater(f"an answer that was not understood: {error!r}") from error
        found: dict[str, Any] = json.loads(answer.to_json_string())
        return found

    def _pull(self) -> None:
        while not self._closing.is_set():
            try:
                self._keep()
                more = self._pull_receipts() + self._pull_replies() == 2 * PULL_MOST
                self._keep()
                self._pulled = None
            except (TryLater, Refused) as error:
                self._pulled = error
                log.warning("nothing could be pulled", extra={"error": str(error)})
                more = False
            if not more:
                self._closing.wait(self._pull_s)

    def _keep(self) -> None:
        while self._held:
            self._held[0]()
            self._held.popleft()

    def _pull_receipts(self) -> int:
        found = self._ask("PullSmsSendStatus", {"SmsSdkAppId": self._app, "Limit": PULL_MOST})
        rows = found.get("PullSmsSendStatusSet") or []
        for row in rows:
            state = "delivered" if row["ReportStatus"] == "SUCCESS" else "failed"
            serial = str(row["SerialNo"])
            self._held.append(lambda serial=serial, state=state: self._on_receipt(serial, state))  # type: ignore[misc]  # bound early
        return len(rows)

    def _pull_replies(self) -> int:
        found = self._ask("PullSmsReplyStatus", {"SmsSdkAppId": self._app, "Limit": PULL_MOST})
        rows = found.get("PullSmsReplyStatusSet") or []
        for row in rows:
            phone, text, at_s = row["PhoneNumber"], row["ReplyContent"], row["ReplyTime"]
            seed = f"{phone}|{text}|{at_s}".encode()
            id = "tencent-" + blake2b(seed, digest_size=10).hexdigest()
            reply = Reply(id, phone if phone.startswith("+") else f"+{phone}", text, at_s * 1000)
            self._held.append(lambda reply=reply: self._on_reply(reply))  # type: ignore[misc]  # as above
        return len(rows)
