"""The lead of an arm's joints in the tick: its references agree, and it does not begin from elsewhere."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
from bodies import ARMS, robot
from control_runs import run

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.joint_motion.joint_lead import JointLead
from kilohertz.controller.joint_motion.plan_row import JointState, PlanRow
from kilohertz.controller.supervision.arm import Arm
from kilohertz.controller.supervision.request import make_request
from kilohertz.controller.tasks.posture import KD, KP
from kilohertz.estimators.fixed_base import FixedBaseEstimator


def lead_of(name: str) -> tuple[JointLead, Brain]:
    model = robot(name)
    brain = Brain(model, Gains(), FixedBaseEstimator(model))
    row = model.new_sensor_row()
    row.q[:] = model.q_nominal
    brain.reset(row)
    assert isinstance(brain.motion, Arm)
    assert brain.motion._lead is not None
    return brain.motion._lead, brain


@pytest.mark.parametrize("name", ARMS)
def test_the_references_of_joints_and_hand_are_those_of_one_motion(name: str) -> None:
    model = robot(name)
    lead, brain = lead_of(name)
    start = lead.state()
    request = make_request(model, "reach", {"offset_m": [0.0, 0.2, -0.1]}, start=start)
    lead.follow(PlanRow.of(request.payload, model.na))
    data, dt = model.pin_model.createData(), 1e-3
    places, before = [], None
    for _ in range(200):
        lead.advance(dt)
        state = lead.state()
        kp, kd = brain.body.gain("posture")[KP], brain.body.gain("posture")[KD]
        wanted = kp * (brain.body.reference("posture")[: model.na] - state.q) - kd * state.v
        np.testing.assert_allclose(wanted, state.a, atol=1e-8)
        pin.framesForwardKinematics(model.pin_model, data, state.q)
        motion = brain.motion.hands.motion(0)
        np.testing.assert_allclose(motion.p, data.oMf[model.hands[0].frame_id].translation, atol=1e-12)
        places.append(motion.p.copy())
        if before is not None:
            np.testing.assert_allclose((motion.p - before[0]) / dt, 0.5 * (motion.v + before[1]), atol=1e-4)
        before = motion.p.copy(), motion.v.copy()
    assert np.ptp(np.array(places), axis=0).max() > 0.02


def test_a_motion_that_was_planned_from_elsewhere_does_not_begin() -> None:
    lead, brain = lead_of("ur5")
    elsewhere = JointState.at_rest(robot("ur5").q_nominal)
    elsewhere.q[0] += 0.5
    request = make_request(robot("ur5"), "move", {"q_rad": {"elbow_joint": 2.0}}, start=elsewhere)
    lead.follow(PlanRow.of(request.payload, robot("ur5").na))
    for _ in range(100):
        lead.advance(1e-3)
    assert lead.at_rest
    np.testing.assert_allclose(lead.state().q, robot("ur5").q_nominal, atol=1e-6)
    assert "ask again" in brain.motion.remarks.last


def test_a_brake_stops_the_joints_and_a_release_lets_the_hands_lead() -> None:
    lead, brain = lead_of("panda")
    request = make_request(robot("panda"), "move", {"q_rad": {"panda_joint1": 1.0}}, start=lead.state())
    lead.follow(PlanRow.of(request.payload, robot("panda").na))
    for _ in range(300):
        lead.advance(1e-3)
    assert lead.state().v[0] > 0.5
    lead.brake()
    for _ in range(400):
        lead.advance(1e-3)
    assert lead.at_rest
    assert lead.active
    lead.release()
    assert not lead.active
    assert not brain.motion.hands.motion(0).at_rest


def test_an_arm_goes_on_holding_a_singular_posture() -> None:
    result = run("ur5", 2.4, ((0.1, "move", {"q_rad": {"elbow_joint": 0.0, "wrist_2_joint": 0.0}}),))
    assert set(result.state) == {"active"}
    assert (result.rung == 0).all()
    assert np.abs(result.q[-1, [2, 4]]).max() < 1e-3
    assert np.ptp(result.q[-100:], axis=0).max() < 1e-3
