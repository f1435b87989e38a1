"""Stream of wrenches that the hands exert, which are fed forward in the equations of motion."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.streams.channel import Channel
from kilohertz.controller.streams.follower import is_known
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.upper_body.reach import arm_joints
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import Floats, Ints, Kin
from kilohertz.robots.model.robot_model import RobotModel

_RISE_S = 0.1
"""Time in which a wrench rises to its limit [s]."""


_FREE_BEGIN, _FREE_END = 0.15, 0.4
"""Speeds of a joint, relative to its limit, between which the wrench of its hand fades out."""
_OF_WEIGHT, _ARM_M = 0.03, 0.1
"""Largest force of a hand of a robot on legs over its weight, and largest moment over that force [m]."""


class HandWrench(NamedTuple):
    """Wrench of one hand on its environment, in world axes."""

    given: Floats
    """(6,) streamed force [N] and moment [Nm]."""
    now: Floats
    """(6,) wrench that the controller counts on now."""
    most: Floats
    """(2,) largest force [N] and moment [Nm]."""
    joints: Ints
    joint_speed: Floats
    """(n,) columns of vdot that belong to the arm, and the speed limits of its joints [rad/s]."""


@kernel
def exert(f: int, part: float, dt_s: float, k: Kin, wrench: HandWrench) -> bool:
    """Moves a wrench towards a part of the streamed one, adds it to `h`, and returns whether it is zero.

    The environment answers with the opposite wrench, so that M vdot + h + J^T w = S^T tau + sum J_c^T w_c.

    Args:
        f: index of the frame of the hand.
        part: part of the streamed wrench that is left, in [0, 1].
        dt_s: time since the last tick [s].
        k: kinematics of this tick; h is changed.
        wrench: the wrench.
    """
    fastest = 0.0
    for i in range(len(wrench.joints)):
        fastest = max(fastest, abs(k.v[wrench.joints[i]]) / wrench.joint_speed[i])
    # A hand that meets nothing runs away from its wrench.
    part *= min(max((_FREE_END - fastest) / (_FREE_END - _FREE_BEGIN), 0.0), 1.0)
    zero = True
    for half in range(2):
        most = wrench.most[half]
        size, known = 0.0, True
        for i in range(3):
            known = known and is_known(wrench.given[3 * half + i])
            size += wrench.given[3 * half + i] ** 2
        shrink = part * min(1.0, most / max(np.sqrt(size), 1e-9)) if known and part > 0.0 else 0.0
        step = most * dt_s / _RISE_S
        for i in range(3 * half, 3 * half + 3):
            goal = shrink * wrench.given[i] if shrink > 0.0 else 0.0
            wrench.now[i] += min(max(goal - wrench.now[i], -step), step)
            zero = zero and wrench.now[i] == 0.0
    for c in range(k.n_columns[f]):
        j = k.columns[f, c]
        for half in range(2):
            for r in range(3):
                along = 0.0
                for i in range(3):
                    along += k.R[f, i, r] * wrench.now[3 * half + i]
                k.h[j] += k.J[f, 3 * half + r, j] * along
    return zero


class WrenchStream:
    """The wrench that one hand is streamed to exert; it fades out when the stream falls silent.

    Args:
        robot: the robot.
        gains: gains of the robot, which contain the limits.
        row: row that the samples are written into.
        i: index of the hand.
        frame: index of the hand's frame in `Kin`.
        kin: kinematics of the controller.

    Attributes:
        busy: whether the wrench differs from zero.
    """

    def __init__(self, robot: RobotModel, gains: Gains, row: StreamRow, i: int, frame: int, kin: Kin) -> None:
        self._channel, self._frame = Channel(row.wrench_t_s[i : i + 1]), frame
        most = np.array([gains.stream.wrench_N, gains.stream.wrench_Nm])
        if kin.size[0]:
            # What is pushed may give way: the robot has to stay on its feet then.
            weight_N = float(kin.mass[0]) * GRAVITY_M_S2
            most = np.minimum(most, [_OF_WEIGHT * weight_N, _OF_WEIGHT * weight_N * _ARM_M])
        joints = np.array(arm_joints(robot, robot.hands[i]), dtype=np.int64)
        self._wrench = HandWrench(
            row.wrench[6 * i : 6 * i + 6],
            np.zeros(6),
            most,
            robot.n_base + joints,
            robot.velocity_limit_rad_s[joints],
        )
        self._exert = bind(
            "wrench_stream",
            [exert],
            call={"f": "i8", "part": "f8", "dt_s": "f8"},
            structs={"k": kin, "wrench": self._wrench},
            returns="b1",
        )
        self.busy = False

    def reset(self) -> None:
        """Sets the wrench to zero at once."""
        self._channel.reset()
        self._wrench.now[:] = 0.0
        self.busy = False

    def advance(self, t_s: float, dt_s: float) -> None:
        """Adds the wrench to the equations of motion of this tick, whose kinematics must be up to date."""
        self._channel.advance(t_s)
        if self._channel.fresh or self.busy:
            self.busy = not self._exert(self._frame, self._channel.fraction, dt_s)
