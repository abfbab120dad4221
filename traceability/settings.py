"""``[traceability]``, as the command line hands it over."""

import msgspec


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Absolute paths. ``signing_key_file``: Ed25519, PKCS #8 PEM, made by ``init``."""

    readings_path: str
    records_path: str
    facts_path: str
    trace_path: str
    signing_key_file: str
    base_url: str = ""  # where a buyer finds the newest version; "" leaves it out
    system_path: str = ""  # folder of the system's own alarms (``store.system_alarms``)
    poll_s: float = 0.5
