"""The robot's own envelope: which commands and torques its drives accept, whatever the controller does.

The envelope belongs to the robot's side of the link and shares no code with the controller. It judges the sum
that a drive applies, tau_ff + kp (q_des - q) + kd (v_des - v), at the drive's own state. What an honest
controller may exceed for an instant is clipped: torque, its rate, and torque that drives a joint too fast or
into its stop. What only a wrong controller sends ends in damping, with a sentence that names the joint and
the limit. The robot's own damping is clipped at speed limits and stops too, but never prevented.

PROTOCOL.md states the same rules for drivers in other languages; `envelope_vectors.json` beside it contains
test vectors.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, Vector
from kilohertz.robots.wire.envelope_kernels import (
    CANNOT_BRAKE,
    CANNOT_FOLLOW,
    DRIVEN_BEYOND,
    DRIVEN_FAST,
    JUMPED,
    LIMP_LEGS,
    NONE,
    EnvelopeRules,
    envelope_state,
    limit_period,
)

OLDEST_STATE_TICKS = 20
"""Largest age of the state that a command answers, in periods."""
RATE_PER_S = 100.0
"""Largest rate of a torque, in torque limits per second."""
TURN_BACK = 5.0
"""The torque of a joint beyond its range turns inwards faster than that by this factor."""
ERROR_RAD = 0.01
"""The largest kp reaches the torque limit at this position error."""
DAMPED_SPEED_RAD_S = 5.0
"""A kd that reaches the torque limit at this speed is allowed for every joint."""
TOP_SPEED, SPEED_MARGIN = 0.92, 0.1
"""Fractions of the speed limit: driving torque is 0 at the first, and decreases to it over the second."""
SOFT_RAD = 0.003
"""Beyond its range by this distance, a joint gets no torque outwards."""
STEEPEST_RAD = 0.005
"""Smallest distance over which the torque at the end of the range changes by the torque limit."""
DAMPING_MARGIN_RAD = 0.04
"""While the robot damps, a joint is turned back this far before the end of its range."""
SHORTEST_BRAKING_RAD = 0.003
BRAKING_FULL, BRAKING_SLOPE = 3.0, 4.0
"""Driving torque is at most (FULL - SLOPE r) times its limit, if braking in time takes r times the limit."""
RAMP_SHARE = 1.0
"""The speed is predicted over this part of the time until the present torque can be 0, and a period."""
REACTION_S = 0.018
"""Time until full braking torque, from no torque: the braking distance begins after it."""

JUMP, JUMPS, FORGOTTEN = 0.5, 5, 0.05
"""Damping after more than so many changes of the demanded torque within a period by more than this fraction
of the limit; a period without such a change takes FORGOTTEN from the count."""
LAG, LAGS, BRAKES = 0.8, 16, 32
"""Damping after more than LAGS joint periods in which the demanded torque is this fraction of its limit from
one that follows it at the allowed rate, or more than BRAKES in which the torque that brakes in time is; a
period without takes 1 from the count. A robot that is pushed over its feet brakes single joints hard."""
TOO_FAST = 1.03
BEYOND_RAD = 0.015
DRIVEN = 0.05
OUT_TICKS = 20
"""Damping if a joint above this fraction of its speed limit, or this far beyond its range, is driven on by
more than the fraction DRIVEN of its torque limit for OUT_TICKS periods."""
LIMP, DAMPED_S = 0.01, 0.005
"""A leg joint is limp below this fraction of its torque limit, if kd is also less than its torque limit times
the second number."""
LIMP_TICKS = 20
POSTURES = 64
COMPILE_S = 6.0
"""Expected compile time of the rules [s]."""

SENTENCES = {
    JUMPED: "the torque of {joint} jumps by {value:.0%} of its limit within a period, again and again; "
    "{limit:.0%} are allowed",
    DRIVEN_FAST: "{joint} moves at {value:.2f} rad/s and is driven on; its limit is {limit:.2f} rad/s",
    DRIVEN_BEYOND: "{joint} is at {value:.3f} rad and driven on; its range ends at {limit:.3f} rad",
    LIMP_LEGS: "the legs are limp: {legs} leg joints had no torque and no damping",
    CANNOT_FOLLOW: "the torque of {joint} would have to change by {value:.0%} of its limit to follow the "
    "command; it may change by {limit:.0%} in a period",
    CANNOT_BRAKE: "the torque of {joint} would have to change by {value:.0%} of its limit to brake in time; "
    "it may change by {limit:.0%} in a period",
}
"""Why a command left the envelope, for each rule of `envelope_kernels`."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class EnvelopeNumbers:
    """The limits of the envelope of one robot.

    Every array has the shape (na,), in the order of the robot's joints.

    Attributes:
        joints: names of the joints.
        period_s: time from one torque to the next [s].
        low_rad, high_rad: range of positions; infinite without a limit [rad].
        speed_rad_s: speed limits [rad/s].
        torque_Nm: torque limits [Nm].
        kp_Nm_rad, kd_Nms_rad: largest gains that a command may have [Nm/rad, Nms/rad].
        inertia_kgm2: inertia with which a joint brakes, in the posture in which it is largest [kg m2].
        stop_rad: distance over which the torque at the end of the range changes by the torque limit [rad].
        leg: whether the joint is in a leg; False for all joints of a robot with a fixed base.
    """

    joints: tuple[str, ...]
    period_s: float
    low_rad: Vector
    high_rad: Vector
    speed_rad_s: Vector
    torque_Nm: Vector
    kp_Nm_rad: Vector
    kd_Nms_rad: Vector
    inertia_kgm2: Vector
    stop_rad: Vector
    leg: Flags

    def content(self) -> dict[str, Any]:
        """Returns the numbers as JSON can hold them: lists, with None for a range without an end."""
        found: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value = [x if np.isfinite(x) else None for x in value.tolist()]
            found[field.name] = value
        return found


def envelope_numbers(robot: RobotModel, period_s: float = PERIOD_S) -> EnvelopeNumbers:
    """Derives the limits of a robot's envelope from the limits and inertias of its model.

    Args:
        robot: the robot.
        period_s: time from one torque of the drives to the next [s].
    """
    limit = np.array(robot.torque_limit_Nm)
    heaviest, lightest = _inertias(robot)
    return EnvelopeNumbers(
        joints=robot.joint_names,
        period_s=period_s,
        low_rad=np.array(robot.position_lower_rad),
        high_rad=np.array(robot.position_upper_rad),
        speed_rad_s=np.array(robot.velocity_limit_rad_s),
        torque_Nm=limit,
        kp_Nm_rad=limit / ERROR_RAD,
        # With more than twice inertia over period, the velocity of a free joint grows from period to period.
        kd_Nms_rad=np.maximum(2.0 * lightest / period_s, limit / DAMPED_SPEED_RAD_S),
        inertia_kgm2=heaviest,
        # A spring steeper than inertia over period squared is close to the bound of its stability.
        stop_rad=np.maximum(STEEPEST_RAD, limit * period_s**2 / lightest),
        leg=_legs(robot),
    )


def _inertias(robot: RobotModel) -> tuple[Vector, Vector]:
    """Returns the inertia of each joint: the largest, others locked; and the nominal one, others free."""
    model, data = robot.pin_model, robot.pin_model.createData()
    lightest = 1.0 / np.diag(pin.computeMinverse(model, data, robot.q_nominal))[robot.n_base :]
    rng = np.random.default_rng(0)
    q = robot.q_nominal.copy()
    low = np.clip(robot.position_lower_rad, -np.pi, np.pi)
    high = np.clip(robot.position_upper_rad, low, np.pi)
    heaviest = np.zeros(robot.na)
    for posture in range(POSTURES):
        if posture:
            q[robot.nq_base :] = rng.uniform(low, high)
        np.maximum(heaviest, np.diag(pin.crba(model, data, q))[robot.n_base :], out=heaviest)
    return heaviest, np.array(lightest)


def _legs(robot: RobotModel) -> Flags:
    model = robot.pin_model
    leg = np.zeros(robot.na, dtype=bool)
    for contact in robot.contacts:
        for joint in model.supports[model.frames[contact.frame_id].parentJoint]:
            column = model.idx_vs[joint] - robot.n_base
            if column >= 0:
                leg[column] = True
    return leg


class Envelope:
    """Keeps commands and torques of one robot inside its envelope; in place and without allocation.

    Args:
        numbers: limits of the envelope.

    Attributes:
        numbers: limits of the envelope.
        reason: why a command left the envelope, in one sentence; empty while none has.
    """

    def __init__(self, numbers: EnvelopeNumbers) -> None:
        self.numbers = numbers
        self.reason = ""
        na = len(numbers.joints)
        self._rules = _rules(numbers)
        self._state = envelope_state(na)
        self._q, self._v, self._kd = np.zeros((3, na))
        self._out = np.zeros(na, dtype=bool)
        self._limit = bind(
            "envelope",
            [limit_period],
            call={"tau": "f8[::1]", "follows": "i8", "judges": "i8", "margin_rad": "f8"},
            structs={"rules": self._rules, "state": self._state},
            persistent={"q": self._q, "v": self._v, "kd": self._kd},
            returns="i8",
            expected_s=COMPILE_S,
        )

    @property
    def clipped(self) -> int:
        """Number of periods in which a torque was changed by more than 0.1 % of its limit."""
        return int(self._state.clipped[0])

    @property
    def last_Nm(self) -> Vector:
        """(na,) torques of the last period [Nm]."""
        return self._state.last

    def enter(self) -> None:
        """Forgets why the envelope was left, when the robot is armed again."""
        self.reason = ""
        state = self._state
        for forgotten in (state.counts, state.fast, state.out):
            forgotten[:] = 0.0

    def admit(self, command: CommandRow) -> bool:
        """Judges the gains of a received command; hot path.

        Returns:
            False if the command leaves the envelope, which `reason` then explains. It must not be applied.
        """
        self.reason = self.reason or self._judge_gains(command)
        return not self.reason

    def limit(
        self, tau: Vector, q: Vector, v: Vector, command: CommandRow | None, margin_rad: float = 0.0
    ) -> None:
        """Brings the torques of one period into the envelope, in place; hot path, once per period.

        Args:
            tau: (na,) torques that the drives would apply [Nm].
            q: (na,) measured positions of the joints [rad].
            v: (na,) measured velocities of the joints [rad/s].
            command: the controller's command if `tau` follows one; None if the robot damps or holds by
                itself. Its own torque is not limited in rate, and does not leave the envelope.
            margin_rad: distance before the end of its range at which a joint is turned back;
                `DAMPING_MARGIN_RAD` while the robot damps [rad].
        """
        follows = command is not None
        np.copyto(self._q, q)
        np.copyto(self._v, v)
        if command is not None:
            np.copyto(self._kd, command.kd)
        rule = self._limit(tau, follows, follows and not self.reason, margin_rad)
        if rule != NONE:
            self.reason = self._told(rule)

    def _judge_gains(self, command: CommandRow) -> str:
        numbers = self.numbers
        for given, largest, name, unit in (
            (command.kp, numbers.kp_Nm_rad, "kp", "Nm/rad"),
            (command.kd, numbers.kd_Nms_rad, "kd", "Nms/rad"),
        ):
            np.greater(given, largest, out=self._out)
            if self._out.any():
                joint = int(self._out.argmax())
                return (
                    f"{name} of {numbers.joints[joint]} is {given[joint]:.4g} {unit}, "
                    f"more than {largest[joint]:.4g} {unit}"
                )
        return ""

    def _told(self, rule: int) -> str:
        value, limit = self._state.told
        joint = self.numbers.joints[int(self._state.joint[0])]
        return SENTENCES[rule].format(joint=joint, value=value, limit=limit, legs=self._rules.legs - 1)


def _rules(numbers: EnvelopeNumbers) -> EnvelopeRules:
    limit = numbers.torque_Nm
    step = RATE_PER_S * numbers.period_s * limit
    return EnvelopeRules(
        torque=limit,
        step=step,
        inward=TURN_BACK * step,
        ends=np.stack([numbers.high_rad, -numbers.low_rad]),
        top=TOP_SPEED * numbers.speed_rad_s,
        per_speed=1.0 / (SPEED_MARGIN * numbers.speed_rad_s),
        effort=0.5 * numbers.inertia_kgm2 / limit,
        ramp_per_torque=numbers.period_s / step,
        stop=numbers.stop_rad,
        jump=JUMP * limit,
        driven=DRIVEN * limit,
        lag=np.maximum(LAG * limit, step),
        speed=numbers.speed_rad_s,
        too_fast=TOO_FAST * numbers.speed_rad_s,
        limp=LIMP * limit,
        undamped=DAMPED_S * limit,
        leg=numbers.leg.astype(np.int64),
        legs=int(np.count_nonzero(numbers.leg)),
        soft=SOFT_RAD,
        reaction=REACTION_S,
        shortest=SHORTEST_BRAKING_RAD,
        braking_full=BRAKING_FULL,
        braking_slope=BRAKING_SLOPE,
        ramp_share=RAMP_SHARE,
        jumps=float(JUMPS),
        forgotten=FORGOTTEN,
        lags=float(LAGS),
        brakes=float(BRAKES),
        beyond=BEYOND_RAD,
        out_ticks=float(OUT_TICKS),
        limp_ticks=float(LIMP_TICKS),
    )
