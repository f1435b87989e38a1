"""Friction of the joints of an arm, dry and viscous, learnt from its disturbance observer.

Where a joint reverses, its dry friction F jumps by 2 F within a tick, faster than any observer follows. A
friction that is known is fed forward instead. It is learnt by least squares from the observed disturbance d:

    d = -F tanh(v / w) - B v + everything else

Everything else (errors of the model, a payload) varies with the position, and so more slowly than the jumps:
all signals pass the same high-pass, so that only the jumps and the fast changes count. Old data are forgotten
at the pace at which new data come in, so that an arm at rest forgets nothing.

Source: least squares with a forgetting that follows the information, as in Kulhavy, "Restricted exponential
forgetting in real-time identification", Automatica 23(5), 1987, here per joint.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats
from kilohertz.robots.model.robot_model import RobotModel

_FOLLOW_PER_S = 20.0
"""Rate at which the predicted velocities follow the estimated ones [1/s]."""
_WIDTH_RAD_S = 0.01
"""Velocity w at which the dry friction has nearly its full value [rad/s]."""
_SLOW_S = 0.15
"""Time constant of the high-pass [s]."""
_MEMORY_S = 3.0
"""Information after which old data are forgotten: the integral of the squared regressor of F [s]."""
_PRIOR_S, _PRIOR_RAD2_S = 0.02, 2e-4
"""Information of the prior, that there is no friction, for F [s] and for B [rad^2/s]."""
_SURPRISE = 0.03
"""Deviation from the learnt friction that counts most, as a fraction of the torque limit: more is contact, or
a payload that is picked up, and counts the less the larger it is."""
_SETTLE_S = 0.3
"""Time after a start in which nothing is learnt, because the observer has not converged [s]."""
_MOST_DRY, _MOST_VISCOUS_S = 0.1, 0.1
"""Largest friction, as a fraction of the torque limit, and of the torque limit per rad/s."""

DRY, VISCOUS, TOTAL = range(3)
"""Columns of `ArmFriction.lagged` and `ArmFriction.slow`: regressor of F, regressor of B, and disturbance."""


class ArmFriction(NamedTuple):
    """Learnt friction of n joints."""

    settings: Floats
    """(2,) rate at which `v` follows the estimated velocity [1/s], and velocity w [rad/s]."""
    limit_Nm: Floats
    """(n,) torque limits [Nm]."""
    v: Floats
    """(n,) joint velocities with little noise, which decide the sign of the friction [rad/s]."""
    torque: Floats
    """(n,) friction at these velocities [Nm]."""
    dry: Floats
    """(n,) dry friction F [Nm]."""
    viscous: Floats
    """(n,) viscous friction B [Nms/rad]."""
    lagged: Floats
    """(n, 3) regressors with the lag of the observer, and learnt friction with this lag."""
    slow: Floats
    """(n, 3) low-passed regressors and disturbance."""
    age_s: Floats
    """(1,) time since the observer has started [s]."""
    known: Floats
    """(1,) 1 once a calibration has found the friction, which is then no longer learnt."""
    normal: Floats
    """(n, 5) normal equations: (F, F), (F, B), (B, B), and right-hand sides of F and B."""


def new_friction(robot: RobotModel) -> ArmFriction:
    """Returns the friction of a robot about which nothing is known yet."""
    n = robot.na
    return ArmFriction(
        settings=np.array([_FOLLOW_PER_S, _WIDTH_RAD_S]),
        limit_Nm=robot.torque_limit_Nm.copy(),
        v=np.zeros(n),
        torque=np.zeros(n),
        dry=np.zeros(n),
        viscous=np.zeros(n),
        lagged=np.zeros((n, 3)),
        slow=np.zeros((n, 3)),
        age_s=np.zeros(1),
        known=np.zeros(1),
        normal=np.zeros((n, 5)),
    )


@kernel
def learn_joint(dt_s: float, j: int, dry: float, viscous: float, y: float, friction: ArmFriction) -> None:
    """Updates the normal equations of joint j with one row, and solves them.

    Args:
        dt_s: time since the last tick [s].
        j: index of the joint.
        dry: regressor of F.
        viscous: regressor of B [rad/s].
        y: disturbance that they explain [Nm].
        friction: written.
    """
    normal, limit_Nm = friction.normal[j], friction.limit_Nm[j]
    keep = 1.0 - dt_s * dry * dry / _MEMORY_S
    normal[0] = keep * normal[0] + dt_s * dry * dry
    normal[1] = keep * normal[1] + dt_s * dry * viscous
    normal[2] = keep * normal[2] + dt_s * viscous * viscous
    normal[3] = keep * normal[3] + dt_s * dry * y
    normal[4] = keep * normal[4] + dt_s * viscous * y
    a, b, c = normal[0] + _PRIOR_S, normal[1], normal[2] + _PRIOR_RAD2_S
    determinant = a * c - b * b
    dry_Nm = (c * normal[3] - b * normal[4]) / determinant
    viscous_Nms = (a * normal[4] - b * normal[3]) / determinant
    friction.dry[j] = min(max(dry_Nm, 0.0), _MOST_DRY * limit_Nm)
    friction.viscous[j] = min(max(viscous_Nms, 0.0), _MOST_VISCOUS_S * limit_Nm)


@kernel
def learn_friction(dt_s: float, rate_per_s: float, unknown: Floats, friction: ArmFriction) -> None:
    """Updates the learnt friction with one tick, and writes the friction at the present velocities.

    Args:
        dt_s: time since the last tick [s].
        rate_per_s: gain of the disturbance observer, whose lag the regressors get too [1/s].
        unknown: (n,) observed disturbance without the learnt friction [Nm].
        friction: written.
    """
    lag = rate_per_s * dt_s / (1.0 + rate_per_s * dt_s)
    friction.age_s[0] += dt_s
    settled = friction.age_s[0] > _SETTLE_S
    smooth = dt_s / (_SLOW_S + dt_s) if settled else 1.0
    for j in range(len(unknown)):
        x, slow = friction.lagged[j], friction.slow[j]
        along = np.tanh(friction.v[j] / friction.settings[1])
        x[DRY] += lag * (-along - x[DRY])
        x[VISCOUS] += lag * (-friction.v[j] - x[VISCOUS])
        x[TOTAL] += lag * (-friction.torque[j] - x[TOTAL])
        total = unknown[j] + x[TOTAL]
        slow[DRY] += smooth * (x[DRY] - slow[DRY])
        slow[VISCOUS] += smooth * (x[VISCOUS] - slow[VISCOUS])
        slow[TOTAL] += smooth * (total - slow[TOTAL])
        dry, viscous = x[DRY] - slow[DRY], x[VISCOUS] - slow[VISCOUS]
        expected = friction.dry[j] * dry + friction.viscous[j] * viscous
        most = _SURPRISE * friction.limit_Nm[j]
        off = total - slow[TOTAL] - expected
        if abs(off) > most:
            off = most * most / off
        y = expected + off
        if friction.known[0] == 0.0:
            learn_joint(dt_s, j, dry, viscous, y, friction)
        friction.torque[j] = friction.dry[j] * along + friction.viscous[j] * friction.v[j]


@kernel
def know_friction(friction: ArmFriction, j: int, dry_Nm: float, viscous_Nms: float) -> None:
    """Makes this friction that of joint j, which is no longer learnt.

    Args:
        friction: written.
        j: index of the joint.
        dry_Nm: dry friction [Nm].
        viscous_Nms: viscous friction [Nms/rad].
    """
    limit_Nm = friction.limit_Nm[j]
    friction.dry[j] = min(max(dry_Nm, 0.0), _MOST_DRY * limit_Nm)
    friction.viscous[j] = min(max(viscous_Nms, 0.0), _MOST_VISCOUS_S * limit_Nm)
    friction.known[0] = 1.0
