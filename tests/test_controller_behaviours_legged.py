"""A robot on legs changes between standing and walking, and comes to rest before it does anything else."""

from gaits import WalkingRun


def test_what_is_asked_while_walking_waits_until_the_robot_stands() -> None:
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


def test_a_walk_that_is_called_off_and_on_again_goes_on() -> None:
    run = WalkingRun("g1", seed=4)
    walk = run.request("walk", velocity_m_s=(0.3, 0.0))
    run.run(2.0, walk)
    run.run(0.5, run.request("stand"))
    run.run(2.0, run.request("walk", velocity_m_s=(0.3, 0.0)))
    assert run.stands
    assert not run.walking.done
    assert run.sim.truth.q[0] > 0.5


def test_a_robot_on_points_steps_from_the_start() -> None:
    run = WalkingRun("bolt", plant="default")
    run.run(1.5, run.request("walk", velocity_m_s=(0.0, 0.0)))
    assert run.stands
    assert not run.walking.done
    assert run.brain.motion.planned.sum() < 3
