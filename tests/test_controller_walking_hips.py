"""The pelvis rolls up with the foot that climbs, and turns as its reference says that it does."""

import numpy as np
import pinocchio as pin

from kilohertz.controller.walking.gait_state import SETTLE, SETTLE_S, SWING, GaitState
from kilohertz.controller.walking.hips import Hips

DT, YAW = 1e-3, 0.4


def level() -> np.ndarray:
    """The reference as walking writes it before."""
    ref = np.zeros(15)
    ref[:9] = pin.utils.rotate("z", YAW).ravel()
    return ref


def test_the_hip_of_a_foot_that_climbs_goes_up_with_it_and_comes_down_at_rest() -> None:
    ref, gait_state = level(), GaitState(left=0)
    hips = Hips(ref)
    gait_state.begin(SWING, 0)
    before = ref[:9].reshape(3, 3).copy()
    for i in range(500):
        ref[:] = level()
        gait_state.t_s = i * DT
        hips.advance(gait_state, 0.1, 0.5, YAW, DT)
        R = ref[:9].reshape(3, 3)
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
        if 0 < i < 498:
            np.testing.assert_allclose(ref[9:12], pin.log3(R @ before.T) / DT, atol=0.01)
        before = R.copy()
    # The left foot stands: the pelvis leans to it, its right side up.
    assert R[2, 1] < -0.1
    assert not ref[9:12].any()
    gait_state.begin(SETTLE, 0)
    for i in range(round(SETTLE_S / DT)):
        ref[:] = level()
        gait_state.t_s = i * DT
        hips.advance(gait_state, 0.0, 0.5, YAW, DT)
    np.testing.assert_allclose(ref, level(), atol=1e-9)
