from pathlib import Path

import pytest
from firmware_sim.__main__ import find, names
from firmware_sim.scenario import BadScenario, load, parse

SMALL = """
name = "small"
about = "One room, one probe."
[[room]]
name = "r"
[[probe]]
name = "p"
room = "r"
"""


def test_a_small_file_is_a_whole_scenario() -> None:
    scenario = parse(SMALL)

    assert [room.name for room in scenario.rooms] == ["r"]
    assert scenario.probes[0].quantities == ("temperature",)


@pytest.mark.parametrize("name", names())
def test_every_scenario_that_comes_with_the_simulator_loads(name: str) -> None:
    assert load(find(name)).name == name


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        pytest.param("colour = 1\n" + SMALL, "colour: unknown key", id="unknown-at-the-top"),
        pytest.param(SMALL + "warmth = 3", "probe[0].warmth: unknown key", id="unknown-below"),
        pytest.param(SMALL + "interval_s = 'often'", "probe[0].interval_s: Expected", id="type"),
        pytest.param(SMALL + "interval_s = 0", "probe[0].interval_s: must be from", id="range"),
        pytest.param(SMALL.replace('room = "r"', ""), "probe[0].room: missing", id="missing"),
        pytest.param(SMALL.replace('room = "r"', 'room = "x"'), "probe[0].room: there", id="no-room"),
        pytest.param(SMALL.replace('name = "p"', 'name = "a b"'), "probe[0].name: no spaces", id="name"),
        pytest.param(SMALL + "quantities = ['warmth']", "probe[0].quantities: unknown", id="quantity"),
        pytest.param(SMALL + "quantities = ['lat']", "probe[0].quantities: lat needs", id="no-route"),
        pytest.param(SMALL + "stuck_min = [[5, 2]]", "probe[0].stuck_min[0]: from", id="span"),
        pytest.param(
            SMALL + "[probe.radio]\nduplicates = 2", "probe[0].radio.duplicates: must", id="chance"
        ),
        pytest.param(SMALL + '[[room]]\nname = "r"', "room[1].name: 'r' is used twice", id="twice"),
        pytest.param("name = ", "not TOML", id="not-toml"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_key(text: str, begins: str) -> None:
    with pytest.raises(BadScenario) as refused:
        parse(text)

    assert str(refused.value).startswith(begins)


def test_an_event_of_an_unknown_kind_is_refused() -> None:
    text = SMALL.replace(
        "[[probe]]", '[[room.event]]\nkind = "flood"\nat_min = 1\nfor_min = 1\n[[probe]]'
    )

    with pytest.raises(BadScenario, match=r"room\[0\]\.event\[0\]\.kind: "):
        parse(text)


def test_a_file_that_is_not_there_is_a_bad_scenario(tmp_path: Path) -> None:
    with pytest.raises(BadScenario, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(BadScenario, match="steady"):
        find("no-such-story")
