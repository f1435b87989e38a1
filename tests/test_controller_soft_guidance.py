"""A hand that is led by a person: it follows, stays, and does not pass walls or its speed."""

import numpy as np
import pytest
from bodies import ARMS, robot
from control_runs import run

pytestmark = pytest.mark.closed_loop


def lead(velocity, duration_s=1.2, most_N=20.0, at_s=0.2):
    return {
        "at_s": at_s,
        "hand_lead": {
            "hand": "hand",
            "velocity_m_s": velocity,
            "duration_s": duration_s,
            "ramp_s": 0.3,
            "most_N": most_N,
        },
    }


@pytest.mark.parametrize("name", ARMS)
def test_a_hand_follows_and_stays_where_it_is_let_go(name):
    result = run(name, 2.2, ((0.0, "guide", {}),), events=[lead([0.0, 0.1, 0.0])])
    hand = result.hand[:, 0]
    assert hand[1400, 1] - hand[200, 1] == pytest.approx(0.09, abs=0.02)
    assert np.abs(hand[2199] - hand[1900]).max() < 0.01
    # The orientation is kept.
    turned = result.sim.truth.R_WH[0].T @ result.brain.motion.soft.motion.R
    assert np.trace(turned) > 1.0 + 2.0 * np.cos(0.05)


def test_a_virtual_wall_holds_the_hand():
    p = robot("panda").nominal_point(robot("panda").hands[0].frame_id)
    wall = {"p_WO_m": [0, p[1] + 0.05, 0], "normal": [0, -2, 0]}
    result = run("panda", 2.0, ((0.0, "guide", {"walls": [wall]}),), events=[lead([0.0, 0.15, 0.0], 2.5)])
    assert result.hand[:, 0, 1].max() < p[1] + 0.05 + 20.0 / 3000.0 + 0.002
    assert result.hand[-1, 0, 1] > p[1] + 0.04
    assert result.sim.truth.f_WH[0, 1] == pytest.approx(20.0, abs=2.0)


def test_a_hand_that_is_pushed_on_is_braked_at_its_speed():
    push = {"hand": "hand", "force_N": [0, 25, 0], "rise_s": 0.1, "hold_s": 1.0, "fall_s": 0.1}
    result = run(
        "panda", 0.9, ((0.0, "guide", {"speed_m_s": 0.2}),), events=[{"at_s": 0.1, "hand_push": push}]
    )
    speed = np.linalg.norm(np.diff(result.hand[:, 0], axis=0), axis=1) / 1e-3
    assert 0.2 < speed.max() < 0.32
