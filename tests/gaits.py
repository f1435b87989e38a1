"""Provides a gait for tests without a robot, and closed-loop walking of a simulated robot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sim_runs import robot

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.schema import load_gains
from kilohertz.controller.supervision.request import RequestRow, make_request
from kilohertz.controller.walking.gait import Gait
from kilohertz.controller.walking.pendulum import natural_frequency
from kilohertz.controller.walking.walking import Walking
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.sim.scenario_schema import Scenario
from kilohertz.sim.simulated_robot import SimulatedRobot

GAIT = Gait(
    left=0,
    right=1,
    height_m=0.6,
    omega=natural_frequency(0.6),
    step_s=0.4,
    shortest_step_s=0.18,
    longest_step_s=0.4,
    double_support_s=0.06,
    width_m=0.18,
    least_width_m=0.09,
    widest_m=0.5,
    longest_m=0.6,
    clearance_m=0.05,
    half_length_m=0.075,
    half_width_m=0.024,
    leg_shift_s2=0.004,
)


def gait(**changes: float) -> Gait:
    return replace(GAIT, **changes)  # type: ignore[arg-type]


class WalkingRun:
    """Simulates a robot with default noise, delay, friction and model errors, and its brain."""

    def __init__(self, name: str, seed: int = 0, **scenario: Any) -> None:
        self.robot = robot(name)
        fields = {"name": "test", "duration_s": 60.0, "plant": {
            "joint_friction_Nm": 0.2, "joint_damping_Nms": 0.05, "model_error": 0.05, "com_error_m": 0.005,
        }, **scenario}  # fmt: skip
        self.sim = SimulatedRobot(self.robot, Scenario.model_validate(fields).in_order(), seed)
        self.gains = load_gains(self.robot)
        self.sensors = self.robot.new_sensor_row()
        self.brain = self.new_brain({})

    def new_brain(self, changes: dict[str, dict[str, Any]]) -> Brain:
        """Returns a brain with changed gains that starts from the robot's present state."""
        sections = {name: getattr(self.gains, name).model_copy(update=new) for name, new in changes.items()}
        self.gains = gains = self.gains.model_copy(update=sections)
        brain = Brain(self.robot, gains, FloatingBaseEstimator(self.robot, gains.estimator))
        self.sim.read(self.sensors)
        brain.reset(self.sensors)
        return brain

    @property
    def walking(self) -> Walking:
        walking: Walking = self.brain.motion.walking  # type: ignore[union-attr, assignment]
        return walking

    def request(self, kind: str, **params: Any) -> RequestRow:
        return make_request(self.robot, kind, params)

    def run(self, seconds: float, request: RequestRow, each: Any = None) -> None:
        """Runs for a time [s]; ends early at a fall, or when the brain is not active."""
        for _ in range(round(seconds * 1000)):
            self.sim.read(self.sensors)
            output = self.brain.step(self.sensors, request, self.gains, lambda stage: None)
            if self.sim.fell or output.state != "active":
                return
            if each is not None:
                each()
            self.sim.write(output.command)

    @property
    def stands(self) -> bool:
        return not self.sim.fell and self.brain.output.state == "active"
