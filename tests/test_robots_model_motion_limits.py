"""Limits on acceleration and jerk: of robot.yaml, or from torque and inertia."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
from bodies import ROBOTS, robot

from kilohertz.robots.model.motion_limits import JERK_PER_ACCELERATION_PER_S, default_acceleration


@pytest.mark.parametrize("name", ROBOTS)
def test_every_robot_has_limits(name: str) -> None:
    model = robot(name)
    for limit in (model.acceleration_limit_rad_s2, model.jerk_limit_rad_s3):
        assert limit.shape == (model.na,)
        assert (limit > 0.0).all()
        assert np.isfinite(limit).all()


def test_the_limits_of_panda_are_those_of_its_maker() -> None:
    panda = robot("panda")
    np.testing.assert_array_equal(panda.acceleration_limit_rad_s2, [15, 7.5, 10, 12.5, 15, 20, 20])
    np.testing.assert_array_equal(panda.jerk_limit_rad_s3, [7500, 3750, 5000, 6250, 7500, 10000, 10000])


def test_a_jerk_that_is_not_given_follows_from_the_acceleration() -> None:
    ur5 = robot("ur5")
    np.testing.assert_array_equal(ur5.acceleration_limit_rad_s2, np.full(6, 5.0))
    np.testing.assert_allclose(ur5.jerk_limit_rad_s3, 5.0 * JERK_PER_ACCELERATION_PER_S)


def test_the_torque_limit_allows_the_default_acceleration() -> None:
    ur5 = robot("ur5")
    a = default_acceleration(ur5.pin_model, ur5.q_nominal, ur5.torque_limit_Nm)
    data = ur5.pin_model.createData()
    for i in range(ur5.na):
        only = np.where(np.arange(ur5.na) == i, a, 0.0)
        tau = pin.rnea(ur5.pin_model, data, ur5.q_nominal, np.zeros(ur5.na), only)
        assert abs(tau[i]) <= ur5.torque_limit_Nm[i]
