"""Whether each channel would carry a text if there were one to send.

A channel that can be asked for nothing is asked every hour; one that can not sends a test text a
day to a phone of the operator's own, where one is given. Sendings that succeed count as well. One
that has not worked for a day is told to those who run the platform, by the other channels, and
again each day. Until then it stands where those who run the platform look, with the reason; and a
system of which no channel takes anything is not ready: a watch from outside can still tell of it.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

import msgspec

from alerts.escalation import Rosters
from alerts.routes import SILENT_CHANNEL
from alerts.sending import Sender
from channels.ports import Answers, Channel, Outgoing, Refused, TryLater
from domain.incident import DAY_MS, HOUR_MS, MINUTE_MS
from domain.message import clock_of
from domain.system_alarm import SERVER
from domain.template import fill
from store.notices import NewNotice, SqlNoticesStore
from store.system_alarms import Board

FAILS, NONE_LEFT = "CHANNEL_FAILS", "NO_CHANNEL"
NONE_LEFT_AFTER_MS = 5 * MINUTE_MS  # a link that is lost is mostly back by then
ASK_AGAIN_MS = MINUTE_MS  # whoever can be asked for nothing


class KeepAlive:
    """``test_phones``: of every channel; "" for none. ``owners``: ids of people; none: whoever has
    the highest role. ``board``: where it is shown. Threads may share it."""

    def __init__(
        self,
        store: SqlNoticesStore,
        sender: Sender,
        rosters: Rosters,
        test_phones: Mapping[str, str],
        owners: Sequence[str],
        now_ms: Callable[[], int],
        board: Board | None = None,
    ) -> None:
        self._board = board
        self._store, self._sender, self._rosters = store, sender, rosters
        self._test_phones, self._owners, self._now_ms = test_phones, owners, now_ms
        self._began_ms = now_ms()
        self._due_ms: dict[str, int] = {
            str(row["name"]): row["asked_ms"] + (DAY_MS if test_phones.get(row["name"]) else 0)
            for row in store.channels()
            if row["asked_ms"] is not None
        }
        self._watched: set[str] = set()
        self._told: dict[str, tuple[int, int]] = {}  # channel: the silence and its day
        self._look_ms = 0

    def ask(self, name: str, channel: Channel) -> None:
        """Once an hour, or a test text once a day; on the channel's own thread."""
        phone = self._test_phones.get(name, "")
        if not phone and not isinstance(channel, Answers):
            return
        self._watched.add(name)
        now_ms = self._now_ms()
        if now_ms < self._due_ms.get(name, 0):
            return
        try:
            if phone:
                channel.send(self._test(name, phone, now_ms))
            elif isinstance(channel, Answers):
                channel.alive()
        except (TryLater, Refused) as error:
            self._sender.fares(name, error)
            self._due_ms[name] = now_ms + (HOUR_MS // 4 if phone else ASK_AGAIN_MS)
        else:
            self._sender.fares(name, None)
            self._due_ms[name] = now_ms + (DAY_MS if phone else HOUR_MS)
            self._store.channel_fares(name, ok_ms=now_ms, asked_ms=now_ms)

    def tell(self) -> int:
        """Of channels that have not worked for a day; how many notices were written."""
        now_ms = self._now_ms()
        if now_ms < self._look_ms:
            return 0
        self._look_ms = now_ms + HOUR_MS // 60
        fresh = []
        silent = {}
        for row in self._store.channels():
            name = str(row["name"])
            silent_ms = max(row["ok_ms"] or 0, self._began_ms if row["ok_ms"] is None else 0)
            if name in self._watched and now_ms - silent_ms >= DAY_MS:
                days = (now_ms - silent_ms) // DAY_MS
                silent[f"channel:{name}"] = str(row["error"])
                if self._told.get(name) != (silent_ms, days):
                    self._told[name] = (silent_ms, days)
                    fresh += self._notices(name, silent_ms, days, now_ms)
        if self._board is not None:
            self._board.keep(SILENT_CHANNEL, silent)
            self._show_failing(self._board, now_ms)
        if fresh:
            self._store.decide({}, fresh)
        return len(fresh)

    def _show_failing(self, board: Board, now_ms: int) -> None:
        """Channels of the settings that take nothing, and whether that is all of them."""
        rows = [row for row in self._store.channels() if row["name"] in self._test_phones]
        failing = {str(r["name"]): r for r in rows if r["failing_ms"] is not None}
        board.keep(FAILS, {f"channel:{name}": str(r["error"]) for name, r in failing.items()})
        since_ms = max((r["failing_ms"] for r in failing.values()), default=now_ms)
        every = failing.keys() == self._test_phones.keys()
        none_left = every and now_ms - since_ms >= NONE_LEFT_AFTER_MS
        why = "; ".join(f"{name}: {r['error']}" for name, r in sorted(failing.items()))
        board.keep(NONE_LEFT, {SERVER: why} if none_left else {})

    def _notices(self, name: str, silent_ms: int, days: int, now_ms: int) -> list[NewNotice]:
        """Derived by key: the same day of the same silence is told once."""
        told = []
        for person in self._rosters.runs_the_platform(self._owners):
            filled = fill(
                f"silent-{'en' if person.lang == 'en' else 'zh'}",
                {"place": name, "since": clock_of(silent_ms)},
            )
            seed = f"silent/{name}/{silent_ms}/{days}/{person.id}".encode()
            key = blake2b(seed, digest_size=16).hexdigest()
            told.append(
                NewNotice(
                    key, now_ms, person.id, person.phone, "sms", "raise", [SILENT_CHANNEL], "", 0, "",
                    filled.text(), (), msgspec.json.encode(filled),
                )
            )  # fmt: skip
        return told

    def _test(self, name: str, phone: str, now_ms: int) -> Outgoing:
        filled = fill("test-zh", {"place": name, "since": clock_of(now_ms)})
        return Outgoing(f"test.{name}.{now_ms // DAY_MS}", phone, filled.text(), "test", filled)
