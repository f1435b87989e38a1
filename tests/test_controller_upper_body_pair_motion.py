"""Two hands that move together: they keep their relative pose, and their references are one rigid motion."""

import numpy as np
import pinocchio as pin
import pytest
from control_runs import new_brain
from sim_runs import simulate

from kilohertz.controller.upper_body.pair_motion import HANDS, PairMotion

DT_S = 1e-3


@pytest.fixture(scope="module")
def brain():
    sim = simulate("fr3_duo")
    brain, row = new_brain(sim), sim.robot.new_sensor_row()
    sim.read(row)
    brain.reset(row)
    return brain


def pair_of(brain):
    brain.motion.start()
    return PairMotion(brain.motion.hands)


def advance(pair, hands, seconds):
    """Advances the references alone; returns those of both hands, (n, HANDS, 24)."""
    rows = []
    for _ in range(round(seconds / DT_S)):
        pair.advance(DT_S)
        for i in range(HANDS):
            hands.motion(i).advance(DT_S)
        rows.append([hands.motion(i).row.copy() for i in range(HANDS)])
    return np.array(rows)


def test_the_relative_pose_is_kept_and_velocities_are_the_derivatives(brain):
    pair, hands = pair_of(brain), brain.motion.hands
    pair.start(np.array([0.45, 0.05, 1.3]), pin.rpy.rpyToMatrix(0.1, -0.2, 0.3), 0.05, 3.0, (1, 2))
    assert not pair.holds
    rows = advance(pair, hands, 2.0)
    assert pair.holds
    R, p, v, w, a = (rows[..., k : k + n] for k, n in ((0, 9), (9, 3), (12, 3), (15, 3), (18, 3)))
    R = R.reshape(*R.shape[:2], 3, 3)
    along = np.einsum("kji,kj->ki", R[:, 0], p[:, 1] - p[:, 0])
    turn = np.einsum("kji,kjl->kil", R[:, 0], R[:, 1])
    np.testing.assert_allclose(along, along[0] + 0.0 * along, atol=1e-9)
    np.testing.assert_allclose(turn, turn[0] + 0.0 * turn, atol=1e-9)
    moves = slice(700, 1990)
    for value, rate in ((p, v), (v, a)):
        slope = np.gradient(value, DT_S, axis=0)
        np.testing.assert_allclose(slope[moves], rate[moves], atol=2e-3)
    for k in (900, 1200, 1500):
        turned = pin.log3(R[k + 1, 1] @ R[k - 1, 1].T) / (2.0 * DT_S)
        np.testing.assert_allclose(turned, w[k, 1], atol=1e-4)


def test_a_second_motion_goes_on_from_the_first_without_a_jump(brain):
    pair, hands = pair_of(brain), brain.motion.hands
    pair.start(None, None, 0.05, 3.0, (1, 2))
    before = advance(pair, hands, 1.5)[-1]
    # What a new request does to hands without a target.
    for i in range(HANDS):
        hands.motion(i).move(None, None)
    pair.start(None, None, 0.0, 3.0, (1, 2))
    assert pair.holds
    after = advance(pair, hands, 1.2)
    assert np.abs(after[0] - before)[:, 9:18].max() < 1e-3
    assert pair.at_rest


def test_hands_that_another_leads_are_left_alone(brain):
    pair, hands = pair_of(brain), brain.motion.hands
    pair.start(None, None, 0.05, 3.0, (1, 2))
    advance(pair, hands, 1.0)
    hands.lead(0).place(np.eye(3), np.array([0.4, 0.3, 1.3]))
    pair.advance(DT_S)
    assert not pair.holds
    np.testing.assert_allclose(hands.motion(0).p, [0.4, 0.3, 1.3])
