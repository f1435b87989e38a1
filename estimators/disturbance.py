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
"""If the payload changes by more than this fraction of the robot's mass, the average restarts with this time
constant [s]."""

MOMENTUM, ANGULAR_MOMENTUM, STARTED, OBSERVER = 0, 3, 6, 7
"""Start index of each part of the observer's memory: momentum, angular momentum, and a flag that is 1 once it
has started; OBSERVER is the length of the memory."""
FORCE, MOMENT = 0, 3
"""Start index of force and moment in a disturbance."""
AVERAGE, AGE, TARE, SCALES = 0, 1, 2, 3
"""Index of each entry in the memory of `weigh_steady`: average force [N], time over which it was averaged
[s], tare [kg]; SCALES is the length of the memory."""
MASS, MOMENT_X, MOMENT_Y = 0, 1, 2
"""Index of each result of `weigh_steady`: mass [kg], first moments ahead and to the left [kg m]."""


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
    """Runs one tick of the observer, which estimates the external wrench without that of the contacts.

    Args:
        momentum: (3,) linear momentum of the robot, world axes [kg m/s].
        L_C: (3,) angular momentum of the robot about its centre of mass, world axes [kg m^2/s].
        force_W: (3,) sum of the contact forces over the last period, world axes [N].
        moment_C: (3,) moment of the contact wrenches about the centre of mass, world axes [Nm].
        weight_N: weight of the robot according to the model [N].
        rate_per_s: observer gain K [1/s].
        dt_s: period [s].
        memory: (OBSERVER,) memory of the observer, written; initialise with zeros.
        disturbance: (6,) estimated force [N] and moment about the centre of mass [Nm], world axes; written,
            initialise with zeros.
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
    least_kg: float,
    settle_s: float,
    tare_s: float,
    scales: Vector,
    raw: Vector,
) -> float:
    """Converts a steady downward disturbance to a mass and its horizontal position.

    The mass of the model has an error of about one percent. While nothing is carried, this error is measured
    and stored as the tare, which is subtracted from a later payload. The height of the payload cannot be
    observed while the robot stays upright.

    Args:
        force_N: vertical force of the disturbance, positive upwards [N].
        moment_x_Nm: moment of the disturbance about the x axis through the point O [Nm].
        moment_y_Nm: moment of the disturbance about the y axis through the point O [Nm].
        dt_s: period [s].
        empty: whether no other payload is known; the tare is updated only then.
        robot_kg: mass of the robot according to the model [kg].
        least_kg: smallest mass that counts as a payload [kg].
        settle_s: time constant of the average [s].
        tare_s: time constant of the tare [s]; infinity for no tare.
        scales: (SCALES,) memory of the average and the tare, written; initialise with zeros.
        raw: (3,) average mass minus the tare, which may be negative [kg], and its first moments ahead and to
            the left, relative to O [kg m]; written, initialise with zeros.

    Returns:
        Estimated payload [kg]; 0 while there is none.
    """
    if abs(force_N - scales[AVERAGE]) > _JUMP * robot_kg * GRAVITY_M_S2:
        # A payload was added or removed, so the samples before it no longer belong in the average.
        scales[AGE] = min(scales[AGE], _JUMP_SETTLE_S)
    scales[AGE] = min(scales[AGE] + dt_s, settle_s)
    share = min(1.0, dt_s / scales[AGE])
    scales[AVERAGE] += share * (force_N - scales[AVERAGE])
    # r x (0, 0, -w) = (-r_y w, r_x w, 0)
    raw[MOMENT_X] += share * (moment_y_Nm / GRAVITY_M_S2 - raw[MOMENT_X])
    raw[MOMENT_Y] += share * (-moment_x_Nm / GRAVITY_M_S2 - raw[MOMENT_Y])
    raw[MASS] = -scales[AVERAGE] / GRAVITY_M_S2 - scales[TARE]
    if empty and abs(raw[MASS]) < least_kg:
        scales[TARE] += min(1.0, dt_s / tare_s) * raw[MASS]
    return raw[MASS] if raw[MASS] >= least_kg else 0.0
