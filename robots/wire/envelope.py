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

from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, Vector

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
        clipped: number of periods in which a torque was changed by more than 0.1 % of its limit.
    """

    def __init__(self, numbers: EnvelopeNumbers) -> None:
        self.numbers = numbers
        self.reason = ""
        self.clipped = 0
        na, limit = len(numbers.joints), numbers.torque_Nm
        self._step = RATE_PER_S * numbers.period_s * limit
        self._inward = TURN_BACK * self._step
        self._ends = np.stack([numbers.high_rad, -numbers.low_rad])
        self._top = TOP_SPEED * numbers.speed_rad_s
        self._per_speed = 1.0 / (SPEED_MARGIN * numbers.speed_rad_s)
        # v^2 / distance times this is the part of the full torque that brakes the joint within the distance.
        self._effort = 0.5 * numbers.inertia_kgm2 / limit
        self._ramp_per_torque = numbers.period_s / self._step
        self._watch = _Watch(numbers, self._step)
        self._last, self._v, self._wished, self._work, self._grown, self._ramp = np.zeros((6, na))
        self._speed, self._room, self._part, self._bound, self._end, self._ahead = np.zeros((6, 2, na))
        self._faster = np.zeros(na, dtype=bool)
        self._measured = False

    def enter(self) -> None:
        """Forgets why the envelope was left, when the robot is armed again."""
        self.reason = ""
        self._watch.reset()

    def admit(self, command: CommandRow) -> bool:
        """Judges the gains of a received command; hot path.

        Returns:
            False if the command leaves the envelope, which `reason` then explains. It must not be applied.
        """
        self.reason = self.reason or self._watch.gains(command)
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
        work, last, limit, wished = self._work, self._last, self.numbers.torque_Nm, self._wished
        self._measure(q, v, margin_rad)
        np.copyto(wished, tau)
        np.minimum(tau, limit, out=tau)
        np.negative(limit, out=work)
        np.maximum(tau, work, out=tau)
        if command is not None:
            self.reason = self.reason or self._watch.command(tau, command, self._room, self._v)
            self.reason = self.reason or self._watch.lag(tau)
        np.minimum(tau, self._bound[0], out=tau)
        np.negative(self._bound[1], out=work)
        np.maximum(tau, work, out=tau)
        if command is not None:
            self.reason = self.reason or self._watch.braking(tau, last)
            np.subtract(last, self._step, out=work)
            np.maximum(tau, work, out=tau)
            np.add(last, self._step, out=work)
            np.minimum(tau, work, out=tau)
            self._turn_back(tau)
        else:
            self._watch.own(tau)
        np.copyto(last, tau)
        wished -= tau
        np.absolute(wished, out=wished)
        np.multiply(limit, 1e-3, out=work)
        self.clipped += bool((wished > work).any())

    def _measure(self, q: Vector, v: Vector, margin_rad: float) -> None:
        """Computes the bounds of torque `_bound`, and `_end` without speed, towards the upper and lower end.

        Row 0 of each array is towards the upper end, row 1 towards the lower end.
        """
        room, bound, part = self._room, self._bound, self._part
        np.subtract(self._ends[0], q, out=room[0])
        np.add(self._ends[1], q, out=room[1])
        self._predict(v)
        speed = self._speed
        np.subtract(self._top, speed, out=bound)
        bound *= self._per_speed
        np.add(room, SOFT_RAD - margin_rad, out=part)
        part /= self.numbers.stop_rad
        np.minimum(bound, part, out=bound)
        np.clip(part, -1.0, 1.0, out=self._end)
        self._end *= self.numbers.torque_Nm
        # Braking begins after the time in which the present torque turns into the braking one.
        np.multiply(self._last, self._ramp_per_torque, out=self._ahead[0])
        np.negative(self._ahead[0], out=self._ahead[1])
        self._ahead += REACTION_S
        np.maximum(self._ahead, 0.0, out=self._ahead)
        np.maximum(speed, 0.0, out=speed)
        self._ahead *= speed
        np.subtract(room, self._ahead, out=part)
        np.maximum(part, 0.0, out=part)
        part += SHORTEST_BRAKING_RAD
        np.divide(self._effort, part, out=part)
        part *= speed
        part *= speed
        part *= -BRAKING_SLOPE
        part += BRAKING_FULL
        np.minimum(bound, part, out=bound)
        np.clip(bound, -1.0, 1.0, out=bound)
        bound *= self.numbers.torque_Nm

    def _predict(self, v: Vector) -> None:
        """Computes `_speed` towards each end: at the time when the present torque can have become 0."""
        grown, ramp, speed = self._grown, self._ramp, self._speed
        np.subtract(v, self._v, out=grown)
        grown *= self._measured
        self._measured = True
        np.copyto(self._v, v)
        np.absolute(self._last, out=ramp)
        ramp /= self._step
        ramp *= RAMP_SHARE
        ramp += 1.0
        # A joint that slows down does not yet move towards the other end.
        grown *= ramp
        np.multiply(grown, v, out=ramp)
        np.greater(ramp, 0.0, out=self._faster)
        grown *= self._faster
        np.maximum(grown, 0.0, out=speed[0])
        speed[0] += v
        np.minimum(grown, 0.0, out=speed[1])
        speed[1] += v
        np.negative(speed[1], out=speed[1])

    def _turn_back(self, tau: Vector) -> None:
        """Turns the torque of joints beyond their range inwards, faster than the rate of a command."""
        work, end, last = self._work, self._grown, self._last
        np.subtract(last, self._inward, out=work)
        np.maximum(work, self._end[0], out=work)
        np.minimum(tau, work, out=tau)
        np.add(last, self._inward, out=work)
        np.negative(self._end[1], out=end)
        np.minimum(work, end, out=work)
        np.maximum(tau, work, out=tau)


class _Watch:
    """Finds what only a wrong controller does; each method returns a sentence, or "".

    Args:
        numbers: limits of the envelope.
        step_Nm: (na,) largest change of a torque from one period to the next [Nm].
    """

    def __init__(self, numbers: EnvelopeNumbers, step_Nm: Vector) -> None:
        self._numbers = numbers
        na, limit = len(numbers.joints), numbers.torque_Nm
        self._allowed = step_Nm / limit
        self._jump, self._driven = JUMP * limit, DRIVEN * limit
        self._lag = np.maximum(LAG * limit, step_Nm)
        self._too_fast = TOO_FAST * numbers.speed_rad_s
        self._undamped = DAMPED_S * limit
        self._limp_Nm = LIMP * limit
        self._legs = int(np.count_nonzero(numbers.leg))
        self._step, self._back = step_Nm, -step_Nm
        self._demand, self._shadow, self._work = np.zeros((3, na))
        self._fast, self._beyond = np.zeros((2, 2, na))
        self._drives, self._out = np.zeros((2, na), dtype=bool)
        self.reset()

    def reset(self) -> None:
        """Clears all counts."""
        self._jumps = 0.0
        self._lags = self._brakes = self._limp = 0
        self._fast[:] = 0.0
        self._beyond[:] = 0.0

    def own(self, tau: Vector) -> None:
        """Notes the torque that the robot applies by itself, from which the first command may jump."""
        np.copyto(self._demand, tau)
        np.copyto(self._shadow, tau)

    def gains(self, command: CommandRow) -> str:
        """Judges the gains of a command."""
        numbers = self._numbers
        for given, largest, name, unit in (
            (command.kp, numbers.kp_Nm_rad, "kp", "Nm/rad"),
            (command.kd, numbers.kd_Nms_rad, "kd", "Nms/rad"),
        ):
            np.greater(given, largest, out=self._out)
            if self._out.any():
                return self._told(
                    f"{name} of {{}} is {{:.4g}} {unit}, more than {{:.4g}} {unit}", given, largest
                )
        return ""

    def command(self, tau: Vector, command: CommandRow, room: Vector, v: Vector) -> str:
        """Judges a period in which a command is followed.

        Args:
            tau: (na,) demanded torques, within the torque limits [Nm].
            command: the command.
            room: (2, na) distances to the upper and the lower end of the range [rad].
            v: (na,) measured velocities of the joints [rad/s].
        """
        return self._jumping(tau) or self._driven_on(tau, room, v) or self._limping(tau, command)

    def lag(self, tau: Vector) -> str:
        """Counts joints whose demanded torque is far from the one that follows it at the allowed rate."""
        work, shadow = self._work, self._shadow
        np.subtract(tau, shadow, out=work)
        np.minimum(work, self._step, out=work)
        np.maximum(work, self._back, out=work)
        shadow += work
        np.subtract(tau, shadow, out=work)
        self._lags = self._with_far(self._lags)
        return self._lagging("follow the command") if self._lags > LAGS else ""

    def braking(self, tau: Vector, last: Vector) -> str:
        """Counts joints whose torque would have to change faster to brake in time, towards a bound."""
        np.subtract(tau, last, out=self._work)
        self._brakes = self._with_far(self._brakes)
        return self._lagging("brake in time") if self._brakes > BRAKES else ""

    def _with_far(self, count: int) -> int:
        """Returns a count with the joints added whose difference in `_work` is large, or less 1 for none."""
        np.absolute(self._work, out=self._work)
        np.greater(self._work, self._lag, out=self._out)
        joints = int(np.count_nonzero(self._out))
        return count + joints if joints else max(0, count - 1)

    def _lagging(self, purpose: str) -> str:
        work = self._work
        work /= self._numbers.torque_Nm
        return self._told(
            "the torque of {} would have to change by {:.0%} of its limit to " + purpose + "; it may change "
            "by {:.0%} in a period",
            work,
            self._allowed,
        )

    def _jumping(self, tau: Vector) -> str:
        work, out = self._work, self._out
        np.subtract(tau, self._demand, out=work)
        np.copyto(self._demand, tau)
        np.absolute(work, out=work)
        np.greater(work, self._jump, out=out)
        if not out.any():
            self._jumps = max(0.0, self._jumps - FORGOTTEN)
            return ""
        self._jumps += 1.0
        if self._jumps <= JUMPS:
            return ""
        work /= self._numbers.torque_Nm
        return self._told(
            "the torque of {} jumps by {:.0%} of its limit within a period, again and again; {:.0%} are "
            "allowed",
            work,
            self._allowed,
        )

    def _driven_on(self, tau: Vector, room: Vector, v: Vector) -> str:
        """Finds joints beyond a limit that the command drives on: an impact is not blamed on the command."""
        work, out, drives, numbers = self._work, self._out, self._drives, self._numbers
        for side, sign in ((0, 1.0), (1, -1.0)):
            np.multiply(tau, sign, out=work)
            np.greater(work, self._driven, out=drives)
            np.multiply(v, sign, out=work)
            np.greater(work, self._too_fast, out=out)
            if self._counted(self._fast[side]):
                return self._told(
                    "{} moves at {:.2f} rad/s and is driven on; its limit is {:.2f} rad/s",
                    v,
                    numbers.speed_rad_s,
                )
            np.less(room[side], -BEYOND_RAD, out=out)
            if self._counted(self._beyond[side]):
                end = numbers.high_rad if side == 0 else numbers.low_rad
                np.multiply(room[side], -sign, out=work)
                work += end
                return self._told(
                    "{} is at {:.3f} rad and driven on; its range ends at {:.3f} rad", work, end
                )
        return ""

    def _counted(self, ticks: Vector) -> bool:
        """Counts periods of joints that are out of a limit and driven on; clears the count of the others."""
        self._out &= self._drives
        ticks += 1.0
        ticks *= self._out
        np.greater_equal(ticks, OUT_TICKS, out=self._out)
        return bool(self._out.any())

    def _limping(self, tau: Vector, command: CommandRow) -> str:
        """Finds legs that carry nothing: all leg joints but at most one have no torque and no damping."""
        if not self._legs:
            return ""
        work, out = self._work, self._out
        np.absolute(tau, out=work)
        np.less(work, self._limp_Nm, out=out)
        np.less(command.kd, self._undamped, out=self._drives)
        out &= self._drives
        out &= self._numbers.leg
        self._limp = self._limp + 1 if np.count_nonzero(out) >= self._legs - 1 else 0
        if self._limp < LIMP_TICKS:
            return ""
        return f"the legs are limp: {self._legs - 1} leg joints had no torque and no damping"

    def _told(self, sentence: str, values: Vector, limits: Vector) -> str:
        """Completes a sentence with the first joint of `_out`, its value and its limit."""
        joint = int(self._out.argmax())
        return sentence.format(self._numbers.joints[joint], values[joint], limits[joint])
