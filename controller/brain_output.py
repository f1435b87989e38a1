"""Result of a step of the brain: the command, and the quantities that explain it."""

from __future__ import annotations

import math

import numpy as np

from kilohertz.controller.safety.ladder import SOLVED
from kilohertz.robots.model.robot_model import RobotModel


class BrainOutput:
    """Result of a step: the command, and the quantities that explain it; one object, overwritten each tick.

    Attributes:
        command: the command row.
        state: state of the supervisor; "damping" is latched.
        reason: why the joints are damped, one sentence; "" in every other state.
        behaviour: name of the behaviour that was requested last.
        behaviour_state: "waiting" for the robot to come to rest, "running" or "done".
        rung: rung of the ladder of fallbacks, from 0 (solved) to 4 (damping).
        remark: the last request or part of it that could not be met, one sentence; "" while there is none.
        missed: constraints that contradicted each other at the last softening, and what each had to give.
        qp_iterations: number of iterations of the solver.
        dynamics_residual_N, cone_violation_N: residual of the base's equations of motion and violation of the
            friction cones in the tick's solution [N].
        p_WC, v_WC: (3,) estimated position and velocity of the centre of mass [m, m/s].
        p_WC_des, v_WC_des: (3,) desired position and velocity of the centre of mass [m, m/s].
        p_WS: (3,) estimated middle of the soles [m].
        zmp_des: (2,) zero-moment point of the contact wrenches in the solution [m].
        w_F: (nc, 6) contact wrenches in the contact frames [N, Nm]; the moment of a sole that rolls over its
            edge is about that edge.
        tau: (na,) torque after the guard [Nm].
        p_RC: (3,) estimated vector from the centre of mass of the robot alone to that with its payload, in
            world axes [m].
        payload_kg: estimated mass of the payload [kg]; NaN for an arm that is not calibrated.
        payload_p_BP_m: (3,) estimated position of the payload in the base [m]; its height is NaN for a
            floating base.
        w_H: (nh, 6) estimated wrench on each hand in its axes, force [N] and moment [Nm]; NaN for a robot
            that is not an arm with one hand, unless the hand has a force-torque sensor.
        felt: (nh,) whether each of these is measured by a force-torque sensor.
        p_WH_des: (nh, 3) reference position of each hand [m].
        hand_active: (nh,) whether each hand has a reference.
        footsteps: (STEPS_SHOWN, 5) coming footsteps: index of the contact, x, y, z of the sole in the world
            [m] and yaw [rad], as planned at lift-off; NaN for none. No rows for a robot that cannot walk.
    """

    def __init__(self, robot: RobotModel) -> None:
        self.command = robot.new_command_row()
        self.state = "idle"
        self.reason = ""
        self.behaviour, self.behaviour_state = "", ""
        self.rung = SOLVED
        self.remark = ""
        self.missed: tuple[str, ...] = ()
        self.qp_iterations = 0
        self.dynamics_residual_N = 0.0
        self.cone_violation_N = 0.0
        self.p_WC, self.v_WC = np.zeros(3), np.zeros(3)
        self.p_WC_des, self.v_WC_des = np.zeros(3), np.zeros(3)
        self.p_WS = np.zeros(3)
        self.zmp_des = np.zeros(2)
        self.w_F = np.zeros((len(robot.contacts), 6))
        self.tau = np.zeros(robot.na)
        self.p_RC = np.zeros(3)
        self.payload_kg = math.nan
        self.payload_p_BP_m = np.full(3, math.nan)
        self.p_WH_des = np.zeros((len(robot.hands), 3))
        self.hand_active = np.zeros(len(robot.hands), dtype=bool)
        self.w_H = np.full((len(robot.hands), 6), math.nan)
        self.felt = np.zeros(len(robot.hands), dtype=bool)
        self.footsteps = np.zeros((0, 5))
