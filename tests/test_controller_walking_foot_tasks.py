"""Swing feet are held as stiff as their steps are quick."""

import pytest
from sim_runs import robot

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.walking.foot_tasks import foot_rate_per_s, walking_tasks
from kilohertz.controller.walking.gait import planned_step_s


def test_a_faster_step_has_stiffer_foot_tasks() -> None:
    gains = Gains()
    for name, stiffer in (("bolt", 6.0), ("g1", 1.0), ("talos", 1.0)):
        task = walking_tasks(robot(name), gains)[0]
        kp, kd = task.gain
        assert kp >= stiffer * gains.walk.swing.kp_per_s2
        assert kd**2 / kp == pytest.approx(gains.walk.swing.kd_per_s**2 / gains.walk.swing.kp_per_s2)
        step_s = planned_step_s(robot(name), gains.walk)
        assert foot_rate_per_s(gains.walk.swing, step_s) == pytest.approx(kp / kd)


def test_only_soles_are_turned() -> None:
    names = [task.name for task in walking_tasks(robot("bolt"), Gains())]
    assert names == ["left_foot.position", "right_foot.position"]
    assert len(walking_tasks(robot("g1"), Gains())) == 4
