"""The watch for collisions: it judges fast torques, and learns its threshold."""

import numpy as np
import pytest
from bodies import robot, whole_body

from kilohertz.controller.whole_body.whole_body import Task
from kilohertz.estimators.collision_watch import NOWHERE, CollisionWatch
from kilohertz.robots.compile.ahead import load_pending

DT_S = 1e-3


class Watched:
    """A watch over an arm whose observed torque the test chooses."""

    def __init__(self, name="panda"):
        model = robot(name)
        self.body = whole_body(model, [Task("posture", "posture", 1.0, [1.0, 1.0])])
        self.body.update(np.array(model.q_nominal), np.zeros(model.nv))
        self.vdot, self.unknown = np.zeros(model.nv), np.zeros(model.na)
        self.watch = CollisionWatch(model, self.body.arrays.kin, self.vdot, self.unknown)
        self.watch.retune(0.03, 0.1)
        load_pending()

    def run(self, ticks):
        return [self.watch.judge(DT_S) for _ in range(ticks)]


def test_a_torque_that_jumps_is_a_collision_after_two_ticks_and_one_that_creeps_is_none():
    arm = Watched()
    assert set(arm.run(1000)) == {NOWHERE}
    for _ in range(3000):
        arm.unknown[1] += 0.003  # up to 9 Nm
        assert arm.watch.judge(DT_S) == NOWHERE
    arm.unknown[3] += 5.0
    assert arm.run(2) == [NOWHERE, 3]


def test_nothing_is_judged_before_the_observer_has_converged():
    arm = Watched()
    arm.unknown[:] = 20.0 * np.sin(np.arange(7))
    assert set(arm.run(400)) == {NOWHERE}
    arm.watch.reset()
    arm.unknown[:] *= -1.0
    assert set(arm.run(400)) == {NOWHERE}


def test_an_acceleration_raises_the_threshold_of_the_joints_that_it_loads():
    for fast, expected in ((0.0, 0), (8.0, NOWHERE)):
        arm = Watched()
        arm.run(600)
        arm.vdot[0] = fast
        arm.run(5)
        arm.unknown[0] += 3.0
        assert arm.run(2)[1] == expected


@pytest.mark.parametrize("ripple_Nm", [0.3, 1.5])
def test_the_threshold_follows_the_largest_torque_of_late(ripple_Nm):
    arm = Watched()
    for tick in range(20000):
        arm.unknown[0] = ripple_Nm * np.sin(2 * np.pi * 20.0 * tick * DT_S)
        assert arm.watch.judge(DT_S) == NOWHERE
    scale = 1.6 * arm.watch.watch.scale[0] * 0.03 * 87.0
    assert ripple_Nm < scale < max(2.5 * ripple_Nm, 2.0)
