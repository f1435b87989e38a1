"""Torques that hold a robot at rest in a posture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.rows import Vector

_HEADROOM = 3.0
_LEVER = 0.15
"""Lever of the weight at a leg's joint, as a fraction of the height of the base over the ground."""


def holding_torques(model: pin.Model, q: Vector, n_base: int, points: Sequence[tuple[int, Vector]]) -> Vector:
    """Returns the (na,) joint torques that hold a posture, with the smallest forces at its contacts [Nm].

    Args:
        model: pinocchio model of the robot.
        q: (nq,) posture.
        n_base: number of entries of v that belong to the base, which the contacts support.
        points: frame and (3,) position in it [m] of each point that can carry a force.
    """
    data = model.createData()
    gravity = pin.computeGeneralizedGravity(model, data, q)
    if not n_base:
        return np.array(gravity)
    pin.computeJointJacobians(model, data, q)
    pin.updateFramePlacements(model, data)
    rows = []
    for frame, point in points:
        J = pin.getFrameJacobian(model, data, frame, pin.ReferenceFrame.LOCAL_WORLD_ALIGNED)
        arm_W = data.oMf[frame].rotation @ point
        rows.append(J[:3] - pin.skew(arm_W) @ J[3:])
    stacked = np.vstack(rows)
    force = np.linalg.lstsq(stacked[:, :n_base].T, gravity[:n_base], rcond=None)[0]
    torques: Vector = gravity[n_base:] - stacked[:, n_base:].T @ force
    return torques


def guessed_limits(model: pin.Model, q: Vector, holding_Nm: Vector, legs: set[int]) -> Vector:
    """Returns (na,) torque limits for joints whose limit is unknown, from the weight that they move [Nm].

    Args:
        model: pinocchio model of the robot.
        q: (nq,) nominal posture.
        holding_Nm: (na,) torques that hold it.
        legs: pinocchio's indices of the joints of the legs, which carry the whole robot.
    """
    data = model.createData()
    pin.centerOfMass(model, data, q)
    pin.forwardKinematics(model, data, q)
    mass, na = float(data.mass[0]), len(holding_Nm)
    first = model.njoints - na
    height = max(float(data.oMi[first].translation[2]), 0.1)
    limits = np.empty(na)
    for index in range(na):
        joint = first + index
        reach = float(np.linalg.norm(data.com[joint])) + 0.05
        weight = GRAVITY_M_S2 * float(data.mass[joint]) * reach
        if joint in legs:
            weight = max(weight, GRAVITY_M_S2 * mass * _LEVER * height)
        limits[index] = _HEADROOM * max(weight, abs(float(holding_Nm[index])), 0.1)
    return limits
