"""A soft hand of an arm: the spring to its reference, and the energy that it may put into motion."""

from __future__ import annotations

import math

import numpy as np

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.problem.declarations import Task
from kilohertz.controller.soft.impedance_law import (
    ACTIVE_W,
    AXES,
    DAMPED_W,
    POSTURE_RATE,
    POSTURE_STIFFNESS,
    SHARE,
    SOFT_DAMPING,
    SOFT_FEED,
    SOFT_RATIO,
    SOFT_STIFFNESS,
    SPRING_J,
    new_soft_hand,
    soften,
)
from kilohertz.controller.tasks.frame_pose import SIZE, V_WF
from kilohertz.controller.upper_body.hand_motion import HandMotion
from kilohertz.controller.upper_body.hands import Hands
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

JOINTS = "soft"
"""Name of the task on the joint accelerations of a soft arm."""
_HAND_WEIGHT, _JOINT_WEIGHT = 10.0, 1.0
_CHANGE_S = 0.3
"""Time in which the stiffness changes to that of a new request [s]."""
_LOW_J = 0.25
"""Energy left below which the active forces are reduced [J]."""


def hand_task(hand: str) -> str:
    """Returns the name of the task of a soft hand."""
    return f"{JOINTS}/{hand}"


def soft_tasks(robot: RobotModel) -> list[Task]:
    """Returns the tasks of a soft arm: the accelerations of the joints, and of each hand.

    Both ask for the same motion. If a joint is at a limit, the task of the hand keeps the other joints from
    leaving the hand's motion.
    """
    if robot.floating or not robot.hands:
        return []
    frames = robot.pin_model.frames
    return [
        # A spring of 1/s^2 without damping, so that a reference of q + vdot asks for vdot.
        Task(JOINTS, "posture", _JOINT_WEIGHT, [1.0, 0.0]),
        *(
            Task(hand_task(hand.name), "frame_pose", _HAND_WEIGHT, [0.0] * 4, frames[hand.frame_id].name)
            for hand in robot.hands
        ),
    ]


class SoftArm:
    """Makes one hand of an arm behave like a spring and a damper around its reference.

    What can put energy into the arm (the moving reference, a stiffer spring, an additional force, the
    posture) is paid from a tank, which the dampers fill up to its size. With an empty tank these stop, and
    only the passive spring and damper are left. So in contact the energy of the arm does not grow by more
    than the tank holds, whatever the arm touches.

    Args:
        robot: an arm on a fixed base, with at least one hand.
        gains: gains of the robot.
        body: the whole-body controller, with `soft_tasks` declared.
        hands: references of the hands, which are released while a hand is soft.

    Attributes:
        active: whether a hand is soft.
        hand: index of that hand.
        motion: reference of that hand in the world.
        tank_J: energy that is left [J].
        law: arrays of the law, see `SoftHand`.

    Source: Ferraguti et al., "A tank-based approach to impedance control with variable stiffness", ICRA 2013.
    """

    def __init__(self, robot: RobotModel, gains: Gains, body: WholeBody, hands: Hands) -> None:
        self._body, self._hands, self._names = body, hands, robot.hand_names
        self.motion = HandMotion(gains.hand.speed_m_s)
        self._frames = hands.frames
        joints = body.reference(JOINTS)
        joints[robot.na :] = 1.0
        # The tasks of all hands get the same reference; only that of the soft hand is switched on.
        self._task = np.zeros(SIZE)
        self._reference = np.zeros(SIZE)
        self.law = new_soft_hand(self._reference, self._task, joints)
        self._soften = bind(
            "soft_hand", [soften], call={"f": "i8"}, structs={"k": body.arrays.kin, "hand": self.law}
        )
        self.active = False
        self.hand = 0
        self.tank_J = self._most_J = 0.0
        self._goal = np.zeros(6)
        self._step = np.zeros(6)

    def start(self, hand: int, energy_J: float) -> None:
        """Makes a hand soft, at its present pose and without stiffness; one that is soft keeps its reference.

        Args:
            hand: index of the hand.
            energy_J: size of the tank, which is full at the start [J].
        """
        kin, law = self._body.arrays.kin, self.law
        self.tank_J = self._most_J = energy_J
        law.law[SOFT_DAMPING:] = 0.0
        if self.active and hand == self.hand:
            return
        self.stop()
        frame = self._frames[hand]
        self.hand, self.active = hand, True
        self.motion.place(kin.R[frame], kin.p[frame])
        law.law[:] = 0.0
        law.q_rest[:] = kin.q
        self._hands.put_down()
        self._body.switch(JOINTS, True)
        self._body.switch(hand_task(self._names[hand]), True)

    def stop(self) -> None:
        """Ends the softness; the caller gives the arm other tasks."""
        if self.active:
            self.active = False
            self._body.switch(JOINTS, False)
            self._body.switch(hand_task(self._names[self.hand]), False)

    @property
    def frame(self) -> int:
        """Index of the soft hand's frame in `Kin`."""
        return self._frames[self.hand]

    def place(self) -> None:
        """Sets the reference to the present pose of the hand, so that the spring is at rest."""
        kin, frame = self._body.arrays.kin, self._frames[self.hand]
        self.motion.place(kin.R[frame], kin.p[frame])

    def set_spring(
        self, stiffness: Vector, ratio: float, axes: int, posture_Nm_rad: float, at_once: bool = False
    ) -> None:
        """Sets the spring; a stiffness changes gradually, for the energy that the tank has left.

        Args:
            stiffness: (6,) stiffness [N/m, Nm/rad] in the axes.
            ratio: damping ratio of every mode.
            axes: WORLD_AXES, HAND_AXES or GIVEN_AXES.
            posture_Nm_rad: stiffness of the joints in the null space of the hand [Nm/rad].
            at_once: whether the stiffness changes at once, for a hand at its reference.
        """
        law, settings = self.law, self.law.settings
        self._goal[:] = stiffness
        law.law[SOFT_RATIO] = ratio
        if axes != settings[AXES]:
            # In other axes the present numbers are another spring: the new one begins without stiffness.
            law.law[SOFT_STIFFNESS:SOFT_RATIO] = 0.0
        settings[AXES] = axes
        np.subtract(self._goal, law.law[SOFT_STIFFNESS:SOFT_RATIO], out=self._step)
        self._step /= _CHANGE_S
        if at_once:
            law.law[SOFT_STIFFNESS:SOFT_RATIO], self._step[:] = stiffness, 0.0
        settings[POSTURE_STIFFNESS] = posture_Nm_rad
        inertia = float(np.trace(self._body.arrays.kin.M)) / len(law.tau)
        settings[POSTURE_RATE] = 2.0 * math.sqrt(max(posture_Nm_rad, 1.0) / inertia)

    def set_axes(self, A: Vector) -> None:
        """Sets the axes of GIVEN_AXES, (3, 3) rotation of the axes in the world."""
        self.law.A[:] = A

    def set_damping(self, least: Vector) -> None:
        """Sets the damping that is added to that of the spring, (6,) [Ns/m, Nms/rad]."""
        self.law.law[SOFT_DAMPING:SOFT_FEED] = least

    def set_wrench(self, wrench: Vector) -> None:
        """Sets the wrench on the environment that is added to that of the spring, (6,) [N, Nm]."""
        self.law.law[SOFT_FEED:] = wrench

    def advance(self, dt_s: float) -> None:
        """Writes the references for this tick; the kinematics must be up to date."""
        if not self.active:
            return
        law, settings = self.law, self.law.settings
        share = settings[SHARE] = min(max(self.tank_J / _LOW_J, 0.0), 1.0)
        self.motion.advance(share * dt_s)
        self._reference[:] = self.motion.row
        self._reference[V_WF:] *= share
        self._change_stiffness(share * dt_s)
        self._soften(self._frames[self.hand])
        self._body.reference(hand_task(self._names[self.hand]))[:] = self._task
        power_W = float(law.energy[DAMPED_W] - law.energy[ACTIVE_W])
        self.tank_J = min(self.tank_J + dt_s * power_W, self._most_J)
        self._hands.p_WH_des[self.hand] = self.motion.p
        self._hands.active[self.hand] = True

    def _change_stiffness(self, dt_s: float) -> None:
        """Moves the stiffness towards its goal, and takes the energy for it from the tank."""
        now, step, x = self.law.law[SOFT_STIFFNESS:SOFT_RATIO], self._step, self.law.x
        if not step.any():
            return
        before = now.copy()
        now += dt_s * step
        there = (self._goal - now) * step <= 0.0
        now[there] = self._goal[there]
        step[there] = 0.0
        self.tank_J -= 0.5 * float(np.dot((now - before) * x, x))

    @property
    def spring_J(self) -> float:
        """Energy of the spring in the last tick [J]."""
        return float(self.law.energy[SPRING_J])
