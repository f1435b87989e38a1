"""Loads between two hands: the forces on the hands, and what a scenario may ask for."""

import numpy as np
import pytest
from sim_runs import holding_command, robot, simulate

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.sim.scenario import load_scenario

HANDS = ["left_hand", "right_hand"]


def test_the_forces_on_the_hands_are_the_weight_of_the_load():
    load = {"hands": HANDS, "mass_kg": 2.0}
    sim = simulate("fr3_duo", events=[{"at_s": 0.01, "shared_load": load}])
    mass_kg = sim.truth.mass_kg
    forces = []
    for seq in range(1, 201):
        command = holding_command(sim)
        command.seq[0] = seq
        sim.write(command)
        forces.append(sim.truth.f_WH.sum(axis=0))
    assert sim.truth.mass_kg == pytest.approx(mass_kg + 2.0)
    assert np.abs(np.array(forces[:9])).max() == 0.0
    # The damped arms sink slowly and evenly: the load hardly accelerates.
    assert forces[-1][2] == pytest.approx(-2.0 * 9.81, rel=0.05)
    assert sim.events[0]["text"] == "2 kg between left_hand and right_hand"


def test_both_hands_hold_the_load():
    sim = simulate("fr3_duo", events=[{"at_s": 0.0, "shared_load": {"hands": HANDS, "mass_kg": 5.0}}])
    before = sim.truth.p_WH[1] - sim.truth.p_WH[0]
    for _ in range(300):
        sim.advance()
    # The drives damp without commands: the arms sink, with the load between them.
    assert sim.truth.p_WH[0, 2] < 1.355
    assert np.linalg.norm(sim.truth.p_WH[1] - sim.truth.p_WH[0]) == pytest.approx(
        np.linalg.norm(before), abs=2e-3
    )


@pytest.mark.parametrize(
    ("name", "load", "said"),
    [
        ("g1", {"hands": HANDS, "mass_kg": 1}, "stands on legs"),
        ("fr3_duo", {"hands": ["left_hand", "hand"], "mass_kg": 1}, "not a hand"),
        ("fr3_duo", {"hands": ["left_hand", "left_hand"], "mass_kg": 1}, "two hands"),
    ],
)
def test_a_load_needs_two_hands_of_an_arm(tmp_path, name, load, said):
    path = tmp_path / "scenario.yaml"
    event = str({"at_s": 0.5, "shared_load": load}).replace("'", '"')
    path.write_text(f"name: x\nduration_s: 1\nevents: [{event}]\n")
    with pytest.raises(ConfigError, match=said):
        load_scenario(str(path), robot(name))
