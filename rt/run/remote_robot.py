"""Link of a run to a robot that is connected by the wire protocol."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.period import period_s
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, OutsideRow, SensorRow, Vector
from kilohertz.robots.wire.driver import load_driver
from kilohertz.robots.wire.endpoint import load_key, load_public
from kilohertz.robots.wire.robot_side import STOPPED
from kilohertz.robots.wire.row_messages import TruthRow
from kilohertz.robots.wire.zmq_link import ZmqLink

REFUSED = "refused"
"""Kind of the event that reports states of the robot that were refused."""


class RemoteTruth:
    """True state of a simulated robot at an endpoint, with the attributes of `kilohertz.sim.truth.Truth`.

    If the robot does not send it, `tau` and `normal_force_N` are the measured values, and all others are NaN.

    Args:
        robot: model of the robot, which defines the sizes of the arrays.
        row: row that the link updates; None for a robot that does not send its true state.
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
        self.f_WH: Vector = np.full((nh, 3), np.nan)
        self.push_W: Vector = np.full((nh, 3), np.nan)


class RemoteRobot:
    """A `RobotLink` to a robot at an endpoint.

    It also has the true state, the fall and the events of a simulated robot, if the robot sends them.

    Args:
        robot: model of the robot that is expected at the endpoint.
        endpoint: endpoint of the robot.
        lockstep: whether the robot waits for each command.
        key, robot_key: names of the controller's key pair and of the robot's public key; None for a link
            without keys.
        slow_motion: factor by which a simulated robot is slower than real time; it also multiplies the time
            limits of the link.
        core: processor core of the loop; None for any.

    Attributes:
        adds_gravity: whether the robot adds gravity torques itself, according to driver.yaml.

    Raises:
        ConfigError: the robot at the endpoint is a different one, slow motion is set for a real robot, or the
            endpoint or a key cannot be used.
        LinkLostError: no robot answers.
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
        driver = load_driver(robot)
        self.adds_gravity = driver is not None and driver.adds_gravity
        self.link = self._new_link(
            robot,
            endpoint,
            dt_s=period_s(robot),
            lockstep=lockstep,
            slow_motion=slow_motion,
            core=core,
            driver=driver,
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

    def _new_link(self, *arguments: Any, **options: Any) -> ZmqLink:
        return ZmqLink(*arguments, **options)

    @property
    def hardware(self) -> bool:
        """Whether the robot is hardware: it is not in lockstep, and does not send its true state."""
        return not (self._lockstep or self.truth.known)

    @property
    def fell(self) -> bool | None:
        """Whether the robot fell; None if the robot does not send its true state."""
        return self.fell_at_s is not None if self.truth.known else None

    @property
    def fell_at_s(self) -> float | None:
        """Time of the fall [s]; None if the robot did not fall, or does not report it."""
        at_s = float(self.truth.row.fell_at_s[0])
        return at_s if math.isfinite(at_s) else None

    @property
    def events(self) -> list[dict[str, Any]]:
        """Events so far: dicts of t_s since the first sample of the run [s], kind and text.

        They are those that the robot has sent, stalls of this computer, and, if there are any, the number of
        states that were refused, with the reason of the latest.
        """
        start_s = self._start_t_s if math.isfinite(self._start_t_s) else 0.0
        events = [event | {"t_s": event["t_s"] - start_s} for event in self.link.events]
        refused = self.link.refused.sentence()
        if refused:
            events.append({"t_s": self.truth.t_s, "kind": REFUSED, "text": refused})
        return events

    @property
    def lost_because(self) -> str:
        """Reason why `read` failed; empty if it did not."""
        return self.link.lost_because

    @property
    def outside(self) -> OutsideRow | None:
        """None, because the wire protocol transfers no pose from outside."""
        return None

    @property
    def robot_stopped(self) -> bool:
        """Whether any peer of the robot commanded it to stop."""
        return any(event["kind"] == STOPPED for event in self.events)

    def figures(self) -> dict[str, Any]:
        """Returns the figures of the link for the summary; to be called after `close`."""
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
            "states_refused": link.refused.total,
            "states_refused_because": link.refused.reason or None,
            "states_predicted": link.predicted,
            "stalls": link.stalls[0],
            "longest_stall_ms": 1e3 * link.stalls[1],
            "round_trip_us": dict(zip(names, trip, strict=True)),
        }

    def first_sample(self, sensors: SensorRow) -> None:
        """Fills the sensor row with a sample of the robot at rest, before it is armed.

        Raises:
            ConfigError: the states of the robot are refused, or are in wrong units.
            LinkLostError: no state arrived.
        """
        self.link.check_units()
        self.link.peek(sensors)

    def arm(self) -> None:
        """Takes the lease of the robot, which then waits for the first command."""
        self.link.arm()

    def read(self, sensors: SensorRow) -> bool:
        """Waits for a new state and fills the sensor row; returns False if the link is lost. Hot path."""
        if not self.link.read(sensors):
            return False
        truth = self.truth
        # The time stamps of samples may jitter; the true state of the same period tells its time.
        t_s = (truth.row if truth.known else sensors).t_s.item()
        if self._start_t_s != self._start_t_s:
            self._start_t_s = t_s
        truth.t_s = t_s - self._start_t_s
        if not truth.known:
            truth.tau[:] = sensors.tau
            truth.normal_force_N[:] = sensors.contact_force_N
        return True

    def write(self, command: CommandRow) -> None:
        """Sends the command. Hot path."""
        self.link.write(command)

    def advance(self) -> None:
        """Does nothing, because a robot at an endpoint advances by itself."""

    def close(self) -> None:
        """Returns the lease; the robot then damps its joints."""
        self.link.close()
