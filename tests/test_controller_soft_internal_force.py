"""The force between two hands: it is told from the load's weight, left in place, and brought to what is asked
for."""

import numpy as np
import pytest
from control_runs import new_brain
from sim_runs import simulate

from kilohertz.controller.soft.internal_force import InternalForce

DT_S = 1e-3


@pytest.fixture
def parts():
    sim = simulate("fr3_duo")
    brain, row = new_brain(sim), sim.robot.new_sensor_row()
    sim.read(row)
    brain.reset(row)
    kin, unknown = brain.body.arrays.kin, np.zeros(sim.robot.na)
    return kin, unknown, InternalForce(kin, brain.motion.hands.frames, unknown)


def torques(kin, frames, wrenches):
    """Torques in the joints of world wrenches (2, 6) on both hands."""
    total = np.zeros(len(kin.v))
    for frame, wrench in zip(frames, wrenches, strict=True):
        R = kin.R[frame]
        total += kin.J[frame].T @ np.concatenate((R.T @ wrench[:3], R.T @ wrench[3:]))
    return total


def pair_of(kin, frames, f, m, weight=0.0):
    """Wrenches of an internal force and moment, and of a load that both hands carry equally."""
    r = 0.5 * (kin.p[frames[0]] - kin.p[frames[1]])
    down = np.array([0.0, 0.0, -0.5 * weight])
    return [
        np.concatenate((f + down, m - np.cross(r, f))),
        np.concatenate((-f + down, -m - np.cross(r, f))),
    ]


def test_an_internal_wrench_adds_up_to_nothing_on_the_load(parts):
    kin, _, force = parts
    first, second = pair_of(kin, force._frames, np.array([3.0, -2.0, 5.0]), np.array([0.4, 0.1, -0.3]))
    r = 0.5 * (kin.p[force._frames[0]] - kin.p[force._frames[1]])
    np.testing.assert_allclose(first[:3] + second[:3], 0.0, atol=1e-12)
    moment = first[3:] + second[3:] + np.cross(r, first[:3]) - np.cross(r, second[:3])
    np.testing.assert_allclose(moment, 0.0, atol=1e-12)


def test_it_is_told_from_the_weight_of_the_load(parts):
    kin, unknown, force = parts
    f, m = np.array([3.0, -12.0, 5.0]), np.array([0.4, 0.1, -0.3])
    force.tare()
    force.advance(DT_S)
    unknown[:] = torques(kin, force._frames, pair_of(kin, force._frames, f, m, weight=30.0))
    force.start(0.0)
    force.advance(DT_S)
    np.testing.assert_allclose(force.x, [*f, *m], atol=0.05)


def test_only_the_internal_part_is_left_to_act_and_the_wanted_force_is_added(parts):
    kin, unknown, force = parts
    frames = force._frames
    away = kin.p[frames[0]] - kin.p[frames[1]]
    away /= np.linalg.norm(away)
    unknown[:] = 0.0
    force.tare()
    force.advance(DT_S)
    force.start(10.0)
    before = kin.h.copy()
    for _ in range(1000):
        # The load pushes back as it should, so that nothing has to be corrected.
        unknown[:] = torques(
            kin, frames, pair_of(kin, frames, force.squeeze_N * away, np.zeros(3), weight=20.0)
        )
        kin.h[:] = before
        force.advance(DT_S)
    assert force.squeeze_N == pytest.approx(10.0)
    np.testing.assert_allclose(kin.h, before, atol=0.2)
    # Without a reaction the hands press, with a limited force.
    unknown[:] = 0.0
    for _ in range(5000):
        kin.h[:] = before
        force.advance(DT_S)
    expected = torques(kin, frames, pair_of(kin, frames, -(10.0 + 25.0) * away, np.zeros(3)))
    np.testing.assert_allclose(kin.h - before, expected, atol=0.5)


def test_it_ends_within_a_tenth_of_a_second_without_a_jump(parts):
    kin, _, force = parts
    force.start(10.0)
    before = kin.h.copy()
    for _ in range(600):
        kin.h[:] = before
        force.advance(DT_S)
    force.stop()
    last = kin.h.copy()
    for _ in range(120):
        kin.h[:] = before
        force.advance(DT_S)
        assert np.abs(kin.h - last).max() < 0.3
        last = kin.h.copy()
    np.testing.assert_allclose(kin.h, before, atol=1e-12)
