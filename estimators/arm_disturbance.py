"""Disturbance observer of a robot with a fixed base: unmodelled joint torques, from the generalised momentum.

The generalised momentum p = M v obeys pdot = tau + Mdot v - h + d, where h contains Coriolis and gravity
torques and d is everything that the model leaves out: a payload, contact, errors of the model and friction.
The observer integrates the known terms and its own estimate, which therefore follows d with the time constant
1 / K, and needs neither the joint acceleration nor the inverse of M:

    phat_dot = tau + Mdot v - h - f + dhat,   dhat = K (p - phat)

Here f is the friction that `kilohertz.estimators.arm_friction` has learnt, so that dhat does not have to jump
where a joint reverses. tau is the torque that the drives apply, which is the commanded one of a delay ago,
after all limits. Mdot v is computed from the change of M in a tick; with Mdot = C + C' this is C' v + C v.

Source: De Luca, Albu-Schaeffer, Haddadin, Hirzinger, "Collision detection and safe reaction with the DLR-III
lightweight manipulator arm", IROS 2006, eq. 12; compensation as in De Luca, Mattone, "Sensorless robot
collision detection and hybrid force/motion control", ICRA 2005.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.estimators.arm_friction import ArmFriction, learn_friction, new_friction
from kilohertz.estimators.config import ArmGains
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats, Ints, Kin
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

RATE_PER_S, TORQUE_DELAY_S, MOST, FRICTION = range(4)
"""Entries of `Observer.gains`, as in `kilohertz.estimators.config.ArmGains`; FRICTION is 1 or 0."""
SLOT, STARTED, HELD = range(3)
"""Entries of `Observer.flags`: slot of the newest torque in `sent`, 1 once the observer has started, and 1
while the compensation is held, SOFT while a hand is soft, CHAIN while hands hold a load."""
_DELAYS = 24
"""Number of periods for which sent torques are kept; delays are at most 20 ms."""


SOFT, CHAIN = 2, 3
"""Values of HELD while a hand is soft, and while two hands hold a load."""
_SOFT_FOLLOW_PER_S = 200.0
"""Rate at which the velocities that decide the friction follow the estimated ones then [1/s]."""
_SOFT_MEAN_S = 0.1
"""Time constant of the mean of the disturbance that is compensated then [s], so that it does not contain
what a collision adds before it is seen."""
_SOFT_SHARE = 0.95
"""Part of the learnt friction that is compensated then, so that the arm is not driven by it."""
_SOFT_WIDTH_RAD_S = 0.03
"""Velocity at which the compensation of the dry friction has nearly its full value then: an arm that is let
go comes to rest by its own friction, also where its weight is not known well."""


class Observer(NamedTuple):
    """State of the observer of a robot with n joints."""

    gains: Floats
    """(4,) RATE_PER_S, TORQUE_DELAY_S, MOST, FRICTION."""
    flags: Ints
    """(3,) SLOT, STARTED, HELD."""
    sent: Floats
    """(_DELAYS, n) ring of the torques that were sent to the drives [Nm]."""
    momentum: Floats
    """(n,) integral phat of the known terms [Nms]."""
    M: Floats
    """(n, n) mass matrix of the last tick."""
    v: Floats
    """(n,) joint velocities of the last tick [rad/s]."""
    h: Floats
    """(n,) Coriolis and gravity torques of the last tick [Nm]."""
    unknown: Floats
    """(n,) estimated disturbance dhat, without the learnt friction [Nm]."""
    compensation: Floats
    """(n,) torque that is added to compensate disturbance and friction, within its bound [Nm]."""
    held: Floats
    """(n,) disturbance that is compensated while a hand is soft, in addition to the explained one: its mean
    of before [Nm]."""
    explained: Floats
    """(n,) part of the disturbance that a calibration explains by errors of the model [Nm]."""
    limit_Nm: Floats
    """(n,) torque limits [Nm]."""


class ArmDisturbance:
    """Estimates the unmodelled torques of a robot with a fixed base, and compensates them in its dynamics.

    In each tick `update` follows the kinematics, and `sent` the command. The compensation is subtracted from
    `Kin.h`, so that the quadratic program, its torque limits and all fallbacks contain it.

    Args:
        robot: a robot with a fixed base.
        kin: kinematics of the tick; `h` is changed.
        vdot: (n,) joint accelerations that were commanded in the last tick [rad/s^2]; persistent.
        config: gains of the observer.

    Attributes:
        observer, friction: state of the observer, and the learnt friction.
        unknown_Nm: (n,) estimated disturbance without the learnt friction [Nm].
        compensation_Nm: (n,) torque that compensates disturbance and friction in this tick [Nm].
        friction_Nm: (n,) learnt dry friction [Nm].
        damping_Nms: (n,) learnt viscous friction [Nms/rad].
    """

    def __init__(self, robot: RobotModel, kin: Kin, vdot: Vector, config: ArmGains) -> None:
        n = robot.na
        self.observer = observer = Observer(
            gains=np.zeros(4),
            flags=np.zeros(3, np.int64),
            sent=np.zeros((_DELAYS, n)),
            momentum=np.zeros(n),
            M=np.zeros((n, n)),
            v=np.zeros(n),
            h=np.zeros(n),
            unknown=np.zeros(n),
            compensation=np.zeros(n),
            held=np.zeros(n),
            explained=np.zeros(n),
            limit_Nm=robot.torque_limit_Nm.copy(),
        )
        self.friction = new_friction(robot)
        self.unknown_Nm, self.compensation_Nm = observer.unknown, observer.compensation
        self.friction_Nm, self.damping_Nms = self.friction.dry, self.friction.viscous
        self.retune(config)
        structs = {"k": kin, "observer": observer, "friction": self.friction}
        self._update = bind(
            "arm_disturbance",
            [predict_velocity, observe, explain, compensate],
            call={"dt_s": "f8"},
            structs=structs,
            persistent={"vdot": vdot},
        )
        self.reset()

    def retune(self, config: ArmGains) -> None:
        """Applies the values of these gains."""
        self.observer.gains[:] = (
            config.disturbance_per_s,
            config.torque_delay_s,
            config.largest_compensation,
            config.learn_friction,
        )

    def reset(self) -> None:
        """Resets the estimate for an arm at rest; the friction that was learnt is kept."""
        observer, friction = self.observer, self.friction
        observer.flags[STARTED] = observer.flags[HELD] = 0
        observer.explained[:] = 0.0
        observer.unknown[:] = observer.held[:] = observer.compensation[:] = 0.0
        friction.v[:] = friction.age_s[:] = 0.0

    def forget(self) -> None:
        """Resets the estimate, and the friction that was learnt."""
        self.reset()
        for array in self.friction[3:]:
            array[:] = 0.0

    def hold(self, held: bool) -> None:
        """Holds the compensation as it is, or lets it follow the estimate again.

        While a hand exerts a commanded force, the observer would take the reaction for a disturbance, and
        cancel the force.
        """
        self.observer.flags[HELD] = held

    def soften(self) -> None:
        """Holds the compensated disturbance while a hand is soft, so that forces on it move it.

        Errors of the model that a calibration has found are compensated as they vary with the position.

        The friction that was learnt is compensated all the same, but for the estimated velocities: the arm
        does not move as commanded then. A call holds until the next call of `hold`.
        """
        self.observer.flags[HELD] = SOFT

    def chain(self) -> None:
        """Goes on compensating while forces move the hands, or a load forces two of them against each other.

        The arms then do not move as commanded: the friction is that at the estimated velocities, and nothing
        is learnt. A call holds until the next call of `hold`.
        """
        self.observer.flags[HELD] = CHAIN

    def update(self, dt_s: float) -> None:
        """Updates the estimate, and subtracts the compensation from the `h` of this tick.

        Args:
            dt_s: time since the last tick [s].
        """
        self._update(dt_s)

    def sent(self, tau: Vector, followed: bool) -> None:
        """Records the torque of this tick.

        Args:
            tau: (n,) torque that was sent to the drives, after all limits [Nm].
            followed: whether the drives apply just this torque; if not, the observer starts anew.
        """
        observer = self.observer
        flags = observer.flags
        slot = int(flags[SLOT]) + 1
        flags[SLOT] = slot = slot if slot < _DELAYS else 0
        observer.sent[slot] = tau
        if not followed and flags[STARTED]:
            self.reset()


@kernel
def predict_velocity(dt_s: float, k: Kin, vdot: Floats, observer: Observer, friction: ArmFriction) -> None:
    """Updates the velocities that decide the sign of the friction.

    They follow the commanded accelerations, and slowly the estimated velocities: these contain the noise of
    the sensors, which would make the compensation of friction chatter.
    """
    if observer.flags[HELD] >= SOFT:
        for j in range(len(vdot)):
            friction.v[j] += min(dt_s * _SOFT_FOLLOW_PER_S, 1.0) * (k.v[j] - friction.v[j])
        return
    follow = min(dt_s * friction.settings[0], 1.0)
    for j in range(len(vdot)):
        friction.v[j] += dt_s * vdot[j] + follow * (k.v[j] - friction.v[j])


@kernel
def observe(dt_s: float, k: Kin, observer: Observer, friction: ArmFriction) -> None:
    """Updates the estimated disturbance with one tick."""
    n, rate = len(k.v), observer.gains[RATE_PER_S]
    M, v, h, momentum = observer.M, observer.v, observer.h, observer.momentum
    if observer.flags[STARTED] == 0:
        observer.flags[STARTED] = 1
        for i in range(n):
            momentum[i] = 0.0
            v[i], h[i] = k.v[i], k.h[i]
            for age in range(_DELAYS):
                observer.sent[age, i] = k.h[i]
            for j in range(n):
                M[i, j] = k.M[i, j]
                momentum[i] += k.M[i, j] * k.v[j]
    # The torque of the last period is that which was sent a delay before its end; between two, a mean.
    periods = min(observer.gains[TORQUE_DELAY_S] / dt_s, _DELAYS - 2.0)
    whole = int(periods)
    part = periods - whole
    newest = observer.flags[SLOT] + 2 * _DELAYS - whole
    later, earlier = newest % _DELAYS, (newest - 1) % _DELAYS
    # A step of the implicit form keeps the observer stable for every rate.
    gain = rate / (1.0 + rate * dt_s)
    for i in range(n):
        applied = (1.0 - part) * observer.sent[later, i] + part * observer.sent[earlier, i]
        known = applied - 0.5 * (k.h[i] + h[i]) - friction.torque[i]
        p = turned = 0.0
        for j in range(n):
            p += k.M[i, j] * k.v[j]
            turned += (k.M[i, j] - M[i, j]) * 0.5 * (k.v[j] + v[j])
            M[i, j] = k.M[i, j]
        momentum[i] += dt_s * known + turned
        observer.unknown[i] = gain * (p - momentum[i])
        momentum[i] += dt_s * observer.unknown[i]
    for i in range(n):
        v[i], h[i] = k.v[i], k.h[i]


@kernel
def explain(dt_s: float, observer: Observer, friction: ArmFriction) -> None:
    """Updates the learnt friction with this tick, if friction is learnt.

    Nothing is learnt while a hand is soft, or hands hold a load: forces on them would be taken for friction.
    """
    if observer.flags[HELD] >= SOFT:
        friction.age_s[0] = 0.0
        for j in range(len(friction.torque)):
            v = friction.v[j]
            friction.torque[j] = friction.dry[j] * np.tanh(v / friction.settings[1]) + friction.viscous[j] * v
        return
    if observer.gains[FRICTION] > 0.0:
        learn_friction(dt_s, observer.gains[RATE_PER_S], observer.unknown, friction)
    else:
        for j in range(len(friction.torque)):
            friction.dry[j] = friction.viscous[j] = friction.torque[j] = 0.0


@kernel
def compensate(dt_s: float, k: Kin, vdot: Floats, observer: Observer, friction: ArmFriction) -> None:
    """Writes the compensation of this tick, within its bound, and subtracts it from `Kin.h`."""
    # A torque that is held for a period acts half of it later on average.
    lead = observer.gains[TORQUE_DELAY_S] + 0.5 * dt_s
    width = friction.settings[1]
    settle = dt_s / (dt_s + min(_SOFT_MEAN_S, friction.age_s[0]))
    for j in range(len(vdot)):
        if observer.flags[HELD] == 0 or observer.flags[HELD] == CHAIN:
            total = -observer.unknown[j]
            if observer.gains[FRICTION] > 0.0:
                ahead = friction.v[j] + (lead * vdot[j] if observer.flags[HELD] == 0 else 0.0)
                total += friction.dry[j] * np.tanh(ahead / width) + friction.viscous[j] * ahead
            most = observer.gains[MOST] * observer.limit_Nm[j]
            if observer.flags[HELD] == CHAIN:
                # A force at the end of a tool exceeds the bound at the last joints.
                most = observer.limit_Nm[j]
            observer.compensation[j] = min(max(total, -most), most)
            observer.held[j] += settle * (observer.unknown[j] - observer.explained[j] - observer.held[j])
        elif observer.flags[HELD] == SOFT:
            dry = friction.dry[j] * np.tanh(friction.v[j] / _SOFT_WIDTH_RAD_S)
            total = _SOFT_SHARE * (dry + friction.viscous[j] * friction.v[j])
            total -= observer.held[j] + observer.explained[j]
            most = observer.gains[MOST] * observer.limit_Nm[j]
            observer.compensation[j] = min(max(total, -most), most)
        k.h[j] += observer.compensation[j]
