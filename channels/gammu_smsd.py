"""What gammu-smsd and this machine tell of the modem, without a text.

gammu-smsd keeps in shared memory what the modem answered when they first spoke, and its own
gammu-smsd-monitor prints it. That stays there when the modem is pulled out later (1.42, measured), so
the device's own file is looked for as well. A modem that hangs, has no network or no credit looks
well here.
"""

import subprocess
from configparser import ConfigParser
from configparser import Error as Unreadable
from pathlib import Path

from channels.ports import TryLater

MONITOR = "gammu-smsd-monitor"
WAIT_S = 10.0
FIELDS, IMEI = 9, 2  # client; phone id; IMEI; IMSI; sent; received; failed; battery; signal


def ask(smsdrc: Path) -> None:
    """``smsdrc``: gammu-smsd's settings, by the same path as it was given. Raises ``TryLater``
    with what keeps it from sending."""
    device = _device(smsdrc)
    if device.startswith("/") and not Path(device).exists():
        raise TryLater(f"the modem is not there: no {device}")
    said = _monitor(smsdrc)
    if not said[IMEI]:
        raise TryLater(f"the modem at {device} has not answered since gammu-smsd was started")


def _device(smsdrc: Path) -> str:
    """As the section ``gammu`` names it; ``port`` is its older name."""
    settings = ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        settings.read_string(smsdrc.read_text("utf-8", "replace"))
    except (OSError, Unreadable) as error:
        raise TryLater(f"gammu-smsd's settings cannot be read: {error}") from error
    for name in ("device", "port"):
        if device := settings.get("gammu", name, fallback=None):
            return device
    return ""


def _monitor(smsdrc: Path) -> list[str]:
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            [MONITOR, "-C", "-n", "1", "-d", "0", "-c", str(smsdrc)],
            capture_output=True, text=True, errors="replace", timeout=WAIT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TryLater(f"{MONITOR}: {error}") from error
    lines = [line.split(";") for line in done.stdout.splitlines()]
    said = next((fields for fields in lines if len(fields) == FIELDS), None)
    if done.returncode or said is None:
        raise TryLater(f"gammu-smsd is not running with {smsdrc}")
    return said
