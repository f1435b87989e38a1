"""A manufacturer's arm behind the wire protocol, so that a controller uses it like any other robot.

The bridge meets the manufacturer's requirements: torques at the arm's own rate, without the gravity torques
that the arm adds, with a limited rate of change, and as an answer to every state while torque control is on.
Torque control begins with the lease. When the lease ends, the bridge brakes the arm until it rests. Then it
returns control to the manufacturer's controller, which holds the arm.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pinocchio as pin

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.endpoint import KeyPair
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.maker_arm import Arm, ArmStoppedError
from kilohertz.robots.wire.robot_side import RobotSide
from kilohertz.robots.wire.served_robot import ANSWER_NS, ServedRobot, sleep_until

LARGEST_RATE_NM_S = 900.0
# While braking, the torque limit is reached at this joint speed. The gain is then far below the one at which
# a light joint would oscillate.
BRAKING_SPEED_RAD_S = 5.0
STABLE_BRAKING = 0.3
AT_REST_RAD_S = 0.02
AT_REST_CYCLES = 100
LAST_CYCLES = 2000


class ArmBridge:
    """Serves one arm at one endpoint; call `cycle` repeatedly, then `close`.

    Args:
        robot: model of the arm, with its joints in the manufacturer's order.
        arm: connection to the arm.
        endpoint: address at which controllers reach the arm.
        answer_ns: time to wait for the answer to each state [ns].
        key: the robot's key pair; needed if other computers can reach the endpoint.
        trusted: public keys of the controllers that may connect.
        sleep: function that sleeps until a time of the monotonic clock [ns].

    Attributes:
        side: protocol state machine, with mode, lease and counts.

    Raises:
        ConfigError: the model does not fit the arm, or the endpoint cannot be used.
    """

    def __init__(
        self,
        robot: RobotModel,
        arm: Arm,
        endpoint: str,
        *,
        answer_ns: int = ANSWER_NS,
        key: KeyPair | None = None,
        trusted: frozenset[str] = frozenset(),
        sleep: Callable[[int], None] = sleep_until,
    ) -> None:
        if robot.floating or robot.na != arm.joints:
            raise ConfigError(
                f"'{robot.name}' is not an arm of {arm.joints} joints, which a bridge to '{arm.maker}' needs"
            )
        self._arm = arm
        cycle_s = arm.periods * PERIOD_S
        self._served = ServedRobot(
            robot,
            arm.maker,
            endpoint,
            arm.problem,
            periods=arm.periods,
            answer_ns=answer_ns,
            key=key,
            trusted=trusted,
            sleep=sleep,
        )
        self.side: RobotSide = self._served.side

        self._model, self._data = robot.pin_model, robot.pin_model.createData()
        inertia = np.diag(pin.crba(self._model, self._data, robot.q_nominal)).copy()
        limit = robot.torque_limit_Nm
        self._braking_kd = np.minimum(limit / BRAKING_SPEED_RAD_S, STABLE_BRAKING * inertia / cycle_s)
        self._largest_step = LARGEST_RATE_NM_S * cycle_s
        self._read_at_s = np.nan
        self._engaged = False
        self._cycles_at_rest = 0
        self._gravity = np.zeros(robot.na)
        self._tau = np.zeros(robot.na)
        self._written = np.zeros(robot.na)
        self._work = np.zeros(robot.na)

    @property
    def cut_off(self) -> tuple[int, str]:
        """Number of connections that were cut off, and a sentence about the last one; empty if none was."""
        return self._served.cut_off

    @property
    def engaged(self) -> bool:
        """Whether the arm is under torque control; False while the manufacturer's controller holds it."""
        return self._engaged

    def cycle(self) -> None:
        """Runs one cycle of the arm: reads its state and writes the torques that answer it. Hot path.

        Raises:
            LinkLostError: the arm does not answer any more.
        """
        arm, sensors = self._arm, self._served.sensors
        try:
            arm.read()
        except ArmStoppedError as error:
            if not self._engaged:
                raise LinkLostError(str(error)) from None
            self._stopped(error)
            return
        start_ns = time.monotonic_ns()
        self._gravity[:] = pin.computeGeneralizedGravity(self._model, self._data, arm.q)
        sensors.v[:] = arm.v
        if arm.measures_torque:
            sensors.tau[:] = arm.tau
        else:
            np.add(self._gravity, self._written, out=sensors.tau)
        self._served.cycle(arm.q, arm.v, arm.t_s, start_ns, self._missed(), self._drive)

    def _missed(self) -> int:
        """Returns the number of periods that passed on the arm's clock without a cycle of this bridge."""
        arm = self._arm
        passed_s, self._read_at_s = arm.t_s - self._read_at_s, arm.t_s
        return max(round(passed_s / PERIOD_S) - arm.periods, 0) if passed_s > 0.0 else 0

    def _drive(self) -> None:
        """Begins, continues or ends torque control, depending on the mode."""
        arm = self._arm
        commanded = self._served.commanded
        try:
            if self._engaged:
                if not commanded and self._at_rest():
                    self._engaged = False
                    self._written[:] = 0.0
                    arm.release()
                else:
                    self._set_torque()
                    arm.write(self._written)
            elif commanded:
                arm.engage()
                self._engaged = True
                self._cycles_at_rest = 0
                self._written[:] = 0.0
        except ArmStoppedError as error:
            self._stopped(error)

    def _at_rest(self) -> bool:
        fastest = max(self._arm.v.max(), -self._arm.v.min())
        self._cycles_at_rest = self._cycles_at_rest + 1 if fastest < AT_REST_RAD_S else 0
        return self._cycles_at_rest >= AT_REST_CYCLES

    def _set_torque(self) -> None:
        """Computes the commanded torque, without gravity and within the limits, into `_written`."""
        arm, command, tau, work = self._arm, self._served.command, self._tau, self._work
        share = self.side.held_share if self.side.mode == wire.ACTIVE else 0.0
        # The braking torque replaces the command's torque gradually while no new command is received.
        np.multiply(self._braking_kd, arm.v, out=tau)
        tau *= share - 1.0
        if share > 0.0:
            np.subtract(command.q_des, arm.q, out=work)
            work *= command.kp
            work += command.tau_ff
            work -= self._gravity
            work *= share
            tau += work
            np.multiply(command.v_des, share, out=work)
            work -= arm.v
            work *= command.kd
            work *= share
            tau += work
        # The envelope applies to the motor's whole torque, gravity included.
        tau += self._gravity
        self.side.limit(tau, arm.q, arm.v)
        tau -= self._gravity
        tau -= self._written
        np.clip(tau, -self._largest_step, self._largest_step, out=tau)
        self._written += tau

    def _stopped(self, error: ArmStoppedError) -> None:
        """Revokes the lease after the arm has stopped by itself; the arm then holds or brakes on its own."""
        self._engaged = False
        self._written[:] = 0.0
        self._served.damp(str(error))

    def close(self) -> None:
        """Brakes the arm until it rests, ends torque control, and closes both connections."""
        self.side.damp("the bridge is closing")
        try:
            for _ in range(LAST_CYCLES):
                self.cycle()
                if not self._engaged:
                    break
        except LinkLostError:
            pass  # an arm that has lost its connection brakes by itself
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Closes both connections at once, for an arm that does not answer any more."""
        self._served.close()
        self._arm.close()
