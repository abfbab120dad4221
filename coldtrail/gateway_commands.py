"""``coldtrail gateway …``: the gateways of a folder."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from coldtrail import settings

Data = Annotated[Path, Parameter(name="--data", help="The data folder, made by `init`.")]
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
        table.add_row(g.id, edge.role, str(g.partition), edge.mqtt_url, keys)
    Console().print(table)
