"""The commands. ``coldtrail COMMAND --help`` explains each.

What a command needs is imported when it runs, so that ``--help`` is quick and a machine that
carries only some roles can use the rest.
"""

import json
import logging
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from coldtrail import settings
from coldtrail.settings import DEFAULT_PORT_BASE, Installation

Data = Annotated[Path, Parameter(name="--data", help="The data folder, made by `init`.")]

app = App(
    name="coldtrail",
    help="Cold-chain monitoring that loses no acknowledged reading.",
    help_format="plaintext",
)
HERE = Path()


class Failed(Exception):
    """Printed as it is; the command ends with this exit code."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


@app.command
def init(folder: Path, /, *, port_base: int = DEFAULT_PORT_BASE) -> None:
    """Make a data folder: settings, keys, credentials, one site with one gateway.

    Parameters
    ----------
    folder
        Made when it does not exist; refused when it has settings already.
    port_base
        The first of the ports; the others follow from it.
    """
    from coldtrail.init import Taken, first_site, init_data

    try:
        installation = init_data(folder, port_base=port_base)
    except Taken as error:
        raise Failed(str(error)) from error
    first_site(installation, installation.now_ms()())
    edge = installation.edges()[0]
    print(f"{installation.folder} is ready.")
    print(f"  start:     coldtrail up --data {folder}")
    print(f"  console:   {installation.api_url}/ (the administrator's token is in")
    print(f"             {installation.keys / 'admin.token'})")
    print(f"  devices:   {edge.mqtt_url}, topic devices/NAME/readings, user `installer`,")
    print(f"             password in {edge.keys / 'installer.password'}")


@app.command
def up(*, data: Data = HERE) -> None:
    """Run every role of a folder until Ctrl-C."""
    from coldtrail import logs
    from coldtrail.supervise import AlreadyUp, Supervisor, until_signal

    installation = settings.load(data)
    logs.to_stderr("up", installation.now_ms())
    supervisor = Supervisor(installation)
    try:
        supervisor.start()
    except AlreadyUp as error:
        raise Failed(str(error)) from error
    _say_where(installation)
    until_signal(supervisor.stop)


@app.command
def run(role: str, /, *, data: Data = HERE) -> None:
    """Run one role in this process, as `up` would.

    Parameters
    ----------
    role
        For example gateway, ingest, alerts; `status` lists the folder's.
    """
    from coldtrail import roles

    roles.run(settings.load(data), role)


@app.command
def status(
    *, data: Data = HERE, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False
) -> None:
    """What runs, and where to reach it.

    Parameters
    ----------
    as_json
        For scripts; its shape stays.
    """
    from coldtrail.status import status as ask

    answer = ask(settings.load(data))
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
        return
    table = Table("role", "state", "pid", "restarts", box=None)
    for role, state in answer["roles"].items():
        table.add_row(role, state["state"], str(state["pid"] or "–"), str(state["restarts"]))
    console = Console()
    console.print(table)
    console.print(f"console {answer['api']['url']}/   devices {answer['edge']['url']}")
    if answer["phone"]:
        console.print(f"demo phone {answer['phone']['url']}")
    if answer["clock"]["story"]:
        console.print("[bold red]A story's clock runs: times are not the world's.[/]")


def _say_where(installation: Installation) -> None:
    edge = installation.edges()[0]
    print(f"console  {installation.api_url}/", flush=True)
    print(f"devices  {edge.mqtt_url}", flush=True)
    if installation.phone_url:
        print(f"phone    {installation.phone_url}", flush=True)
    print("Ctrl-C stops everything.", flush=True)


def main() -> None:
    """Exit codes: 0 done, 1 not done, 2 what was asked cannot be."""
    logging.captureWarnings(True)
    try:
        app()
    except settings.Wrong as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from error
    except Failed as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.code) from error
