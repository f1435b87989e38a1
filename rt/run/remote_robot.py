"""A robot behind the wire protocol, as a run sees it."""

from __future__ import annotations

import math
from typing import Any

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, SensorRow, Vector
from kilohertz.robots.wire.driver import load_driver
from kilohertz.robots.wire.endpoint import load_key, load_public
from kilohertz.robots.wire.robot_side import STOPPED
from kilohertz.robots.wire.row_messages import TruthRow
from kilohertz.robots.wire.zmq_link import ZmqLink


class RemoteTruth:
    """Where a simulated robot truly is, as `kilohertz.sim.truth.Truth`; NaN where the robot does not say.

    Args:
        robot: its sizes.
        row: that the link keeps up to date; None for a robot that knows no truth.
    """

    def __init__(self, robot: RobotModel, row: TruthRow | None) -> None:
        nc, nh = len(robot.contacts), len(robot.hands)
        self.known = row is not None
        self.t_s = 0.0
        self.row = row = row if row is not None else TruthRow(robot)
        self.q: Vector = row.q
        self.v: Vector = row.v
        self.p_WC: Vector = row.p_WC
        self.v_WC: Vector = row.v_WC
        self.p_WR: Vector = row.p_WR
        self.p_WF: Vector = row.p_WF.reshape(nc, 3)
        self.contact_force_W: Vector = row.contact_force_W.reshape(nc, 3)
        self.normal_force_N: Vector = row.normal_force_N
        self.cop_W: Vector = row.cop_W.reshape(nc, 3)
        self.tau: Vector = row.tau
        self.p_WH: Vector = row.p_WH.reshape(nh, 3)
        self.R_WH: Vector = row.R_WH.reshape(nh, 3, 3)


class RemoteRobot:
    """A RobotLink that also tells what `SimulatedRobot` tells, as far as the robot over there knows it.

    Args:
        robot: the robot that must be there.
        endpoint: where.
        lockstep: whether its time waits for our commands.
        key, robot_key: names of our key pair and of its public key.
        slow_motion: how many times slower than real time it is, and so how much more patience it takes.
        core: of the loop; None for any.

    Raises:
        ConfigError: it is another robot, real but to be slow, or the endpoint or a key cannot be used.
        LinkLostError: nobody answers.
    """

    def __init__(
        self,
        robot: RobotModel,
        endpoint: str,
        *,
        lockstep: bool = False,
        key: str | None = None,
        robot_key: str | None = None,
        slow_motion: int = 1,
        core: int | None = None,
    ) -> None:
        if (key is None) != (robot_key is None):
            raise ConfigError("keys are given both or not at all: --key is ours, --robot-key the robot's")
        self.link = ZmqLink(
            robot,
            endpoint,
            lockstep=lockstep,
            slow_motion=slow_motion,
            core=core,
            driver=load_driver(robot),
            key=load_key(key) if key is not None else None,
            robot_key=load_public(robot_key) if robot_key is not None else None,
        )
        try:
            self.link.connect()
            if slow_motion > 1 and self.link.truth is None:
                raise ConfigError(f"{endpoint}: only a simulated robot can be run in slow motion")
        except BaseException:
            self.link.close()
            raise
        self.truth = RemoteTruth(robot, self.link.truth)
        self._lockstep = lockstep
        self._start_t_s = math.nan

    @property
    def hardware(self) -> bool:
        """Whether it keeps its own time and does not know where it truly is, as only a simulated one can."""
        return not (self._lockstep or self.truth.known)

    @property
    def fell(self) -> bool | None:
        """Whether the robot fell; None where nobody knows."""
        return self.fell_at_s is not None if self.truth.known else None

    @property
    def fell_at_s(self) -> float | None:
        """When it fell [s]."""
        at_s = float(self.truth.row.fell_at_s[0])
        return at_s if math.isfinite(at_s) else None

    @property
    def events(self) -> list[dict[str, Any]]:
        """What the robot told on the way."""
        return self.link.events

    @property
    def lost_because(self) -> str:
        """Why `read` gave up."""
        return self.link.lost_because

    @property
    def robot_stopped(self) -> bool:
        """Whether somebody stopped the robot over there."""
        return any(event["kind"] == STOPPED for event in self.events)

    def figures(self) -> dict[str, Any]:
        """How the link did, for the summary; after `close`."""
        link = self.link
        farewell = link.farewell
        accepted, refused, late, trip_us = farewell if farewell is not None else (None, None, None, ())
        names = ("p50", "p99", "p99.9")
        trip = [float(value) for value in trip_us] if len(trip_us) == len(names) else [None] * len(names)
        return {
            "endpoint": link.endpoint,
            "commands_accepted": accepted,
            "commands_refused": refused,
            "commands_late": late,
            "commands_unsent": link.unsent,
            "states_refused": link.refused_states,
            "states_predicted": link.predicted,
            "round_trip_us": dict(zip(names, trip, strict=True)),
        }

    def first_sample(self, sensors: SensorRow) -> None:
        """A sample of the robot at rest, before it is armed."""
        self.link.peek(sensors)

    def arm(self) -> None:
        """Takes the lease; the robot waits for our first command."""
        self.link.arm()

    def read(self, sensors: SensorRow) -> bool:
        """Waits for a new state; hot path."""
        if not self.link.read(sensors):
            return False
        t_s = float(sensors.t_s[0])
        if self._start_t_s != self._start_t_s:
            self._start_t_s = t_s
        self.truth.t_s = t_s - self._start_t_s
        return True

    def write(self, command: CommandRow) -> None:
        """Sends the command; hot path."""
        self.link.write(command)

    def advance(self) -> None:
        """A robot over there moves on by itself."""

    def close(self) -> None:
        """Gives the lease back, which leaves the robot damping."""
        self.link.close()
