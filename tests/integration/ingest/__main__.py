"""Ingest as a process of its own, for tests that kill it: settings as JSON in argument 1."""

import sys
import threading
import time
from pathlib import Path

import msgspec

from ingest.service import run
from ingest.settings import Settings

if __name__ == "__main__":
    settings = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Settings)
    run(settings, now_ms=lambda: time.time_ns() // 1_000_000, stop=threading.Event())
