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

from kilohertz.robots.compile.kernels import struct_kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2

Vector = NDArray[np.float64]

_JUMP, _JUMP_SETTLE_S = 0.05, 0.05
"""A payload that is off by more than this part of the robot's mass is averaged anew, from this long."""
_LEAST = 0.02
"""A payload lighter than this part of the robot's mass is not told from friction."""

MOMENTUM, ANGULAR_MOMENTUM, STARTED, OBSERVER = 0, 3, 6, 7
"""What the observer remembers: its momentum and angular momentum, and 1 if it has any; their number."""
FORCE, MOMENT = 0, 3
"""Where force and moment start in a disturbance."""
AVERAGE, AGE, TARE, SCALES = 0, 1, 2, 3
"""What the scales remember: average force [N], its age [s], tare [kg]; their number."""
MASS, MOMENT_X, MOMENT_Y = 0, 1, 2
"""What the scales read: mass [kg], first moments ahead and to the left [kg m]."""


@struct_kernel
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
    if memory[STARTED] == 0.0:
        memory[STARTED] = 1.0
        for i in range(3):
            memory[MOMENTUM + i], memory[ANGULAR_MOMENTUM + i] = momentum[i], L_C[i]
    for i in range(3):
        known = force_W[i] - (weight_N if i == 2 else 0.0)
        memory[MOMENTUM + i] += dt_s * (known + disturbance[FORCE + i])
        memory[ANGULAR_MOMENTUM + i] += dt_s * (moment_C[i] + disturbance[MOMENT + i])
        disturbance[FORCE + i] = rate_per_s * (momentum[i] - memory[MOMENTUM + i])
        disturbance[MOMENT + i] = rate_per_s * (L_C[i] - memory[ANGULAR_MOMENTUM + i])


@struct_kernel
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
    if abs(force_N - scales[AVERAGE]) > _JUMP * robot_kg * GRAVITY_M_S2:
        # Something was put on or taken off: what was before is no longer worth averaging.
        scales[AGE] = min(scales[AGE], _JUMP_SETTLE_S)
    scales[AGE] = min(scales[AGE] + dt_s, settle_s)
    share = min(1.0, dt_s / scales[AGE])
    scales[AVERAGE] += share * (force_N - scales[AVERAGE])
    # r x (0, 0, -w) = (-r_y w, r_x w, 0)
    raw[MOMENT_X] += share * (moment_y_Nm / GRAVITY_M_S2 - raw[MOMENT_X])
    raw[MOMENT_Y] += share * (-moment_x_Nm / GRAVITY_M_S2 - raw[MOMENT_Y])
    raw[MASS] = -scales[AVERAGE] / GRAVITY_M_S2 - scales[TARE]
    if empty and abs(raw[MASS]) < _LEAST * robot_kg:
        scales[TARE] += min(1.0, dt_s / tare_s) * raw[MASS]
    return raw[MASS] if raw[MASS] >= _LEAST * robot_kg else 0.0
