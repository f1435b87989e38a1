"""Closed loops in which parts of a robot would meet: they do not, by MuJoCo's own geometry."""

from __future__ import annotations

import numpy as np
import pytest
from bodies import robot
from study_clearance import Penetration, push_scenario

import kilohertz as khz

DEEPEST_MM = 2.0


@pytest.mark.long
def test_a_hand_that_is_commanded_into_the_chest_stops_before_it() -> None:
    seen = Penetration(robot("g1"))
    with khz.Simulation("g1", seed=7) as sim:
        # A place in the world is not checked when it is asked for.
        sim.command("stand", hands={"left_hand": {"p_WH_m": [0.0, 0.0, 0.95]}})
        while sim.t_s < 3.0:
            state = sim.step()
            seen.see(state.truth.q)
        away_m = float(np.linalg.norm(state.truth.p_WH[0] - [0.0, 0.0, 0.95]))
    assert not state.fell
    assert seen.result()["deepest_mm"] <= DEEPEST_MM
    assert 0.04 < away_m < 0.35


def test_a_place_inside_the_body_is_refused() -> None:
    with khz.Simulation("g1") as sim, pytest.raises(khz.Refused, match="inside torso_link"):
        sim.command("stand", hands={"left_hand": {"p_BH_m": [0.0, 0.0, 0.2]}})


@pytest.mark.long
def test_a_pushed_walk_stays_clear_of_itself() -> None:
    # With seed 101 and without clearance rows, the upper arm enters the chest by 19 mm and pushes the elbow
    # 0.06 rad beyond its limit.
    scenario = push_scenario(np.random.default_rng(101), 10.0)
    scenario |= {"duration_s": 5.5, "events": scenario["events"][:1]}
    run = khz.simulate("g1", scenario=scenario, seed=101)
    seen = Penetration(robot("g1"))
    for q in run.history["q_true"][::5]:
        seen.see(q)
    assert not run.fell
    assert seen.result()["deepest_mm"] <= DEEPEST_MM
    assert seen.result()["beyond_limit_rad"] < 0.03
