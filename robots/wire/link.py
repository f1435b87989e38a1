"""Interfaces between a run and a robot, which may be in the same process or connected over a wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from kilohertz.robots.model.rows import CommandRow, OutsideRow, SensorRow, Vector


class LinkLostError(Exception):
    """Raised if the robot does not answer; the message is one sentence."""


class TickLink(Protocol):
    """Interface of a robot that is read and commanded once per tick: all that the control loop needs."""

    @property
    def lost_because(self) -> str:
        """Why `read` returned False, one sentence; "" if the reason is not known."""
        ...

    def read(self, sensors: SensorRow) -> bool:
        """Fills the row with the newest state; hot path.

        Returns:
            False if no state arrived within the time limit of the link; the row is then unchanged.
        """
        ...

    def write(self, command: CommandRow) -> None:
        """Sends the command without blocking; hot path."""
        ...


class RobotTruth(Protocol):
    """The true state of a simulated robot, at the instant of the newest sensor sample.

    The arrays are updated in place. For hardware, `known` is False, `tau` and `normal_force_N` are the
    measured values, and all others are NaN.
    Frames: W world, B base, C centre of mass of everything that moves, R centre of mass of the robot without
    its payload, F contact, H hand.

    Attributes:
        known: whether the values below are known.
        t_s: time since the start of the run [s].
        q: (nq,) configuration in pinocchio's convention (base orientation as quaternion x, y, z, w).
        v: (nv,) velocity in pinocchio's convention (velocity of the base in the axes of the base).
        p_WC, v_WC: (3,) position and velocity of the centre of mass [m, m/s].
        p_WR: (3,) centre of mass of the robot without its payload [m].
        p_WF: (nc, 3) origins of the contact frames [m].
        contact_force_W: (nc, 3) force of the ground on each contact [N].
        normal_force_N: (nc,) component of that force along the normal of the ground [N].
        cop_W: (nc, 3) centre of pressure of each contact [m]; NaN if the contact carries no load.
        tau: (na,) torque that the drives applied [Nm].
        p_WH: (nh, 3) positions of the hands [m].
        R_WH: (nh, 3, 3) orientations of the hands in the world.
        f_WH: (nh, 3) force of obstacles and people on each hand [N]; NaN if it is not known.
    """

    known: bool
    t_s: float
    q: Vector
    v: Vector
    p_WC: Vector
    v_WC: Vector
    p_WR: Vector
    p_WF: Vector
    contact_force_W: Vector
    normal_force_N: Vector
    cop_W: Vector
    tau: Vector
    p_WH: Vector
    R_WH: Vector
    f_WH: Vector


class RobotLink(TickLink, Protocol):
    """Interface of a robot for a whole run, from the first sample to the figures at the end.

    The order of the calls is: `first_sample` (any number of times), `arm`, then `read`, `write` and `advance`
    once per tick, `close`, `figures`.
    """

    @property
    def truth(self) -> RobotTruth:
        """True state of the robot; always the same object."""
        ...

    @property
    def hardware(self) -> bool:
        """Whether the robot moves in real time and may be hardware.

        The host that controls it must then be fit for real time.
        """
        ...

    @property
    def adds_gravity(self) -> bool:
        """Whether the robot itself adds gravity torques to the commanded ones, according to driver.yaml."""
        ...

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """Events on the robot's side so far, in order of time: dicts with `t_s` [s], `kind` and `text`."""
        ...

    @property
    def fell(self) -> bool | None:
        """Whether the robot fell; None if that is not known."""
        ...

    @property
    def fell_at_s(self) -> float | None:
        """Time of the fall since the start of the run [s]; None if there was none, or if it is not known."""
        ...

    @property
    def outside(self) -> OutsideRow | None:
        """The newest pose of the base that was measured from outside; None without such a measurement."""
        ...

    @property
    def robot_stopped(self) -> bool:
        """Whether the robot was stopped from its own side, by an operator or by another program."""
        ...

    def first_sample(self, sensors: SensorRow) -> None:
        """Fills the row with a sample of the robot at rest, before it is armed.

        Raises:
            LinkLostError: no state arrived.
        """
        ...

    def arm(self) -> None:
        """Takes control of the robot, which then waits for its first command.

        Raises:
            ConfigError: the robot must not be armed.
            LinkLostError: the robot does not answer.
        """
        ...

    def advance(self) -> None:
        """Ends a tick: a simulation in lockstep moves on by one period.

        It does nothing for a robot that moves in real time.
        """
        ...

    def close(self) -> None:
        """Damps the robot's joints and releases the link."""
        ...

    def figures(self) -> Mapping[str, Any] | None:
        """Returns statistics of the link for the summary, after `close`; None for a robot in this process."""
        ...
