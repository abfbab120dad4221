"""A real gammu-smsd with its dummy modem: what is sent lies in a folder, what is put there comes in."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.servers import require, wait_until

SETTINGS = """\
[gammu]
model = dummy
connection = none
device = {folder}/modem

[smsd]
service = files
logfile = {folder}/log
debuglevel = 255
inboxpath = {folder}/inbox/
outboxpath = {folder}/outbox/
sentsmspath = {folder}/sent/
errorsmspath = {folder}/error/
inboxformat = unicode
transmitformat = unicode
loopsleep = 1
commtimeout = 1
statusfrequency = 0
checksecurity = 0
checkbattery = 0
checksignal = 0
checknetwork = 0
"""
RECEIVED = """\
[SMSBackup000]
SMSC = "+8613800100500"
State = UnRead
Number = "{phone}"
NumberUnicode = {number}
Coding = Unicode_No_Compression
DateTime = 20260601T120000Z
Folder = 1
Length = {length}
Class = -1
Text00 = {text}
"""


class Modem:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("inbox", "outbox", "sent", "error", "modem/sms/1"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "smsdrc").write_text(SETTINGS.format(folder=folder))

    @contextmanager
    def running(self) -> Iterator[None]:
        daemon = subprocess.Popen([require("gammu-smsd"), "-c", self.folder / "smsdrc"])
        try:
            yield
        finally:
            daemon.terminate()
            daemon.wait(20)

    def sent(self) -> list[str]:
        paths = sorted((self.folder / "sent").glob("OUT*"), key=lambda p: p.stat().st_mtime_ns)
        return [path.read_bytes().decode("utf-16") for path in paths]

    def parts(self) -> int:
        """How many parts left the modem, by gammu's own log."""
        log = self.folder / "log"
        return log.read_text().count("(part: ") + len(self.sent()) if log.exists() else 0

    def receive(self, phone: str, text: str) -> None:
        place = self.folder / "modem/sms/1/1"
        wait_until(lambda: not place.exists(), 20, "the modem's memory is free")
        draft = self.folder / "draft"
        draft.write_text(
            RECEIVED.format(
                phone=phone,
                number=phone.encode("utf-16-be").hex().upper(),
                length=len(text),
                text=text.encode("utf-16-be").hex().upper(),
            )
        )
        draft.rename(place)
