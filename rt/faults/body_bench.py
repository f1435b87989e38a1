"""A whole controller and a simulated robot in one thread, with a rule of the fault proxy between them.

Sockets and processes add nothing to a fault of the sensors or of the whole-body problem but time: the states
are packed, harmed and unpacked as on the wire, and the controller is built once for many faults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kilohertz.controller.brain import Brain, BrainOutput
from kilohertz.controller.gains.live import GainsRow
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.request import RequestRow, make_request
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

"""Of a tick."""


class BodyBench:
    """One robot under its controller, tick by tick.

    Args:
        robot: the robot, or its name.
        noise: of the sensors: "default" or "none".
        gains: if not the robot's own.

    Attributes:
        robot, brain, estimator: what it was built of.
        simulated: the robot; another one after each `place`.
        gains: its gains; row: by which they change, if they do.
        rule: what becomes of each state on its way to the controller.
        lost: whether so many states in a row could not be believed that a link would have given up.
        output: of the last tick.
    """

    def __init__(self, robot: str | RobotModel, noise: str = "default", gains: Gains | None = None) -> None:
        self.robot = robot = RobotModel.load(robot) if isinstance(robot, str) else robot
        gains = gains if gains is not None else load_gains(robot)
        kind: Any = FloatingBaseEstimator if robot.floating else FixedBaseEstimator
        self.estimator = kind(robot, gains.estimator)
        self.brain = Brain(robot, gains, self.estimator, dt_s=PERIOD_S)
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
        self._words = robot.new_command_row()
        self.request: RequestRow = make_request(robot, "stand", {})
        self.place()

    def place(self, scenario: Scenario | None = None, seed: int = 0) -> None:
        """Puts the robot where its scenario starts, and arms."""
        self.simulated = SimulatedRobot(self.robot, scenario or self.scenario, seed)
        self.rearm()

    def rearm(self) -> None:
        """Starts the controller from the robot as it is, with a rule that does no harm."""
        self.rule = forward
        self.lost = False
        self._unbelievable = self._said = 0
        self.simulated.rearm()
        self.simulated.read(self._sensors)
        self.brain.reset(self._sensors)

    def recover(self) -> None:
        """After a fault: a robot that has been damped is put back, one that still stands goes on."""
        if self.active and not self.simulated.fell:
            self.rearm()
        else:
            self.place()

    def tick(self) -> BrainOutput:
        """One period: a state on its way to the controller, the answer, and the world moved on.

        Where no state arrives the controller is not asked, as on a robot whose state is lost; where so many
        could not be believed that it has given up, it says its last words.
        """
        self.simulated.read(self._sensors)
        self._seq += 1
        payload = self._codec.pack(1, self._seq, 0, wire.ACTIVE, self._sensors)
        for delay_s, delivered in self.rule(payload) if not self.lost else ():
            message = wire.unpack(delivered) if delay_s <= 0.0 else None
            if message is not None and self._codec.read(message[1], self._sensors):
                self._unbelievable = 0
                self.output = self.brain.step(self._sensors, self.request, self.row or self.gains, _no_mark)
                self.simulated.write(self.output.command)
                return self.output
            self._unbelievable += 1
            self.lost |= self._unbelievable >= BAD_STATES
        if self.lost and self._said < FADE_TICKS:
            self._said += 1
            self._damping.seq[0] = self.output.command.seq[0] + 1.0
            fade(self.output.command, self._damping, self._said, self._words)
            self.simulated.write(self._words)
        else:
            self.simulated.advance()
        return self.output

    def run(self, ticks: int, each: Callable[[int], None] | None = None) -> None:
        """Some periods; `each` is called after every one."""
        for k in range(ticks):
            self.tick()
            if each is not None:
                each(k)

    @property
    def active(self) -> bool:
        """Whether neither the controller has given up nor its link would have."""
        return self.output.state == "active" and not self.lost

    @property
    def torque(self) -> Vector:
        """(na,) torque of the drives over its limit, a copy."""
        fraction: Vector = self.simulated.drives.tau / self.robot.torque_limit_Nm
        return fraction

    def tilt_error_rad(self) -> float:
        """Angle between the true and the estimated vertical."""
        true, estimated = _up(self.simulated.truth.q), _up(self.estimator.q)
        return float(np.arctan2(np.linalg.norm(np.cross(true, estimated)), true @ estimated))


def _up(q: Vector) -> Vector:
    """(3,) the world's vertical in the base's axes."""
    x, y, z, w = q[3:7]
    return np.array([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)])


def _no_mark(stage: int) -> None:
    """Stages are not timed here."""
