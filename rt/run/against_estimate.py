"""Stand-in for the true state of a robot that does not send it, so that tracking can be judged at all."""

from __future__ import annotations

import copy

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.loop.trace import ESTIMATE, Trace

_LEAST_FORCE_N = 1.0


def against_estimate(trace: Trace, robot: RobotModel) -> Trace:
    """Returns a history whose true state is replaced by the estimate; the given one is left as it is.

    Measured joint torques and contact forces are kept. Contact forces without a sensor, and the centres of
    pressure, are those that the controller commanded while it took the contact for closed.

    Args:
        trace: history of a run in which the true state was not known.
        robot: model of the robot.
    """
    judged = copy.copy(trace)
    judged.against = ESTIMATE
    # References and centres of mass are in the odometry frame of the controller.
    q_O = trace.q_est.copy()
    q_O[:, : robot.nq_base] = trace.base_O_est
    judged.q_true, judged.v_true = q_O, trace.v_est
    judged.p_WC_true, judged.v_WC_true = trace.p_WC_est, trace.v_WC_est
    judged.p_WR_true = trace.p_WC_est - trace.p_RC_est
    judged.p_WF_true, judged.p_WH_true = np.zeros_like(trace.p_WF_true), np.zeros_like(trace.p_WH_true)
    judged.cop_true_W = np.full_like(trace.cop_true_W, np.nan)
    closed = trace.contact_est > 0.0
    judged.forces_measured = bool(np.isfinite(trace.kept("normal_true_N")).any())
    commanded_N = np.where(closed, trace.w_F[:, :, 2], 0.0)
    judged.normal_true_N = np.where(np.isfinite(trace.normal_true_N), trace.normal_true_N, commanded_N)
    model, data = robot.pin_model, robot.pin_model.createData()
    for row in range(trace.rows):
        pin.framesForwardKinematics(model, data, q_O[row])
        for i, contact in enumerate(robot.contacts):
            place = data.oMf[contact.frame_id]
            judged.p_WF_true[row, i] = place.translation
            force, moment = trace.w_F[row, i, :3], trace.w_F[row, i, 3:]
            if closed[row, i] and force[2] > _LEAST_FORCE_N:
                cop_F = np.array([-moment[1] / force[2], moment[0] / force[2], 0.0])
                judged.cop_true_W[row, i] = place.act(cop_F)
        for i, hand in enumerate(robot.hands):
            judged.p_WH_true[row, i] = data.oMf[hand.frame_id].translation
    return judged
