"""Tests of the wrenches that hands are streamed to exert."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.standing.standing import standing_tasks
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.supervision.arm import arm_tasks
from kilohertz.controller.upper_body.wrench_stream import WrenchStream
from kilohertz.controller.whole_body.from_gains import whole_body
from kilohertz.robots.compile.ahead import load_pending
from kilohertz.robots.model.robot_model import RobotModel

DT_S = 1e-3


def made(name: str) -> tuple[RobotModel, StreamRow, WrenchStream, object]:
    robot = RobotModel.load(name)
    tasks = standing_tasks(robot, Gains()) if robot.floating else arm_tasks(robot, Gains())
    body = whole_body(robot, Gains(), tasks, "exact", [])
    row = StreamRow(robot)
    frame = body.frame_index[robot.pin_model.frames[robot.hands[0].frame_id].name]
    stream = WrenchStream(robot, Gains(), row, 0, frame, body.arrays.kin)
    load_pending()
    return robot, row, stream, body


@pytest.mark.parametrize(("name", "force_N"), [("panda", 20.0), ("g1", 5.0)])
def test_the_equations_of_motion_count_on_the_answer_of_the_environment(name: str, force_N: float) -> None:
    robot, row, stream, body = made(name)
    wrench = np.array([force_N, -0.5 * force_N, 0.2 * force_N, 0.1, 0.0, -0.2])
    row.wrench[:6] = wrench
    v = np.zeros(robot.nv)
    for k in range(300):
        row.wrench_t_s[0] = k * DT_S
        body.update(robot.q_nominal.copy(), v)
        h = body.arrays.kin.h.copy()
        stream.advance(k * DT_S, DT_S)
    data = robot.pin_model.createData()
    pin.computeJointJacobians(robot.pin_model, data, robot.q_nominal)
    pin.updateFramePlacements(robot.pin_model, data)
    J = pin.getFrameJacobian(robot.pin_model, data, robot.hands[0].frame_id, pin.LOCAL_WORLD_ALIGNED)
    np.testing.assert_allclose(body.arrays.kin.h - h, J.T @ wrench, atol=1e-9)
    # Silence: the wrench is gone in less than half a second.
    for k in range(300, 800):
        body.update(robot.q_nominal.copy(), v)
        h = body.arrays.kin.h.copy()
        stream.advance(k * DT_S, DT_S)
    np.testing.assert_array_equal(body.arrays.kin.h, h)
    assert not stream.busy


def test_a_wrench_is_limited_and_a_hand_that_moves_freely_has_none() -> None:
    robot, row, stream, body = made("panda")
    row.wrench[:6] = 1e4, 0.0, 0.0, np.nan, 0.0, 0.0
    v = np.zeros(robot.nv)

    def exerted(k: int) -> np.ndarray:
        row.wrench_t_s[0] = k * DT_S
        body.update(robot.q_nominal.copy(), v)
        h = body.arrays.kin.h.copy()
        stream.advance(k * DT_S, DT_S)
        return body.arrays.kin.h - h

    torques = [exerted(k) for k in range(500)]
    J_x = torques[-1] / Gains().stream.wrench_N
    assert np.isfinite(torques).all()
    # It rises by its limit in 0.1 s.
    np.testing.assert_allclose(torques[49], 0.5 * Gains().stream.wrench_N * J_x, atol=1e-9)
    v[0] = 0.5 * robot.velocity_limit_rad_s[0]
    np.testing.assert_allclose([exerted(k) for k in range(500, 800)][-1], 0.0, atol=1e-9)
