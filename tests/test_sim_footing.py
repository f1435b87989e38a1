"""Footsteps beside their stairs, and stairs without treads, are refused at their line of the file."""

import pytest
from sim_runs import robot

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.sim.scenario import find_scenario, load_scenario

TEXT = find_scenario("stairs").read_text()


@pytest.mark.parametrize(
    ("old", "new", "line", "sentence"),
    [
        ("tread_m: 0.28", "tread_m: 0.15", "ground", "should be at least 0.17 m, the length of a sole of g1"),
        ("tread_m: 0.28", "tread_m: 0", "ground", "should be at least 0.1"),
        (
            "[0.61, 0.09, 0.1]",
            "[0.54, 0.09, 0.1]",
            "[0.54",
            "over an edge: the ground under its sole is 0.00 to",
        ),
        ("[0.61, 0.09, 0.1]", "[0.61, 0.09, 0.15]", "[0.61", "is 0.15 m high, and the ground there 0.10 m"),
    ],
)
def test_wrong_footing_is_refused(tmp_path, old, new, line, sentence):
    path = tmp_path / "s.yaml"
    text = TEXT.replace(old, new)
    path.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        load_scenario(str(path), robot("g1"))
    number = next(
        i for i, row in enumerate(text.splitlines(), 1) if row.strip(" -{").startswith(line) or line in row
    )
    assert f"s.yaml:{number}:" in str(refusal.value)
    assert sentence in str(refusal.value)


def test_after_a_walk_nobody_knows_where_the_robot_stands(tmp_path):
    path = tmp_path / "s.yaml"
    walk = "  - {at_s: 0.2, walk: {velocity_m_s: [0.2, 0]}}\n  - at_s: 0.5\n"
    path.write_text(TEXT.replace("  - at_s: 0.5\n", walk).replace("[0.61, 0.09, 0.1]", "[0.54, 0.09, 0.1]"))
    load_scenario(str(path), robot("g1"))
