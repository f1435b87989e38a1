"""Soles of a biped along a log: which one is loaded, how the base turns over it, and where up is."""

import numpy as np
import pytest
from stepping_log import N, stepping_log

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.offline.stance import Stance, sole_contacts


@pytest.fixture(scope="module")
def stance():
    robot = RobotModel.load("talos")
    return Stance(robot, stepping_log(robot))


def test_only_bipeds_with_two_flat_soles_have_a_stance():
    assert sole_contacts(RobotModel.load("bolt")) == []
    assert sole_contacts(RobotModel.load("panda")) == []
    assert len(sole_contacts(RobotModel.load("g1"))) == 2


def test_the_loaded_sole_shows_the_turning_of_the_base_and_the_other_does_not(stance):
    turns = stance.turns(stance.signals.q)
    right = stance.residual(turns, stance.turn)
    assert right < 0.002
    assert stance.residual(turns, stance.turn, exchanged=True) > 10.0 * right
    late = stance.residual(turns, stance.turn_at(0.05))
    assert late > 3.0 * right


def test_each_sole_is_alone_in_its_phase_and_the_start_is_at_rest(stance):
    assert stance.alone.sum(axis=1).min() > 0.2 * len(stance.first)
    assert not stance.alone.all(axis=0).any()
    assert stance.rest[stance.first < N // 15].all()


def test_the_vertical_by_the_imu_follows_a_turning_base(stance):
    np.testing.assert_allclose(np.linalg.norm(stance.vertical, axis=1), 1.0)
    force = stance.signals.accel[stance.first] / 9.81
    assert np.abs(stance.vertical - force).max() < 0.02
