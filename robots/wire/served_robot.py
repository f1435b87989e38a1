"""The robot's end of the wire protocol, as bridges to makers' machines use it."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.period import PERIOD_NS, PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, Vector
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.arming import SelfTest
from kilohertz.robots.wire.driver import FILE, load_driver
from kilohertz.robots.wire.endpoint import KeyPair
from kilohertz.robots.wire.robot_port import CUT_OFF, RobotPort
from kilohertz.robots.wire.robot_side import RobotSide
from kilohertz.robots.wire.row_messages import identity

# Time that a bridge waits for the answer to a state before it continues with the last command.
ANSWER_NS = 300_000


def sleep_until(due_ns: int) -> None:
    """Sleeps until a time of the monotonic clock [ns]."""
    remaining_ns = due_ns - time.monotonic_ns()
    if remaining_ns > 0:
        time.sleep(1e-9 * remaining_ns)


class ServedRobot:
    """Serves one robot at one endpoint; call `cycle` for each state of the machine, with `sensors` filled.

    Args:
        robot: model of the robot.
        maker: short name of its manufacturer, for messages.
        endpoint: address at which controllers reach the robot.
        problem: returns why the robot must not be armed; None if it may be.
        periods: control periods of 1 ms from one torque of the motors to the next.
        answer_ns: time to wait for the answer to each state [ns].
        key: the robot's key pair; needed if other computers can reach the endpoint.
        trusted: public keys of the controllers that may connect.
        sleep: function that sleeps until a time of the monotonic clock [ns].

    Attributes:
        side: protocol state machine, with mode, lease and counts.
        sensors: measured values that the next `tick` sends; `cycle` writes time and joint positions.
        command: last accepted command.

    Raises:
        ConfigError: the robot needs no bridge of this kind, or the endpoint cannot be used.
    """

    def __init__(
        self,
        robot: RobotModel,
        maker: str,
        endpoint: str,
        problem: Callable[[], str | None],
        *,
        periods: int,
        answer_ns: int = ANSWER_NS,
        key: KeyPair | None = None,
        trusted: frozenset[str] = frozenset(),
        sleep: Callable[[int], None] = sleep_until,
    ) -> None:
        if robot.servo is not None:
            raise ConfigError(
                f"'{robot.name}' has `drives: position`, but a bridge to '{maker}' sends torques: remove "
                "this line"
            )
        if load_driver(robot) is not None:
            raise ConfigError(
                f"{robot.folder / FILE}: the bridge converts nothing, so that this file would "
                "have no effect; remove it"
            )
        self.sensors = robot.new_sensor_row()
        self.command = robot.new_command_row()
        self._moved = np.zeros(robot.na)
        self._machine_problem = problem
        self._answer_ns = answer_ns
        self._periods, self._sleep = periods, sleep
        self._self_test = SelfTest(robot, PERIOD_S)
        self.side = RobotSide(
            robot, identity(robot, PERIOD_S), self._take, self._problem, cycle_s=periods * PERIOD_S
        )
        self._port = RobotPort(self.side, endpoint, key=key, trusted=trusted)
        self.side.send = self._port.send
        self._answered = 0
        self._was_damping = False

    @property
    def cut_off(self) -> tuple[int, str]:
        """Number of connections that were cut off, and a sentence about the last one; empty if none was."""
        return self._port.cut_off, self._port.last_cut_off

    @property
    def commanded(self) -> bool:
        """Whether a controller has the lease."""
        return self.side.mode in (wire.ARMED, wire.ACTIVE)

    def cycle(
        self, q: Vector, v: Vector, t_s: float, start_ns: int, missed: int, drive: Callable[[], None]
    ) -> None:
        """Runs the periods of one state of the machine. Hot path.

        A machine with a cycle of several periods has no state for each of them: in between, the joint
        positions are extrapolated at constant velocity.

        Args:
            q: (na,) joint positions of the state [rad].
            v: (na,) joint velocities of the state [rad/s].
            t_s: time of the state on the machine's clock [s].
            start_ns: time of the monotonic clock at which the state was received [ns].
            missed: number of periods before this state that passed without one.
            drive: sends the machine what answers the state; called after the first period.
        """
        for period in range(self._periods):
            if period:
                missed = 0
                self._sleep(start_ns + period * PERIOD_NS)
            np.multiply(v, period * PERIOD_S, out=self._moved)
            np.add(q, self._moved, out=self.sensors.q)
            self.sensors.t_s[0] = t_s + period * PERIOD_S
            self.tick(missed)
            if period == 0:
                drive()

    def tick(self, missed: int = 0) -> None:
        """Runs one period: handles packets, sends `sensors` as a state, and waits for its answer. Hot path.

        Args:
            missed: number of periods before this one that passed without a call.
        """
        self.idle(missed)
        port, side = self._port, self.side
        now_ns = time.monotonic_ns()
        news = port.news(now_ns)
        if news:
            self.tell(CUT_OFF, news)
        side.forget_silent(now_ns)
        self._self_test.add(self.sensors)
        port.tell(side.state(self.sensors, now_ns))
        if self.commanded:
            port.listen(now_ns + self._answer_ns, self._is_answered)

    def idle(self, missed: int = 0) -> None:
        """Runs one period without a new state: handles packets and advances the watchdog. Hot path."""
        self._port.take_in()
        self.side.tick(missed)
        self.tell_damping()

    def tell(self, kind: str, text: str) -> None:
        """Sends an event to all controllers."""
        self._port.tell(wire.pack("event", float(self.sensors.t_s[0]), kind, text[: wire.MAX_TEXT]))

    def damp(self, reason: str) -> None:
        """Starts damping, tells the controllers why, and revokes the lease."""
        self.side.damp(reason[: wire.MAX_TEXT])
        self.tell_damping()

    def tell_damping(self) -> None:
        """Tells the controllers why the robot damps, once."""
        damping = self.side.mode == wire.DAMPING
        if damping and not self._was_damping:
            self.tell(self.side.reason_kind, self.side.reason)
        self._was_damping = damping

    def _is_answered(self) -> bool:
        return self._answered == self.side.state_seq or not self.commanded

    def _take(self, command: CommandRow, state_seq: int) -> None:
        self.command.copy_from(command)
        self._answered = state_seq

    def _problem(self) -> str | None:
        return self._machine_problem() or self._self_test.problem()

    def close(self) -> None:
        """Frees the endpoint."""
        self._port.close()
