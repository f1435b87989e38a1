"""Carried loads in the controller's model of the robot, as point masses at the hands and on the trunk.

The loads are part of the model's inertias, so gravity torques, centre of mass, momentum and accelerations
include them. The estimate of a load may jump; the model follows it at a limited rate, so that no torque
jumps.
"""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin

from kilohertz.controller.whole_body.problem_tables import ProblemTables
from kilohertz.robots.model.kin import Floats
from kilohertz.robots.model.robot_model import RobotModel

_RATE_PER_S = 2.5
"""Largest rate at which a load in the model changes, as a fraction of the robot's mass per second."""
_REACH = 0.6
"""Limit on each coordinate of a load in its carrier's frame, as a fraction of the robot's height over its
soles."""


class Carried:
    """Adds carried loads to the inertias of the controller's model.

    A carrier is a hand or the trunk.

    Args:
        robot: the robot.
        model: the controller's own copy of the robot's model; its inertias are overwritten.
        tables: tables of the robot's problem, which contain the frames of hands and trunk.

    Attributes:
        frames: index of each carrier's frame in `Kin`: every hand that has an arm, then the trunk; empty for
            a robot without a floating base.
        mass_kg: (n,) load of each carrier in the model now.
        p_F: (n, 3) position of each load in its carrier's frame [m].
        total_kg: mass of the robot with its loads.
        own_centre_F: (n, 3) centre of mass, without loads, of the body that each carrier's joint moves, in
            the carrier's frame [m].
        p_RC: (3,) vector from the centre of mass of the robot alone to that of the robot with its loads,
            world axes [m]; set by the load estimator from the kinematics of this tick.
    """

    def __init__(self, robot: RobotModel, model: pin.Model, tables: ProblemTables) -> None:
        self.frames = frame = _carriers(robot, model, tables)
        joint = [tables.parents[f] for f in frame]
        placement = [tables.placements[f] for f in frame]
        n = len(frame)
        self.mass_kg = np.zeros(n)
        self.p_RC = np.zeros(3)
        self.total_kg = robot.mass_kg
        self._kin, self._robot_kg = tables.arrays.kin, robot.mass_kg
        self._joint = joint
        self._axes = [M.rotation.tolist() for M in placement]
        self._origin = [M.translation.tolist() for M in placement]
        self._inertia = {j: model.inertias[j] for j in joint}
        self._own = {j: model.inertias[j].copy() for j in joint}
        self.own_centre_F = np.array(
            [M.actInv(self._own[j].lever) for j, M in zip(joint, placement, strict=True)]
        ).reshape(n, 3)
        self.p_F = np.zeros((n, 3))
        self._goal_kg, self._goal_place = np.zeros(n), np.zeros((n, 3))
        self._rate_kg_s = _RATE_PER_S * robot.mass_kg
        self._reach_m = _REACH * float(robot.q_nominal[2]) if robot.floating else math.inf
        self._settled = [True] * n
        self._turn = np.zeros((3, 3))

    def reset(self) -> None:
        """Removes all loads from the model at once, without the rate limit."""
        self._goal_kg[:] = 0.0
        self.mass_kg[:] = 0.0
        self.p_RC[:] = 0.0
        for joint in self._joint:
            self._write(joint)

    def aim(self, carrier: int, mass_kg: float, p_F: Floats) -> None:
        """Sets the estimated load of a carrier, which `follow` then brings into the model.

        Args:
            carrier: index of the carrier in `frames`.
            mass_kg: estimated load, 0 for none.
            p_F: (3,) position of the load in the carrier's frame [m].
        """
        self._goal_kg[carrier] = mass_kg
        if mass_kg > 0.0:
            np.clip(p_F, -self._reach_m, self._reach_m, out=self._goal_place[carrier])
        self._settled[carrier] = False

    def follow(self, carrier: int, dt_s: float) -> None:
        """Moves the modelled load of one carrier towards its estimate, for a time step of dt_s.

        The new position is the mean of the modelled and the estimated position, weighted by their shares of
        the new mass.
        """
        if self._settled[carrier]:
            return
        now, goal = float(self.mass_kg[carrier]), float(self._goal_kg[carrier])
        self._settled[carrier] = True
        if now == goal == 0.0:
            return
        place, aim = self.p_F[carrier], self._goal_place[carrier]
        if now == 0.0:
            place[:] = aim
        (x, y, z), (ax, ay, az) = place.tolist(), aim.tolist()
        ax, ay, az = ax - x, ay - y, az - z
        way_kg = abs(goal - now) + max(goal, now) * max(abs(ax), abs(ay), abs(az)) / self._reach_m
        part = min(self._rate_kg_s * dt_s / max(way_kg, 1e-9), 1.0)
        mass = now + part * (goal - now)
        mix = part * goal / max(mass, 1e-9)
        place[0], place[1], place[2] = x + mix * ax, y + mix * ay, z + mix * az
        self.mass_kg[carrier] = mass
        self._settled[carrier] = part == 1.0
        self._write(self._joint[carrier])

    def _write(self, joint: int) -> None:
        """Writes the inertia of the body that a joint moves, with its loads, and the total mass."""
        # About their common centre of mass, two points rotate like one point of their reduced mass m1 m2 /
        # (m1 + m2).
        own, inertia, turn = self._own[joint], self._inertia[joint], self._turn
        mass, (cx, cy, cz) = own.mass, own.lever.tolist()
        turn[:] = own.inertia
        for i, other in enumerate(self._joint):
            load = float(self.mass_kg[i])
            if other != joint or load == 0.0:
                continue
            a, b, c = self.p_F[i].tolist()
            R, (x, y, z) = self._axes[i], self._origin[i]
            x += R[0][0] * a + R[0][1] * b + R[0][2] * c - cx
            y += R[1][0] * a + R[1][1] * b + R[1][2] * c - cy
            z += R[2][0] * a + R[2][1] * b + R[2][2] * c - cz
            reduced = mass * load / (mass + load)
            turn[0, 0] += reduced * (y * y + z * z)
            turn[1, 1] += reduced * (x * x + z * z)
            turn[2, 2] += reduced * (x * x + y * y)
            turn[0, 1] -= reduced * x * y
            turn[0, 2] -= reduced * x * z
            turn[1, 2] -= reduced * y * z
            mass += load
            cx, cy, cz = cx + load / mass * x, cy + load / mass * y, cz + load / mass * z
        turn[1, 0], turn[2, 0], turn[2, 1] = turn[0, 1], turn[0, 2], turn[1, 2]
        inertia.mass, inertia.inertia = mass, turn
        lever = inertia.lever  # a view of the model's own memory
        lever[0], lever[1], lever[2] = cx, cy, cz
        self.total_kg = self._robot_kg + float(self.mass_kg.sum())
        self._kin.mass[0] = self.total_kg


def _carriers(robot: RobotModel, model: pin.Model, tables: ProblemTables) -> list[int]:
    trunk = (robot.trunk_frame or robot.base_link) if robot.floating else ""
    if trunk not in tables.frame_index:
        return []
    last = tables.frame_index[trunk]
    hands = [model.frames[hand.frame_id].name for hand in robot.hands]
    frames = [tables.frame_index[name] for name in hands if name in tables.frame_index]
    return [f for f in frames if tables.parents[f] not in model.supports[tables.parents[last]]] + [last]
