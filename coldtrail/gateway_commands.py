"""``coldtrail gateway …``: the gateways of a folder."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from coldtrail import settings
from coldtrail.typed import Data

HERE = Path()

app = App(name="gateway", help="The gateways of a folder.")


@app.command
def add(id: str, /, *, data: Data = HERE, partition: int | None = None) -> None:
    """Let a further gateway run here: its table in coldtrail.toml, its keys and passwords.

    Parameters
    ----------
    id
        Letters, digits, - and _; part of its topics and of its probes' ids.
    partition
        0 ... 63; from its id when left out.
    """
    from coldtrail.gateways import Taken
    from coldtrail.gateways import add as add_gateway
    from coldtrail.supervise import is_up

    try:
        edge = add_gateway(data, id, partition)
    except Taken as error:
        raise settings.Wrong(str(error)) from error
    print(f"gateway {id} is ready, in partition {edge.gateway.partition}.")
    print(f"  devices:   {edge.mqtt_url}, topic devices/NAME/readings, user `installer`,")
    print(f"             password in {edge.keys / 'installer.password'}")
    print("  next:      name it at its site (console, or PUT /api/v1/sites/SITE)")
    if settings.load(data).file.network.broker_url:
        print("  broker:    server/mosquitto/ has its entry: let mosquitto read it again")
    if is_up(data):
        print("`up` runs: stop it and start it again; until then this gateway does not run.")


@app.command(name="list")
def list_all(*, data: Data = HERE) -> None:
    """Every gateway that coldtrail.toml names: role, partition, where devices reach it."""
    installation = settings.load(data)
    keyless = {edge.gateway.id for edge in installation.keyless()}
    table = Table("id", "role", "partition", "devices", "keys", box=None)
    for edge in installation.edges():
        g = edge.gateway
        keys = f"missing: coldtrail gateway add {g.id}" if g.id in keyless else "ok"
        where = "elsewhere" if g.elsewhere else edge.mqtt_url
        table.add_row(g.id, edge.role, str(g.partition), where, keys)
    Console().print(table)


Which = Annotated[str, Parameter(name="--gateway", help="Its id; the folder's first by default.")]


@app.command
def export(file: Path, /, *, data: Data = HERE, gateway: Which = "") -> None:
    """Write what the server has not confirmed to a file, to be carried where the link is.

    The gateway may run meanwhile, and keeps everything. `coldtrail import FILE` at the server
    hands it over; once the link is back, the gateway hears of it.

    Parameters
    ----------
    file
        Must not exist yet.
    """
    import apsw

    from gateway.export import unreceipted
    from wire.carried_v1 import Head, write

    installation = settings.load(data)
    edge = _edge(data, gateway)
    head = Head(edge.gateway.id, edge.gateway.partition, installation.now_ms()())
    if not edge.outbox.exists():
        raise settings.Wrong(f"{edge.outbox} is not there: {edge.gateway.id} never ran")
    try:
        out = file.open("xb")
    except FileExistsError as error:
        raise settings.Wrong(f"{file} exists already") from error
    except OSError as error:
        raise settings.Wrong(f"{file}: {error.strerror}") from error
    try:
        with out:
            n = write(out, head, unreceipted(str(edge.outbox)))
            out.flush()
            os.fsync(out.fileno())  # a stick is pulled out as soon as we say that it is there
    except OSError as error:
        file.unlink()
        raise settings.Wrong(f"{file}: {error.strerror}; nothing is left of it") from error
    except apsw.Error as error:
        file.unlink()
        raise settings.Wrong(f"{edge.outbox}: {error}; nothing was written") from error
    print(f"{n} batches of {edge.gateway.id} in {file}, {file.stat().st_size:,} bytes")


device = App(name="device", help="Users of their own for single devices, in force within a second.")
app.command(device)


@device.command(name="add")
def add_device(name: str, /, *hears: str, data: Data = HERE, gateway: Which = "") -> None:
    """Let a device in under its own name and password; again, to see where the password is.

    Parameters
    ----------
    name
        Its user, and its name in devices/NAME/readings.
    hears
        Topic filters that it may subscribe to: a bridge that takes commands needs its own,
        Zigbee2MQTT for example zigbee2mqtt/#.
    """
    from gateway.devices import Unfit, add

    edge = _edge(data, gateway)
    try:
        path = add(edge.devices, name, hears)
    except Unfit as error:
        raise settings.Wrong(str(error)) from error
    print(f"device {name}: password in {path}")
    print(f"  MQTT:  {edge.mqtt_url}, user `{name}`, topic devices/{name}/readings")
    print(f"  HTTP:  POST {edge.lan_url}/devices/{name}/readings, user and password, or")
    print("         `Authorization: Bearer` and the password")


@device.command(name="list")
def list_devices(*, data: Data = HERE, gateway: Which = "") -> None:
    """Users of single devices, and what each may listen to."""
    from gateway.devices import in_folder

    table = Table("device", "hears", box=None)
    for user in in_folder(str(_edge(data, gateway).devices)):
        table.add_row(user.username, " ".join(user.hears) or "–")
    Console().print(table)


@device.command(name="remove")
def remove_device(name: str, /, *, data: Data = HERE, gateway: Which = "") -> None:
    """Shut a device out; its readings stay."""
    from gateway.devices import remove

    if not remove(_edge(data, gateway).devices, name):
        raise settings.Wrong(f"there is no device {name[:80]!r}")
    print(f"device {name} is shut out within a second.")


@device.command
def offset(topic: str, hours: int, /, *, data: Data = HERE, gateway: Which = "") -> None:
    """A device sends its local time as UTC: so many hours are taken off, now and for what is in
    quarantine from it.

    Parameters
    ----------
    topic
        Where it publishes, as `quarantine list` shows it.
    hours
        How far its time is ahead of UTC: 8 for China, 0 to take the offset away.
    """
    from gateway.hours_off import set_offset

    edge = _edge(data, gateway)
    try:
        set_offset(edge.offsets, topic, hours)
    except ValueError as error:
        raise settings.Wrong(str(error)) from error
    print(f"{topic}: {hours} h; what it has in quarantine is tried again within a second")
    print("of the gateway's running.")


@device.command
def offsets(*, data: Data = HERE, gateway: Which = "") -> None:
    """Devices whose time is corrected, and by how many hours."""
    from gateway.hours_off import read

    table = Table("topic", "hours", box=None)
    for topic, hours in sorted(read(_edge(data, gateway).offsets).items()):
        table.add_row(topic, str(hours))
    Console().print(table)


def _edge(data: Path, gateway: str) -> settings.Edge:
    edges = settings.load(data).here()
    edge = next((e for e in edges if gateway in ("", e.gateway.id)), None)
    if edge is None:
        raise settings.Wrong(f"no gateway {gateway[:80]!r} here")
    return edge
