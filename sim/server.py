"""The simulated robot behind the wire protocol: to a controller it is a robot like any other.

Its time stands still until the first command of a lease, as if it hung from a crane; then it moves on by one
period per `serve_tick`, whether or not a command came. A lease that is given back hangs it up again; one
that was lost leaves it as it is, damping.
"""

from __future__ import annotations

import time

import numpy as np

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.arming import SAMPLES, SelfTest
from kilohertz.robots.wire.endpoint import KeyPair
from kilohertz.robots.wire.robot_port import RobotPort
from kilohertz.robots.wire.robot_side import TRUTH, RobotSide
from kilohertz.robots.wire.row_messages import TruthRow, identity
from kilohertz.sim.scenario_schema import Scenario
from kilohertz.sim.simulated_robot import SimulatedRobot
from kilohertz.sim.world import STEP_S

LOCKSTEP_PATIENCE_S = 1.0
SLOTS = 64
LISTEN_MARGIN_NS = 100_000


class SimulatedServer:
    """Serves one simulated robot at one endpoint.

    The scenario's delay from sensor to torque holds here too: a command waits for the period that its state
    number says, and one that comes later than that acts at once. So as long as commands come in time a run
    over the link is, bit for bit, the run in one process.

    Args:
        robot, scenario, seed: as for `SimulatedRobot`.
        endpoint: where to serve.
        lockstep: whether its time waits for each command, instead of for the clock.
        core: where it will be served in real time; None for any.
        key: our key pair; needed where others can reach us.
        trusted: public keys of the controllers that may connect.

    Attributes:
        side: mode, lease and counts.
        simulated: the robot; another one after each lease that was given back.

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
        core: int | None = None,
        key: KeyPair | None = None,
        trusted: frozenset[str] = frozenset(),
    ) -> None:
        self.robot = robot
        self.scenario = scenario
        self.seed = seed
        self.lockstep = lockstep
        self._last_step_s = 0.0
        # The delay is ours to keep; see above.
        self._delay = round(scenario.sensors.delay_ms * 1e-3 / STEP_S)
        sensors = scenario.sensors.model_copy(update={"delay_ms": 0.0})
        self._undelayed = scenario.model_copy(update={"sensors": sensors})
        self._self_test = SelfTest(robot, STEP_S)
        self.side = RobotSide(
            robot, identity(robot, STEP_S), self._take, self._self_test.problem, options=(TRUTH,)
        )
        self.endpoint = endpoint
        self._port = RobotPort(
            self.side, endpoint, realtime=not lockstep, core=core, key=key, trusted=trusted
        )
        self._sensors = robot.new_sensor_row()
        self._commands = [robot.new_command_row() for _ in range(SLOTS)]
        self._due = [-1] * SLOTS
        self._tick_of_state = [0] * SLOTS
        self._last = robot.new_command_row()
        self._faded = robot.new_command_row()
        self._truth = TruthRow(robot)
        self._hang_up()

    def _hang_up(self) -> None:
        """Puts the robot back to where its scenario starts, with its time standing still."""
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
        """Takes the lease back and puts the robot where its scenario starts, whatever has become of it."""
        self.side.stand_by("hung up again")
        self._hang_up()

    def wait_for_command(self) -> None:
        """In lockstep: waits until something comes; a little while it is another's turn, else a period."""
        patient = self.side.mode == wire.ACTIVE and self.side.silent_ticks == 0
        self._port.wait(1000.0 * LOCKSTEP_PATIENCE_S if patient else 1000.0 * STEP_S)

    def wait_for_packet(self, timeout_ms: int) -> None:
        """Waits until something comes, for whoever moves time on by hand."""
        self._port.wait(timeout_ms)

    def listen(self, until_ns: int) -> None:
        """Takes in what comes until shortly before then, as it comes; the rest of a period in real time."""
        self._port.listen(until_ns - LISTEN_MARGIN_NS)

    def serve_tick(self) -> None:
        """One period: take in what came, move on, tell the state. Hot path."""
        self.take_in()
        side = self.side
        if self.lockstep and side.mode == wire.ACTIVE and self._answered < self._tick and self._patient():
            return
        side.tick()
        self._follow_mode()
        if self._moving:
            self._step()
        self._tell()

    def _patient(self) -> bool:
        """Whether what came was no command and the one that is due may still come."""
        now_s = time.monotonic()
        if self.side.silent_ticks:
            return False
        return now_s - self._last_step_s < LOCKSTEP_PATIENCE_S

    def take_in(self) -> None:
        """Looks at what has come; `serve_tick` begins with it."""
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
        simulated, side = self.simulated, self.side
        slot = self._tick % SLOTS
        if not self._damped:
            if self._due[slot] == self._tick:
                self._last.copy_from(self._commands[slot])
                simulated.drives.offer(self._last)
            elif side.held_share < 1.0:
                self._fade(side.held_share)
        simulated.advance()
        self._tick += 1
        self._last_step_s = time.monotonic()

    def _fade(self, share: float) -> None:
        """The last command on its way to damping, without a step in torque."""
        faded, last = self._faded, self._last
        # Newer than the command it comes from, and than the fading before it.
        faded.seq[0] = last.seq[0] + 1.0 - share
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
        while self._events_told < len(simulated.events):
            event = simulated.events[self._events_told]
            self._events_told += 1
            self._tell_event(event["kind"], event["text"])
        # When the state is sent, and the round trip to its command begins: the simulation is done, and
        # nothing that wakes the other end, such as the truth, is on its way yet.
        now_ns = time.monotonic_ns()
        side.forget_silent(now_ns)
        state = side.state(self._sensors, now_ns)
        self._tick_of_state[side.state_seq % SLOTS] = self._tick
        for name, peer in side.peers.items():
            if peer.wants_truth:
                self._port.send(name, truth)
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

    def close(self) -> None:
        """Leaves the robot damping, tells everybody, and frees the endpoint."""
        self.side.damp("the robot is switched off")
        self.simulated.close()
        self._tell()
        self._port.close()

    def abandon(self) -> None:
        """Frees the endpoint without a word, as if the process had died."""
        self._port.abandon()
