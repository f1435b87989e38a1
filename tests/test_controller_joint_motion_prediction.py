"""Where an arm is when a later request begins."""

from __future__ import annotations

import numpy as np
from bodies import robot

from kilohertz.controller.joint_motion.plan_row import JointState
from kilohertz.controller.joint_motion.prediction import state_after
from kilohertz.controller.supervision.request import make_request


def test_an_arm_is_at_its_goal_after_a_motion_and_on_its_way_before() -> None:
    panda = robot("panda")
    start = JointState.at_rest(panda.q_nominal)
    request = make_request(panda, "move", {"q_rad": {"panda_joint1": 1.0}}, start=start)
    end = state_after(panda, request.payload, start, 10.0)
    assert end.q[0] == 1.0
    assert not end.v.any()
    half = state_after(panda, request.payload, start, 0.3)
    assert 0.1 < half.q[0] < 0.9
    assert half.v[0] > 1.0


def test_an_arm_that_is_told_to_stand_stops() -> None:
    panda = robot("panda")
    moving = JointState(panda.q_nominal.copy(), np.full(panda.na, 0.5), np.zeros(panda.na))
    after = state_after(panda, make_request(panda, "stand", {}).payload, moving, 2.0)
    assert not after.v.any()
    assert (after.q > panda.q_nominal).all()
