"""Guidance of a soft hand by a person: no stiffness of its own, virtual walls, and a limit of its speed."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.soft.impedance_law import WORLD_AXES
from kilohertz.controller.soft.soft_arm import SoftArm
from kilohertz.robots.model.kin import Kin
from kilohertz.robots.model.rows import Vector

PLANE_SIZE = 4
"""Numbers of a wall: unit normal (3), and its distance from the origin along the normal [m]."""
_WALL_N_M, _WALL_NS_M = 3000.0, 150.0
"""Stiffness and damping of a wall."""
_BRAKE_NS_M = 300.0
"""Force over the speed that exceeds the limit [Ns/m]."""
_TURNING_NMS = 0.5
"""Damping of the rotation, which has no stiffness if the hand may turn [Nms/rad]."""
_POSTURE_NM_RAD = 2.0


class Guidance:
    """Leads the law of a soft hand while a person leads the hand.

    Args:
        soft: the soft arm, which has been started.
        kin: kinematics of the tick.
        walls: (n, PLANE_SIZE) walls.
    """

    def __init__(self, soft: SoftArm, kin: Kin, walls: Vector) -> None:
        self._soft, self._kin, self._walls = soft, kin, walls.copy()
        self._damping, self._wrench = np.zeros(6), np.zeros(6)
        self._speed_m_s, self._drag = 1.0, 0.0
        self._turns = False

    def start(self, speed_m_s: float, turning_Nm_rad: float, drag_Ns_m: float) -> None:
        """Takes the stiffness out of the hand, except that of its orientation.

        Args:
            speed_m_s: speed above which the hand is braked [m/s].
            turning_Nm_rad: stiffness of the orientation [Nm/rad].
            drag_Ns_m: force over speed below that speed [Ns/m].
        """
        self._speed_m_s, self._drag, self._turns = speed_m_s, drag_Ns_m, turning_Nm_rad == 0.0
        stiffness = np.array([0.0, 0.0, 0.0, *[turning_Nm_rad] * 3])
        self._soft.set_spring(stiffness, 1.0, WORLD_AXES, _POSTURE_NM_RAD)
        self._soft.place()
        self._soft.motion.at_rest = True

    def advance(self) -> None:
        """Sets damping and walls for this tick."""
        soft, kin, frame = self._soft, self._kin, self._soft.frame
        R, p = kin.R[frame], kin.p[frame]
        velocity = R @ kin.vel[frame, :3]
        speed = float(np.linalg.norm(velocity))
        over = max(speed - self._speed_m_s, 0.0)
        self._damping[:3] = self._drag + (_BRAKE_NS_M * over / speed if over > 0.0 else 0.0)
        self._damping[3:] = _TURNING_NMS if self._turns else 0.0
        self._wrench[:3] = 0.0
        for wall in self._walls:
            depth = float(wall[3] - wall[:3] @ p)
            if depth > 0.0:
                # A wall pushes and never pulls: it holds no hand that leaves it.
                push = _WALL_N_M * depth - _WALL_NS_M * float(wall[:3] @ velocity)
                self._wrench[:3] += max(push, 0.0) * wall[:3]
        soft.set_damping(self._damping)
        soft.set_wrench(self._wrench)
        soft.motion.p[:] = p
        if self._turns:
            soft.motion.R[:] = R
