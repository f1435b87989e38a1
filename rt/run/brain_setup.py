"""The estimator that a run's controller gets, and the ticks that warm both up."""

from __future__ import annotations

from kilohertz.controller.brain import Brain, Estimator
from kilohertz.controller.gains.live import GainsRow
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.supervision.request import RequestRow
from kilohertz.estimators.fixed_base import FixedBaseEstimator
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow
from kilohertz.robots.wire.link import RobotTruth
from kilohertz.sim.scenario_schema import Scenario
from kilohertz.sim.truth import TruthEstimator

WARM_UP_STEPS = 100


def estimator_for(scenario: Scenario, robot: RobotModel, gains: Gains, truth: RobotTruth) -> Estimator:
    """The estimator that a scenario asks for.

    Raises:
        ConfigError: it is to know the true state, and this robot does not.
    """
    if scenario.estimator != "truth":
        return estimator_of(robot, gains)
    if not truth.known:
        raise ConfigError(f"scenario '{scenario.name}' asks for the truth, which this robot does not know")
    return TruthEstimator(truth)


def estimator_of(robot: RobotModel, gains: Gains) -> FloatingBaseEstimator | FixedBaseEstimator:
    """The estimator that knows what the sensors say, and no more."""
    kind = FloatingBaseEstimator if robot.floating else FixedBaseEstimator
    return kind(robot, gains.estimator)


def warm_up(brain: Brain, sensors: SensorRow, request: RequestRow, gains: GainsRow | Gains) -> None:
    """Ticks on one sample, after which the brain is as if it had not seen it."""
    brain.reset(sensors)
    for _ in range(WARM_UP_STEPS):
        brain.step(sensors, request, gains, no_mark)
    brain.reset(sensors)


def no_mark(stage: int) -> None:
    """For stages that are not timed."""
