"""Messages into the store, receipts out: one group at a time.

The order is the promise: quarantine and write, then the receipt, then the broker's
acknowledgement. Killed anywhere in between, the gateway still has the batch and sends it
again, and the store has it once.
"""

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from domain.reading import GatewayId
from domain.server_clock import Heard, judge
from domain.system_alarm import SERVER
from ingest.admit import (
    Admitted,
    Gateway,
    Rejected,
    Repeated,
    admit,
    date,
    keep_rest,
    keep_rows,
    readmit_rows,
)
from ingest.inbox import Lane, Message
from ingest.twins import Twins
from ingest.watermark import Watermark
from store.ports import AdmittedBatch, BatchId, Quarantined, ReadingStore
from store.system_alarms import Board
from wire import receipt_v1, status_v1, topics
from wire.restore_v1 import Restored

log = logging.getLogger(__name__)

REFUSED_IN_RECEIPT = 64
RETRIED = GatewayId("quarantine")  # whose batches are readings admitted the second time
HOUR_MS = 3_600_000
MOST_SOURCES = 1_000
MANY_AN_HOUR = 20  # messages of one source that are not admitted: somebody should look

Publish = Callable[[str, bytes], None]  # topic, payload; retained


class Consumer:
    """Single-threaded: whoever calls ``consume`` and ``retry`` is the writer."""

    def __init__(
        self,
        store: ReadingStore,
        gateways: Iterable[Gateway],
        publish: Publish,
        now_ms: Callable[[], int],
        restored: Sequence[Restored] = (),
        board: Board | None = None,
        *,
        doubts_clock: bool = True,
        watermark: Watermark | None = None,
    ) -> None:
        self._doubts_clock = doubts_clock
        self._heard: dict[str, Heard] = {}  # the last word of each gateway that trusts its clock
        self._store = store
        self._board = board or Board("", "ingest", now_ms)
        self._watermark = watermark or Watermark(
            None, store.store_id, store.last_arrival(), self._board
        )
        self._restored = restored
        self._gateways = {gateway.id: gateway for gateway in gateways}
        self._publish = publish
        self._now_ms = now_ms
        self._kid = {g.id: list(g.keys)[-1] for g in self._gateways.values() if g.keys}
        self._recent: dict[str, OrderedDict[str, None]] = {
            id_: OrderedDict.fromkeys([*store.ledger(GatewayId(id_))][-receipt_v1.MAX_EPOCHS :])
            for id_ in self._gateways
        }
        self._twins = Twins()
        self._twins_held: set[str] = set()  # whose proof is kept: once a life of this process
        self._unfit: dict[str, deque[int]] = {}  # source: when, the last of them
        # Of each gateway: the name that bytes claimed, why they were refused, what names them.
        self._refused: dict[str, OrderedDict[tuple[str, int], tuple[str, str]]] = {
            id_: OrderedDict() for id_ in self._gateways
        }

    def consume(self, lane: Lane, messages: Sequence[Message]) -> None:
        if lane == "status":
            self._statuses(messages)
        else:
            touched = self._store_group(lane, messages)
            self.date_what_can_be()
            self._watermark.came_to(self._store.last_arrival())
            for gateway in touched:
                self.send_receipt(gateway)
        for message in messages:
            message.acknowledge()

    def suspects_clock(self) -> bool:
        """True while our own clock is in doubt: then ``consume`` may store no batch, because it
        would come in at a wrong time. Says so on the board, and which gateways' clocks are far."""
        verdict = judge(self._heard.values(), _monotonic_ms())
        words = {one.gateway: f"{one.ahead_ms / 1000:+.0f} s" for one in self._heard.values()}
        self._board.say("SERVER_CLOCK", SERVER, on=verdict.suspect)
        self._board.keep("GATEWAY_CLOCK", {f"gateway:{g}": words[g] for g in verdict.far})
        return verdict.suspect

    def let_pass(self, messages: Sequence[Message]) -> None:
        """Not stored and not receipted, so their gateways keep them; acknowledged, or the broker
        would hold back the statuses behind them."""
        for message in messages:
            message.acknowledge()

    def retry(self, held: Quarantined) -> str | None:
        """Put a quarantined item to the checks again; None when all of it was stored, else why
        not. Of its readings those that may not enter stay held, as an item of their own."""
        name = BatchId(RETRIED, self._store.store_id, held.id)
        rows = readmit_rows(held.payload, name)
        outcome = rows or admit(held.topic, held.payload, self._gateways, self._store.holds)
        if isinstance(outcome, Rejected):
            return outcome.reason
        if isinstance(outcome, Repeated):  # its gateway has sent it again meanwhile
            self._store.quarantine_retried(held.id)
            return None
        why_not = outcome.bad[0][-1] if outcome.bad else None
        whole = True
        if why_not is not None:
            if rows is not None and not outcome.batch.rows:
                return why_not
            rest = keep_rest(held.payload, outcome.bad) if rows else keep_rows(outcome)
            whole = self._store.quarantine(
                held.source, held.topic, _of_rows(outcome), rest, self._now_ms()
            )
        lane = topics.parse(held.topic)
        live = lane is not None and lane.lane == "live"
        written = self._store.write([outcome.batch], self._now_ms(), backlog=not live)
        if written.refused:
            return written.refused[0][1]
        if whole:  # else there was no room for the rest, which is still in what is held
            self._store.quarantine_retried(held.id)
        self.date_what_can_be()
        gateway = outcome.batch.id.gateway
        if gateway in self._gateways:
            self._accepted(outcome.batch.id, outcome.kid)
            self.send_receipt(gateway)
        return why_not

    # -- batches --------------------------------------------------------------------------

    def _store_group(self, lane: Lane, messages: Sequence[Message]) -> list[str]:
        """The gateways that are owed a receipt."""
        touched: dict[str, None] = {}
        group: dict[BatchId, tuple[AdmittedBatch, Message]] = {}
        for message in messages:
            outcome = admit(message.topic, message.payload, self._gateways, self._store.holds)
            if isinstance(outcome, Rejected):
                self._reject(message, outcome)
                if outcome.source in self._gateways:
                    touched[outcome.source] = None
                continue
            id_ = outcome.id if isinstance(outcome, Repeated) else outcome.batch.id
            self._watch_for_twins(message, id_, outcome.after)
            if isinstance(outcome, Repeated):
                touched[id_.gateway] = None
                self._accepted(id_, outcome.kid)
                continue
            if outcome.bad:
                self._hold_rows(message.topic, outcome)
            batch = outcome.batch
            touched[batch.id.gateway] = None
            namesake = group.get(batch.id)
            if namesake is not None and namesake[0].digest != batch.digest:
                self._write(lane, group)  # so that the one refused is the one that came second
                group = {}
            group[batch.id] = (batch, message)
            self._accepted(id_, outcome.kid)
        self._write(lane, group)
        return list(touched)

    def date_what_can_be(self) -> None:
        """Undated batches whose boot's offset has come, with this group or a life before. Killed
        in between they still wait, and are dated at the next group or start."""
        for waiting in self._store.undated(known=True):
            outcome = date(waiting)
            if outcome.bad:
                self._hold_rows(f"undated/{waiting.boot}", outcome)
            written = self._store.date(waiting.batch, outcome.batch.rows, self._now_ms())
            log.info(
                "undated readings have their time",
                extra={"gateway": waiting.batch.gateway, "readings": written.stored},
            )

    def _write(self, lane: Lane, group: Mapping[BatchId, tuple[AdmittedBatch, Message]]) -> None:
        if not group:
            return
        batches = [batch for batch, _ in group.values()]
        written = self._store.write(batches, self._now_ms(), backlog=lane == "backlog")
        for id_, reason in written.refused:
            name = (id_.epoch, id_.seq)
            self._reject(group[id_][1], Rejected(id_.gateway, reason, security=True, name=name))

    def _accepted(self, id_: BatchId, kid: str) -> None:
        self._kid[id_.gateway] = kid
        self._refused[id_.gateway].pop((id_.epoch, id_.seq), None)
        recent = self._recent[id_.gateway]
        recent[id_.epoch] = None
        recent.move_to_end(id_.epoch)
        if len(recent) > receipt_v1.MAX_EPOCHS:
            recent.popitem(last=False)

    def _watch_for_twins(
        self, message: Message, id_: BatchId, after: tuple[str, int] | None
    ) -> None:
        """The batch is stored all the same; its bytes are kept as evidence as well."""
        held = self._store.ledger(id_.gateway) if after is not None else {}
        why = self._twins.betray(id_, after, held)
        if why is not None:
            self._betrayed(id_.gateway, message, why)

    def _betrayed(self, gateway: GatewayId, message: Message, why: str) -> None:
        about = f"gateway:{gateway}"
        self._board.say("DUPLICATE_GATEWAY", about, on=True, detail=why, for_ms=HOUR_MS)
        if gateway in self._twins_held:
            return
        self._twins_held.add(gateway)
        reason = f"two gateways have this name: {why}"
        self._store.quarantine(gateway, message.topic, reason, message.payload, self._now_ms())
        log.error("duplicate gateway", extra={"gateway": gateway, "reason": why})

    def _hold_rows(self, topic: str, outcome: Admitted) -> None:
        reason, source = _of_rows(outcome), outcome.batch.id.gateway
        self._store.quarantine(source, topic, reason, keep_rows(outcome), self._now_ms())
        log.warning("readings quarantined", extra={"gateway": source, "reason": reason})
        self._count_unfit(source, reason)

    def _reject(self, message: Message, rejected: Rejected) -> None:
        self._store.quarantine(
            rejected.source, message.topic, rejected.reason, message.payload, self._now_ms()
        )
        log.warning(
            "security event" if rejected.security else "batch quarantined",
            extra={
                "gateway": rejected.source,
                "reason": rejected.reason,
                "topic": message.topic,
                "batch": rejected.name,
                "size_bytes": len(message.payload),
            },
        )
        self._count_unfit(rejected.source, rejected.reason)
        refused = self._refused.get(rejected.source)
        if refused is not None and rejected.name is not None:
            refused[rejected.name] = (rejected.reason, receipt_v1.digest_of(message.payload))
            if len(refused) > REFUSED_IN_RECEIPT:
                refused.popitem(last=False)

    def _count_unfit(self, source: str, reason: str) -> None:
        if source not in self._unfit and len(self._unfit) >= MOST_SOURCES:
            return
        now_ms = self._now_ms()
        when = self._unfit.setdefault(source, deque(maxlen=MANY_AN_HOUR))
        when.append(now_ms)
        if len(when) == MANY_AN_HOUR and when[0] > now_ms - HOUR_MS:
            about = f"source:{source}"
            self._board.say("QUARANTINE_GROWS", about, on=True, detail=reason, for_ms=HOUR_MS)

    # -- receipts and statuses ------------------------------------------------------------

    def send_receipts(self) -> None:
        for gateway in self._gateways:
            self.send_receipt(gateway)

    def send_receipt(self, gateway: str) -> None:
        """What of this gateway is on disk, as of now."""
        kid = self._kid.get(gateway)
        if kid is None:
            return
        held = self._store.ledger(GatewayId(gateway))
        recent = self._recent[gateway]
        receipt = receipt_v1.Receipt(
            self._store.store_id,
            self._store.last_arrival(),
            {
                epoch: (ledger.through, list(ledger.ranges))
                for epoch, ledger in held.items()
                if epoch in recent
            },
            [(*name, reason) for name, (reason, _) in self._refused[gateway].items()],
            self._restored,
            [digest for _, digest in self._refused[gateway].values()],
        )
        known = self._gateways[gateway]
        self._publish(
            topics.receipt(known.partition, gateway),
            receipt_v1.encode(receipt, known.keys[kid]),
        )

    def _hear_clock(self, gateway: str, clock: status_v1.Clock, retained: bool) -> None:
        if not self._doubts_clock or retained:
            return
        if clock.trusted and clock.now_ms is not None:
            ahead_ms = clock.now_ms - self._now_ms()
            self._heard[gateway] = Heard(gateway, ahead_ms, _monotonic_ms())
        else:
            self._heard.pop(gateway, None)

    def _statuses(self, messages: Sequence[Message]) -> None:
        newest: dict[str, Message] = {}
        for message in messages:
            newest[message.topic] = message
        for topic, message in newest.items():
            parsed = topics.parse(topic)
            known = self._gateways.get(parsed.gateway) if parsed else None
            if known is None or parsed is None or parsed.partition != known.partition:
                self._reject(message, Rejected(topic[:128], "status of a stranger", security=True))
                continue
            try:
                status = status_v1.decode(message.payload)
            except status_v1.BadStatus as error:
                self._reject(message, Rejected(known.id, error.reason, security=False))
                continue
            if status.receipted is not None:
                held = status.receipted
                self._watermark.claimed(
                    held.store, held.n, known.id, self._store.last_arrival(), lacking=held.lacking
                )
            if status.state != "offline":
                self._hear_clock(known.id, status.clock, message.retained)
                why = self._twins.speaks(GatewayId(known.id), status.epoch)
                if why is not None:
                    self._betrayed(GatewayId(known.id), message, why)
            self._store.put_status(GatewayId(known.id), message.payload, self._now_ms())


def _of_rows(outcome: Admitted) -> str:
    return f"{len(outcome.bad)} readings: {outcome.bad[0][-1]}"


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
