"""Mock of Franka's Python library pylibfranka: the same names, and the rules of the arm.

Rules, from libfranka's documentation: only one control at a time, started on an idle arm; each state requires
one command, and 20 missing commands in a row end the control; a torque may change by at most 1000 Nm/s and
must be within its limit; a control that is not finished properly is an error; the arm compensates gravity.
"""

from __future__ import annotations

import enum

import numpy as np
from stand_in_arm import StandInArm, arms

PERIOD_S = 1e-3
LARGEST_STEP_NM = 1000.0 * PERIOD_S + 1e-9
MOST_MISSING = 20


class NetworkException(RuntimeError): ...


class ControlException(RuntimeError): ...


class InvalidOperationException(RuntimeError): ...


class RealtimeConfig(enum.Enum):
    kEnforce = 0
    kIgnore = 1


class RobotMode(enum.Enum):
    Other = 0
    Idle = 1
    Move = 2
    Guiding = 3
    Reflex = 4
    UserStopped = 5


class Duration:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def to_sec(self) -> float:
        return self._seconds


class Torques:
    def __init__(self, tau_J: list[float]) -> None:
        if len(tau_J) != 7:
            raise TypeError("seven torques")
        self.tau_J = list(tau_J)
        self.motion_finished = False


class RobotState:
    def __init__(self, robot: Robot) -> None:
        arm = robot.arm
        self.q, self.dq = arm.q.tolist(), arm.v.tolist()
        self.tau_J = (robot.tau + arm.gravity()).tolist()
        self.time = Duration(round(arm.t_s / PERIOD_S) * PERIOD_S)
        self.robot_mode = robot.mode


class ActiveControlBase:
    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self._unanswered = 0

    def readOnce(self) -> tuple[RobotState, Duration]:
        return self._robot.control_read(self)

    def writeOnce(self, command: Torques) -> None:
        self._robot.control_write(self, command)


class Robot:
    def __init__(self, address: str, realtime: RealtimeConfig = RealtimeConfig.kEnforce) -> None:
        if address == "nobody":
            raise NetworkException("connection refused")
        self.arm = StandInArm("panda")
        arms.append(self.arm)
        self.mode = RobotMode.Idle
        self.tau = np.zeros(7)
        self.network = True
        self._control: ActiveControlBase | None = None
        self._unanswered = 0
        self.arm.vendor = self  # type: ignore[attr-defined]

    def _reflex(self, reason: str) -> None:
        self.arm.violations.append(reason)
        self.stop_itself(reason)

    def stop_itself(self, reason: str) -> None:
        """What a collision does: the arm brakes and wants to be recovered."""
        self.mode, self._control = RobotMode.Reflex, None
        self.tau[:] = 0.0
        raise ControlException(reason)

    def _arrive(self) -> None:
        if not self.network:
            raise NetworkException("timeout")

    def read_once(self) -> RobotState:
        self._arrive()
        if self._control is not None:
            self.arm.violations.append("read_once while a control runs")
            raise InvalidOperationException("a control runs")
        self.arm.hold(PERIOD_S)
        return RobotState(self)

    def start_torque_control(self) -> ActiveControlBase:
        self._arrive()
        if self._control is not None or self.mode is not RobotMode.Idle:
            self.arm.violations.append("control started on an arm that is not idle")
            raise InvalidOperationException("not idle")
        self.mode = RobotMode.Move
        self._control = ActiveControlBase(self)
        self._unanswered = 0
        return self._control

    def control_read(self, control: ActiveControlBase) -> tuple[RobotState, Duration]:
        self._arrive()
        if control is not self._control:
            raise ControlException("the control has ended")
        if self._unanswered >= MOST_MISSING:
            self._reflex("communication_constraints_violation")
        self.arm.move(self.tau, PERIOD_S)
        self._unanswered += 1
        return RobotState(self), Duration(PERIOD_S)

    def control_write(self, control: ActiveControlBase, command: Torques) -> None:
        if control is not self._control:
            self.arm.violations.append("answered after the control has ended")
            raise ControlException("the control has ended")
        if self._unanswered != 1:
            self.arm.violations.append(f"one answer to {self._unanswered} states")
        self._unanswered = 0
        tau = np.array(command.tau_J)
        if not np.isfinite(tau).all():
            self._reflex("not finite")
        if np.abs(tau - self.tau).max() > LARGEST_STEP_NM:
            self._reflex("controller_torque_discontinuity")
        if (np.abs(tau + self.arm.gravity()) > self.arm.limit_Nm + 1e-9).any():
            self._reflex("torque limit")
        self.tau = tau
        if command.motion_finished:
            if np.abs(self.arm.v).max() > 0.1:
                self.arm.violations.append("ended in motion")
            self.mode, self._control = RobotMode.Idle, None
            self.tau = np.zeros(7)
