"""The SMS centre is killed again and again while messages go out: each arrives once."""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from channels.ports import Outgoing, TryLater
from channels.smpp import SmppChannel
from coldtrail.init import init_data
from coldtrail.sms_centre.memory import Memory
from coldtrail.supervise import Supervisor
from tests.support.servers import free_port_base, wait_until

pytestmark = pytest.mark.fault

KILLS = 3
MESSAGES = 30
PHONE = "8613800000001"
LONG = "草莓一号库 7.6℃ 超过上限 4.0℃，请检查库门和制冷机组。" * 4


def test_what_was_sent_until_it_was_taken_is_on_the_phone_once(tmp_path: Path) -> None:
    installation = init_data(tmp_path / "data", port_base=free_port_base())
    role = "sms-centre"
    with Supervisor(installation, [role]) as supervisor:
        channel = SmppChannel(
            host="127.0.0.1",
            port=installation.port(3),
            system_id="coldtrail",
            password=(installation.keys / "sms.password").read_text().strip(),
            source="10690001",
            on_reply=lambda _reply: None,
            on_receipt=lambda _id, _state: None,
            now_ms=lambda: 0,
        )

        def sent(number: int) -> bool:
            try:
                channel.send(Outgoing(f"k{number}", f"+{PHONE}", f"{number} {LONG}", "raise"))
            except TryLater:
                return False
            return True

        try:
            for number in range(MESSAGES):
                if number % (MESSAGES // KILLS) == 5:
                    pid = supervisor.states()[role].pid
                    assert pid is not None
                    os.kill(pid, signal.SIGKILL)

                def one_more(number: int = number) -> bool:
                    return sent(number)

                wait_until(one_more, 30, f"message {number} is taken")
            sent(0)  # long after: still known
        finally:
            channel.close()
        restarts = supervisor.states()[role].restarts

    memory = Memory(installation.server / "sms-centre.db", lambda: 0)
    try:
        arrived = Counter(shown.text for shown in memory.inbox(PHONE, 1000))
    finally:
        memory.close()
    assert restarts == KILLS
    assert arrived == Counter({f"{number} {LONG}": 1 for number in range(MESSAGES)})
