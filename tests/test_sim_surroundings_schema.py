"""Words of a scenario about what surrounds an arm, and what is refused."""

import pytest
from bodies import robot

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.sim.scenario import load_scenario_located

BASE = {"name": "s", "duration_s": 5, "commands": [{"at_s": 0, "stand": {}}]}
BOX = {"kind": "box", "p_WO_m": [1, 0, 0], "size_m": [1, 1, 1]}
PUSH = {"hand": "hand", "force_N": [1, 0, 0]}


def load(name="panda", **fields):
    return load_scenario_located({**BASE, **fields}, robot(name))[0]


def test_obstacles_tips_and_people_are_read():
    scenario = load(
        obstacles={"box": BOX, "floor": {"kind": "plane", "p_WO_m": [0, 0, 0.1]}},
        tips={"hand": {"radius_m": 0.01}},
        events=[
            {"at_s": 1, "hand_push": PUSH},
            {"at_s": 2, "hand_lead": {"hand": "hand", "velocity_m_s": [0.1, 0, 0], "duration_s": 1}},
        ],
    )
    assert set(scenario.obstacles) == {"box", "floor"}
    assert scenario.events[0].hand_push.duration_s == 3.0


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("panda", {"events": [{"at_s": 1, "hand_push": {**PUSH, "hand": "foot"}}]}, "is not a hand"),
        ("panda", {"tips": {"foot": {"radius_m": 0.01}}}, "is not a hand"),
        ("panda", {"obstacles": {"box": {**BOX, "size_m": [0, 1, 1]}}}, "size_m"),
        ("panda", {"obstacles": {"box": {**BOX, "kind": "ball"}}}, "kind"),
        ("g1", {"obstacles": {"box": BOX}}, "stands on legs"),
    ],
)
def test_what_does_not_fit_is_refused(name, fields, said):
    with pytest.raises(ConfigError, match=said):
        load(name, **fields)
