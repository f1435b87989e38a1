"""A simulated robot behind the wire protocol, so that a controller uses it like any other robot.

The simulated time stands still until the first command of a lease, as if the robot hung from a crane. From
then on it advances by one period per `serve_tick`, with or without a command. When the controller gives the
lease back, the robot is reset to the start of its scenario, and the time stands still again. When the lease
is lost, the robot is not reset and damps.
"""

from __future__ import annotations

import time

import numpy as np

from kilohertz.robots.model.period import period_s, period_steps
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.arming import SAMPLES, SelfTest
from kilohertz.robots.wire.endpoint import KeyPair
from kilohertz.robots.wire.robot_port import CUT_OFF, RobotPort
from kilohertz.robots.wire.robot_side import TRUTH, WRIST, RobotSide
from kilohertz.robots.wire.row_messages import TruthRow, identity
from kilohertz.sim.scenario_schema import Scenario
from kilohertz.sim.simulated_robot import DRIVE_DAMPING, SimulatedRobot
from kilohertz.sim.world import STEP_S

LOCKSTEP_PATIENCE_S = 1.0
LOCKSTEP_WAIT_MS = 20
SLOTS = 64
LISTEN_MARGIN_NS = 100_000


class SimulatedServer:
    """Serves one simulated robot at one endpoint.

    The scenario's delay from sensor to torque applies here too: a command takes effect in the period given by
    the number of the state that it answers, or at once if it arrives after that period. As long as commands
    arrive in time, a run over the link is therefore identical, bit for bit, to a run in one process.

    Args:
        robot: model of the robot.
        scenario: ground, plant, sensors and events, as for `SimulatedRobot`.
        endpoint: address to bind, `ipc://PATH` or `tcp://HOST:PORT`.
        seed: random seed of the run, as for `SimulatedRobot`.
        lockstep: whether the simulated time waits for each command, instead of following the clock.
        key: the robot's key pair; needed if other computers can reach the endpoint.
        trusted: public keys of the controllers that may connect.

    Attributes:
        side: protocol state machine, with mode, lease and counts.
        simulated: the simulated robot, which is replaced after each lease that was given back.

    Raises:
        ConfigError: the endpoint cannot be used, or the robot cannot be simulated.
    """

    def __init__(
        self,
        robot: RobotModel,
        scenario: Scenario,
        endpoint: str,
        *,
        seed: int = 0,
        lockstep: bool = False,
        key: KeyPair | None = None,
        trusted: frozenset[str] = frozenset(),
    ) -> None:
        self.robot = robot
        self.scenario = scenario
        self.seed = seed
        self.lockstep = lockstep
        self._last_step_s = 0.0
        # The server applies the delay itself, by the state number of each command.
        self._delay = round(scenario.sensors.delay_ms * 1e-3 / STEP_S)
        sensors = scenario.sensors.model_copy(update={"delay_ms": 0.0})
        self._undelayed = scenario.model_copy(update={"sensors": sensors})
        self._steps, dt_s = period_steps(robot), period_s(robot)
        self._self_test = SelfTest(robot, dt_s)
        options = (TRUTH, WRIST) if robot.wrists else (TRUTH,)
        self.side = RobotSide(
            robot, identity(robot, dt_s), self._take, self._self_test.problem, options=options
        )
        self.endpoint = endpoint
        self._port = RobotPort(self.side, endpoint, key=key, trusted=trusted)
        self.side.send = self._port.send
        self._sensors = robot.new_sensor_row()
        self._commands = [robot.new_command_row() for _ in range(SLOTS)]
        self._due = [-1] * SLOTS
        self._tick_of_state = [0] * SLOTS
        self._last = robot.new_command_row()
        self._faded = robot.new_command_row()
        self._truth = TruthRow(robot)
        self._hang_up()

    def _hang_up(self) -> None:
        """Resets the simulated robot to the start of its scenario, with its time standing still."""
        self.simulated = SimulatedRobot(self.robot, self._undelayed, self.seed)
        self._damping_kd = self.simulated.drives.damping_kd
        self._tick = 0
        self._answered = -1
        self._events_told = 0
        self._moving = False
        self._damped = False
        self._due[:] = [-1] * SLOTS
        self.simulated.read(self._sensors)
        for _ in range(SAMPLES):
            self._self_test.add(self._sensors)

    def hang_up(self) -> None:
        """Revokes the lease and resets the robot to the start of its scenario, for example after a fall."""
        self.side.stand_by("the robot was put back to the start of its scenario")
        self._hang_up()

    def wait_for_command(self) -> None:
        """Waits for a packet, in lockstep: up to 20 ms if a command is due, else up to one period."""
        patient = self.side.mode == wire.ACTIVE and self.side.silent_ticks == 0
        self._port.wait(LOCKSTEP_WAIT_MS if patient else 1000.0 * self._steps * STEP_S)

    def wait_for_packet(self, timeout_ms: int) -> None:
        """Waits at most `timeout_ms` for a packet; for callers that advance the time themselves."""
        self._port.wait(timeout_ms)

    def listen(self, until_ns: int) -> None:
        """Handles packets as they are received until 0.1 ms before `until_ns`, to fill a real-time period.

        Args:
            until_ns: time of the monotonic clock [ns].
        """
        self._port.listen(until_ns - LISTEN_MARGIN_NS)

    def serve_tick(self, missed: int = 0) -> None:
        """Runs one period: handles packets, advances the simulation, and sends the state. Hot path.

        Args:
            missed: number of periods before this one that the caller's clock has skipped.
        """
        self.take_in()
        side = self.side
        if self.lockstep and side.mode == wire.ACTIVE and self._answered < self._tick and self._patient():
            return
        side.tick(missed)
        self._follow_mode()
        if self._moving:
            self._step()
        self._tell()

    def _patient(self) -> bool:
        """Whether to keep waiting for the command that is due, for up to 1 s after the last step."""
        now_s = time.monotonic()
        if self.side.silent_ticks:
            return False
        return now_s - self._last_step_s < LOCKSTEP_PATIENCE_S

    def take_in(self) -> None:
        """Handles the packets that have been received; `serve_tick` does so first."""
        self._port.take_in()

    def _take(self, command: CommandRow, state_seq: int) -> None:
        answered = self._tick_of_state[state_seq % SLOTS]
        self._answered = max(self._answered, answered)
        due = max(self._tick, answered + self._delay)
        slot = due % SLOTS
        self._due[slot] = due
        self._commands[slot].copy_from(command)
        self._moving = True

    def _follow_mode(self) -> None:
        mode = self.side.mode
        if mode == wire.DAMPING:
            if not self._damped:
                self._damped = True
                self.simulated.close()
                self._tell_event(self.side.reason_kind, self.side.reason)
        elif mode == wire.ARMED:
            if self._damped:
                self._damped = False
                self.simulated.rearm()
        elif mode == wire.STANDBY and self._tick:
            self._hang_up()

    def _step(self) -> None:
        """Simulates one period; the delay of a command is a whole number of steps, not of periods."""
        simulated, side = self.simulated, self.side
        for step in range(self._steps):
            slot = self._tick % SLOTS
            if not self._damped:
                if self._due[slot] == self._tick:
                    self._last.copy_from(self._commands[slot])
                    simulated.drives.offer(self._last)
                elif side.held_share < 1.0 and step == 0:
                    self._fade(side.held_share)
            simulated.step()
            self._tick += 1
        if simulated.left_envelope and side.mode == wire.ACTIVE:
            side.damp(simulated.left_envelope)
            # Controllers must receive the reason before the state in which they find their lease lost.
            self._follow_mode()
        self._last_step_s = time.monotonic()

    def _fade(self, share: float) -> None:
        """Applies the last command, blended with damping by `share`, so that the torque has no step.

        Args:
            share: weight of the last command, from 1 down to 0.
        """
        faded, last = self._faded, self._last
        # The drives accept only new numbers: this one is above those of the last command and of the last
        # blend.
        faded.seq[0] = last.seq[0] + 1.0 - share
        if self.robot.servo is not None:
            share = 1.0  # a servo holds the last position until it damps
        faded.q_des[:] = last.q_des
        np.multiply(last.v_des, share, out=faded.v_des)
        np.multiply(last.kp, share, out=faded.kp)
        np.multiply(last.tau_ff, share, out=faded.tau_ff)
        np.multiply(last.kd, share, out=faded.kd)
        faded.kd += (1.0 - share) * self._damping_kd
        self.simulated.drives.offer(faded)

    def _tell(self) -> None:
        simulated, side = self.simulated, self.side
        if not side.peers:
            return
        simulated.read(self._sensors)
        self._self_test.add(self._sensors)
        truth = self._pack_truth() if any(peer.wants_truth for peer in side.peers.values()) else b""
        wrist = side.wrist(self._sensors) if any(peer.wants_wrist for peer in side.peers.values()) else b""
        while self._events_told < len(simulated.events):
            event = simulated.events[self._events_told]
            self._events_told += 1
            if event["kind"] != DRIVE_DAMPING:  # the protocol has its own event for this
                self._tell_event(event["kind"], event["text"])
        # The round trip from state to command begins here: the simulation step is done, and no packet that
        # would wake the controller, such as the true state, has been sent yet.
        now_ns = time.monotonic_ns()
        news = self._port.news(now_ns)
        if news:
            self._tell_event(CUT_OFF, news)
        side.forget_silent(now_ns)
        state = side.state(self._sensors, now_ns)
        self._tick_of_state[side.state_seq % SLOTS] = self._tick
        # No other peer may delay the state of the controller that commands the robot.
        for name in sorted(side.peers, key=lambda name: name != side.lease_holder):
            if side.peers[name].wants_truth:
                self._port.send(name, truth)
            if side.peers[name].wants_wrist:
                self._port.send(name, wrist)
            self._port.send(name, state)

    def _pack_truth(self) -> bytes:
        row, truth = self._truth, self.simulated.truth
        fell_at_s = self.simulated.fell_at_s
        row.t_s[0] = truth.t_s
        row.fell_at_s[0] = np.nan if fell_at_s is None else fell_at_s
        row.mass_kg[0] = truth.mass_kg
        row.q[:], row.v[:], row.tau[:] = truth.q, truth.v, truth.tau
        row.p_WC[:], row.v_WC[:], row.p_WR[:] = truth.p_WC, truth.v_WC, truth.p_WR
        row.p_WF[:] = truth.p_WF.ravel()
        row.contact_force_W[:] = truth.contact_force_W.ravel()
        row.normal_force_N[:] = truth.normal_force_N
        row.cop_W[:] = truth.cop_W.ravel()
        row.p_WH[:], row.R_WH[:] = truth.p_WH.ravel(), truth.R_WH.ravel()
        return self.side.truth(row)

    def _tell_event(self, kind: str, text: str) -> None:
        self._port.tell(wire.pack("event", self.simulated.t_s, kind, text[: wire.MAX_TEXT]))

    @property
    def cut_off(self) -> tuple[int, str]:
        """Number of connections that were cut off, and a sentence about the last one; empty if none was."""
        return self._port.cut_off, self._port.last_cut_off

    def close(self) -> None:
        """Leaves the robot damping, sends the last state to all peers, and frees the endpoint."""
        self.side.damp("the simulated robot is shutting down")
        self.simulated.close()
        self._tell()
        self._port.close()

    def abandon(self) -> None:
        """Frees the endpoint at once and sends nothing, as if the process had been killed."""
        self._port.close()
