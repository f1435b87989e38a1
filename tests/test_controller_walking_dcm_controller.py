"""What leads a walk follows its plan by the DCM law, and knows of loads from the first tick on."""

import numpy as np
import pytest
from gaits import WalkingRun

from kilohertz.controller.walking.gait_state import DOUBLE_SUPPORT
from kilohertz.controller.walking.pendulum import natural_frequency


@pytest.mark.closed_loop
def test_steps_of_either_kind_begin_with_the_load_that_there_is() -> None:
    run = WalkingRun("g1")
    walking, carried = run.walking, run.brain.body.carried
    carried.p_RC[2], carried.total_kg = 0.05, run.robot.mass_kg + 5.0
    footsteps = np.array([[0.0, 0.2, 0.09, 0.0, 0.0], [1.0, 0.2, -0.09, 0.0, 0.0]])
    for given in (None, footsteps, None):
        walking.begin(given)
        plan, gait = walking._steps.plan, walking.gait
        assert plan.omega == natural_frequency(gait.height_m + 0.05)
        normal_N = [run.brain.body.reference(f"{name}.force") for name in run.robot.contact_names]
        weights = [float(np.max(ref[:6])) for ref in normal_N]
        assert sum(weights) == pytest.approx(9.81 * carried.total_kg)


@pytest.mark.closed_loop
def test_between_two_steps_the_centre_of_mass_accelerates_as_the_law_says() -> None:
    run = WalkingRun("g1", seed=1)
    walking, body = run.walking, run.brain.body
    seen = []

    def look() -> None:
        if walking.phase != DOUBLE_SUPPORT:
            return
        gait_state, steps, kin = walking._gait_state, walking._steps, body.arrays.kin
        plan, end = steps.plan, steps.before_swing(gait_state)
        _, z_ref = walking._double_support.advance(gait_state.t_s, gait_state.standing[:2], plan, end)
        k = 1.0 + run.gains.walk.dcm_gain_per_s / plan.omega
        z = np.array(z_ref) + k * (np.array(walking.xi) - walking.xi_des)
        expected = plan.omega**2 * (kin.p_WC[:2] - z)
        np.testing.assert_allclose(body.reference("com")[6:8], expected, atol=1e-6)
        seen.append(gait_state.t_s)

    run.run(1.5, run.request("walk", velocity_m_s=(0.1, 0.0)), look)
    assert len(seen) > 50
