"""The envelope of a robot with position servos: which commands they accept, whatever the controller does.

As `envelope` for drives that apply torques, it belongs to the robot's side of the link and shares no code
with the controller. A servo limits its torque itself. What a wrong controller can do is to send positions
that are out of range, far away, or that jump. PROTOCOL.md states the same rules for drivers in other
languages.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, Vector

OUT_TICKS = 20
"""Damping after so many periods in a row in which a demanded position is too far from the one applied."""


@dataclass(frozen=True, eq=False)
class PositionNumbers:
    """The limits of the envelope of one robot; every array has the shape (na,).

    Attributes:
        joints: names of the joints.
        period_s: time from one command to the next [s].
        low_rad, high_rad: range of positions; infinite without a limit [rad].
        speed_rad_s: speed limits [rad/s].
        lead_rad: largest distance of a commanded position from the measured one [rad].
    """

    joints: tuple[str, ...]
    period_s: float
    low_rad: Vector
    high_rad: Vector
    speed_rad_s: Vector
    lead_rad: float

    def content(self) -> dict[str, Any]:
        """Returns the numbers as JSON can hold them: lists, with None for a range without an end."""
        found: dict[str, Any] = {"drives": "position"}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value = [x if np.isfinite(x) else None for x in value.tolist()]
            found[field.name] = list(value) if isinstance(value, tuple) else value
        return found


def position_numbers(robot: RobotModel, period_s: float = PERIOD_S) -> PositionNumbers:
    """Returns the limits of the envelope of a robot with position servos.

    Args:
        robot: model of the robot.
        period_s: time from one command of the servos to the next [s].

    Raises:
        ValueError: the robot's drives apply torques.
    """
    if robot.servo is None:
        raise ValueError(f"the drives of {robot.name} apply torques")
    return PositionNumbers(
        joints=robot.joint_names,
        period_s=period_s,
        low_rad=np.array(robot.position_lower_rad),
        high_rad=np.array(robot.position_upper_rad),
        speed_rad_s=np.array(robot.velocity_limit_rad_s),
        lead_rad=robot.servo.lead_rad,
    )


class PositionEnvelope:
    """Keeps the commanded positions of one robot inside its envelope, in place.

    Args:
        numbers: limits of the envelope.

    Attributes:
        numbers: limits of the envelope.
        reason: why a command left the envelope, in one sentence; empty while none has.
        clipped: number of periods in which a position was changed by the limits.
    """

    def __init__(self, numbers: PositionNumbers) -> None:
        self.numbers = numbers
        self.reason = ""
        self.clipped = 0
        self._step = numbers.speed_rad_s * numbers.period_s
        na = len(numbers.joints)
        self._last, self._wished, self._work, self._ticks = np.zeros((4, na))
        self._out = np.zeros(na, dtype=bool)
        self._started = False

    def enter(self) -> None:
        """Forgets why the envelope was left, when the robot is armed again."""
        self.reason = ""
        self._ticks[:] = 0.0

    def admit(self, command: CommandRow) -> bool:
        """Judges the kind of a received command; hot path.

        Returns:
            False if the command is one for drives that apply torques, which `reason` then explains. It must
            not be applied.
        """
        if not self.reason and (command.tau_ff.any() or not command.kp.all()):
            self.reason = (
                "the command is for drives that apply torques: a servo takes q_des, with tau_ff = 0 and "
                "kp > 0"
            )
        return not self.reason

    def limit_positions(self, q_des: Vector, q: Vector, follows: bool) -> None:
        """Brings the positions of one period into the envelope, in place; hot path, once per period.

        Args:
            q_des: (na,) positions that the servos would be sent [rad].
            q: (na,) measured positions of the joints [rad].
            follows: whether they are a controller's, and not the robot's own while it holds by itself.
        """
        numbers, last, work = self.numbers, self._last, self._work
        if not self._started:
            np.copyto(last, q)
            self._started = True
        np.copyto(self._wished, q_des)
        np.clip(q_des, numbers.low_rad, numbers.high_rad, out=q_des)
        if follows:
            # At most so far from the last position as the joint moves in a period, then near the joint.
            np.subtract(q_des, last, out=work)
            np.minimum(work, self._step, out=work)
            np.maximum(work, -self._step, out=work)
            np.add(last, work, out=q_des)
            np.subtract(q_des, q, out=work)
            np.clip(work, -numbers.lead_rad, numbers.lead_rad, out=work)
            np.add(q, work, out=q_des)
            np.clip(q_des, numbers.low_rad, numbers.high_rad, out=q_des)
            self.reason = self.reason or self._judge(q_des)
        np.copyto(last, q_des)

    def _judge(self, q_des: Vector) -> str:
        """Counts periods in which the demanded position is far from the one that is applied."""
        work, out, ticks = self._work, self._out, self._ticks
        np.subtract(self._wished, q_des, out=work)
        np.absolute(work, out=work)
        self.clipped += bool(work.max() > 1e-3)
        np.greater(work, self.numbers.lead_rad, out=out)
        ticks += 1.0
        ticks *= out
        if ticks.max() < OUT_TICKS:
            return ""
        joint = int(ticks.argmax())
        return (
            f"{self.numbers.joints[joint]} is sent to {self._wished[joint]:.3f} rad, which is "
            f"{work[joint]:.3f} rad from where it can be; {self.numbers.lead_rad:.3f} rad are allowed"
        )
