"""A planned motion of an arm as numbers of a request, with which it crosses over to the control loop.

A motion is one of two kinds. VIA passes through points; from each to the next all joints arrive at the same
time, as fast as the limits allow. CURVE follows a smooth curve through the points, which are evenly spaced
along it, from rest to rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kilohertz.robots.model.rows import Vector

MOST_JOINTS, MOST_POINTS = 16, 24
"""Largest numbers of joints and of points of a planned motion."""
NONE, VIA, CURVE = range(3)
"""Kinds of a motion; NONE is no motion."""
KIND, POINTS, SLOW, STRAIGHT, FREE_SPEED, FREE_ACCEL, FREE_JERK = range(7)
"""Layout of the head: kind, number of points, time scale, whether each way is straight, limits of a curve.

SLOW is the speed of the motion relative to the fastest one within the limits on speed, acceleration and jerk;
less than 1 where the torque limits, or the way that a joint needs to stop before the end of its range, demand
it. The limits of a curve are those of the derivatives of its parameter, which grows from 0 to 1.
"""
HEAD_SIZE = 7
STATES = ("q", "v", "a")
"""Rows of the present state: positions, velocities and accelerations of the joints."""
START = "plan_start"
"""Field of a request that receives the state from which the motion begins, see `JointState`."""
PLAN_FIELDS = (
    ("plan", HEAD_SIZE),
    (START, len(STATES) * MOST_JOINTS),
    ("plan_q", MOST_POINTS * MOST_JOINTS),
    ("plan_v", MOST_POINTS * MOST_JOINTS),
)
"""Fields of a request that carries a motion."""


@dataclass(frozen=True)
class JointState:
    """Positions, velocities and accelerations of all joints, each (na,) [rad, rad/s, rad/s^2]."""

    q: Vector
    v: Vector
    a: Vector

    @classmethod
    def at_rest(cls, q: Vector) -> JointState:
        """Returns the state at rest at the (na,) positions q [rad]."""
        return cls(q.copy(), np.zeros(len(q)), np.zeros(len(q)))


@dataclass(frozen=True)
class PlanRow:
    """Views into the numbers of a request.

    Attributes:
        head: (HEAD_SIZE,) see the layout above.
        start: (3, na) state from which the motion was planned.
        q: (MOST_POINTS, na) points after the start, or along the curve with the start first [rad].
        v: (MOST_POINTS, na) velocity at each point [rad/s]; 0 for a stop.
    """

    head: Vector
    start: Vector
    q: Vector
    v: Vector

    @classmethod
    def of(cls, payload: Mapping[str, Vector], na: int) -> PlanRow:
        """Returns views into the payload of a request to a robot with na joints, at most MOST_JOINTS."""
        return cls(
            payload["plan"],
            payload[START].reshape(len(STATES), MOST_JOINTS)[:, :na],
            payload["plan_q"].reshape(MOST_POINTS, MOST_JOINTS)[:, :na],
            payload["plan_v"].reshape(MOST_POINTS, MOST_JOINTS)[:, :na],
        )

    @classmethod
    def empty(cls, na: int) -> PlanRow:
        """Returns a row of its own memory, without a motion."""
        return cls.of({name: np.zeros(length) for name, length in PLAN_FIELDS}, na)

    @property
    def points(self) -> int:
        """Number of points."""
        return int(self.head[POINTS])

    def write_via(
        self, q: Vector, v: Vector | None = None, slow: float = 1.0, straight: bool = False
    ) -> None:
        """Writes a motion through points.

        Args:
            q: (n, na) points after the start [rad].
            v: (n, na) velocities there [rad/s]; None stops at each point.
            slow: time scale, see SLOW.
            straight: whether the way from each point to the next is a straight line of joint positions.
        """
        self.head[:] = 0.0
        self.head[KIND], self.head[POINTS], self.head[SLOW] = VIA, len(q), slow
        self.head[STRAIGHT] = straight
        self.q[: len(q)] = q
        self.v[: len(q)] = 0.0 if v is None else v

    def write_curve(self, q: Vector, limits: tuple[float, float, float]) -> None:
        """Writes a motion along a curve.

        Args:
            q: (n, na) points of the curve, from the start to the end [rad].
            limits: largest derivatives of the curve's parameter [1/s, 1/s^2, 1/s^3].
        """
        self.head[:] = 0.0
        self.head[KIND], self.head[POINTS], self.head[SLOW] = CURVE, len(q), 1.0
        self.head[FREE_SPEED : FREE_JERK + 1] = limits
        self.q[: len(q)] = q

    def write_start(self, state: JointState) -> None:
        """Writes the state from which the motion begins."""
        self.start[0], self.start[1], self.start[2] = state.q, state.v, state.a

    def start_state(self) -> JointState:
        """Returns the state from which the motion begins."""
        return JointState(*(row.copy() for row in self.start))
