"""A robot on legs changes between standing and walking, and comes to rest before it does anything else."""

import numpy as np
import pytest
from gaits import WalkingRun

from kilohertz.controller.gains.comparison import RESTING, TRANSITION

pytestmark = pytest.mark.closed_loop


@pytest.mark.long
def test_a_request_while_walking_waits_until_the_robot_stands() -> None:
    run = WalkingRun("g1", seed=2)
    motion = run.brain.motion
    run.run(0.2, run.request("stand"))
    assert motion.planned.all()
    run.run(2.5, run.request("walk", velocity_m_s=(0.2, 0.0)))
    assert not run.walking.done
    squat = run.request("squat", depth_m=0.05, period_s=2.0)
    run.run(0.3, squat)
    assert not run.walking.done
    heights: list[float] = []
    run.run(6.0, squat, lambda: heights.append(float(motion.p_WC_des[2])))
    assert run.stands
    assert run.walking.done
    assert motion.planned.all()
    assert max(heights[-2000:]) - min(heights[-2000:]) > 0.04


def test_a_walk_that_is_cancelled_and_requested_again_continues() -> None:
    run = WalkingRun("g1", seed=4)
    walk = run.request("walk", velocity_m_s=(0.3, 0.0))
    run.run(2.0, walk)
    run.run(0.5, run.request("stand"))
    run.run(2.0, run.request("walk", velocity_m_s=(0.3, 0.0)))
    assert run.stands
    assert not run.walking.done
    assert run.sim.truth.q[0] > 0.5


def test_a_restart_in_the_middle_of_a_step_restores_the_weights_of_standing() -> None:
    run = WalkingRun("g1", seed=3)
    body, names = run.brain.body, run.robot.contact_names
    weights = [body.weight(name) for name in ("base", "trunk", "angular_momentum")]
    everything = [*weights, body.gain("com"), *(body.reference(f"{name}.force")[6:] for name in names)]
    standing = [row.copy() for row in everything]
    run.run(1.5, run.request("walk", velocity_m_s=(0.0, 0.0)))
    assert not run.walking.done
    run.brain.motion.start()
    assert run.walking.done
    for now, then in zip(everything, standing, strict=True):
        np.testing.assert_allclose(now, then, rtol=1e-9)


def test_two_restarts_on_point_feet_load_the_feet_like_one() -> None:
    once, twice = WalkingRun("bolt"), WalkingRun("bolt")
    walk = twice.request("walk", velocity_m_s=(0.0, 0.0))
    for _ in range(150):
        twice.brain.step(twice.sensors, walk, twice.gains, lambda stage: None)
    twice.brain.reset(twice.sensors)
    for run in (once, twice):
        run.run(0.2, walk)
    for name in once.robot.contact_names:
        loads = [run.brain.body.reference(f"{name}.force") for run in (once, twice)]
        np.testing.assert_allclose(loads[1], loads[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(twice.sim.truth.q, once.sim.truth.q, atol=1e-4)


def test_a_robot_on_points_steps_from_the_start() -> None:
    run = WalkingRun("bolt", plant="default")
    run.run(1.5, run.request("walk", velocity_m_s=(0.0, 0.0)))
    assert run.stands
    assert not run.walking.done
    assert run.brain.motion.planned.sum() < 3


def test_the_kind_of_motion_is_that_of_the_stance_once_the_walk_is_steady() -> None:
    run = WalkingRun("g1", seed=1)
    motion, kinds = run.brain.motion, []
    stand = run.request("stand")
    run.run(0.5, stand)
    assert motion.motion_kind() == TRANSITION
    run.run(1.0, stand)
    assert (motion.motion_kind(), motion.disturbed) == (RESTING, False)
    walk = run.request("walk", velocity_m_s=(0.2, 0.0))
    run.run(0.4, walk, lambda: kinds.append(motion.motion_kind()))
    assert set(kinds) == {TRANSITION}
    kinds.clear()
    run.run(1.6, walk, motion.motion_kind)
    run.run(1.5, walk, lambda: kinds.append((motion.motion_kind(), run.walking.stance)))
    assert set(kinds) == {(1, 0), (2, 1)}
