"""Observer of the disturbance on the robot (a push or an unknown payload), from centroidal momentum.

The centroidal momentum h = (m v_WC, L_C) obeys hdot = m g + contact wrenches + disturbance. The observer
integrates the known terms and the estimated disturbance d:

    hhat_dot = known + d,   d = K (h - hhat)

Therefore d follows the true disturbance with the time constant 1 / K (De Luca, Albu-Schaeffer, Haddadin,
Hirzinger, "Collision detection and safe reaction with the DLR-III lightweight manipulator arm", IROS 2006,
eq. 12, applied here to the momentum of the whole robot).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2

Vector = NDArray[np.float64]

_JUMP, _JUMP_SETTLE_S = 0.05, 0.05
"""A payload that is off by more than this part of the robot's mass is averaged anew, from this long."""
_LEAST = 0.02
"""A payload lighter than this part of the robot's mass is not told from friction."""

OBSERVER = 7
"""What the observer remembers: its momentum and angular momentum, and whether it has any."""
SCALES = 3
"""What the scales remember: average force [N], its age [s], tare [kg]."""


@kernel
def observe_disturbance(
    momentum: Vector,
    L_C: Vector,
    force_W: Vector,
    moment_C: Vector,
    weight_N: float,
    rate_per_s: float,
    dt_s: float,
    memory: Vector,
    disturbance: Vector,
) -> None:
    """One tick of the observer: the external wrench on the robot, less that of its contacts.

    Args:
        momentum: (3,) of the robot [kg m/s].
        L_C: (3,) its angular momentum about its centre of mass, world axes [kg m^2/s].
        force_W: (3,) sum of the contact forces over the last period [N].
        moment_C: (3,) their moment about the centre of mass [Nm].
        weight_N: of the model.
        rate_per_s: K.
        dt_s: period [s].
        memory: (OBSERVER,) zeros at first.
        disturbance: (6,) force [N] and moment about the centre of mass [Nm], world axes; zeros at first.
    """
    if memory[6] == 0.0:
        memory[6] = 1.0
        for i in range(3):
            memory[i], memory[3 + i] = momentum[i], L_C[i]
    for i in range(3):
        known = force_W[i] - (weight_N if i == 2 else 0.0)
        memory[i] += dt_s * (known + disturbance[i])
        memory[3 + i] += dt_s * (moment_C[i] + disturbance[3 + i])
        disturbance[i] = rate_per_s * (momentum[i] - memory[i])
        disturbance[3 + i] = rate_per_s * (L_C[i] - memory[3 + i])


@kernel
def weigh_steady(
    force_N: float,
    moment_x_Nm: float,
    moment_y_Nm: float,
    dt_s: float,
    empty: bool,
    robot_kg: float,
    settle_s: float,
    tare_s: float,
    scales: Vector,
    raw: Vector,
) -> float:
    """Reads a steady downward disturbance as a mass at a place.

    A model is off by a percent or so of the robot's weight. As long as nothing is carried that shows, and is
    tared: a payload that comes later is weighed without it. The place's height does not show in a robot that
    stays upright.

    Args:
        force_N: upwards.
        moment_x_Nm: about the point O.
        moment_y_Nm: about the point O.
        dt_s: period [s].
        empty: whether nothing else is known to be carried; only then the scales are tared.
        robot_kg: mass of the model.
        settle_s: time constant of the average.
        tare_s: time constant of the tare; infinite for none.
        scales: (SCALES,) zeros at first.
        raw: (3,) average of what pulls down, less the tare, which may be negative [kg], and its first
            moments ahead and to the left, from O [kg m]; zeros at first.

    Returns:
        Estimated payload, 0 while there is none [kg].
    """
    if abs(force_N - scales[0]) > _JUMP * robot_kg * GRAVITY_M_S2:
        # Something was put on or taken off: what was before is no longer worth averaging.
        scales[1] = min(scales[1], _JUMP_SETTLE_S)
    scales[1] = min(scales[1] + dt_s, settle_s)
    share = min(1.0, dt_s / scales[1])
    scales[0] += share * (force_N - scales[0])
    # r x (0, 0, -w) = (-r_y w, r_x w, 0)
    raw[1] += share * (moment_y_Nm / GRAVITY_M_S2 - raw[1])
    raw[2] += share * (-moment_x_Nm / GRAVITY_M_S2 - raw[2])
    raw[0] = -scales[0] / GRAVITY_M_S2 - scales[2]
    if empty and abs(raw[0]) < _LEAST * robot_kg:
        scales[2] += min(1.0, dt_s / tare_s) * raw[0]
    return raw[0] if raw[0] >= _LEAST * robot_kg else 0.0
