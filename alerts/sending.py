"""Notices out, replies on: whatever waits for a carrier or for the api.

At least once: a notice is marked sent after the carrier took it, and goes again with the same
key when a crash came between. Before each attempt its facts are read again, so that nothing is
told as if it were now when it is over.
"""

import contextlib
import json
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import msgspec

from alerts.escalation import Rosters
from alerts.gateway_events import BY_GATEWAY
from alerts.places import Places
from alerts.routes import ONE, VOICE, Routes, of_system
from alerts.subjects import DRILL_LASTS_MS, TEST, is_room
from alerts.upkeep import UPKEEP
from channels.ports import Channel, Outgoing, Refused, Shut, TryLater
from domain.decision import Notice
from domain.incident import HOUR_MS, LINK_CODES, Known
from domain.message import ONE_PART, compose, month, parts, templated
from domain.reading import RoomId
from domain.template import Filled
from store.facts import SqlFactsReader
from store.notices import Charge, KeptReply, NewNotice, SqlNoticesStore, WaitingNotice

log = logging.getLogger(__name__)

IDLE_S = 0.5
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 1_000, 60_000
TRIES, PATIENCE_MS = 5, 120_000  # with one channel, before the person's next one is tried
IN_A_ROW = 3  # failures, before a channel gets a rest: each may have lasted its whole time-out
API_TIMEOUT_S = 5
SPOKEN = frozenset({"raise", "escalate", "repeat"})
# Where no voice channel is to be had, the words go out as a text that says what it stands for.
VOICE_ZH, VOICE_EN = "【代电话】", "[instead of a call] "


def pause_ms(attempts: int) -> int:
    """Growing, up to a minute."""
    return min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << min(attempts, 10))


class Sender:
    """Threads may share it: one for each channel, and one that routes."""

    def __init__(
        self,
        store: SqlNoticesStore,
        facts: SqlFactsReader,
        rosters: Rosters,
        places: Places,
        now_ms: Callable[[], int],
        routes: Routes = ONE,
    ) -> None:
        self._store, self._facts = store, facts
        self._rosters, self._places, self._now_ms = rosters, places, now_ms
        self._routes = routes
        self._lock = threading.Lock()  # of the rosters and places, which are read anew
        self._failing_ms: dict[str, int] = {}  # since when a channel takes nothing
        self._failing_why: dict[str, str] = {}
        self._ok_ms: dict[str, int] = {}  # when a channel's success was last put on record
        self._sending_s: dict[str, float] = {}  # since when a channel is at one message

    def route(self) -> int:
        """Give every new notice to its first channel, and what a channel no longer in the
        settings has to another; how many."""
        given = 0
        with self._lock:
            for via in self._store.waits_for() - set(self._routes.ways):
                held = self._store.held_by(via)
                self._rosters.refresh()
                self._give_first(held)
                given += len(held)
        return given

    def _give_first(self, held: Sequence[WaitingNotice]) -> None:
        routes = {one.notice.key: self._route(one) for one in held}
        to = {key: route[0] for key, route in routes.items() if route}
        self._store.give(to, self._now_ms())
        for one in held:
            if one.notice.key not in to:
                self._close(one, "dropped", "the person unsubscribed meanwhile")

    def send_due(self, channel: Channel, name: str = "sms") -> int:
        """One attempt of everything that is due by this channel; how many went out."""
        self.route()
        waiting = self._store.waiting(self._now_ms(), name)
        if waiting:
            with self._lock:
                self._rosters.refresh()
                self._places.refresh()
        sent = in_a_row = 0
        for one in waiting:
            if one.notice.kind == "repeat" and self._store.later_one(one):
                self._close(one, "dropped", "a later repeat stands for it")
                continue
            with self._lock:
                if self._rosters.refuses(one.notice.person, name, one.notice.kind):
                    self._give_first([one])
                    continue
            went = self._attempt(channel, one)
            sent += went is True
            in_a_row = in_a_row + 1 if went is None else 0
            if in_a_row == IN_A_ROW:
                break
        return sent

    def on_receipt(self, provider_id: str, state: str) -> None:
        """The carrier's word on a sending. What it took and could not deliver goes by the
        person's next channel."""
        now_ms = self._now_ms()
        lost = self._store.receipt(provider_id, state, now_ms)
        if lost is None or lost.notice.kind not in SPOKEN:
            return
        refused = (*lost.refused_by, lost.via)
        if after := self._after(lost, refused):
            self._store.reopen(lost.notice.key, after, refused, now_ms)

    def leave_out(self, name: str, why: str) -> None:
        """A channel that could not be started: nothing goes by it."""
        self._routes = self._routes.without(name)
        self._rosters.leave_out(name)
        self._store.channel_fares(name, failing_ms=self._now_ms(), error=why)

    def failing_since_ms(self, name: str) -> int | None:
        return self._failing_ms.get(name)

    def sending_since_s(self, name: str) -> float | None:
        """On the monotonic clock; None between two messages."""
        return self._sending_s.get(name)

    def move_on(self, name: str, why: str) -> int:
        """Give what waits for a channel that takes nothing to the next one that may; how many."""
        now_ms = self._now_ms()
        to = {}
        for one in self._store.held_by(name):
            shut = {*one.refused_by, *self._failing_ms}
            if after := self._after(one, shut):
                to[one.notice.key] = after
        if to:
            log.warning("notices go by another channel", extra={"from": name, "notices": len(to)})
            self._store.give(to, now_ms, why)
        return len(to)

    def fares(self, name: str, error: Exception | None) -> None:
        """Keeps when the channel last worked, and since when it does not: at each turn for the
        better or worse and once an hour, not at each message."""
        now_ms = self._now_ms()
        if error is None:
            kept_ms = self._ok_ms.get(name)
            if name in self._failing_ms or kept_ms is None or now_ms - kept_ms >= HOUR_MS:
                self._store.channel_fares(name, ok_ms=now_ms)
                self._ok_ms[name] = now_ms
            self._failing_ms.pop(name, None)
            self._failing_why.pop(name, None)
        elif self._failing_why.get(name) != str(error):
            since_ms = self._failing_ms.setdefault(name, now_ms)
            self._failing_why[name] = str(error)
            self._store.channel_fares(name, failing_ms=since_ms, error=str(error))

    def _route(self, one: WaitingNotice) -> list[str]:
        notice = one.notice
        person = self._rosters.people().get(notice.person)
        if person is None:
            return self._routes.of(notice.channel, notice.kind, notice.codes, ())
        return self._rosters.route(person, notice.channel, notice.kind, notice.codes)

    def _after(self, one: WaitingNotice, shut: Iterable[str]) -> str:
        with self._lock:
            return self._routes.after(one.via, self._route(one), shut)

    def _attempt(self, channel: Channel, one: WaitingNotice) -> bool | None:
        """True: it went out. None: the channel takes nothing now. False: there was no need, or
        the channel does not want it."""
        notice = one.notice
        with self._lock:
            now = self._as_it_is(one)
        if now is None:
            self._close(one, "dropped", "over before it could be told")
            return False
        kind, text, filled = now
        key = f"{notice.key}.{one.via}"  # the same for this channel whenever its turn comes
        self._sending_s[one.via] = time.monotonic()
        try:
            sent = channel.send(Outgoing(key, notice.phone, text, kind, filled))
        except Refused as error:
            log.exception("a notice was refused", extra={"key": notice.key, "channel": one.via})
            self._refused(one, str(error))
            return False
        except TryLater as error:
            self.fares(one.via, error)
            self._again(one, text, str(error), at_once=isinstance(error, Shut))
            return None
        finally:
            self._sending_s.pop(one.via, None)
        self.fares(one.via, None)
        self._store.attempted(
            notice.key, self._now_ms(), "sent", "", kind=kind, text=text, via=one.via,
            provider_id=sent.provider_id, charge=self._charge(one, text),
        )  # fmt: skip
        return True

    def _again(self, one: WaitingNotice, text: str, why: str, *, at_once: bool) -> None:
        notice, now_ms = one.notice, self._now_ms()
        wait_ms = pause_ms(one.attempts)
        self._store.attempted(
            notice.key, now_ms, "waiting", why, kind=notice.kind, text=text, via=one.via,
            next_try_ms=now_ms + wait_ms,
        )  # fmt: skip
        if at_once or one.via_tries + 1 >= TRIES or now_ms - one.via_ms >= PATIENCE_MS:
            after = self._after(one, one.refused_by)
            if after:
                self._store.give({notice.key: after}, now_ms, f"{one.via} takes nothing")

    def _refused(self, one: WaitingNotice, why: str) -> None:
        refused = (*one.refused_by, one.via)
        after = self._after(one, refused)
        now_ms, notice = self._now_ms(), one.notice
        self._store.attempted(
            notice.key, now_ms, "waiting" if after else "failed", why, kind=notice.kind,
            text=notice.text, via=one.via, refused_by=refused,
        )  # fmt: skip
        if after:
            self._store.give({notice.key: after}, now_ms)

    def _close(self, one: WaitingNotice, state: str, why: str) -> None:
        self._store.attempted(
            one.notice.key, self._now_ms(), state, why, kind=one.notice.kind,
            text=one.notice.text, via=one.via,
        )  # fmt: skip

    def _charge(self, one: WaitingNotice, text: str) -> Charge:
        """No ceiling follows from it: it is for the bill."""
        called = self._routes.ways[one.via].carries == VOICE
        with self._lock:
            organisation = self._places.organisation(one.notice.room)
        return Charge(month(self._now_ms()), organisation, 1 if called else parts(text))

    def _as_it_is(self, one: WaitingNotice) -> tuple[str, str, Filled | None] | None:
        """Kind and words as of now, in full and as a template; None when there is nothing left to say."""
        kept = one.notice
        stands_in = kept.channel == "voice" and self._routes.ways[one.via].carries != VOICE
        late_ms = self._now_ms() - kept.at_ms
        if kept.room.startswith(TEST) and kept.kind in SPOKEN and late_ms > DRILL_LASTS_MS:
            return None
        if kept.kind not in SPOKEN or not kept.facts:
            return kept.kind, self._spoken(kept, kept.text, stands_in), self._filled(kept)
        notice = msgspec.json.decode(kept.body, type=Notice)
        about = [(room, self._now(room, known)) for room, known in notice.about]
        if any(k is not None and k.active for _, k in about):
            return kept.kind, self._spoken(kept, kept.text, stands_in), self._filled(kept)
        over = tuple((room, k) for room, k in about if k is not None)
        if kept.kind != "raise" or not over:
            return None
        past = replace(
            notice, kind="past", about=over, codes=tuple(sorted({k.code for _, k in over}))
        )
        places, lang = self._places.of(past), self._language(kept)
        text = compose(past, places, lang)
        return "past", self._spoken(kept, text, stands_in), templated(past, places, lang)

    def _filled(self, kept: NewNotice) -> Filled | None:
        """None for what is no notice of an alarm: an answer."""
        if not kept.body:
            return None
        if (
            of_system(kept.codes) or kept.room == UPKEEP
        ):  # no room's alarm: the body is the template itself
            return msgspec.json.decode(kept.body, type=Filled)
        notice = msgspec.json.decode(kept.body, type=Notice)
        return templated(notice, self._places.of(notice), self._language(kept), kept.code)

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

    def _spoken(self, kept: NewNotice, text: str, stands_in: bool) -> str:
        if not stands_in:
            return text
        return ((VOICE_EN if self._language(kept) == "en" else VOICE_ZH) + text)[: 2 * ONE_PART - 6]


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
        at = datetime.fromtimestamp(reply.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
        body: dict[str, object] = {"at": at}
        method = "POST"
        if reply.understood == "unsubscribe":
            path = f"people/{quote(reply.person, safe='')}/stopped"
        elif reply.understood == "resume":
            path, method = f"people/{quote(reply.person, safe='')}/stopped", "DELETE"
        elif reply.room.startswith(TEST):
            path = f"drills/{quote(reply.room.removeprefix(TEST), safe='')}/answer"
            body |= {"by": reply.person, "channel": "sms"}
        elif is_room(reply.room):
            path = f"rooms/{quote(reply.room, safe='')}/actions"
            own = reply.provider_id.startswith(BY_GATEWAY)
            body |= {
                "id": reply.provider_id if own else f"sms:{reply.provider_id}",
                "kind": "ack", "by": reply.person,
                "detail": {"channel": "sms", "text": reply.text, **reply.detail},
            }  # fmt: skip
        else:
            return  # a gateway: no room's record speaks of it
        token = Path(self._token_file).read_text().strip()
        request = urllib.request.Request(  # noqa: S310 - the url is the operator's own setting
            f"{self._url}/api/v1/{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=API_TIMEOUT_S):  # noqa: S310 - as above
            pass
