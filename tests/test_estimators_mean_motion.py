"""Torques are summed and velocities differenced from one payload estimate to the next."""

import numpy as np
import pytest
from kin_arrays import kin_arrays

from kilohertz.estimators.mean_motion import MeanMotion, average_motion, count_tick

TAU, FRICTION = np.array([1.0, -2.0]), np.array([0.25, 0.5])
TICKS, DT_S = 4, 1e-3


@pytest.mark.parametrize("friction", [np.zeros(0), FRICTION])
def test_the_mean_is_that_of_the_torques_that_move_the_robot(friction):
    sums = MeanMotion(
        tau_sum=np.zeros(2),
        last_v=np.array([0.5, 0.0, 0.0]),
        tau=np.zeros(2),
        vdot=np.zeros(3),
        friction=friction,
        elapsed_s=np.zeros(1),
        ticks=np.zeros(1, np.int64),
    )
    kin = kin_arrays(v=np.array([0.5, 0.1, -0.2]))
    for accelerates in (1.0, 0.0):
        assert [count_tick(TAU, DT_S, sums) for _ in range(TICKS)] == [1, 2, 3, 4]
        assert sums.elapsed_s[0] == pytest.approx(TICKS * DT_S)
        average_motion(TICKS * DT_S, TICKS, kin, sums)
        np.testing.assert_allclose(sums.tau, TAU - friction if friction.size else TAU)
        # The second time the velocity has not changed.
        expected = accelerates * np.array([0.0, 0.1, -0.2]) / (TICKS * DT_S)
        np.testing.assert_allclose(sums.vdot, expected, atol=1e-12)
