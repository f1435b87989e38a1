"""A Unitree robot behind the wire protocol, so that a controller uses it like any other robot.

The drives of the robot apply tau + kp (q - q_measured) + kd (dq - dq_measured) themselves, faster than states
arrive. The bridge therefore passes gains and positions on, and corrects the feed-forward torque by what the
envelope takes from the sum at the newest state. No command is sent before the first lease. From then on each
state is answered by one command: that of the controller, or damping.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.period import PERIOD_NS, PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.unitree.machine import UnitreeMachine
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.endpoint import KeyPair
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.robot_side import RobotSide
from kilohertz.robots.wire.served_robot import ANSWER_NS, ServedRobot, sleep_until

LATE_NS = 2 * PERIOD_NS
"""Time after which a state is overdue, and the watchdog of commands advances without it."""
SILENT_NS, LOST_NS = 20 * PERIOD_NS, 1000 * PERIOD_NS
"""Time without a state after which the robot damps, and time after which the bridge ends."""
DAMPING_SPEED_RAD_S = 5.0
"""While damping, the torque limit is reached at this joint speed, as far as `STABLE_DAMPING` allows."""
STABLE_DAMPING = 0.3
AT_REST_RAD_S = 0.05
AT_REST_CYCLES, LAST_CYCLES = 50, 1000
NEWS_CYCLES = 100
WARNING = "warning"
"""Kind of the event for temperatures, the battery and errors of motors."""


class UnitreeBridge:
    """Serves one robot at one endpoint; call `cycle` repeatedly, then `close`.

    Args:
        robot: model of the robot.
        machine: connection to the robot.
        endpoint: address at which controllers reach the robot.
        answer_ns: time to wait for the answer to each state [ns].
        silent_ns: time without a state of the robot after which it damps [ns].
        key: the robot's key pair; needed if other computers can reach the endpoint.
        trusted: public keys of the controllers that may connect.
        sleep: function that sleeps until a time of the monotonic clock [ns].

    Attributes:
        side: protocol state machine, with mode, lease and counts.

    Raises:
        ConfigError: the robot needs another bridge, or the endpoint cannot be used.
    """

    def __init__(
        self,
        robot: RobotModel,
        machine: UnitreeMachine,
        endpoint: str,
        *,
        answer_ns: int = ANSWER_NS,
        silent_ns: int = SILENT_NS,
        key: KeyPair | None = None,
        trusted: frozenset[str] = frozenset(),
        sleep: Callable[[int], None] = sleep_until,
    ) -> None:
        self._machine = machine
        self._silent_ns = silent_ns
        self._late_ns = machine.periods * PERIOD_NS + LATE_NS
        self._served = ServedRobot(
            robot,
            "unitree",
            endpoint,
            machine.problem,
            periods=machine.periods,
            answer_ns=answer_ns,
            key=key,
            trusted=trusted,
            sleep=sleep,
        )
        self.side: RobotSide = self._served.side
        inverse = pin.computeMinverse(robot.pin_model, robot.pin_model.createData(), robot.q_nominal)
        inertia = 1.0 / np.diag(inverse)[robot.n_base :]
        cycle_s = machine.periods * PERIOD_S
        self._damping_kd = np.minimum(
            robot.torque_limit_Nm / DAMPING_SPEED_RAD_S, STABLE_DAMPING * inertia / cycle_s
        )
        self._floating = robot.floating
        self._commanding = False
        self._heard_ns = time.monotonic_ns()
        self._read_at_s = np.nan
        self._idled = 0
        self._cycles = self._cycles_at_rest = 0
        self._kp, self._kd, self._q, self._v = np.zeros((4, robot.na))
        self._tau, self._sum, self._work = np.zeros((3, robot.na))

    @property
    def cut_off(self) -> tuple[int, str]:
        """Number of connections that were cut off, and a sentence about the last one; empty if none was."""
        return self._served.cut_off

    @property
    def commanding(self) -> bool:
        """Whether the robot is sent commands: since the first lease."""
        return self._commanding

    def cycle(self) -> None:
        """Runs one cycle of the robot: reads its state and sends the command that answers it. Hot path.

        Raises:
            LinkLostError: the robot has sent no state for 1 s.
        """
        machine, served = self._machine, self._served
        if not machine.read(self._late_ns):
            self._late()
            return
        start_ns = self._heard_ns = time.monotonic_ns()
        if served.commanded:
            emergency = machine.emergency()
            if emergency:
                served.damp(emergency)
        self._cycles += 1
        if self._cycles % NEWS_CYCLES == 0:
            for text in machine.news():
                served.tell(WARNING, text)
        state, sensors = machine.state, served.sensors
        sensors.v[:], sensors.tau[:] = state.v, state.tau
        if self._floating:
            sensors.gyro[:], sensors.accel[:] = state.gyro, state.accel
            sensors.contact_force_N[:] = np.nan
        served.cycle(state.q, state.v, state.t_s, start_ns, self._missed(), self._drive)

    def _missed(self) -> int:
        """Returns the periods that passed on the robot's clock without a period of this bridge."""
        t_s = self._machine.state.t_s
        passed_s, self._read_at_s = t_s - self._read_at_s, t_s
        idled, self._idled = self._idled, 0
        return max(round(passed_s / PERIOD_S) - self._machine.periods - idled, 0) if passed_s > 0.0 else 0

    def _late(self) -> None:
        """Continues without a state: first with the robot's last command, then damping."""
        periods = self._late_ns // PERIOD_NS
        self._idled += periods
        self._served.idle(periods - 1)
        silent_ns = time.monotonic_ns() - self._heard_ns
        why = self._machine.silence()
        if silent_ns >= self._silent_ns:
            if self._served.commanded:
                self._served.damp(f"no state of the robot for {silent_ns / 1e6:.0f} ms: {why}")
            self._drive()
        if silent_ns >= LOST_NS + self._silent_ns:
            raise LinkLostError(f"no state of the robot for {silent_ns / 1e9:.1f} s: {why}")

    def _drive(self) -> None:
        """Sends the command of this cycle, once a controller has had the lease. Hot path."""
        self._commanding = self._commanding or self._served.commanded
        if self._commanding:
            self._set_command()
            self._machine.write(self._q, self._v, self._kp, self._kd, self._tau)

    def _set_command(self) -> None:
        """Blends the controller's command with damping, and brings its torque into the envelope."""
        command, state, work = self._served.command, self._machine.state, self._work
        q, v, kp, kd, tau, total = self._q, self._v, self._kp, self._kd, self._tau, self._sum
        share = self.side.held_share if self.side.mode == wire.ACTIVE else 0.0
        np.multiply(self._damping_kd, 1.0 - share, out=kd)
        if share > 0.0:
            np.multiply(command.kd, share, out=work)
            kd += work
            np.multiply(command.kp, share, out=kp)
            np.multiply(command.v_des, share, out=v)
            np.multiply(command.tau_ff, share, out=tau)
            q[:] = command.q_des
        else:
            kp[:] = v[:] = tau[:] = 0.0
            q[:] = state.q
        np.subtract(q, state.q, out=total)
        total *= kp
        np.subtract(v, state.v, out=work)
        work *= kd
        total += work
        total += tau
        work[:] = total
        self.side.limit(total, state.q, state.v)
        total -= work
        tau += total

    def close(self) -> None:
        """Damps the robot until it rests, then ends the commands and closes both connections."""
        self._served.damp("the bridge is closing")
        try:
            for _ in range(LAST_CYCLES if self._commanding else 0):
                self.cycle()
                if self._at_rest():
                    break
        except LinkLostError:
            pass  # there is nobody left to command
        finally:
            self.abandon()

    def _at_rest(self) -> bool:
        v = self._machine.state.v
        fastest = max(v.max(), -v.min())
        self._cycles_at_rest = self._cycles_at_rest + 1 if fastest < AT_REST_RAD_S else 0
        return self._cycles_at_rest >= AT_REST_CYCLES

    def abandon(self) -> None:
        """Closes both connections at once, for a robot that does not answer any more."""
        self._served.close()
        self._machine.close()
