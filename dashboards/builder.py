"""The Grafana dashboards, made from a few words about each panel.

Queries are InfluxQL, which InfluxDB 1.x, 2.x and 3 all answer. A chart asks for the lowest and
the highest value of each interval, not only for the mean: a mean over a week hides the hour
that mattered. Suspect values (``suspect``) never mix with values.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATASOURCE = {"type": "influxdb", "uid": "coldtrail"}
FOLDER = Path(__file__).parent
WIDTH = 24  # of Grafana's grid
SCHEMA_VERSION = 39

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """``queries``: InfluxQL by the name of what it draws (Grafana's alias pattern)."""

    title: str
    kind: str  # timeseries | stat | table | state-timeline | bargauge
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    width: int = 12
    height: int = 8
    about: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """``variables``: name, label, and the InfluxQL that lists the choices."""

    uid: str
    title: str
    panels: Sequence[Panel]
    variables: Sequence[tuple[str, str, str]] = ()
    annotated: str = ""  # the condition that picks the alarms drawn over the charts
    span: str = "now-24h"


SITE = '"site" =~ /^$site$/'
ROOM = f'{SITE} AND "room" =~ /^$room$/'
SITES = 'SHOW TAG VALUES FROM "temperature" WITH KEY = "site"'
ROOMS = f'SHOW TAG VALUES FROM "temperature" WITH KEY = "room" WHERE {SITE}'
EACH = "time($__interval)"


def _values(quantity: str, how: str, where: str = "", by: str = "", fill: str = "none") -> str:
    condition = f"{where} AND $timeFilter" if where else "$timeFilter"
    group = f" GROUP BY {by} fill({fill})" if by else ""
    return f'SELECT {how} FROM "{quantity}" WHERE {condition}{group}'  # noqa: S608 - our own words


def _range(quantity: str, where: str, by: str) -> list[tuple[str, str]]:
    names = {"min": "最低 low", "max": "最高 high", "mean": "平均 mean"}
    return [
        (f"$tag_{by} {name}", _values(quantity, f'{how}("value")', where, f'{EACH}, "{by}"'))
        for how, name in names.items()
    ]


def _alarms(where: str = "", *, width: int = WIDTH) -> Panel:
    chosen = '"code", "level", "room", "peak", "degree_minutes", "minutes_unknown"'
    return Panel(
        "告警 Alarms",
        "table",
        [("", _values("alarm", f'"title", {chosen}', where) + " ORDER BY time DESC LIMIT 100")],
        width=width,
        about="Each alarm once, as the newest data has it; the time is when it fired.",
    )


REGION = Dashboard(
    "coldtrail-region",
    "全县 Region",
    [
        Panel(
            "各库最新温度 Latest temperature of each room",
            "bargauge",
            [
                (
                    "$tag_site · $tag_room",
                    _values("temperature", 'last("value")', by='"site", "room"'),
                )
            ],
            "celsius",
            16,
            12,
        ),
        Panel(
            "严重告警 Critical alarms",
            "stat",
            [("", _values("alarm", 'count("version")', "\"level\" = 'critical'"))],
            width=4,
            height=6,
        ),
        Panel(
            "警告 Warnings",
            "stat",
            [("", _values("alarm", 'count("version")', "\"level\" = 'warning'"))],
            width=4,
            height=6,
        ),
        Panel(
            "告警次数 Alarms by site",
            "bargauge",
            [("$tag_site", _values("alarm", 'count("version")', by='"site"'))],
            width=8,
            height=6,
        ),
        Panel(
            "各站点最高温度 Highest temperature by site",
            "timeseries",
            [("$tag_site", _values("temperature", 'max("value")', by=f'{EACH}, "site"'))],
            "celsius",
            WIDTH,
        ),
        Panel(
            "读数 Readings by site",
            "timeseries",
            [
                (
                    "$tag_site",
                    _values("temperature", 'count("value")', by=f'{EACH}, "site"', fill="0"),
                )
            ],
            about="A site that falls to zero is silent, or its readings have not arrived yet.",
        ),
        Panel(
            "可疑读数 Suspect readings",
            "timeseries",
            [
                (
                    "$tag_site",
                    _values("temperature", 'count("suspect")', by=f'{EACH}, "site"', fill="0"),
                )
            ],
            about="Outside the physical range, in conflict, or flagged by the device.",
        ),
        _alarms(),
    ],
)

SITE_BOARD = Dashboard(
    "coldtrail-site",
    "站点 Site",
    [
        Panel(
            "库内温度 Temperature by room",
            "timeseries",
            _range("temperature", SITE, "room"),
            "celsius",
            WIDTH,
            10,
        ),
        Panel(
            "湿度 Humidity by room",
            "timeseries",
            [("$tag_room", _values("humidity", 'mean("value")', SITE, f'{EACH}, "room"'))],
            "humidity",
        ),
        Panel(
            "开门时间占比 Share of time with the door open",
            "timeseries",
            [("$tag_room", _values("door", 'mean("value")', SITE, f'{EACH}, "room"'))],
            "percentunit",
        ),
        Panel(
            "市电 Mains",
            "state-timeline",
            [("$tag_room", _values("mains", 'last("value")', SITE, f'{EACH}, "room"', "previous"))],
        ),
        Panel(
            "电池 Battery",
            "bargauge",
            [("$tag_probe", _values("battery", 'last("value")', SITE, '"probe"'))],
            "percent",
        ),
        _alarms(SITE),
    ],
    [("site", "站点 Site", SITES)],
    SITE,
)

ROOM_BOARD = Dashboard(
    "coldtrail-room",
    "冷库 Room",
    [
        Panel(
            "温度 Temperature",
            "timeseries",
            _range("temperature", ROOM, "probe"),
            "celsius",
            WIDTH,
            11,
            "Lowest, highest and mean of each interval, for each probe; gaps stay gaps.",
        ),
        Panel(
            "可疑温度 Suspect temperature",
            "timeseries",
            [
                (
                    "$tag_probe",
                    _values("temperature", 'max("suspect")', ROOM, f'{EACH}, "probe"'),
                )
            ],
            "celsius",
            about="Kept and shown, and trusted by no rule.",
        ),
        Panel(
            "湿度 Humidity",
            "timeseries",
            [("$tag_probe", _values("humidity", 'mean("value")', ROOM, f'{EACH}, "probe"'))],
            "humidity",
        ),
        Panel(
            "门、市电、压缩机、除霜 Door, mains, compressor, defrost",
            "state-timeline",
            [
                (name, _values(quantity, 'max("value")', ROOM, EACH, "previous"))
                for quantity, name in (
                    ("door", "门 door"),
                    ("mains", "市电 mains"),
                    ("compressor", "压缩机 compressor"),
                    ("defrost", "除霜 defrost"),
                )
            ],
            width=WIDTH,
        ),
        Panel(
            "电池 Battery",
            "timeseries",
            [("$tag_probe", _values("battery", 'last("value")', ROOM, f'{EACH}, "probe"'))],
            "percent",
        ),
        Panel(
            "信号 Signal",
            "timeseries",
            [("$tag_probe", _values("signal", 'mean("value")', ROOM, f'{EACH}, "probe"'))],
            "dBm",
        ),
        _alarms(ROOM),
    ],
    [("site", "站点 Site", SITES), ("room", "冷库 Room", ROOMS)],
    ROOM,
)

PIPELINE = Dashboard(
    "coldtrail-pipeline",
    "数据链路 Pipeline",
    [
        *(
            Panel(title, "stat", [("", _values("pipeline", f'last("{field}")'))], width=4, height=4)
            for title, field in (
                ("已存 Stored", "stored"),
                ("重复 Duplicates", "duplicates"),
                ("冲突 Conflicts", "conflicts"),
                ("隔离 Quarantined", "quarantined"),
                ("过迟 Too late", "too_late"),
                ("批次 Batches", "batches"),
            )
        ),
        Panel(
            "每秒读数 Readings a second",
            "timeseries",
            [
                (
                    "stored",
                    _values("pipeline", 'non_negative_derivative(last("stored"), 1s)', by=EACH),
                )
            ],
            "cps",
        ),
        Panel(
            "落后 Behind",
            "timeseries",
            [
                ("influx", _values("pipeline", 'max("influx_behind")', by=EACH)),
                ("alerts", _values("pipeline", 'max("alerts_behind")', by=EACH)),
            ],
            about="Arrivals that a follower has yet to read.",
        ),
        Panel(
            "网关积压 Backlog at the gateways",
            "timeseries",
            [("$tag_gateway", _values("gateway", 'max("backlog_bytes")', by=f'{EACH}, "gateway"'))],
            "bytes",
        ),
        Panel(
            "多久未联系 Since each gateway was heard",
            "timeseries",
            [("$tag_gateway", _values("gateway", 'max("heard_age_s")', by=f'{EACH}, "gateway"'))],
            "s",
        ),
        Panel(
            "网关磁盘将满 Hours until a gateway is full",
            "bargauge",
            [("$tag_gateway", _values("gateway", 'last("full_in_h")', by='"gateway"'))],
            "h",
            about="Only gateways that fill up are listed.",
        ),
        Panel(
            "网关隔离与拒收 Quarantined and refused at the gateways",
            "timeseries",
            [
                (
                    f"$tag_gateway {name}",
                    _values("gateway", f'last("{field}")', by=f'{EACH}, "gateway"'),
                )
                for field, name in (("quarantined", "隔离"), ("refused", "拒收"))
            ],
        ),
    ],
    span="now-6h",
)

DASHBOARDS: dict[str, Dashboard] = {
    "region": REGION,
    "site": SITE_BOARD,
    "room": ROOM_BOARD,
    "pipeline": PIPELINE,
}


def as_json(board: Dashboard) -> Json:
    """What Grafana imports. The same words give the same bytes."""
    x = y = row_height = 0
    panels = []
    for number, panel in enumerate(board.panels, 1):
        if x + panel.width > WIDTH:
            x, y, row_height = 0, y + row_height, 0
        panels.append(_panel(panel, number, x, y))
        x, row_height = x + panel.width, max(row_height, panel.height)
    return {
        "uid": board.uid,
        "title": f"Coldtrail · {board.title}",
        "tags": ["coldtrail"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "refresh": "30s",
        "time": {"from": board.span, "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_variable(*one) for one in board.variables]},
        "annotations": {"list": [_annotation(board.annotated)] if board.annotated else []},
        "links": [
            {
                "type": "dashboards",
                "tags": ["coldtrail"],
                "title": "Coldtrail",
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "panels": panels,
    }


def build(folder: Path = FOLDER) -> list[Path]:
    """Write a file for each dashboard; returns those that changed."""
    changed = []
    for name, board in DASHBOARDS.items():
        path = folder / f"{name}.json"
        text = json.dumps(as_json(board), ensure_ascii=False, indent=2) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def _panel(panel: Panel, number: int, x: int, y: int) -> Json:
    is_table = panel.kind == "table"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": DATASOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "targets": [
            {
                "refId": chr(ord("A") + i),
                "datasource": DATASOURCE,
                "rawQuery": True,
                "query": query,
                "alias": alias,
                "resultFormat": "table" if is_table else "time_series",
            }
            for i, (alias, query) in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _options(panel),
    }


def _field(panel: Panel) -> Json:
    found: Json = {"unit": panel.unit}
    if panel.kind == "timeseries":
        found["custom"] = {"drawStyle": "line", "lineWidth": 1, "spanNulls": False}
    if panel.kind == "state-timeline":
        found["mappings"] = [
            {
                "type": "value",
                "options": {
                    "0": {"text": "0", "color": "blue", "index": 0},
                    "1": {"text": "1", "color": "orange", "index": 1},
                },
            }
        ]
    return found


def _options(panel: Panel) -> Json:
    last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    match panel.kind:
        case "stat":
            return {"reduceOptions": last, "graphMode": "none"}
        case "bargauge":
            return {"reduceOptions": last, "orientation": "horizontal", "displayMode": "basic"}
        case "timeseries":
            return {"legend": {"displayMode": "list", "placement": "bottom"}}
        case _:
            return {}


def _variable(name: str, label: str, query: str) -> Json:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": query,
        "definition": query,
        "refresh": 2,  # when the time range changes
        "sort": 1,
        "multi": False,
        "includeAll": False,
    }


def _annotation(where: str) -> Json:
    return {
        "name": "告警 Alarms",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": "red",
        "target": {
            "rawQuery": True,
            "textEditor": True,
            "query": _values("alarm", '"title", "code", "level"', where),
            "resultFormat": "table",
            "refId": "Anno",
        },
        "titleColumn": "title",
        "tagsColumn": "code,level",
    }
