"""Test bench of a complete controller and a simulated robot in one thread, with a fault between them.

Faults of sensors or of the whole-body problem need no sockets or processes, which would only take time.
States are packed, corrupted and unpacked as on the wire; the controller is built once for many faults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kilohertz.controller.brain import Brain
from kilohertz.controller.brain_output import BrainOutput
from kilohertz.controller.gains.live import GainsRow
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.supervision.request import RequestRow, make_request
from kilohertz.estimators.fixed_base import FixedBaseEstimator
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.row_messages import StateCodec
from kilohertz.robots.wire.zmq_link import BAD_STATES
from kilohertz.rt.faults.proxy import Rule, forward
from kilohertz.rt.loop.fade import FADE_TICKS, damping_command, fade
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.scenario_schema import Scenario, Sensors
from kilohertz.sim.simulated_robot import SimulatedRobot


class BodyBench:
    """Steps one simulated robot and its controller tick by tick.

    Args:
        robot: the robot, or its name.
        noise: sensor noise, "default" or "none".
        gains: gains; None for those of the robot.
        streamed: whether the controller follows streams.

    Attributes:
        robot: model of the robot.
        brain: controller under test.
        estimator: estimator of the controller.
        simulated: simulated robot; a new one after each `place`.
        gains: gains at the start.
        streams: row of streamed targets; None without streams.
        row: live gains that replace `gains`; None if gains do not change.
        rule: fault rule that each state passes on its way to the controller.
        lost: whether so many invalid states arrived in a row that a link would have been declared lost.
        output: output of the controller in the last tick.
    """

    def __init__(
        self,
        robot: str | RobotModel,
        noise: str = "default",
        gains: Gains | None = None,
        *,
        streamed: bool = False,
    ) -> None:
        self.robot = robot = RobotModel.load(robot) if isinstance(robot, str) else robot
        gains = gains if gains is not None else load_gains(robot)
        kind: Any = FloatingBaseEstimator if robot.floating else FixedBaseEstimator
        self.estimator = kind(robot, gains.estimator)
        self.streams = StreamRow(robot) if streamed else None
        self.brain = Brain(robot, gains, self.estimator, dt_s=PERIOD_S, streams=self.streams)
        self.output: BrainOutput = self.brain.output
        self.rule: Rule = forward
        self.rng = np.random.default_rng(0)
        scenario = load_scenario("stand", robot)
        sensors = Sensors.model_validate({"noise": noise})
        self.scenario = scenario.model_copy(update={"sensors": sensors})
        self.step_limit_Nm = robot.torque_limit_Nm * min(gains.guard.torque_rate_per_s * PERIOD_S, 2.0)
        self.gains = gains
        self.row: GainsRow | None = None
        self._codec = StateCodec(robot)
        self._sensors = robot.new_sensor_row()
        self._seq = 0
        damping_Nms = robot.torque_limit_Nm / gains.guard.damping_speed_rad_s
        self._damping = damping_command(robot.na, damping_Nms)
        self._faded = robot.new_command_row()
        self.request: RequestRow = make_request(robot, "stand", {})
        self.place()

    def place(self, scenario: Scenario | None = None, seed: int = 0) -> None:
        """Makes a new simulated robot at the start of a scenario, and arms it."""
        self.simulated = SimulatedRobot(self.robot, scenario or self.scenario, seed)
        self.rearm()

    def rearm(self) -> None:
        """Restarts the controller from the robot's present state, without a fault."""
        self.rule = forward
        self.lost = False
        self._bad_states = self._fade_ticks = 0
        self.simulated.rearm()
        self.simulated.read(self._sensors)
        self.brain.reset(self._sensors)

    def recover(self) -> None:
        """Ends a fault: a robot in damping is placed at its start, a standing one continues."""
        if self.active and not self.simulated.fell:
            self.rearm()
        else:
            self.place()

    def tick(self) -> BrainOutput:
        """Runs one period: passes a state through the fault, steps the controller and the simulation.

        Without a valid state the controller is not stepped, as on a robot whose state message is lost. After
        too many invalid states the last command is faded to damping, as the loop does.
        """
        self.simulated.read(self._sensors)
        self._seq += 1
        payload = self._codec.pack(1, self._seq, 0, wire.ACTIVE, self._sensors)
        for delay_s, delivered in self.rule(payload) if not self.lost else ():
            message = wire.unpack(delivered) if delay_s <= 0.0 else None
            if message is not None and self._codec.read(message[1], self._sensors):
                self._bad_states = 0
                self.output = self.brain.step(self._sensors, self.request, self.row or self.gains, _no_mark)
                self.simulated.write(self.output.command)
                return self.output
            self._bad_states += 1
            self.lost |= self._bad_states >= BAD_STATES
        if self.lost and self._fade_ticks < FADE_TICKS:
            self._fade_ticks += 1
            self._damping.seq[0] = self.output.command.seq[0] + 1.0
            fade(self.output.command, self._damping, self._fade_ticks, self._faded)
            self.simulated.write(self._faded)
        else:
            self.simulated.advance()
        return self.output

    def run(self, ticks: int, each: Callable[[int], None] | None = None) -> None:
        """Runs a number of periods; `each` is called with the index after every one."""
        for k in range(ticks):
            self.tick()
            if each is not None:
                each(k)

    @property
    def t_s(self) -> float:
        """Time of the newest sensor sample [s]."""
        return float(self._sensors.t_s[0])

    @property
    def active(self) -> bool:
        """Whether the controller is active and its link would not have been declared lost."""
        return self.output.state == "active" and not self.lost

    @property
    def torque(self) -> Vector:
        """(na,) torque of each drive divided by its limit, a copy."""
        fraction: Vector = self.simulated.drives.tau / self.robot.torque_limit_Nm
        return fraction

    def tilt_error_rad(self) -> float:
        """Returns the angle between the true and the estimated vertical [rad]."""
        true, estimated = _up(self.simulated.truth.q), _up(self.estimator.q)
        return float(np.arctan2(np.linalg.norm(np.cross(true, estimated)), true @ estimated))


def _up(q: Vector) -> Vector:
    """Returns the (3,) unit vector of the world's vertical in the base frame."""
    x, y, z, w = q[3:7]
    return np.array([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)])


def _no_mark(stage: int) -> None:
    """Does nothing: stages are not timed here."""
