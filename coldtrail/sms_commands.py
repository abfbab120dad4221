"""``coldtrail sms …``: the ways to reach people, tried and prepared."""

import json
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from coldtrail import settings
from coldtrail.typed import Data

HERE = Path()

app = App(name="sms", help="The ways to reach people: texts for approval, tests.")


@app.command
def templates(
    *,
    provider: Literal["aliyun", "aliyun-voice", "tencent"],
    lang: Literal["zh", "en"] = "zh",
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
) -> None:
    """The texts to have approved, as the provider writes them.

    Its id for each then stands in coldtrail.toml: `templates = { "raise-figure-zh" = "SMS_1", … }`.

    Parameters
    ----------
    provider
        aliyun, aliyun-voice (spoken in calls) or tencent.
    as_json
        The fields of CreateSmsTemplate or AddSmsTemplate, one object a line.
    """
    from channels.approval import approvals

    found = approvals(provider, lang)
    if as_json:
        for one in found:
            print(json.dumps(one.request(provider), ensure_ascii=False))
        return
    for one in found:
        print(f"{one.id}" + (f"  (at most {one.parts} parts)" if one.parts else ""))
        print(f"  {one.content}")
        print("  " + "  ".join(f"{name} ≤{most}: {example}" for name, most, example in one.bounds))


@app.command(name="test")
def send_a_test(person: str, /, *, data: Data = HERE, channel: str | None = None) -> None:
    """Send a person a test text by each of their channels, or by one; nothing is recorded.

    Parameters
    ----------
    person
        Id, as in the console's address and in /api/v1/people.
    channel
        Only by this one.
    """
    from coldtrail.sms_test import Nobody, try_out

    table = Table("channel", "outcome", box=None)
    failed = False
    try:
        for name, why in try_out(settings.load(data), person, channel):
            table.add_row(name, why or "taken")
            failed |= bool(why)
    except Nobody as error:
        raise settings.Wrong(str(error)) from error
    Console().print(table)
    if failed:
        raise SystemExit(1)
