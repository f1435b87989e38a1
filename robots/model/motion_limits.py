"""Accelerations and jerks that the joints of a robot can produce, where its maker publishes none."""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.rows import Vector

_POSTURES = 32
_LEAST_SHARE = 0.2
"""Smallest share of the torque limit that counts as left for acceleration, besides gravity."""
JERK_PER_ACCELERATION_PER_S = 200.0
"""Jerk limit over acceleration limit: the drive builds its full acceleration up in 5 ms."""


def default_acceleration(model: pin.Model, q_nominal: Vector, torque_Nm: Vector) -> Vector:
    """Returns the acceleration that each joint can produce in any posture besides its gravity load.

    The torque limit less the largest gravity torque, over the largest inertia about the joint's axis, both
    over the nominal posture and 32 random ones.

    Args:
        model: pinocchio model with armature and position limits.
        q_nominal: (nq,) nominal posture.
        torque_Nm: (na,) torque limits.

    Returns:
        (na,) accelerations [rad/s^2], or [m/s^2] for a sliding joint.
    """
    na = len(torque_Nm)
    first = len(q_nominal) - na
    low = np.clip(model.lowerPositionLimit[first:], -math.pi, math.pi)
    high = np.clip(model.upperPositionLimit[first:], -math.pi, math.pi)
    rng = np.random.default_rng(0)  # a fixed seed: the limits are part of the robot
    data, q = model.createData(), q_nominal.copy()
    inertia, gravity = np.zeros(na), np.zeros(na)
    for i in range(_POSTURES + 1):
        if i:
            q[first:] = low + rng.random(na) * (high - low)
        inertia = np.maximum(inertia, np.diag(pin.crba(model, data, q))[-na:])
        gravity = np.maximum(gravity, np.abs(pin.computeGeneralizedGravity(model, data, q)[-na:]))
    left_Nm = np.maximum(torque_Nm - gravity, _LEAST_SHARE * torque_Nm)
    accelerations: Vector = left_Nm / np.maximum(inertia, 1e-6)
    return accelerations
