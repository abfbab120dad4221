"""One gateway as a process of its own, so that a test can kill it: settings file in argv."""

import logging
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import msgspec

from gateway.service import run
from gateway.settings import Settings


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    settings = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Settings)
    run(settings, now_ms=lambda: time.time_ns() // 1_000_000, stop=stop)


if __name__ == "__main__":
    main()
