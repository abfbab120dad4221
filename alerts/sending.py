"""Notices out, replies on: whatever waits for a carrier or for the api.

At least once: a notice is marked sent after the carrier took it, and goes again with the same
key when a crash came between. Before each attempt its facts are read again, so that nothing is
told as if it were now when it is over.
"""

import contextlib
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import msgspec

from alerts.escalation import Rosters
from alerts.places import Places
from channels.ports import Channel, Outgoing, Refused, TryLater
from domain.decision import Notice
from domain.incident import LINK_CODES, Known
from domain.message import ONE_PART, compose
from domain.reading import RoomId
from store.facts import SqlFactsReader
from store.notices import KeptReply, NewNotice, SqlNoticesStore, WaitingNotice

log = logging.getLogger(__name__)

IDLE_S = 0.5
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 1_000, 60_000
API_TIMEOUT_S = 5
SPOKEN = frozenset({"raise", "escalate", "repeat"})
# There is no voice provider yet: the words go out as a text that says what it stands for.
VOICE_ZH, VOICE_EN = "【代电话】", "[instead of a call] "


def pause_ms(attempts: int) -> int:
    """Growing, up to a minute."""
    return min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << min(attempts, 10))


class Sender:
    def __init__(
        self,
        store: SqlNoticesStore,
        facts: SqlFactsReader,
        rosters: Rosters,
        places: Places,
        now_ms: Callable[[], int],
    ) -> None:
        self._store, self._facts = store, facts
        self._rosters, self._places, self._now_ms = rosters, places, now_ms

    def send_due(self, channel: Channel) -> int:
        """One attempt of everything due; how many went out."""
        waiting = self._store.waiting(self._now_ms())
        if waiting:
            self._rosters.refresh()
            self._places.refresh()
        newest = {_slot(w.notice): w.seq for w in waiting}
        sent = 0
        for one in waiting:
            if one.notice.kind == "repeat" and newest[_slot(one.notice)] != one.seq:
                self._close(one, "dropped", "a later repeat stands for it")
            else:
                sent += self._attempt(channel, one)
        return sent

    def on_receipt(self, provider_id: str, state: str) -> None:
        """The carrier's word on a sending."""
        self._store.receipt(provider_id, state, self._now_ms())

    def _attempt(self, channel: Channel, one: WaitingNotice) -> int:
        notice = one.notice
        now = self._as_it_is(notice)
        if now is None:
            self._close(one, "dropped", "over before it could be told")
            return 0
        kind, text = now
        try:
            sent = channel.send(Outgoing(notice.key, notice.phone, text, kind))
        except Refused as error:
            log.exception("a notice was refused", extra={"key": notice.key})
            self._close(one, "failed", str(error))
            return 0
        except TryLater as error:
            now_ms = self._now_ms()
            self._store.attempted(
                notice.key, now_ms, "waiting", str(error), kind=notice.kind, text=text,
                next_try_ms=now_ms + pause_ms(one.attempts),
            )  # fmt: skip
            return 0
        self._store.attempted(
            notice.key, self._now_ms(), "sent", "", kind=kind, text=text,
            provider_id=sent.provider_id,
        )  # fmt: skip
        return 1

    def _close(self, one: WaitingNotice, state: str, why: str) -> None:
        self._store.attempted(
            one.notice.key, self._now_ms(), state, why, kind=one.notice.kind, text=one.notice.text
        )

    def _as_it_is(self, kept: NewNotice) -> tuple[str, str] | None:
        """Kind and words as of now; None when there is nothing left to say."""
        if kept.kind not in SPOKEN or not kept.facts:
            return kept.kind, self._spoken(kept, kept.text)
        notice = msgspec.json.decode(kept.body, type=Notice)
        about = [(room, self._now(room, known)) for room, known in notice.about]
        if any(k is not None and k.active for _, k in about):
            return kept.kind, self._spoken(kept, kept.text)
        over = tuple((room, k) for room, k in about if k is not None)
        if kept.kind != "raise" or not over:
            return None
        past = replace(
            notice, kind="past", about=over, codes=tuple(sorted({k.code for _, k in over}))
        )
        text = compose(past, self._places.of(past), self._language(kept))
        return "past", self._spoken(kept, text)

    def _now(self, room: str, known: Known) -> Known | None:
        """The fact that was told, as it stands; None when it was withdrawn."""
        if known.code in LINK_CODES:
            return known
        for fact in self._facts.facts(RoomId(room), from_ms=known.fired_ms):
            end = fact.cleared_at_ms
            if fact.code == known.code and fact.fired_at_ms <= max(
                known.fired_ms, known.cleared_ms or known.seen_ms
            ):
                peak = None if fact.peak is None else round(fact.peak * 100)
                return replace(known, fired_ms=fact.fired_at_ms, cleared_ms=end, peak=peak)
        return None

    def _language(self, kept: NewNotice) -> str:
        person = self._rosters.people().get(kept.person)
        return person.lang if person else "zh"

    def _spoken(self, kept: NewNotice, text: str) -> str:
        if kept.channel != "voice":
            return text
        return ((VOICE_EN if self._language(kept) == "en" else VOICE_ZH) + text)[: 2 * ONE_PART - 6]


def _slot(notice: NewNotice) -> tuple[str, str, str, str]:
    return notice.room, notice.person, notice.channel, notice.kind


class Api:
    """Tells the api of acknowledgements, as often as it takes; the api records each id once."""

    def __init__(self, url: str, token_file: str, store: SqlNoticesStore) -> None:
        self._url, self._token_file, self._store = url.rstrip("/"), token_file, store

    def post_due(self, now_ms: int) -> int:
        """One attempt for each reply that it has yet to hear of."""
        posted = 0
        for reply in self._store.owed(now_ms):
            try:
                self._post(reply)
            except urllib.error.HTTPError as error:
                with contextlib.closing(error):
                    if error.code < 500 and error.code not in (401, 403, 408, 429):
                        log.exception("the api refused a reply", extra={"id": reply.provider_id})
                        self._store.posted(reply.provider_id, owed=False)
                        continue
                self._again(reply, now_ms, error)
            except (OSError, ValueError) as error:  # not there, cut off, token not written yet
                self._again(reply, now_ms, error)
            else:
                self._store.posted(reply.provider_id, owed=False)
                posted += 1
        return posted

    def _again(self, reply: KeptReply, now_ms: int, error: Exception) -> None:
        wait_ms = pause_ms(reply.attempts)
        log.warning("the api is not there", extra={"retry_in_ms": wait_ms, "error": str(error)})
        self._store.posted(reply.provider_id, owed=True, next_try_ms=now_ms + wait_ms)

    def _post(self, reply: KeptReply) -> None:
        body = {
            "id": f"sms:{reply.provider_id}",
            "kind": "ack",
            "at": datetime.fromtimestamp(reply.at_ms / 1000, UTC).isoformat(
                timespec="milliseconds"
            ),
            "by": reply.person,
            "detail": {"channel": "sms", "text": reply.text, **reply.detail},
        }
        token = Path(self._token_file).read_text().strip()
        request = urllib.request.Request(  # noqa: S310 - the url is the operator's own setting
            f"{self._url}/api/v1/rooms/{quote(reply.room, safe='')}/actions",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=API_TIMEOUT_S):  # noqa: S310 - as above
            pass
