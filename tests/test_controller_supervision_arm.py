"""Arms that are bolted to the ground, in the simulator: they hold, reach and draw circles."""

import numpy as np
import pytest
from bodies import ARMS, robot
from control_runs import run

pytestmark = pytest.mark.closed_loop


def check_every_tick(result):
    assert set(result.state) == {"active"}
    assert (result.rung == 0).all()
    assert (np.abs(result.tau) <= result.sim.robot.torque_limit_Nm).all()
    low, high = result.sim.robot.position_lower_rad, result.sim.robot.position_upper_rad
    assert (result.q >= low - 0.01).all()
    assert (result.q <= high + 0.01).all()


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_holds_its_posture(name):
    result = run(name, 1.0)
    check_every_tick(result)
    np.testing.assert_allclose(result.q, np.tile(result.q[0], (1000, 1)), atol=2e-3)


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_reaches_and_draws_a_circle(name):
    circle = {"radius_m": 0.08, "period_s": 2.0}
    result = run(name, 5.0, ((0.0, "reach", {"offset_m": [0.05, 0.1, -0.05]}), (2.0, "circle", circle)))
    check_every_tick(result)
    error = np.linalg.norm(result.hand - result.hand_des, axis=2)
    assert error[200:].max() < 2e-3
    assert np.ptp(result.hand[4000:, 0, 1]) > 0.1


def test_friction_and_noise_cost_millimetres():
    circle = {"radius_m": 0.08, "period_s": 2.0}
    result = run(
        "panda",
        4.0,
        ((0.0, "circle", circle),),
        estimator="default",
        plant="default",
        sensors={"noise": "default", "delay_ms": 2.0},
    )
    check_every_tick(result)
    error = np.linalg.norm(result.hand - result.hand_des, axis=2)[1000:]
    assert np.sqrt(np.mean(error**2)) < 0.02


@pytest.mark.parametrize("seed", range(3))
def test_no_hand_target_makes_a_joint_leave_its_range(seed):
    """Far outside the workspace, too, where the hand only points at its target in the world."""
    rng = np.random.default_rng(seed)
    targets = [{"hand": {"p_WH_m": (2.0 * rng.normal(size=3)).tolist()}} for _ in range(4)]
    places = [(0.5 * k, "stand", {"hands": target}) for k, target in enumerate(targets)]
    result = run("panda", 2.5, tuple(places))
    low, high = robot("panda").position_lower_rad, robot("panda").position_upper_rad
    assert result.q.min() > -10.0
    assert (result.q >= low - 0.01).all()
    assert (result.q <= high + 0.01).all()
    assert (np.abs(result.tau) <= robot("panda").torque_limit_Nm).all()
