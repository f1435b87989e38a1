"""Choice of the estimator of a run, and the ticks that warm up estimator and controller."""

from __future__ import annotations

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.live import GainsRow
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.supervision.request import RequestRow, make_request
from kilohertz.estimators.fixed_base import FixedBaseEstimator
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.estimators.interface import Estimator
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import OutsideRow, SensorRow
from kilohertz.robots.wire.link import RobotTruth
from kilohertz.sim.scenario_schema import Scenario
from kilohertz.sim.truth import TruthEstimator

WARM_UP_STEPS = 100


def estimator_for(
    scenario: Scenario,
    robot: RobotModel,
    gains: Gains,
    truth: RobotTruth,
    outside: OutsideRow | None = None,
) -> Estimator:
    """Builds the estimator that a scenario requires.

    Args:
        scenario: the scenario, whose key `estimator` selects the estimator.
        robot: the robot.
        gains: gains, which include the parameters of the estimator.
        truth: true state of the robot.
        outside: row that poses of the base measured from outside are written into; None without.

    Raises:
        ConfigError: the scenario requires the true state, which is not known for this robot.
    """
    if scenario.estimator != "truth":
        return estimator_of(robot, gains, outside)
    if not truth.known:
        raise ConfigError(f"scenario '{scenario.name}' asks for the truth, which this robot does not know")
    return TruthEstimator(truth)


def estimator_of(
    robot: RobotModel, gains: Gains, outside: OutsideRow | None = None
) -> FloatingBaseEstimator | FixedBaseEstimator:
    """Builds the estimator that uses the sensors only, for a floating or a fixed base.

    Args:
        robot: the robot.
        gains: gains, which include the parameters of the estimator.
        outside: row that poses of a floating base measured from outside are written into; None without.
    """
    if robot.floating:
        return FloatingBaseEstimator(robot, gains.estimator, outside)
    return FixedBaseEstimator(robot, gains.estimator)


def warm_up(brain: Brain, sensors: SensorRow, request: RequestRow, gains: GainsRow | Gains) -> None:
    """Runs some ticks on one sample, then resets the controller, so that only caches and code are warm.

    Args:
        brain: the controller.
        sensors: sensor row of the robot at rest.
        request: request to the controller in these ticks.
        gains: gains of the controller.
    """
    # A robot that hangs solves no problem until it stands.
    stands = [make_request(brain.robot, "stand", {})] if request.kind.hangs else []
    for asked in (*stands, request):
        brain.reset(sensors)
        for _ in range(WARM_UP_STEPS):
            brain.step(sensors, asked, gains, no_mark)
    brain.reset(sensors)


def no_mark(stage: int) -> None:
    """Does nothing; to be passed where stages are not timed."""
