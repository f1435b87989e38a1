"""Wrench on the hand of an arm, from a force-torque sensor between the arm and the tool.

The sensor also measures the weight of what it carries, and the forces that accelerate it. These are taken off
without an accelerometer, and without differentiating velocities, by a momentum observer of the carried body:
its momentum P and its angular momentum L about the origin H of the hand, in the axes of the hand, obey

    Pdot = f + m g - y - w x P,   Ldot = t + c x m g - z - w x L - v x P

with the force f and moment t on the hand, the measured force y and moment z about H, the velocities v and w
of the hand, and the mass m and centre c of the body. As in `kilohertz.estimators.arm_disturbance`, the
estimate of (f, t) follows with the rate K.

The offset of the sensor is the mean of what it measures beyond the weight in the first 0.25 s, in which the
hand must be free.

Source: momentum observer as in De Luca, Albu-Schaeffer, Haddadin, Hirzinger, "Collision detection and safe
reaction with the DLR-III lightweight manipulator arm", IROS 2006, applied to the body behind the sensor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.hand_model import WRENCH, WristModel
from kilohertz.robots.model.kin import FX, MX, Floats, Ints, Kin, X, Y, Z
from kilohertz.robots.model.rows import Vector

STATE, SAMPLES, OBSERVED = range(3)
"""Entries of `Wrist.flags`: TARING to FROZEN, number of samples in the offset, 1 if there is an observer."""
TARING, LIVE, SILENT, FROZEN = range(4)
"""The offset is being measured; the sensor is used; no values come; the values no longer change."""
MISSING_S, SAME_S, TARED_S = range(3)
"""Entries of `Wrist.times`: time without values, with values that do not change, and of taring [s]."""
FOLLOW_PER_S = 100.0
"""Rate K at which the estimated wrench follows the measured one [1/s]."""
_TARE_S = 0.25
"""Time in which the offset is measured [s]."""
_MOST_MISSING_S, _MOST_SAME_S = 0.02, 0.2
"""Times after which a sensor without values, or with values that do not change, is no longer used [s]."""
_COMPARE_S = 0.5
"""Time constant of the mean difference between the observer and the sensor [s]."""
_LARGEST = 1e5
"""Larger values are no forces [N, Nm]."""


class Wrist(NamedTuple):
    """State of the estimate of one sensor S on a hand H."""

    frame: Ints
    """(1,) frame of the hand in `Kin`."""
    flags: Ints
    """(3,) STATE, SAMPLES, OBSERVED."""
    times: Floats
    """(3,) MISSING_S, SAME_S, TARED_S."""
    mass: Floats
    """(1,) mass of what the sensor carries [kg]."""
    centre: Floats
    """(3,) its centre of mass in H [m]."""
    inertia: Floats
    """(3, 3) its inertia about this point, in the axes of H [kg m^2]."""
    R_HS: Floats
    """(3, 3) axes of the sensor in H."""
    p_HS: Floats
    """(3,) origin of the sensor in H [m]."""
    raw: Floats
    """(6,) newest values of the sensor, in its axes; not finite for unknown [N, Nm]."""
    held: Floats
    """(6,) the last values that could be used [N, Nm]."""
    bias: Floats
    """(6,) offset of the sensor, in its axes [N, Nm]."""
    vel: Floats
    """(6,) velocity of the hand in the last tick, in its axes [m/s, rad/s]."""
    momentum: Floats
    """(6,) integral of the known parts of Pdot and Ldot [Ns, Nms]."""
    scratch: Floats
    """(3, 6) momentum, known rate and measured wrench of this tick, in the axes of H."""
    observed: Floats
    """(6,) wrench on the hand that the disturbance observer estimates [N, Nm]."""
    ahead: Floats
    """(6,) mean difference of this wrench from the measured one [N, Nm]."""
    w_H: Floats
    """(6,) wrench on the hand, in its axes: the measured one, or that of the observer [N, Nm]."""


class WristWrench:
    """Estimates the wrench on a hand from its force-torque sensor, or from the observer if the sensor fails.

    Args:
        model: the sensor.
        kin: kinematics of the tick.
        frame: index of the hand's frame in `Kin`.
        observed: (6,) wrench on the hand that the disturbance observer estimates, persistent; None without.
        w_H: (6,) receives the wrench on the hand about its origin, in its axes [N, Nm].

    Attributes:
        raw: (6,) newest values of the sensor, to be written before `update` [N, Nm].
    """

    def __init__(self, model: WristModel, kin: Kin, frame: int, observed: Vector | None, w_H: Vector) -> None:
        self._wrist = wrist = Wrist(
            frame=np.array([frame], np.int64),
            flags=np.array([TARING, 0, observed is not None], np.int64),
            times=np.zeros(3),
            mass=np.array([model.mass_kg]),
            centre=np.array(model.p_HC),
            inertia=np.array(model.inertia_H, order="C"),
            R_HS=np.array(model.X_HS.rotation, order="C"),
            p_HS=np.array(model.X_HS.translation),
            raw=np.full(WRENCH, np.nan),
            held=np.zeros(WRENCH),
            bias=np.zeros(WRENCH),
            vel=np.zeros(WRENCH),
            momentum=np.zeros(WRENCH),
            scratch=np.zeros((3, WRENCH)),
            observed=observed if observed is not None else np.zeros(WRENCH),
            ahead=np.zeros(WRENCH),
            w_H=w_H,
        )
        self.raw = wrist.raw
        self._update = bind(
            "wrist_wrench",
            [judge_wrist, feel_wrist, report_wrist],
            call={"dt_s": "f8"},
            structs={"k": kin, "wrist": wrist},
        )

    @property
    def live(self) -> bool:
        """Whether the wrench is that of the sensor."""
        return bool(self._wrist.flags[STATE] == LIVE)

    @property
    def state(self) -> int:
        """State of the sensor: TARING, LIVE, SILENT or FROZEN."""
        return int(self._wrist.flags[STATE])

    @property
    def bias(self) -> Vector:
        """(6,) offset of the sensor in its axes [N, Nm]."""
        return self._wrist.bias

    def reset(self) -> None:
        """Begins anew: the offset is measured again, with a free hand."""
        wrist = self._wrist
        wrist.flags[STATE], wrist.flags[SAMPLES] = TARING, 0
        for array in (wrist.times, wrist.held, wrist.bias, wrist.vel, wrist.momentum, wrist.ahead, wrist.w_H):
            array[:] = 0.0

    def update(self, dt_s: float) -> None:
        """Updates the wrench with one tick, to be called after the disturbance observer.

        Args:
            dt_s: time since the last tick [s].
        """
        self._update(dt_s)


@kernel
def judge_wrist(dt_s: float, k: Kin, wrist: Wrist) -> None:
    """Takes the newest values, and finds out whether the sensor still works."""
    flags, times, raw, held, vel = wrist.flags, wrist.times, wrist.raw, wrist.held, wrist.vel
    known, same, moves = True, True, False
    for i in range(len(raw)):
        # A comparison with NaN is false.
        known = known and -_LARGEST <= raw[i] <= _LARGEST
        same = same and raw[i] == held[i]
        now = k.vel[wrist.frame[0], i]
        moves = moves or now != vel[i]
    times[MISSING_S] = 0.0 if known else times[MISSING_S] + dt_s
    # Without noise, as in a simulation, the values at rest do not change either.
    if known and not same:
        times[SAME_S] = 0.0
    elif known and moves:
        times[SAME_S] += dt_s
    if known:
        for i in range(len(raw)):
            held[i] = raw[i]
    if flags[STATE] <= LIVE:
        if times[MISSING_S] > _MOST_MISSING_S:
            flags[STATE] = SILENT
        elif times[SAME_S] > _MOST_SAME_S:
            flags[STATE] = FROZEN


@kernel
def cross_add(scale: float, a: Floats, b: Floats, into: Floats) -> None:
    """Adds scale (a x b) to a vector; all have three entries."""
    into[X] += scale * (a[Y] * b[Z] - a[Z] * b[Y])
    into[Y] += scale * (a[Z] * b[X] - a[X] * b[Z])
    into[Z] += scale * (a[X] * b[Y] - a[Y] * b[X])


@kernel
def feel_wrist(dt_s: float, k: Kin, wrist: Wrist) -> None:
    """Updates the momentum observer of the carried body; before, the offset of the sensor."""
    flags = wrist.flags
    if flags[STATE] > LIVE:
        return
    R, twist = k.R[wrist.frame[0]], k.vel[wrist.frame[0]]
    v, w, m, c = twist[FX:MX], twist[MX:], wrist.mass[0], wrist.centre
    momentum, rate, y = wrist.scratch[0], wrist.scratch[1], wrist.scratch[2]
    for i in range(3):
        momentum[i] = m * v[i]
        rate[i] = -m * GRAVITY_M_S2 * R[Z, i]
        momentum[MX + i] = rate[MX + i] = 0.0
        for j in range(3):
            momentum[MX + i] += wrist.inertia[i, j] * w[j]
    cross_add(m, w, c, momentum[FX:MX])
    cross_add(1.0, c, momentum[FX:MX], momentum[MX:])
    cross_add(1.0, c, rate[FX:MX], rate[MX:])
    if flags[STATE] == TARING:
        tare_wrist(dt_s, wrist)
        for i in range(len(momentum)):
            wrist.momentum[i] = momentum[i]
            wrist.vel[i] = twist[i]
        return
    for i in range(3):
        y[i] = y[MX + i] = 0.0
        for j in range(3):
            y[i] += wrist.R_HS[i, j] * (wrist.held[j] - wrist.bias[j])
            y[MX + i] += wrist.R_HS[i, j] * (wrist.held[MX + j] - wrist.bias[MX + j])
    cross_add(1.0, wrist.p_HS, y[FX:MX], y[MX:])
    cross_add(-1.0, w, momentum[FX:MX], rate[FX:MX])
    cross_add(-1.0, w, momentum[MX:], rate[MX:])
    cross_add(-1.0, v, momentum[FX:MX], rate[MX:])
    gain = FOLLOW_PER_S / (1.0 + FOLLOW_PER_S * dt_s)
    for i in range(len(momentum)):
        wrist.vel[i] = twist[i]
        wrist.momentum[i] += dt_s * (rate[i] - y[i])
        wrist.w_H[i] = gain * (momentum[i] - wrist.momentum[i])
        wrist.momentum[i] += dt_s * wrist.w_H[i]


@kernel
def tare_wrist(dt_s: float, wrist: Wrist) -> None:
    """Updates the offset: the mean of the measured wrench without the weight, in the sensor's axes."""
    if wrist.times[MISSING_S] > 0.0:
        return
    wrist.flags[SAMPLES] += 1
    part = 1.0 / wrist.flags[SAMPLES]
    weight, R = wrist.scratch[1], wrist.R_HS
    # The moment of the weight about the sensor.
    cross_add(-1.0, wrist.p_HS, weight[FX:MX], weight[MX:])
    for i in range(3):
        force, moment = wrist.held[i], wrist.held[MX + i]
        for j in range(3):
            force -= R[j, i] * weight[j]
            moment -= R[j, i] * weight[MX + j]
        wrist.bias[i] += part * (force - wrist.bias[i])
        wrist.bias[MX + i] += part * (moment - wrist.bias[MX + i])
    wrist.times[TARED_S] += dt_s
    if wrist.times[TARED_S] >= _TARE_S:
        wrist.flags[STATE] = LIVE


@kernel
def report_wrist(dt_s: float, wrist: Wrist) -> None:
    """Writes the wrench of the observer where the sensor gives none, and compares the two where it does."""
    follow = min(dt_s / _COMPARE_S, 1.0)
    for i in range(len(wrist.w_H)):
        if wrist.flags[STATE] == LIVE:
            wrist.ahead[i] += follow * (wrist.observed[i] - wrist.w_H[i] - wrist.ahead[i])
        elif wrist.flags[OBSERVED]:
            # Without a jump: the observer's errors of the model are known by then.
            wrist.w_H[i] = wrist.observed[i] - wrist.ahead[i]
        else:
            wrist.w_H[i] = np.nan
